"""Watches the rate ratio of tickets between a seat of the elite and any other, where the elite's share of the seats is known.

It is the monitor of a share (rate_monitor.py) whose strata are the elite's shares of the seats, in steps of STEP by their log
odds. Its own:
1. What is learned is one number, the rate ratio: it gives every share of seats, seen or not, the share of tickets that is to
   be expected. So elites who leave or join move the expectation, and never the ratio.
2. ``before`` and ``now`` are rate ratios.

References
----------
The share of tickets given the share of exposure: J. Przyborowski and H. Wilenski, Biometrika 31 (1940); see
sequential/exposure_mixture.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from detectors.sequential.binomial_interval import interval
from detectors.sequential.dispersion import dispersion
from detectors.sequential.exposure_mixture import ExposureMixture, Stratum, rate_ratio_bound
from detectors.signals.baseline import BOUND_LEVEL
from detectors.signals.dating import share_since
from detectors.signals.monitor import Change, Promise
from detectors.signals.rate_monitor import RateMonitor
from detectors.signals.rate_state import RateBaseline, RateState, RateWatch, RateWeek, Sums, sums_since
from detectors.signals.strata import number_of
from detectors.signals.weeks import Week, flow_per_day, total
from schemas.alerts import Interval
from schemas.duration import DAY
from schemas.observations import Observation

STEP = 0.1
"""A share of seats is rounded by 5 % of its odds, at most."""
SURE = 0.975
WANTED_ONES = 250
"""Tickets of the elite, from which the null's bound lies within a tenth of the estimate."""
LONGEST_DAYS = 180.0


class SupportState(RateState, kw_only=True):
    """``ratio``: of the baseline, with its 95 % interval; None while learning."""

    ratio: Interval | None = None


def stratum_of(share: float) -> str:
    """The name of a share of seats, in (0, 1): its log odds."""
    return f"{round(math.log(share / (1 - share)) / STEP) * STEP + 0.0:.1f}"


class SupportMonitor(RateMonitor):
    """A SupportState at work."""

    stored: SupportState

    def __init__(self, promise: Promise, stored: SupportState | None = None) -> None:
        super().__init__(promise, "fall", stored if stored is not None else SupportState())

    def take(self, observation: Observation, *, may_freeze: bool) -> Sequence[Change]:
        """``value`` 1 for a ticket of the elite, ``stratum`` the elite's share of the seats (``stratum_of``)."""
        ratio, strata = self.stored.ratio, self.stored.strata
        if ratio is not None:
            number = number_of(strata, observation.stratum)
            if strata.shares[number] is None and number:
                strata.shares[number] = _expected(observation.stratum, ratio.estimate)
        return super().take(observation, may_freeze=may_freeze)

    @property
    def _lacks(self) -> list[str]:
        """Learns longer than it must, for at most LONGEST_DAYS: a bound that is far below the estimate costs weeks later."""
        ones, days = self._learned[1], self._learned_days
        lacks = super()._lacks
        if lacks or ones >= WANTED_ONES or days >= LONGEST_DAYS:
            return lacks
        return [f"{ones} of {WANTED_ONES} tickets of the elite, or {int(days)} of {LONGEST_DAYS:g} days"]

    @property
    def before(self) -> Interval | None:
        return self.stored.ratio

    @property
    def now(self) -> Interval | None:
        dated, weeks = self._dated, self.stored.weeks
        if dated is None:
            sums = sums_since(weeks, self._recent)
            return self._as_ratio(interval(sums.judged_ones, sums.judged), sums) if sums.judged else None
        sums = sums_since(weeks, dated.since)
        if not sums.judged:
            return None
        judged = [Week(week.start, week.judged, week.judged_ones, 0.0) for week in weeks]
        return self._as_ratio(share_since(dated, sums.judged, sums.judged_ones, judged), sums)

    @property
    def sums(self) -> Sums:
        """Since the drift began or ended, else over the last weeks."""
        since = self.since
        return sums_since(self.stored.weeks, self._recent if since is None else since)

    def _as_ratio(self, share: Interval, sums: Sums) -> Interval | None:
        """A share of tickets where ``sums`` expect another, as a rate ratio."""
        if self.stored.ratio is None:
            return None
        by = self.stored.ratio.estimate * (sums.judged - sums.expected) / sums.expected
        low, estimate, high = (
            min(by * each / (1 - each), _MOST) if each < 1 else _MOST
            for each in (share.low, share.estimate, share.high)
        )
        return Interval(estimate=estimate, low=low, high=high, n=share.n)

    def _begin_week(self, watch: RateWatch) -> None:
        flow = flow_per_day(self.stored.weeks, self.stored.newest)
        if flow:
            watch.threshold = max(watch.threshold, self._promise.threshold(flow))

    def _freeze(self, stretch: Sequence[RateWeek], start: float) -> None:
        state, strata = self.stored, self.stored.strata
        counts: dict[int, tuple[int, int]] = {}
        for week in stretch:
            for number, (n, ones) in week.parts.items():
                here = counts.get(number, (0, 0))
                counts[number] = (here[0] + n, here[1] + ones)
        known = [
            Stratum(_share(strata.names[number]), n, ones) for number, (n, ones) in counts.items() if number
        ]
        wobble = dispersion([(week.n, week.ones) for week in stretch])
        ratio = rate_ratio_bound(known, 0.0)
        n, ones = total(stretch, 0.0)
        state.ratio = Interval(
            estimate=ratio,
            low=rate_ratio_bound(known, -SURE, dispersion=wobble),
            high=rate_ratio_bound(known, SURE, dispersion=wobble),
            n=n,
        )
        for number in counts:
            if number:
                strata.shares[number] = _expected(strata.names[number], ratio)
        bounds = ExposureMixture.from_baseline(known, direction="fall", level=BOUND_LEVEL, dispersion=wobble)
        # Each ticket is judged against what the ratio expects of it, so that the null lies around 1.
        baseline = RateBaseline(
            start=start,
            end=state.newest,
            n=n,
            ones=ones,
            low=bounds.low / ratio,
            high=bounds.high / ratio,
            per_day=n / ((state.newest - start) / DAY),
            dispersion=wobble,
        )
        for week in state.weeks:
            week.parts = {}
        self._begin_to_watch(baseline)


_MOST = 1e6


def _share(stratum: str) -> float:
    return 1 / (1 + math.exp(-float(stratum)))


def _expected(stratum: str, ratio: float) -> float:
    """Share of tickets that the elite writes with that share of seats."""
    odds = ratio * math.exp(float(stratum))
    return odds / (1 + odds)
