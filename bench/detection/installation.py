"""False alarms of a whole installation: 100 segments of two signals, a simulated year, while nothing changes.

The drift halves run as they are, learning included, on observations made here: 50 segments of plg.conversion_gap with both of
its watches, 50 of slg.hedged_language. All 100 monitors share one false alarm a year. Alarms count in the last year, when
every segment has its baseline.
"""

from __future__ import annotations

import numpy as np

from bench.detection.cohorts import MEDIAN
from bench.detection.tables import interval_of_part, poisson_interval, table
from detectors.signals.contract import Signal
from detectors.signals.plg_conversion_gap import ConversionGap
from detectors.signals.plg_conversion_gap_measures import ACTIVATION_SEEN, CONVERSION_SEEN, FOLLOWED, PAID
from detectors.signals.slg_hedged_language import HEDGED, SEEN, HedgedLanguage
from schemas.alerts import DriftAlert
from schemas.duration import DAY
from schemas.observations import Observation
from schemas.settings import DriftSettings

SEGMENTS, YEAR, HORIZON = 50, 365, 60
PER_DAY = 1.5
"""Of each segment; so that a baseline takes 200 days"""
LEARNING = 260


def healthy(seed: int, scale: float) -> str:
    """Table 'installation'."""
    installations = max(int(200 * scale), 2)
    counts = [_alarms(np.random.default_rng(seed + 1000 + number)) for number in range(installations)]
    rows = []
    for name, which in (("plg.conversion_gap", (0,)), ("slg.hedged_language", (1,)), ("both", (0, 1))):
        alarms = [sum(count[each] for each in which) for count in counts]
        low, high = poisson_interval(sum(alarms), installations)
        rate = f"{sum(alarms) / installations:.3f} ({low:.3f}-{high:.3f})"
        any_alarm = interval_of_part(sum(alarm > 0 for alarm in alarms), installations)
        rows.append([name, str(SEGMENTS * len(which)), str(installations), rate, any_alarm])
    return table(
        ["signal", "segments", "installations", "false alarms a year (promised: at most 1)", "with any"], rows
    )


def _alarms(random: np.random.Generator) -> tuple[int, int]:
    drift = DriftSettings(max_segments=SEGMENTS)
    monitors = 2 * SEGMENTS
    gap, hedged = ConversionGap.configured(drift, monitors), HedgedLanguage.configured(drift, monitors)
    return _count(gap, _accounts(random)), _count(hedged, _opportunities(random))


def _count(signal: Signal, told: list[Observation]) -> int:
    state = signal.new_state()
    last_year = told[-1].at - YEAR * DAY
    found = [alert for observation in told for alert in signal.step(state, observation)]
    alarms = [alert for alert in found if isinstance(alert, DriftAlert) and alert.state == "drifting"]
    return sum(alert.at.timestamp() >= last_year for alert in alarms)


def _accounts(random: np.random.Generator) -> list[Observation]:
    """What accounts that activate tell, in order; in each segment a rate of its own pays."""
    days = LEARNING + YEAR
    sources = SEGMENTS - 2
    count = int(random.poisson(PER_DAY * sources * days))
    began = np.sort(random.random(count)) * days * DAY
    which = random.integers(sources, size=count)
    paid = random.random(count) < random.uniform(0.1, 0.3, sources)[which]
    lag = random.lognormal(np.log(MEDIAN), 0.7, count) * DAY
    told = [_told("seen", CONVERSION_SEEN, 0.0, 0.0, 1.0, "s0")]
    for number in range(count):
        start, source = float(began[number]), f"s{which[number]}"
        pays = bool(paid[number] and lag[number] <= HORIZON * DAY)
        account = str(number)
        told.append(_told(account, ACTIVATION_SEEN, start, start, 1.0, source))
        told.append(_told(account, PAID, start + HORIZON * DAY, start, float(pays), source))
        if pays:
            at = start + float(lag[number])
            told.append(_told(account, CONVERSION_SEEN, at, start, 1.0, source, followed=True))
    end = days * DAY
    return sorted((each for each in told if each.at <= end), key=lambda each: each.at)


def _told(
    account: str, measure: str, at: float, began: float, value: float, source: str, *, followed: bool = False
) -> Observation:
    segments = {"source": source, FOLLOWED: source} if followed else {"source": source}
    return Observation(
        signal=ConversionGap.name,
        measure=measure,
        at=at,
        began=began,
        value=value,
        account=account,
        segments=segments,
    )


def _opportunities(random: np.random.Generator) -> list[Observation]:
    """New opportunities as slg.hedged_language is told of them; each rep hedges at a rate of his own."""
    days, reps = LEARNING + YEAR, SEGMENTS - 2
    count = int(random.poisson(PER_DAY * reps * days))
    at = np.sort(random.random(count)) * days * DAY
    which = random.integers(reps, size=count)
    hedged = random.random(count) < random.uniform(0.05, 0.2, reps)[which]
    told = [
        Observation(
            signal=HedgedLanguage.name,
            measure=HEDGED,
            at=moment,
            began=moment,
            value=float(value),
            account=str(number),
            segments={"rep": f"r{rep}"},
            stratum=f"r{rep}",
        )
        for number, (moment, rep, value) in enumerate(
            zip(at.tolist(), which.tolist(), hedged.tolist(), strict=True)
        )
    ]
    first = Observation(
        signal=HedgedLanguage.name, measure=SEEN, at=0.0, began=0.0, value=1.0, account="seen"
    )
    return [first, *told]
