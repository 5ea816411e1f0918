"""What all signals say alike: that a drift is over, that it is market-wide, and how a segment is named in a sentence."""

from __future__ import annotations

from detectors.signals.monitor import Monitor
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.words import day, per_hundred


def where(segment: str) -> str:
    """`` of rep anna``, or nothing for ``all``: how a sentence names a segment."""
    dimension, _, value = segment.partition(":")
    return f" of {dimension} {value}" if value else ""


def words_resolved(case: Case, *, retaken: bool) -> Words:
    """For a share; a signal that measures something else says it in its own words."""
    monitor: Monitor = case.monitor
    since = day(case.at if monitor.since is None else monitor.since)
    if retaken:
        what = f"The baseline{where(case.segment)} is taken anew by a person's decision; the drift since {since} is closed."
        means = "What is normal is learned again; until then a drift in this segment is not found."
    else:
        now = f": {per_hundred(monitor.now.estimate)} of 100 now" if monitor.now else ""
        before = f", {per_hundred(monitor.before.estimate)} in the baseline" if monitor.before else ""
        what = f"The drift{where(case.segment)} has ended around {since}{now}{before}."
        means = "The segment is watched again against the same baseline."
    return Words(
        what=what,
        means=means,
        check="Write down what ended it: it is what to do the next time.",
        wrong_if="It would be wrong if it came back: a new alert would say so.",
    )


def words_market_wide(case: Case, title: str) -> Words:
    monitor: Monitor = case.monitor
    since = day(case.at if monitor.since is None else monitor.since)
    return Words(
        what=f"Nearly all segments moved alike since {since}: {title}.",
        means="The cause is likely outside of any one of them: test before you rewrite your ICP.",
    )
