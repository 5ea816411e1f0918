"""What clg.support_burden says to a person: whose tickets have become rarer by seat, whose more, what to check."""

from __future__ import annotations

from detectors.signals.clg_support_burden_monitor import SupportMonitor
from detectors.signals.clg_support_burden_seats import Community, Spread
from detectors.signals.rate_state import Mix
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.words import day, days, per_hundred, percent
from schemas.alerts import Interval
from schemas.duration import DAY, WEEK


def drifting(case: Case) -> Words:
    monitor: SupportMonitor = case.monitor
    before, now, since = monitor.before, monitor.now, monitor.since
    if before is None or now is None or since is None:
        raise ValueError("a rate ratio that has changed has a before, a now and a since")
    return Words(
        what=(
            f"A seat of the elite now asks for support {_times(now)} as often as any other; until {day(since)} "
            f"(±{days(monitor.since_margin_days or 1)}) it was {_times(before)}. {_tickets(monitor, case)}"
            f"{_spread(case)}"
        ),
        means=(
            "This is what elite distortion looks like: the product has become easy for those who are listened to and hard for "
            "everybody else. Whoever asks the board how it goes hears that all is well."
        ),
        check=(
            f"Check first what the others have asked since {day(since)}, and whose wishes the releases of that time have met. "
            "Then ask three ordinary customers what the board was asked."
        ),
        wrong_if=(
            "It would be wrong if the elite asks elsewhere by now (a shared channel, a named contact), if a large customer was "
            "onboarded late, or if who sits on the advisory board is no longer kept up to date."
        ),
    )


def resolved(case: Case, *, retaken: bool) -> Words:
    monitor: SupportMonitor = case.monitor
    since = day(case.at if monitor.since is None else monitor.since)
    if retaken:
        what = f"The baseline is taken anew by a person's decision; the drift since {since} is closed."
        means = "What is normal is learned again; until then a drift is not found."
    else:
        now = f": {_times(monitor.now)} as often as any other" if monitor.now is not None else ""
        what = f"Since {since} a seat of the elite asks for support about as often as it did before the drift{now}."
        means = "Tickets are watched again against the same baseline."
    return Words(
        what=what,
        means=means,
        check="Write down what ended it: it is what to do the next time.",
        wrong_if="It would be wrong if it came back: a new alert would say so.",
    )


def mix(case: Case) -> Words:
    facts: Mix = case.facts
    baseline = case.monitor.stored.watch.baseline
    return Words(
        what=(
            f"Since about {day(facts.since)} the elite writes {per_hundred(facts.now.estimate)} of 100 tickets, "
            f"{per_hundred(baseline.ones / baseline.n)} before, and it is because its share of the seats has changed."
        ),
        means="A seat of the elite asks as often as before, and so does any other. Look at who has joined or left the elite.",
    )


def _times(ratio: Interval) -> str:
    return f"{ratio.estimate:.2f} times (95 %: {ratio.low:.2f}-{ratio.high:.2f})"


def _tickets(monitor: SupportMonitor, case: Case) -> str:
    """How many a week came from each, so that it shows which of the two has moved."""
    sums, baseline = monitor.sums, monitor.stored.watch.baseline if monitor.stored.watch else None
    begin = monitor.since
    if baseline is None or begin is None or not sums.judged:
        return ""
    weeks, then = max((case.at - begin) / WEEK, 1.0), max((baseline.end - baseline.start) / WEEK, 1.0)
    share = sums.expected / sums.judged
    return (
        f"It writes {per_hundred(sums.judged_ones / sums.judged)} of 100 tickets; by its seats and its usual rate it would be "
        f"{per_hundred(share)}. A week brings {sums.judged_ones / weeks:.1f} tickets of the elite and "
        f"{(sums.judged - sums.judged_ones) / weeks:.1f} of all others; in the baseline {baseline.ones / then:.1f} and "
        f"{(baseline.n - baseline.ones) / then:.1f}."
    )


def _spread(case: Case) -> str:
    """How unevenly customers ask, now and in the baseline, with a space before it."""
    community: Community = case.shared
    watch = case.monitor.stored.watch
    if not community.spreads or watch is None:
        return ""
    now = community.spreads[-1]
    before = min(community.spreads, key=lambda each: abs(each.at - watch.baseline.end))
    told = f" The tenth of customers who ask most wrote {_shown(now)}"
    if now.at - before.at < 30 * DAY:
        return f"{told}."
    return f"{told}, {_shown(before, short=True)} around {day(before.at)}."


def _shown(spread: Spread, *, short: bool = False) -> str:
    of = "" if short else " of the tickets of 90 days"
    return f"{percent(spread.top_tenth)}{of} (Gini index {spread.gini:.2f})"
