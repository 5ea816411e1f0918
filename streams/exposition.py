"""What of a registry is served at /metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

ALWAYS = ("plumbline_build", "process_")
"""Beginnings of the names that every process serves."""


class Exposition(Collector):
    """The metrics whose names begin with one of ``served``, and those of the process itself.

    Without the client's ``_created`` series: they double the output, and nobody asks for them; its own switch for them
    is global to the process.
    """

    def __init__(self, registry: CollectorRegistry, served: tuple[str, ...]) -> None:
        self._registry = registry
        self._served = served + ALWAYS

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            if metric.name.startswith(self._served):
                metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
                yield metric
