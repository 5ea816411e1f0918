"""The watch of mature cohorts of plg.conversion_gap as it runs, learning included: delays, and what its intervals hold.

The detector alone is measured by the other modules; here it has baselines that it learned itself.
"""

from __future__ import annotations

import numpy as np

from bench.detection.tables import interval_of_mean, table
from detectors.signals.share_monitor import Promise, ShareMonitor
from schemas.duration import DAY


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
