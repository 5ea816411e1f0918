"""Sentences about a share that rose or fell (rate_monitor.py): how much, since when, how sure, and what of it is mix."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.signals.contract import ALL
from detectors.signals.monitor import Monitor
from detectors.signals.rate_state import Mix, Unsteady
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.segmented_words import where
from detectors.signals.words import day, days, listed, per_hundred, per_hundred_interval, percent

_NEXT_TO_NOTHING = 0.1
"""A part of the change that is not worth a number."""
MOST_PARTS = 3


def change_of_share(case: Case, subject: str, does: str) -> str:
    """``Of 100 <subject> of rep anna, 31.0 now <does> (95 %: 24.1-38.0); until 3 May 2026 (±9 days) it was 10.2 (...).``"""
    monitor: Monitor = case.monitor
    before, now, since = monitor.before, monitor.now, monitor.since
    if before is None or now is None or since is None:
        raise ValueError("a share that has changed has a before, a now and a since")
    return (
        f"Of 100 {subject}{where(case.segment)}, {per_hundred(now.estimate)} now {does} "
        f"(95 %: {per_hundred_interval(now)}); until {day(since)} (±{days(monitor.since_margin_days or 1)}) "
        f"it was {per_hundred(before.estimate)} ({per_hundred_interval(before)})."
    )


def mix_or_rate(case: Case, parts: str, does: str) -> str:
    """How a change of ``all`` splits into mix and rate, with a space before it; nothing where there are no strata."""
    share = case.monitor.mix_share
    if case.segment != ALL or share is None or len(case.parts) < 2:
        return ""
    if share < _NEXT_TO_NOTHING:
        return f" None of that is mix: the same {parts} {does} more than before."
    if share > 1 - _NEXT_TO_NOTHING:
        return f" Nearly all of that is mix: more comes from {parts} of whom it was known."
    return f" About {percent(share)} of that is mix (other {parts} than before), the rest is rate (the same {parts} {does} more)."


def moved_most(case: Case, dimension: str) -> list[str]:
    """The segments of a dimension that moved the whole most, as ``anna (10.0 to 31.0 of 100)``: those
    that are above their baseline's interval, since the whole has changed; at most MOST_PARTS."""
    found = []
    for name, monitor in case.parts.items():
        own, _, value = name.partition(":")
        before, now = monitor.before, monitor.level_since(case.monitor.since)
        if own != dimension or before is None or now is None:
            continue
        rise = now.estimate - before.estimate
        if rise > before.high - before.estimate:
            shown = f"{value} ({per_hundred(before.estimate)} to {per_hundred(now.estimate)} of 100)"
            found.append((-rise * now.n, shown))
    return [shown for _, shown in sorted(found)[:MOST_PARTS]]


def heard(phrases: Sequence[str]) -> str:
    """The phrases that weigh most, with a space before them; nothing without one."""
    quoted = [f"“{phrase}”" for phrase in phrases[:MOST_PARTS]]
    return f" Heard most: {listed(quoted)}." if quoted else ""


def words_unsteady(case: Case, share_of: str) -> Words:
    """``share_of``: ``the share of new opportunities whose notes hedge``"""
    facts: Unsteady = case.facts
    moved = "rose" if facts.newer.estimate > facts.older.estimate else "fell"
    return Words(
        what=(
            f"While the baseline{where(case.segment)} was being learned, {share_of} {moved} from "
            f"{per_hundred(facts.older.estimate)} to {per_hundred(facts.newer.estimate)} of 100 around {day(facts.since)}."
        ),
        means=(
            "A stretch with two different shares is no baseline: the older part is left out, and learning goes on with the "
            "newer. If the older share was the healthy one, the drift has already happened and won't be reported as such."
        ),
    )


def words_mix(case: Case, share_of: str, parts: str) -> Words:
    facts: Mix = case.facts
    monitor: Monitor = case.monitor
    before = f" from {per_hundred(monitor.before.estimate)}" if monitor.before is not None else ""
    return Words(
        what=(
            f"Since about {day(facts.since)} {share_of}{where(case.segment)} has moved{before} to "
            f"{per_hundred(facts.now.estimate)} of 100, and it is mix: other {parts} than before, each as always."
        ),
        means=f"No {parts[:-1]} has changed. Look at who is new or has grown, and whether that is what you want.",
    )
