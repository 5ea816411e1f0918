"""What clg.churn_cohorts says to a person: who leaves, since when they were acquired, what it means, what to check."""

from __future__ import annotations

from datetime import UTC, datetime

from detectors.signals.contract import ALL
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.segmented_words import where
from detectors.signals.words import day, days, listed
from schemas.alerts import Interval


def drifting(case: Case) -> Words:
    monitor = case.monitor
    since, now = monitor.since, monitor.now
    return Words(
        what=(
            f"Customers{where(case.segment)} acquired since {day(since)} (±{days(monitor.since_margin_days or 1)}; "
            f"{_half_year(since)}) leave {_times(now)} as often as their tenure explains: {now.n} left. "
            f"{_rest(monitor.earlier, monitor.elite)}{_sources(case)}"
        ),
        means=(
            "This is what elite distortion looks like: product and story follow the devoted few, and those who came for it "
            "later find that it is not for them. It is not their being new: they are compared with earlier customers of the "
            "same tenure."
        ),
        check=(
            "Check first what those who left were promised and what they said when they left, and whose wishes the releases "
            f"since {day(since)} have met."
        ),
        wrong_if=(
            "It would be wrong if these customers came with shorter contracts or by other ways than before: nothing but tenure "
            "is accounted for. One bad month can't be it: the worst six weeks of acquisition are set apart."
        ),
    )


def uniform(case: Case) -> Words:
    monitor = case.monitor
    since = monitor.stored.uniform
    return Words(
        what=(
            f"Churn{where(case.segment)} has risen everywhere since about {day(since)}: customers acquired since then leave "
            f"{_times(case.facts)} as often as their tenure explains. {_rest(monitor.earlier, monitor.elite)}"
        ),
        means=(
            "Old customers leave more often too, so it is not what the community has drawn: look for a price, a rival, an "
            "outage, or at how churn is recorded."
        ),
    )


def resolved(case: Case, *, retaken: bool) -> Words:
    monitor = case.monitor
    if retaken:
        what = f"The baseline{where(case.segment)} is taken anew by a person's decision; the drift is closed."
        means = "What is normal is learned again; until then a drift in this segment is not found."
    else:
        since = day(case.at if monitor.since is None else monitor.since)
        now = f" ({_times(monitor.now)})" if monitor.now else ""
        what = f"Customers{where(case.segment)} acquired late leave as often as their tenure explains again{now}, since {since}."
        means = "The segment is watched again against the same baseline, from the customers of now on."
    return Words(
        what=what,
        means=means,
        check="Write down what ended it: it is what to do the next time.",
        wrong_if="It would be wrong if it came back: a new alert would say so.",
    )


def _times(ratio: Interval) -> str:
    return f"{ratio.estimate:.1f} times (95 %: {ratio.low:.1f}-{ratio.high:.1f})"


def _rest(earlier: Interval | None, elite: Interval | None) -> str:
    told = []
    if earlier is not None:
        told.append(f"those acquired earlier {_times(earlier)}")
    if elite is not None:
        told.append(f"the elite {_times(elite)}")
    if not told:
        return "Of earlier customers and of the elite too little is known to compare."
    return f"In the same time {listed(told)} as often as theirs."


def _sources(case: Case) -> str:
    if case.segment != ALL:
        return ""
    drifted = sorted(
        name.partition(":")[2] for name, monitor in case.parts.items() if monitor.phase == "drifting"
    )
    return f" It is sure by itself for source {listed(drifted)}." if drifted and len(case.parts) > 1 else ""


def _half_year(since: float) -> str:
    at = datetime.fromtimestamp(since, UTC)
    return f"{'first' if at.month <= 6 else 'second'} half of {at.year}"
