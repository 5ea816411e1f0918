"""What the monitors of plg.conversion_gap together mean, and the alerts and notices that follow from it.

Rules:
1. One drift alert an episode: when paying has fallen and activation has not fallen alike. One more when it ends.
2. Activation fell alike: its relative fall is at least ALIKE of paying's, and it is sure (its own detector is over its
   threshold, or the 95 % interval of the cohorts since then lies below its baseline). Then it is ``whole funnel``.
3. A whole-funnel fall becomes drift only when activation is clearly back, not when its interval grazes the baseline.
4. Paying falls when the watch of mature cohorts says so, or the early watch. While the shape of the lag says ``slower, not
   fewer``, neither is drift: that is told as a notice.
5. Ids follow from signal, segment, state and episode, so a replay gives the same.
"""

from __future__ import annotations

import math

from detectors.sequential.binomial_interval import interval
from detectors.signals import plg_conversion_gap_words as words
from detectors.signals.contract import ALL, Evidence, VerdictState
from detectors.signals.evidence import MAX_EVIDENCE, shown
from detectors.signals.mix import split_change
from detectors.signals.plg_conversion_gap_early import EarlyChange
from detectors.signals.plg_conversion_gap_measures import SIGNAL
from detectors.signals.plg_conversion_gap_since import activated_since, nearest_week, paid_now, paid_since
from detectors.signals.plg_conversion_gap_state import GapState, Segment
from detectors.signals.share_monitor import RECENT_WEEKS, Change
from detectors.signals.weeks import total, week_start
from schemas.alerts import DriftAlert, Interval, Notice, alert_id, moment
from schemas.duration import DAY, WEEK

ALIKE = 0.5
MARKET_SHARE = 0.8
"""Market-wide: sources with this share of the observations fell, each by ALIKE of the whole's relative fall or more."""
MARKET_SOURCES = 3
SLOWER = "slower, not fewer"

Alerts = list[DriftAlert | Notice]


def judge(state: GapState, name: str, change: Change | None, at: float, horizon_days: float) -> Alerts:
    """What follows for segment ``name`` now; ``change`` is what the newest observation did to its paid monitor."""
    segment = state.segments[name]
    if change == "recovered":
        segment.early.restart()
        was, segment.standing = segment.standing, "quiet"
        if was != "drifting":
            return []
        segment.standing = "resolved"
        return [_resolved(state, name, at, horizon_days, retaken=False)]
    if change == "fell":
        segment.standing = "quiet"
    if segment.paid.phase != "fallen" or segment.standing == "drifting" or segment.early.slower:
        return []
    if segment.standing == "whole funnel":
        if not _activation_back(segment):
            return []
    elif _fell_alike(state, name):
        segment.standing = "whole funnel"
        found = finding(state, name, horizon_days)
        what = words.what_whole_funnel(found)
        return [_notice(segment, name, "whole funnel", at, what, words.MEANS_WHOLE_FUNNEL)]
    segment.standing = "drifting"
    found = finding(state, name, horizon_days)
    out: Alerts = [_drifting(state, name, found, at)]
    whole = state.segments[ALL]
    # It may show only when the sources follow one by one, after the whole.
    if found.market_wide and state.market_wide_episode != whole.paid.state.episode:
        state.market_wide_episode = whole.paid.state.episode
        what = words.what_market_wide(finding(state, ALL, horizon_days))
        out.append(_notice(whole, ALL, "market-wide", at, what, words.MEANS_MARKET_WIDE))
    return out


def judge_early(
    state: GapState, name: str, change: EarlyChange | None, at: float, horizon_days: float
) -> Alerts:
    """What follows for segment ``name`` from what its early watch has found."""
    if change is None:
        return []
    segment = state.segments[name]
    before = segment.paid.before
    if before is None or segment.standing == "drifting":
        return []
    if change == "slower":
        what = words.what_slower(name, horizon_days)
        return [_notice(segment, name, SLOWER, at, what, words.MEANS_SLOWER, segment.early.slowdowns)]
    dated = segment.early.dated()
    if dated is None or segment.paid.phase == "fallen":
        return []
    n, ones = paid_since(state, name, dated.since, early=True)
    if ones >= before.estimate * n:
        return []
    segment.paid.fall_early(dated, ones / n)
    return judge(state, name, "fell", at, horizon_days)


def retake(state: GapState, name: str, at: float, horizon_days: float) -> Alerts:
    """Takes the baselines of segment ``name`` anew, and closes its drift if there is one."""
    segment = state.segments[name]
    out: Alerts = []
    if segment.standing == "drifting":
        out.append(_resolved(state, name, at, horizon_days, retaken=True))
    segment.relearn(at)
    if name == ALL:
        state.composition = {}
    return out


def unsteady(segment: Segment, name: str, older: tuple[int, int], at: float) -> Notice:
    """A stretch that was being learned has fallen apart; ``older``: (observations, ones) of the part left out."""
    learned = segment.paid.state
    since = learned.learn_from or at
    what = words.what_unsteady(
        name, interval(older[1], older[0]), interval(learned.learn_ones, learned.learn_n), since
    )
    return Notice(
        id=alert_id("notice", SIGNAL, name, "unsteady baseline", learned.episode, learned.unsteady),
        at=moment(at),
        signal=SIGNAL,
        segment=name,
        finding="unsteady baseline",
        what=what,
        means=words.MEANS_UNSTEADY,
    )


def composition(state: GapState, since: float, *, early: bool = False) -> dict[str, tuple[int, int]]:
    """segment -> (accounts, converted) of the cohorts since (Unix seconds); ``early``: with those that are still open."""
    parts = {
        name: paid_since(state, name, since, early=early) for name in sorted(state.segments) if name != ALL
    }
    return {name: counts for name, counts in parts.items() if counts[0]}


def finding(state: GapState, name: str, horizon_days: float) -> words.Finding:
    """The facts of a segment's fall, or of its end. Needs a frozen baseline."""
    segment = state.segments[name]
    paid = segment.paid.state
    nothing = Interval(estimate=0.0, low=0.0, high=1.0, n=0)
    since = paid.newest
    margin = 0.0
    if paid.fall is not None:
        since, margin = paid.fall.dated.since, paid.fall.margin_days
    elif paid.recovery is not None:
        since = paid.recovery.dated.since
    early = paid.fall is not None and paid.fall.early
    split = split_change(state.composition, composition(state, since, early=early)) if name == ALL else None
    return words.Finding(
        segment=name,
        since=since,
        margin_days=margin,
        newest=paid.newest,
        before=segment.paid.before or nothing,
        now=paid_now(state, name) or nothing,
        early=early,
        horizon_days=horizon_days,
        activated_before=segment.activated.before,
        activated_now=activated_since(segment, since, early=early),
        growth=_growth(segment, since, early=early),
        split=split,
        market_wide=paid.fall is not None and _market_wide(state),
    )


def verdict_finding(segment: Segment, name: str, state: GapState) -> str:
    """The named finding that holds now for a verdict."""
    if segment.standing == "whole funnel":
        return "whole funnel"
    if segment.early.slower and segment.standing != "drifting":
        return SLOWER
    return "market-wide" if segment.standing == "drifting" and name == ALL and _market_wide(state) else ""


def state_of(segment: Segment) -> VerdictState:
    """Of a segment's verdict."""
    phase = segment.paid.phase
    if phase == "learning":
        return "learning"
    if phase == "fallen":
        return "drifting" if segment.standing == "drifting" else "watching"
    return "resolved" if phase == "recovered" and segment.standing == "resolved" else "watching"


def evidence_of(segment: Segment) -> tuple[float, float]:
    """Statistic and threshold of the watch that speaks: the early one, in days, where it has found the fall; else that of
    mature cohorts, in observations (0 while learning)."""
    kept = segment.paid.state
    if kept.fall is not None and kept.fall.early:
        return segment.early.statistic, segment.early.threshold
    return segment.paid.statistic, kept.watch.threshold if kept.watch is not None else 0.0


def accounts_of(segment: Segment, horizon_days: float) -> list[Evidence]:
    """Who did not pay, the newest first; where the early watch has found the fall, who of the cohorts since then has not yet,
    the oldest first."""
    fall = segment.paid.state.fall
    if fall is None or not fall.early:
        found = shown(segment.evidence)
        why = f"did not pay within {horizon_days:g} days"
    else:
        waiting = segment.early.cohorts.waiting(int(fall.dated.since // DAY), MAX_EVIDENCE)
        found = [Evidence(account, day * DAY, 1.0) for day, account in waiting]
        why = "activated then, has not paid yet"
    for each in found:
        each.phrases = [why]
    return found


def _fell_alike(state: GapState, name: str) -> bool:
    segment = state.segments[name]
    fall, activated = segment.paid.state.fall, segment.activated
    before = activated.before
    if fall is None or before is None or activated.state.watch is None:
        return False
    mature = activated.phase == "fallen"
    now = activated.now if mature else activated_since(segment, fall.dated.since, early=fall.early)
    if now is None:
        return False
    sure = mature or now.high < activated.state.watch.baseline.low
    return sure and _relative_fall(before, now) >= ALIKE * _relative_fall(
        segment.paid.before, paid_now(state, name)
    )


def _activation_back(segment: Segment) -> bool:
    watch, now, fall = segment.activated.state.watch, segment.activated.now, segment.paid.state.fall
    if watch is None or now is None or fall is None:
        return False
    if fall.early and segment.activated.state.newest < fall.dated.since + RECENT_WEEKS * WEEK:
        # What is mature by now is from before the fall.
        return False
    return segment.activated.phase != "fallen" and now.estimate >= watch.baseline.low


def _market_wide(state: GapState) -> bool:
    """Whether nearly all sources fell like the whole."""
    whole = state.segments[ALL].paid
    fall = whole.state.fall
    if fall is None:
        return False
    wanted = ALIKE * _relative_fall(whole.before, paid_now(state, ALL))
    counted = alike = sources = 0
    for name, segment in state.segments.items():
        n, ones = paid_since(state, name, fall.dated.since, early=fall.early)
        if name == ALL or not n or segment.paid.before is None:
            continue
        counted += n
        if _relative_fall(segment.paid.before, interval(ones, n)) >= wanted:
            alike += n
            sources += 1
    return sources >= MARKET_SOURCES and alike >= MARKET_SHARE * counted


def _relative_fall(before: Interval | None, now: Interval | None) -> float:
    if before is None or now is None or before.estimate == 0:
        return 0.0
    return 1 - now.estimate / before.estimate


def _growth(segment: Segment, since: float, *, early: bool) -> float | None:
    """Sign-ups a day since then over those in the baseline stretch, by whole weeks (``early``: with those who signed up since
    the last mature ones); 1 where the difference may be chance, None without such weeks."""
    watch, signed_up = segment.paid.state.watch, segment.activated.state
    if watch is None:
        return None
    before_from, before_to = week_start(watch.baseline.start) + WEEK, week_start(watch.baseline.end)
    after_from, after_to = nearest_week(since), week_start(signed_up.newest)
    before, _ = total(signed_up.weeks, before_from, before_to)
    after, _ = total(signed_up.weeks, after_from, after_to)
    if early:
        mature_to = int(max(after_from, after_to) // DAY)
        young, days = segment.activating.entered(mature_to)
        after, after_to = after + young, (mature_to + days) * DAY
    if not before or not after:
        return None
    growth = (after / (after_to - after_from)) / (before / (before_to - before_from))
    standard_error = math.sqrt(1 / before + 1 / after)
    return growth if abs(math.log(growth)) > 2 * standard_error else 1.0


def _drifting(state: GapState, name: str, f: words.Finding, at: float) -> DriftAlert:
    segment = state.segments[name]
    return _alert(
        state,
        segment,
        "drifting",
        f,
        at,
        what=words.what_drifting(f),
        means=words.means_drifting(f),
        check=words.check_drifting(f),
        wrong_if=words.wrong_if_drifting(f),
        evidence=[each.account for each in accounts_of(segment, f.horizon_days)],
    )


def _resolved(state: GapState, name: str, at: float, horizon_days: float, *, retaken: bool) -> DriftAlert:
    f = finding(state, name, horizon_days)
    return _alert(
        state,
        state.segments[name],
        "resolved",
        f,
        at,
        what=words.what_resolved(f, retaken=retaken),
        means=words.means_resolved(retaken=retaken),
        check=words.CHECK_RESOLVED,
        wrong_if=words.WRONG_IF_RESOLVED,
        evidence=[],
    )


def _alert(
    state: GapState,
    segment: Segment,
    status: str,
    f: words.Finding,
    at: float,
    *,
    what: str,
    means: str,
    check: str,
    wrong_if: str,
    evidence: list[str],
) -> DriftAlert:
    statistic, threshold = evidence_of(segment)
    return DriftAlert(
        id=alert_id("drift", SIGNAL, f.segment, status, segment.paid.state.episode),
        at=moment(at),
        signal=SIGNAL,
        segment=f.segment,
        state=status,
        since=moment(f.since),
        since_margin_days=f.margin_days,
        before=f.before,
        now=f.now,
        statistic=statistic,
        threshold=threshold,
        mix_share=f.split.mix_share if f.split is not None else None,
        what=what,
        means=means,
        check=check,
        wrong_if=wrong_if,
        promise=words.promise(state.watching.promise.false_alarms_per_year),
        evidence=evidence,
    )


def _notice(
    segment: Segment, name: str, found: str, at: float, what: str, means: str, episode: int | None = None
) -> Notice:
    episode = segment.paid.state.episode if episode is None else episode
    return Notice(
        id=alert_id("notice", SIGNAL, name, found, episode),
        at=moment(at),
        signal=SIGNAL,
        segment=name,
        finding=found,
        what=what,
        means=means,
    )
