"""The signal plg.conversion_gap as it runs, learning included: delays, coverage, and false alarms of an installation.

The detector alone is measured by the other modules; here it is the real signal, with baselines that it learned itself.
"""

from __future__ import annotations

import numpy as np

from bench.detection.tables import interval_of_mean, poisson_interval, table
from detectors.signals.plg_conversion_gap import CONVERSION_SEEN, PAID, ConversionGap
from detectors.signals.share_monitor import Promise, ShareMonitor
from schemas.alerts import DriftAlert
from schemas.duration import DAY
from schemas.observations import Observation


def fall(seed: int, scale: float) -> str:
    """30 activations a day in one source, one budget over 12 monitors."""
    per_day, healthy_days, monitors = 30, 210, 12
    rows = []
    for before, after in ((0.15, 0.075), (0.15, 0.10), (0.05, 0.025)):
        random = np.random.default_rng(seed + 4)
        delays, rates, starts, early = [], [], [], 0
        replicates = int(100 * scale)
        for _ in range(replicates):
            monitor = ShareMonitor(
                Promise(false_alarms_per_year=1, monitors=monitors, min_baseline=300, min_baseline_days=28)
            )
            change = (healthy_days + random.random() * 7) * DAY
            for number in range(per_day * (healthy_days + 500)):
                began = number * DAY / per_day
                one = int(random.random() < (before if began < change else after))
                if monitor.take(one, began, began) == "fell":
                    break
            dated, now = monitor.state.fall, monitor.now
            if dated is None or now is None:
                continue
            if began < change:
                early += 1
                continue
            delays.append((began - change) / DAY)
            rates.append(now.low <= after <= now.high)
            starts.append(abs(dated.dated.since - change) <= dated.margin_days * DAY)
        delay = np.array(delays)
        rows.append(
            [
                f"{before:.1%} to {after:.1%}",
                f"{len(delays)} of {replicates - early}",
                interval_of_mean(delay),
                f"{np.quantile(delay, 0.95):.0f}",
                f"{np.mean(rates):.0%}",
                f"{np.mean(starts):.0%}",
                str(early),
            ]
        )
    return table(
        [
            "change",
            "found within 500 days",
            "mean delay in cohort days",
            "95 % within",
            "interval holds the new rate",
            "interval holds the start",
            "alarm before the change",
        ],
        rows,
    )


def installation(seed: int, years: float, *, per_day: float, sources: int) -> list[DriftAlert]:
    """Drift alerts of a healthy installation: sources of unequal size and rate, watched for ``years`` after learning."""
    random = np.random.default_rng(seed)
    size = 0.75 ** np.arange(sources)
    size /= size.sum()
    rate = random.uniform(0.06, 0.25, sources)
    days = int(years * 365.25) + 60
    count = random.poisson(per_day * days)
    began = np.sort(random.random(count)) * days * DAY
    source = random.choice(sources, count, p=size)
    value = random.random(count) < rate[source]
    signal = ConversionGap(monitors=12)
    state = signal.new_state()
    signal.step(
        state,
        Observation(signal=signal.name, measure=CONVERSION_SEEN, at=0.0, began=0.0, value=1, account="a"),
    )
    alerts = []
    for start, which, one in zip(began.tolist(), source.tolist(), value.tolist(), strict=True):
        told = Observation(
            signal=signal.name,
            measure=PAID,
            at=start + 60 * DAY,
            began=start,
            value=float(one),
            account="a",
            segments={"source": f"s{which}"},
        )
        alerts += [alert for alert in signal.step(state, told) if isinstance(alert, DriftAlert)]
    return [alert for alert in alerts if alert.state == "drifting"]


def healthy(seed: int, scale: float) -> str:
    """40 activations a day over 10 sources, 12 monitors, two years each."""
    installations, years = max(int(100 * scale), 2), 2.0
    alarms = [len(installation(seed + 100 + i, years, per_day=40, sources=10)) for i in range(installations)]
    low, high = poisson_interval(sum(alarms), installations * years)
    rate = sum(alarms) / installations / years
    return table(
        ["installations of two years", "false alarms a year (promised: at most 1)", "with any"],
        [[str(installations), f"{rate:.3f} ({low:.3f}-{high:.3f})", f"{sum(a > 0 for a in alarms)}"]],
    )
