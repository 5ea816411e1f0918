"""What the conversion-gap detector holds of its promises: run lengths, delays, coverage, false alarms a year.

    python -m bench.detection [--seed 1] [--quick]

Everything is simulated with stated seeds; every mean has its standard error. The first tables run the e-detector on
plain numbers, vectorised over replicates (tests/unit/test_bernoulli_mixture.py holds the vectorised recursion against the
real class); the last ones run the real signal. docs/detection.md holds a result and says what it means.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, chi2

from detectors.sequential.bernoulli_mixture import BernoulliMixture
from detectors.sequential.binomial_interval import lower_bound
from detectors.signals.plg_conversion_gap import CONVERSION_SEEN, PAID, ConversionGap
from detectors.signals.share_monitor import Promise, ShareMonitor
from schemas.alerts import DriftAlert
from schemas.duration import DAY
from schemas.observations import Observation

Floats = NDArray[np.float64]


@dataclass
class Runs:
    """By replicate: observations until the alarm (``length`` where there was none), and the estimate made then."""

    stopped: Floats
    alarmed: NDArray[np.bool_]
    since: Floats
    n: Floats
    ones: Floats


def detect(
    detector: BernoulliMixture, share: Floats, threshold: float, replicates: int, random: np.random.Generator
) -> Runs:
    """Runs ``replicates`` streams, with ``share[t]`` the true share at time t, until the alarm or the end of ``share``."""
    zero = np.array([ratio for ratio, _ in detector.ratios])[:, None]
    one = np.array([ratio for _, ratio in detector.ratios])[:, None]
    log_zero, log_one = np.log(zero), np.log(one)
    weights = np.array(detector.weights)
    shape = (len(weights), replicates)
    evidence, support, since, ones = (np.zeros(shape) for _ in range(4))
    live = np.arange(replicates)
    length = len(share)
    runs = Runs(
        np.full(replicates, float(length)),
        np.zeros(replicates, bool),
        *(np.zeros(replicates) for _ in range(3)),
    )
    for at in range(length):
        seen = random.random(live.size) < share[at]
        evidence += 1
        evidence *= np.where(seen, one, zero)
        since[support <= 0] = at
        support += np.where(seen, log_one, log_zero)
        ones += seen
        restarted = support <= 0
        support[restarted] = 0
        ones[restarted] = 0
        hit = weights @ evidence >= threshold
        if hit.any():
            who, best = live[hit], support[:, hit].argmax(axis=0)
            runs.stopped[who], runs.alarmed[who] = at + 1, True
            runs.since[who] = since[:, hit][best, np.arange(best.size)]
            runs.ones[who] = ones[:, hit][best, np.arange(best.size)]
            runs.n[who] = at + 1 - runs.since[who]
            live, keep = live[~hit], ~hit
            evidence, support, since, ones = (array[:, keep] for array in (evidence, support, since, ones))
            if not live.size:
                break
    return runs


def run_length(
    low: float, share: float, threshold: float, seed: int, alarms: int, most: int
) -> tuple[float, float]:
    """Average run length without a change (alarms per observation, inverted), and its relative standard error."""
    detector = BernoulliMixture(low=low, high=1.0)
    runs = detect(detector, np.full(most, share), threshold, alarms, np.random.default_rng(seed))
    hits = int(runs.alarmed.sum())
    return float(runs.stopped.sum()) / max(hits, 1), 1 / math.sqrt(max(hits, 1))


def known_baseline(seed: int, scale: float) -> None:
    print(
        "\n1. Known baseline, 0.2 -> 0.1, threshold 100,000 (mean over streams; change at the first observation)"
    )
    arl, error = run_length(0.2, 0.2, 1e5, seed, int(300 * scale), 200_000)
    print(f"   average run length without a change  {arl:>10,.0f} (± {1.96 * error:.0%})")
    for name, strengths in (("mixture", None), ("both rates known", (((1 / 9) / 0.25, 1.0),))):
        detector = BernoulliMixture(low=0.2, high=1.0, **({"strengths": strengths} if strengths else {}))
        delay = detect(
            detector, np.full(4000, 0.1), 1e5, int(4000 * scale), np.random.default_rng(seed + 1)
        ).stopped
        print(f"   delay, {name:<18} {_mean(delay)}, 95 % within {np.quantile(delay, 0.95):.0f}")


def estimated_baseline(seed: int, scale: float) -> None:
    print(
        "\n2. Baseline estimated from n observations of share 0.2, threshold 100,000; over all baselines that chance can give"
    )
    print(
        "   n      null        run length kept   alarms over promise, on average   run length, worst 5 %   delay to 0.1"
    )
    grid = np.array([0.18, 0.19, 0.195, 0.2, 0.205, 0.21, 0.22, 0.235, 0.25, 0.27])
    lengths = np.array([run_length(x, 0.2, 1e5, seed + 2, int(150 * scale), 100_000)[0] for x in grid])
    slower = np.array([0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19, 0.2, 0.22, 0.25])
    delays = np.array([_delay(x, 0.1, int(200 * scale), seed + 3) for x in slower])
    for n in (2000, 300):
        counts = range(1, n + 1)
        probability = binom.pmf(counts, n, 0.2)
        nulls = {"plug-in": np.array(counts) / n}
        for level in (0.8, 0.9, 0.95):
            nulls[f"{level:.0%} bound"] = np.array([lower_bound(ones, n, level) for ones in counts])
        for name, low in nulls.items():
            # Below the grid the run length is taken as at its end: it is longer, so alarms are counted too often.
            length = np.exp(np.interp(low, grid, np.log(lengths)))
            order = np.argsort(length)
            worst = length[order][np.searchsorted(np.cumsum(probability[order]), 0.05)]
            # Where the null is true the theorem gives at least 100,000, whatever the simulation's error.
            kept = probability[(low <= 0.2) | (length >= 1e5)].sum()
            alarms = (probability / length).sum() * 1e5
            delay = (probability * np.interp(low, slower, delays)).sum()
            print(f"   {n:<6} {name:<11} {kept:>15.1%} {alarms:>33.2f} {worst:>23,.0f} {delay:>14.0f}")


def _delay(low: float, share: float, replicates: int, seed: int) -> float:
    detector = BernoulliMixture(low=low, high=1.0)
    runs = detect(detector, np.full(30_000, share), 1e5, replicates, np.random.default_rng(seed))
    return float(runs.stopped.mean())


def fall(seed: int, scale: float) -> None:
    per_day, healthy_days, monitors = 30, 210, 12
    print(
        f"\n3. One source as it is watched (learning included): {per_day} activations a day, {monitors} monitors"
    )
    print(
        "   change           found   delay in cohort days, 95 % within   covers the new rate   covers the start   early"
    )
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
        print(
            f"   {before:.3f} -> {after:.3f} {len(delays):>5} of {replicates} {_mean(delay):>17}, {np.quantile(delay, 0.95):>5.0f}"
            f" {np.mean(rates):>26.0%} {np.mean(starts):>18.0%} {early:>7}"
        )
    print("   A cohort is told 60 days (the horizon) after it began: add these to the delay.")


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


def healthy(seed: int, scale: float) -> None:
    installations, years = max(int(100 * scale), 2), 2.0
    print(
        f"\n4. The whole signal on a healthy installation: 40 activations a day over 10 sources, 12 monitors, {years:g} years"
    )
    alarms = [len(installation(seed + 100 + i, years, per_day=40, sources=10)) for i in range(installations)]
    total, exposure = sum(alarms), installations * years
    # Garwood's exact Poisson interval.
    low = chi2.ppf(0.025, 2 * total) / 2 / exposure if total else 0.0
    high = chi2.ppf(0.975, 2 * total + 2) / 2 / exposure
    print(f"   false alarms a year: {total / exposure:.3f} (95 %: {low:.3f}-{high:.3f}), promised at most 1")
    print(f"   installations with any: {sum(a > 0 for a in alarms)} of {installations}")


def _mean(values: Floats) -> str:
    return f"{values.mean():.1f} (± {1.96 * values.std() / math.sqrt(values.size):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a tenth of the replicates")
    options = parser.parse_args()
    scale = 0.1 if options.quick else 1.0
    for table in (known_baseline, estimated_baseline, fall, healthy):
        started = time.perf_counter()
        table(options.seed, scale)
        print(f"   [{time.perf_counter() - started:.0f} s]", file=sys.stderr)


if __name__ == "__main__":
    main()
