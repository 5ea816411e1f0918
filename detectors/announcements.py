"""Changes that people announced: a price rise, a new plan. Kept beside the signal's own state, alike for all signals.

Rules:
1. An announcement is an event in the log (drift.announced), told to the drift stage as an observation: a replay repeats it.
   It is about one segment or, without one, about all of the signal's. One of a segment that does not exist is refused.
2. It explains a drift that was found on its day or later and began about then (``explains``). One about all segments also
   explains a drift that moves like one which it has explained and which is still on, where its margin reaches those days: a
   weak change is dated badly, segment by segment. What began well before, what moves otherwise and what comes later is told as ever.
3. A drift that is explained is known from its beginning on (detectors/decisions.py) and goes out as the notice
   ANNOUNCED_CHANGE. One that was told before the announcement came is known from then on. Its end is told as any other's.
4. The newest MAX_ANNOUNCEMENTS of a signal are kept.

Why the days are those: docs/decisions/drift-announced.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from detectors.decisions import Decided, know, no_such_segment
from detectors.signals.contract import ALL, Announcement, Decision, Verdict
from detectors.signals.words import day
from schemas.alerts import DriftAlert, Interval, Notice, alert_id
from schemas.duration import DAY
from schemas.observations import Observation

MAX_ANNOUNCEMENTS = 20
ANNOUNCED_CHANGE = "announced change"
"""the notice's finding"""

BEFORE_DAYS = 21.0
"""Who came in these days before the day had not decided when it came, and is dated by when they came."""
AFTER_DAYS = 28.0
"""What is announced reaches customers over a month: renewals, a sales cycle, a roll-out."""
LEEWAY_BEFORE_DAYS, LEEWAY_AFTER_DAYS = 14.0, 60.0
"""So much more at most, as the estimate is unsure. Before: half its margin, which is about one standard error. After: all of it, since a
weak change is found late, and dated by the streak in which it was found."""
ALIKE_DAYS = 365.0
"""So long after the day a segment may be found that moves like the others; by then the baseline should have been taken anew."""


def explains(announcement: Announcement, since: float, margin_days: float, found: float) -> bool:
    """Whether a drift that began at ``since``, give or take ``margin_days`` (95 %), and was ``found`` then (Unix seconds) began
    about the announced day."""
    days = (since - announcement.on) / DAY
    earliest = -BEFORE_DAYS - min(margin_days / 2, LEEWAY_BEFORE_DAYS)
    latest = AFTER_DAYS + min(margin_days, LEEWAY_AFTER_DAYS)
    return found >= announcement.on and earliest <= days <= latest


def may_come(announcement: Announcement, newest: float) -> bool:
    """Whether a drift that begins at ``newest`` (Unix seconds) or later may still be explained by when it began."""
    return newest <= announcement.on + (AFTER_DAYS + LEEWAY_AFTER_DAYS) * DAY


def of_segment(announced: Iterable[Announcement], segment: str) -> list[Announcement]:
    """Those about ``segment``, the newest first."""
    return [each for each in announced if each.segment in (None, segment)][::-1]


class _Drift(Struct, frozen=True):
    """One that is to be explained; Unix seconds."""

    segment: str
    since: float
    margin_days: float
    found: float
    before: Interval | None
    now: Interval | None


def announce(
    announced: list[Announcement],
    decided: dict[str, Decided],
    observation: Observation,
    verdicts: Sequence[Verdict],
) -> None:
    """Takes an announcement in; ``verdicts``: as the signal has them. What drifts and is explained is known from now on.

    Raises EventRefused, with nothing changed, where there is no such segment."""
    news = Announcement(
        at=observation.at,
        on=observation.value,
        by=observation.segments.get("by", ""),
        reason=observation.phrases[0] if observation.phrases else "",
        segment=observation.segments.get("segment"),
    )
    about = [verdict for verdict in verdicts if news.segment in (None, verdict.segment)]
    if not about:
        raise no_such_segment()
    announced.append(news)
    del announced[:-MAX_ANNOUNCEMENTS]
    drifts = [
        _Drift(each.segment, each.since, each.since_margin_days or 0.0, news.at, each.before, each.now)
        for each in about
        if each.state == "drifting" and each.since is not None
    ]
    for drift in [*drifts, *drifts]:  # the second time for those that move like one that was explained
        if not _is_known(decided, drift.segment) and _how(news, drift, decided, verdicts):
            know(decided, drift.segment, _decision(news, news.at, drift.since))


def tell_as_announced(
    announced: Sequence[Announcement],
    decided: dict[str, Decided],
    alerts: Sequence[DriftAlert | Notice],
    verdicts: Sequence[Verdict],
) -> list[DriftAlert | Notice]:
    """``alerts``, with the notice in place of each drift that an announcement explains as it begins. ``verdicts``: as the signal
    has them now."""
    told: list[DriftAlert | Notice] = []
    for alert in alerts:
        if isinstance(alert, DriftAlert) and alert.state == "drifting":
            told.append(_told(announced, decided, alert, verdicts))
        else:
            told.append(alert)
    return told


def _told(
    announced: Sequence[Announcement],
    decided: dict[str, Decided],
    alert: DriftAlert,
    verdicts: Sequence[Verdict],
) -> DriftAlert | Notice:
    """Of several that explain it the one whose day is nearest counts, and of those the newest."""
    since, found = alert.since.timestamp(), alert.at.timestamp()
    drift = _Drift(alert.segment, since, alert.since_margin_days, found, alert.before, alert.now)
    ways = [(each, _how(each, drift, decided, verdicts)) for each in of_segment(announced, alert.segment)]
    cause, how = min(
        ((each, how) for each, how in ways if how),
        key=lambda way: abs(since - way[0].on),
        default=(None, ""),
    )
    if cause is None:
        return alert
    know(decided, alert.segment, _decision(cause, found, since))
    return Notice(
        id=alert_id("notice", alert.signal, alert.segment, ANNOUNCED_CHANGE, alert.id),
        at=alert.at,
        signal=alert.signal,
        segment=alert.segment,
        finding=ANNOUNCED_CHANGE,
        what=alert.what,
        means=(
            f"{cause.by} announced a change from {day(cause.on)} on: \N{LEFT DOUBLE QUOTATION MARK}{cause.reason.strip()}"
            f"\N{RIGHT DOUBLE QUOTATION MARK}. {how}, so it is told as a notice and shown as acknowledged. If that does "
            f"not explain it, another cause began in the same days. {alert.check} Until it is over, or the baseline is "
            "taken anew, no further drift is told here."
        ),
    )


def _how(
    announcement: Announcement, drift: _Drift, decided: dict[str, Decided], verdicts: Sequence[Verdict]
) -> str:
    """By what an announcement explains a drift, in words; empty where it does not."""
    if explains(announcement, drift.since, drift.margin_days, drift.found):
        return "This began about then"
    days_after = (drift.found - announcement.on) / DAY
    days_before = (announcement.on - drift.since) / DAY
    may_be = 0 <= days_after <= ALIKE_DAYS and days_before <= BEFORE_DAYS + drift.margin_days
    if announcement.segment is None and may_be:
        for verdict in verdicts:
            if _is_known(decided, verdict.segment, announcement) and _moves_alike(drift, verdict):
                other = "the whole" if verdict.segment == ALL else verdict.segment
                return f"This moves as {other} does, which began about then"
    return ""


def _is_known(decided: dict[str, Decided], segment: str, cause: Announcement | None = None) -> bool:
    """Whether the drift that is on there is known; by ``cause``, if one is given."""
    found = decided.get(segment)
    if found is None or not found.known:
        return False
    made = found.decisions[-1]
    return cause is None or (made.kind, made.by, made.reason) == ("announced", cause.by, cause.reason)


def _moves_alike(drift: _Drift, verdict: Verdict) -> bool:
    """Whether both may have changed by the same factor: their 95 % intervals overlap."""
    mine, other = _factor(drift.before, drift.now), _factor(verdict.before, verdict.now)
    return mine is not None and other is not None and mine[0] <= other[1] and other[0] <= mine[1]


def _factor(before: Interval | None, now: Interval | None) -> tuple[float, float] | None:
    """From what was before to what is now, at least and at most; None where it is not known."""
    if before is None or now is None or not before.n or not now.n or before.low <= 0:
        return None
    return now.low / before.high, now.high / before.low


def _decision(cause: Announcement, at: float, since: float) -> Decision:
    return Decision(at=at, kind="announced", by=cause.by, reason=cause.reason, state="drifting", since=since)
