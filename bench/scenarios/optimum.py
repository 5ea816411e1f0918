"""How soon a change could have been found from the same observations: the Shiryaev-Roberts procedure that knows all.

It is told the same observations as the signal, in the order in which they matured, and only those of the segment in
which something was planted. It knows when the change begins, and both distributions: those of the value before and
after, within each measure, stratum, age and tenth of exposure, counted over all seeds. Its threshold is that of one monitor
of the installation: false alarms a year, over the monitors, at the observed flow. Among procedures with that run length
none has a smaller delay on average (Pollak and Tartakovsky, Theory Probab. Appl. 53, 2009: exactly optimal for its
stationary delay; from a change at the first observation on it is a few observations from the best), so a signal, which
must learn both, can't be faster but by luck. What a signal loses by its choice of observation is not in it.

A signal that asks for two things together is as slow as the slower one: the optimum is the later of the two.

A signal that must stay silent for one bad stretch of cohorts (clg.churn_cohorts) can't use the worst stretch, whatever else it
knows: from the optimum it is set apart as well. Its starts are then weeks of cohorts, seven days each, and its threshold is in days.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

import numpy as np

from bench.scenarios import lifetimes
from bench.scenarios.rounds import SETTINGS, Run, Told
from detectors.catalogue import SIGNALS
from detectors.sequential.cohort_excess import LARGEST_LOG, WEEK_DAYS, ExcessWeek, starts
from detectors.sequential.contract import threshold

JUDGED: dict[str, tuple[tuple[str, ...], ...]] = {
    "plg.conversion_gap": (("paid_given_activated",),),
    "plg.ticket_comprehension": (("categorised",),),
    "plg.adoption_breadth": (("breadth",), ("depth",)),
    "clg.roadmap_onboarding": (("complexity",), ("onboarding_days",)),
    "clg.churn_cohorts": (("customer_month",),),
    "clg.support_burden": (("ticket",),),
    "slg.hedged_language": (("hedged",),),
    "slg.off_profile_pipeline": (("off_profile",),),
}
"""signal -> what it asks for together, each by the measures that tell of it; those that follow lifetimes are in lifetimes.py"""

BY_EXPOSURE = frozenset({"clg.support_burden"})
"""signals whose observations have an exposure that is known before the value (days at risk end with it)"""
FORGIVING = frozenset({"clg.churn_cohorts"})
"""signals that set the worst stretch of cohorts apart (sequential/cohort_excess.py), by the date at which observations began"""
_AGES = (45.0, 100.0, 200.0, 400.0)
"""bounds of the age, in days, at which an observation matures: tenure, where a cohort is followed"""

Key = tuple[str, str, int, int]


class Optimum:
    """For one signal, from the runs of one scenario."""

    def __init__(self, signal: str, runs: Sequence[Run]) -> None:
        self._signal = signal
        self._runs = runs
        settings = SETTINGS.drift
        self._settings = settings
        self._monitors = settings.max_segments * len(SIGNALS)
        everything = tuple(sorted({each.measure for run in runs for each in self._of(run, None)}))
        self._parts = JUDGED.get(signal, (everything,))

    def delays(self) -> list[float]:
        """Days from the change to the alarm, by run; infinite where there was none."""
        if self._signal in lifetimes.QUESTIONS:
            return lifetimes.delays(self._signal, self._runs, self._settings, self._monitors)
        by_part = [self._delays_of(part) for part in self._parts]
        return [max(each) for each in zip(*by_part, strict=True)]

    def _of(self, run: Run, part: Sequence[str] | None) -> list[Told]:
        return [
            each
            for each in run.told
            if each.signal == self._signal and each.inside and (part is None or each.measure in part)
        ]

    def _delays_of(self, part: Sequence[str]) -> list[float]:
        told = [self._of(run, part) for run in self._runs]
        flat = [each for run in told for each in run]
        if not flat:
            return [math.inf] * len(self._runs)
        exposures = _tenths([each.exposure for each in flat]) if self._signal in BY_EXPOSURE else []
        values = sorted({each.value for each in flat})
        bounds = values[1:]
        if len(values) > 12:
            bounds = _tenths([each.value for each in flat if each.began < 0] or values)

        def place(each: Told) -> tuple[Key, int]:
            exposure = bisect_right(exposures, each.exposure)
            age = bisect_right(_AGES, each.day - each.began)
            return (each.measure, each.stratum, exposure, age), bisect_right(bounds, each.value)

        ramp = max(run.ramp_days for run in self._runs)
        before: Counter[tuple[Key, int]] = Counter(place(each) for each in flat if each.began < 0)
        after: Counter[tuple[Key, int]] = Counter(place(each) for each in flat if each.began >= ramp)
        ratios = self._ratios(before, after, len(bounds) + 1)
        if self._signal in FORGIVING:
            limit = threshold(
                units_per_day=1.0,
                false_alarms_per_year=self._settings.false_alarms_per_year,
                monitors=self._monitors,
            )
            judged = [
                [(each.began, each.day, ratios.get(place(each), 1.0)) for each in run if each.began >= 0]
                for run in told
            ]
            return [_forgiving_delay(each, limit) for each in judged]
        mature = [each for each in flat if each.day < 0]
        days = -min((each.day for each in mature), default=-1.0) * len(self._runs)
        limit = threshold(
            units_per_day=max(len(mature) / days, 1e-6),
            false_alarms_per_year=self._settings.false_alarms_per_year,
            monitors=self._monitors,
        )
        found = []
        for run in told:
            evidence, delay = 0.0, math.inf
            for each in sorted((each for each in run if each.began >= 0), key=lambda each: each.day):
                evidence = (1.0 + evidence) * ratios.get(place(each), 1.0)
                if evidence >= limit:
                    delay = each.day
                    break
            found.append(delay)
        return found

    def _ratios(
        self, before: Counter[tuple[Key, int]], after: Counter[tuple[Key, int]], bins: int
    ) -> dict[tuple[Key, int], float]:
        """Likelihood ratios, each count with half an observation more (Jeffreys); 1 where one side was not seen."""
        totals_before: Counter[Key] = Counter()
        totals_after: Counter[Key] = Counter()
        for (key, _), count in before.items():
            totals_before[key] += count
        for (key, _), count in after.items():
            totals_after[key] += count
        found = {}
        for key in totals_before.keys() & totals_after.keys():
            for at in range(bins):
                then = (before[key, at] + 0.5) / (totals_before[key] + 0.5 * bins)
                now = (after[key, at] + 0.5) / (totals_after[key] + 0.5 * bins)
                found[key, at] = now / then
        return found


def _forgiving_delay(judged: list[tuple[float, float, float]], limit: float) -> float:
    """Of (when its cohort began, when it was told, likelihood ratio), in days; looked at once a day."""
    weeks: list[ExcessWeek] = []
    looked = -math.inf
    for began, day, ratio in sorted(judged, key=lambda each: each[1]):
        number = int(began // WEEK_DAYS)
        weeks += [ExcessWeek(each, may_start=True) for each in range(len(weeks), number + 1)]
        weeks[number].observed += math.log(ratio)
        if day < looked + 1:
            continue
        looked = day
        # A week's events are its log likelihood ratio already.
        if sum(WEEK_DAYS * math.exp(min(gain, LARGEST_LOG)) for _, gain in starts(weeks, 1.0, 0.0)) >= limit:
            return day
    return math.inf


def _tenths(numbers: Sequence[float]) -> list[float]:
    """The bounds of the tenths, fewer where numbers are equal."""
    bounds: list[float] = np.unique(np.quantile(numbers, np.linspace(0.1, 0.9, 9))).tolist()
    return bounds
