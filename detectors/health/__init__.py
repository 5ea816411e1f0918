"""data.health: is what the signals feed on still what it was? Every source is watched by itself.

A package beside the signals, not one of them: a signal asks whether the company changes, this asks whether the question
may be put at all. It hears counts instead of facts about accounts, its segments are sources, and its finding goes to all signals
(detectors/suspension.py). A person may say that an illness is known, or that a source was meant to end.

- fields.py: which fields and values are looked at, and what makes two events the same;
- tally.py: the account stage's half: counts by source and hour, in C where there are many events;
- rhythm.py, share.py, values.py: the three things that are judged, pure numbers;
- watch.py: one source; data_health.py: all of them, as the drift stage keeps them; words.py: what is said.
"""
