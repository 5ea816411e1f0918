"""A Prometheus histogram that takes a whole batch of scores at once.

The client library's histogram takes one value at a time, at about a microsecond each; a batch touches thousands of
accounts in several variants, so here a batch is counted by numpy in one go.

Rules: bounds are inclusive upper ones, as everywhere in Prometheus; a score below zero counts as zero, so that the
sum never falls, as a rate needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class ScoreHistogram(Collector):
    """Scores by variant. ``bounds``: finite upper bounds in points, rising."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = np.asarray(bounds, dtype=float)
        self._counts: dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, variant: str, scores: Sequence[float]) -> None:
        values = np.maximum(np.asarray(scores, dtype=float), 0.0)
        buckets = np.searchsorted(self._bounds, values, side="left")
        counts = np.bincount(buckets, minlength=len(self._bounds) + 1)
        if variant in self._counts:
            self._counts[variant] += counts
            self._sums[variant] += float(values.sum())
        else:
            self._counts[variant] = counts
            self._sums[variant] = float(values.sum())

    def describe(self) -> Iterable[HistogramMetricFamily]:
        yield self._family()

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = self._family()
        bounds = [*(repr(float(bound)) for bound in self._bounds), "+Inf"]
        for variant, counts in self._counts.items():
            running = np.cumsum(counts)
            buckets = [(bound, float(count)) for bound, count in zip(bounds, running, strict=True)]
            family.add_metric([variant], buckets, sum_value=self._sums[variant])
        yield family

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._documentation, labels=["variant"])
