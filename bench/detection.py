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
from scipy.stats import binom

from detectors.sequential.bernoulli_mixture import BernoulliMixture, margin_observations
from detectors.sequential.binomial_interval import lower_bound, upper_bound
from detectors.signals.baseline import BOUND_LEVEL
from detectors.signals.plg_conversion_gap import CONVERSION_SEEN, PAID, ConversionGap
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
        "\n2. Baseline estimated from n observations of share 0.2, threshold 100,000: what it does to run length and delay"
    )
    print(
        "   n      null          baselines with ARL0 >= 100,000   ARL0 at 5 % worst   mean delay of 0.2 -> 0.1"
    )
    grid = np.array([0.13, 0.15, 0.16, 0.17, 0.18, 0.19, 0.2, 0.205, 0.21, 0.22, 0.235, 0.25, 0.27])
    lengths = np.array(
        [
            run_length(x, 0.2, 1e5, seed + 2, int(200 * scale), 100_000)[0] if x >= 0.19 else math.inf
            for x in grid
        ]
    )
    delays = np.array(
        [
            detect(
                BernoulliMixture(low=x, high=1.0),
                np.full(20_000, 0.1),
                1e5,
                int(500 * scale),
                np.random.default_rng(seed + 3),
            ).stopped.mean()
            for x in grid
        ]
    )
    for n in (2000, 300):
        counts = np.arange(1, n + 1)
        probability = binom.pmf(counts, n, 0.2)
        bounds = {
            "plug-in": counts / n,
            f"{BOUND_LEVEL:.0%} bound": np.array([lower_bound(int(s), n, BOUND_LEVEL) for s in counts]),
        }
        for name, low in bounds.items():
            # By the theorem the promise holds wherever low <= 0.2; above, the simulated run lengths are interpolated.
            finite = np.isfinite(lengths)
            logs = np.where(low <= 0.19, np.inf, np.interp(low, grid[finite], np.log(lengths[finite])))
            arl = np.exp(logs)
            kept = float(probability[(low <= 0.2) | (arl >= 1e5)].sum())
            order = np.argsort(arl)
            worst = arl[order][np.searchsorted(np.cumsum(probability[order]), 0.05)]
            delay = float((probability * np.interp(low, grid, delays)).sum())
            shown = f"{worst:,.0f}" if math.isfinite(worst) else "over 100,000"
            print(f"   {n:<6} {name:<13} {kept:>12.1%} {shown:>33} {delay:>20.0f}")


def halving(seed: int, scale: float) -> None:
    print(
        "\n3. One source, 30 activations a day, 0.15 -> 0.075 after a healthy year; baseline: 28 days (840 observations)"
    )
    per_day, before, after, threshold = 30, 0.15, 0.075, 30 * 365.25 * 12
    random = np.random.default_rng(seed + 4)
    delays, inside, dated, early = [], [], [], 0
    for _ in range(int(40 * scale)):
        ones = int(random.binomial(840, before))
        low, high = lower_bound(ones, 840, BOUND_LEVEL), upper_bound(ones, 840, BOUND_LEVEL)
        share = np.concatenate([np.full(2000, before), np.full(8000, after)])
        runs = detect(BernoulliMixture(low=low, high=high), share, threshold, 50, random)
        good = runs.alarmed & (runs.stopped > 2000)
        early += int((runs.stopped <= 2000).sum())
        delays.append(runs.stopped[good] - 2000)
        for since, n, seen in zip(runs.since[good], runs.n[good], runs.ones[good], strict=True):
            n, seen = int(n), int(seen)
            inside.append(
                (lower_bound(seen, n, 0.975) <= after, upper_bound(seen, n, 0.975) >= after, seen / n)
            )
            dated.append(abs(since - 2000) <= margin_observations(ones / 840, seen / n))
    delay = np.concatenate(delays)
    covered = np.mean([lower and upper for lower, upper, _ in inside])
    print(
        f"   delay in cohort days {_mean(delay / per_day)}, 95 % within {np.quantile(delay, 0.95) / per_day:.0f}; plus the 60 days of the horizon"
    )
    print(f"   alarms before the change in 67 days each: {early} of {int(40 * scale) * 50}")
    print(
        f"   95 % interval of the new rate covers it at the alarm: {covered:.1%} (mean estimate {np.mean([e for *_, e in inside]):.4f}, truth {after})"
    )
    print(f"   95 % interval of the start of the change covers it: {np.mean(dated):.1%}")


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
    # Exact Poisson interval through the chi-square distribution would say the same; Garwood's, by bisection-free bounds.
    print(
        f"   false alarms a year: {total / exposure:.3f} ({total} in {exposure:.0f} years), promised at most 1"
    )
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
    for table in (known_baseline, estimated_baseline, halving, healthy):
        started = time.perf_counter()
        table(options.seed, scale)
        print(f"   [{time.perf_counter() - started:.0f} s]", file=sys.stderr)


if __name__ == "__main__":
    main()
