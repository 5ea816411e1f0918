"""A drift verdict as one row of a table: every number in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time

from msgspec import UNSET, Struct

from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.signals.contract import ALL, Quantity, VerdictState
from schemas.alerts import Interval
from streams.serving.views import (
    AnnouncedView,
    BaselineView,
    DecidedView,
    MovedView,
    OpinionView,
    VerdictView,
)
from streams.web.charts import Sparkline, reached, sparkline
from streams.web.counted_out import CountedOut, counted_out_words
from streams.web.wording import (
    NARROW,
    count,
    day,
    interval_words,
    measure,
    moment,
    ratio_words,
    sample_words,
    segment_words,
    words,
)


class DecisionRow(Struct, kw_only=True):
    """``what``: ``acknowledged``, as announced or not, or that the baseline was taken anew; ``then``: how the segment stood."""

    at: datetime
    what: str
    then: str
    by: str
    reason: str


class AnnouncementRow(Struct, kw_only=True):
    """``on``: when the announced day begins; ``about``: which segment, in words."""

    at: datetime
    on: datetime
    about: str
    by: str
    reason: str


class MovedRow(Struct, frozen=True):
    signal: str
    words: str
    """which segments, and since when"""


class DriftRow(Struct, kw_only=True):
    """``width``: of the bar, 0 to 100. ``before`` and ``now``: estimate, interval and what
    they rest on, empty where not known. ``charted``:
    whether there is a chart, or will be one."""

    signal: str
    title: str
    segment: str
    state: VerdictState
    finding: str
    since: str
    before: str
    before_interval: str
    before_sample: str
    now: str
    now_interval: str
    now_sample: str
    ratio_of: str
    """what the two are of; empty where they are no ratios"""
    width: float
    statistic: str
    promise: str
    """how seldom the threshold is passed by mistake; empty without one"""
    missing: str
    observations: str
    counted_out: list[CountedOut]
    suspended: str
    decisions: list[DecisionRow]
    """the newest first"""
    announcements: list[AnnouncementRow]
    """what was announced for it, the newest first"""
    announced: list[str]
    """those of them that may still explain a drift, in words; what is about all segments stands in ``all`` only"""
    moved_too: list[MovedRow]
    """what else drifts"""
    second_opinion: str
    """what river's detector has come to, in words; empty without one"""
    baseline: str
    """from when on it is learned, in words, where the operator chose that; else empty"""
    charted: bool
    chart: Sparkline | None


STATE_ORDER: tuple[VerdictState, ...] = (
    "ill",
    "drifting",
    "acknowledged",
    "suspended",
    "resolved",
    "watching",
    "learning",
)


MOVED_SEGMENTS = 3
"""Of one signal, at most."""
DECISIONS = {
    "acknowledged": "acknowledged",
    "baseline_retaken": "baseline taken anew",
    "announced": "acknowledged as announced",
}


def in_order(verdicts: Iterable[VerdictView]) -> list[VerdictView]:
    """What drifts first; else in the order of the verdicts."""
    return sorted(verdicts, key=lambda each: STATE_ORDER.index(each.state))


def drift_rows(verdicts: Iterable[VerdictView]) -> list[DriftRow]:
    """What drifts first; else in the order of the verdicts."""
    return [drift_row(verdict) for verdict in in_order(verdicts)]


def drift_row(verdict: VerdictView) -> DriftRow:
    since = ""
    if verdict.since is not None:
        since = day(verdict.since)
        if verdict.since_margin_days is not None:
            since += f" (±{whole_days(verdict.since_margin_days)}{NARROW}d)"
    return DriftRow(
        signal=verdict.signal,
        title=verdict.title,
        segment=segment_words(verdict.signal, verdict.segment),
        state=verdict.state,
        finding=words(verdict.finding),
        since=since,
        before="" if verdict.before is None else measure(verdict.before.estimate, verdict.unit),
        before_interval=_interval(verdict.before, verdict.unit),
        before_sample=_sample(verdict.before, verdict.unit),
        now="" if verdict.now is None else measure(verdict.now.estimate, verdict.unit),
        now_interval=_interval(verdict.now, verdict.unit),
        now_sample=_sample(verdict.now, verdict.unit),
        ratio_of=ratio_words(verdict.signal, verdict.unit),
        width=round(100 * reached(verdict.statistic, verdict.threshold), 1),
        statistic=f"{short(verdict.statistic)} of {short(verdict.threshold)}"
        if verdict.threshold > 0
        else "",
        promise=_promise(verdict.false_alarms_per_year) if verdict.threshold > 0 else "",
        missing=verdict.missing,
        observations=count(verdict.n),
        counted_out=counted_out_words(verdict.counted_out),
        suspended=verdict.suspended,
        decisions=[decision_row(each) for each in verdict.decisions],
        announcements=[announcement_row(verdict.signal, each) for each in verdict.announcements],
        announced=[
            announced_words(verdict.signal, each)
            for each in verdict.announcements
            if each.current and (each.segment is not None or verdict.segment == ALL)
        ],
        moved_too=moved_rows(verdict.moved_too),
        second_opinion="" if verdict.second_opinion is None else opinion_words(verdict.second_opinion),
        baseline="" if verdict.baseline is UNSET else baseline_words(verdict.baseline, verdict.decisions),
        charted=verdict.signal != DATA_HEALTH,
        chart=sparkline(verdict),
    )


def _interval(interval: Interval | None, unit: Quantity) -> str:
    """Empty also where the number is exact: a mean of data.health is of all that came."""
    if interval is None or interval.low == interval.high:
        return ""
    return interval_words(interval, unit)


def _sample(interval: Interval | None, unit: Quantity) -> str:
    return "" if interval is None else sample_words(interval.n, unit)


def decision_row(decision: DecidedView) -> DecisionRow:
    since = "" if decision.since is None else f" since {day(decision.since)}"
    return DecisionRow(
        at=decision.at,
        what=DECISIONS[decision.kind],
        then=f"{decision.state}{since}",
        by=decision.by,
        reason=decision.reason,
    )


def announcement_row(signal: str, announced: AnnouncedView) -> AnnouncementRow:
    return AnnouncementRow(
        at=announced.at,
        on=_begin(announced),
        about="all segments" if announced.segment is None else segment_words(signal, announced.segment),
        by=announced.by,
        reason=announced.reason,
    )


def announced_words(signal: str, announced: AnnouncedView) -> str:
    """``New list prices, from 4 May 2026``"""
    about = "" if announced.segment is None else f" ({segment_words(signal, announced.segment)})"
    return f"{announced.reason}, from {day(_begin(announced))}{about}"


def _begin(announced: AnnouncedView) -> datetime:
    return datetime.combine(announced.on, time(), UTC)


def moved_rows(moved: Sequence[MovedView]) -> list[MovedRow]:
    """Where much of a signal moved: the whole, or else some of its segments, and how many more there are."""
    rows: list[MovedRow] = []
    for signal in dict.fromkeys(each.signal for each in moved):
        of_signal = [each for each in moved if each.signal == signal]
        shown = of_signal[:MOVED_SEGMENTS]
        if len(of_signal) > MOVED_SEGMENTS:
            shown = [each for each in of_signal if each.segment == ALL] or shown
        words = [_moved(each) for each in shown]
        more = len(of_signal) - len(shown)
        if more:
            words[-1] += (
                f", and {more} {'more ' if shown[0].segment != ALL else ''}segment{'s' if more > 1 else ''}"
            )
        rows += [MovedRow(signal, each) for each in words]
    return rows


def _moved(moved: MovedView) -> str:
    since = "" if moved.since is None else f", since {day(moved.since)}"
    return f"{segment_words(moved.signal, moved.segment)}{since}"


def opinion_words(opinion: OpinionView) -> str:
    if opinion.found_at is None:
        return f"{opinion.detector}, found nothing in {count(opinion.n)} observations"
    return f"{opinion.detector}, last found a change on {day(opinion.found_at)}"


def beside_name(verdict: VerdictView) -> str:
    """``referral`` of ``source:referral``, for a label."""
    return "" if verdict.beside is UNSET else words(verdict.beside.segment.partition(":")[2])


def beside_words(verdict: VerdictView) -> str:
    """The segment that this one may be compared with, in the same weeks; empty without one."""
    if verdict.beside is UNSET:
        return ""
    shares = [
        f"{measure(each.estimate, verdict.unit)} {when} (95 %: {_interval(each, verdict.unit)}, {_sample(each, verdict.unit)})"
        for when, each in (("before", verdict.beside.before), ("now", verdict.beside.now))
        if each is not None
    ]
    return ", ".join(shares)


def baseline_words(baseline: BaselineView, decisions: Iterable[DecidedView]) -> str:
    """``chosen, from 1 Jan 2026``; ``decisions``: the newest first."""
    learned = (
        "the first stretch" if baseline.learned_from is None else f"chosen, {_from(baseline.learned_from)}"
    )
    anew = next((each.at for each in decisions if each.kind == "baseline_retaken"), None)
    if anew is not None:
        learned += f", and taken anew on {day(anew)}"
    if baseline.settings == baseline.learned_from:
        return learned
    wanted = "the first stretch" if baseline.settings is None else _from(baseline.settings)
    return f"{learned}; {wanted}, as the settings want it, once the history is read anew"


def _from(at: datetime) -> str:
    midnight = at.astimezone(UTC).timetz() == time(tzinfo=UTC)
    return f"from {day(at) if midnight else moment(at)}"


def whole_days(days: float) -> str:
    """As in the alert: one day at least."""
    return count(max(1, round(days)))


def short(value: float) -> str:
    """Three digits: a statistic's size matters, its digits don't."""
    if abs(value) >= 1e15:
        return f"{value:.1e}".replace("e+", "e")
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{NARROW}{unit}"
    return f"{value:.3g}"


def _promise(false_alarms_per_year: float) -> str:
    years = 1 / false_alarms_per_year if false_alarms_per_year > 0 else 0.0
    if years < 1:
        return f"about {short(false_alarms_per_year)} times a year in this segment"
    return f"about once in {count(round(years))} years in this segment"
