"""What slg.aged_win_rate says to a person: what becomes of aged deals now, what it means, what to check."""

from __future__ import annotations

from typing import Any

from detectors.signals.contract import ALL
from detectors.signals.segmented_alerts import Case, Words
from detectors.signals.segmented_words import where
from detectors.signals.slg_aged_win_rate_state import Lingering, UnsteadyWins
from detectors.signals.words import day, days, listed, per_hundred
from schemas.alerts import Interval


def drifting(case: Case) -> Words:
    monitor: Any = case.monitor
    since, won, lost = monitor.since, monitor.now, monitor.losses
    base, weeks = monitor.stored.watch.baseline, monitor.weeks_since(None)
    aged, young = sum(w.ones for w in weeks), sum(w.young_won for w in weeks)
    return Words(
        what=(
            f"Opportunities{where(case.segment)} created since {day(since)} (±{days(monitor.since_margin_days or 1)}) are won "
            f"{_times(won)} as often past the median cycle of their amount band as at the same age before, and open ones are "
            f"lost {_times(lost)} as often. Of 100 wins, {_share(aged, young)} are now of such aged deals, "
            f"{_share(base.won, base.young_won)} before.{_reps(case)}"
        ),
        means=(
            "This is what deliberate widening looks like in a pipeline: an old deal used to be a dead one. Now sellers keep "
            "near-fits alive until one of them closes, and bend the offer, or the profile, until it fits."
        ),
        check=(
            "Check first the aged deals that were won, the accounts named here: what was promised, at which price, and whether "
            f"they fit the profile. Who decided since {day(since)} to keep such deals open?"
        ),
        wrong_if=(
            "It would be wrong if buyers simply take longer for a reason of their own (a budget, a procurement rule), or if "
            "deals are closed as lost by another rule than before; these customers would then stay as long as others do."
        ),
    )


def kept_alive(case: Case) -> Words:
    facts: Lingering = case.facts
    return Words(
        what=(
            f"Opportunities{where(case.segment)} created since about {day(facts.since)} are lost {facts.lost:.1f} times as often "
            f"past the median cycle of their amount band as at the same age before; they are won {facts.won:.1f} times as "
            "often, which is not sure to be a change."
        ),
        means=(
            "Deals are kept alive, and nothing comes of it so far: forecasts hold more than they are worth. If aged deals begin "
            "to be won more often as well, the profile is being widened."
        ),
    )


def unsteady(case: Case) -> Words:
    facts: UnsteadyWins = case.facts
    return Words(
        what=(
            f"While the baseline{where(case.segment)} was being learned, wins a week of 100 opportunities past the median cycle rose "
            f"from {facts.older:.1f} to {facts.newer:.1f} around {day(facts.since)}."
        ),
        means=(
            "A stretch with two different rates is no baseline: learning begins anew. If the older rate was the healthy one, "
            "the drift has already happened and won't be reported as such."
        ),
    )


def resolved(case: Case, *, retaken: bool) -> Words:
    monitor: Any = case.monitor
    if retaken:
        what = f"The baseline{where(case.segment)} is taken anew by a person's decision; the drift is closed."
        means = "What is normal is learned again; until then a drift in this segment is not found."
    else:
        since = day(case.at if monitor.since is None else monitor.since)
        what = (
            f"Since about {since} opportunities{where(case.segment)} past the median cycle are won {_times(monitor.now)} and "
            f"lost {_times(monitor.losses)} as often as at the same age in the baseline: the drift has ended."
        )
        means = "The segment is watched again against the same baseline."
    return Words(
        what=what,
        means=means,
        check="Write down what ended it: it is what to do the next time.",
        wrong_if="It would be wrong if it came back: a new alert would say so.",
    )


def _times(ratio: Interval | None) -> str:
    if ratio is None:
        return "about"
    return f"{ratio.estimate:.1f} times (95 %: {ratio.low:.1f}-{ratio.high:.1f})"


def _share(aged: int, young: int) -> str:
    return per_hundred(aged / max(aged + young, 1))


def _reps(case: Case) -> str:
    if case.segment != ALL:
        return ""
    drifted = sorted(name.partition(":")[2] for name, each in case.parts.items() if each.phase == "drifting")
    return f" It is sure by itself for {listed(drifted)}." if drifted and len(case.parts) > 1 else ""
