"""Plumbline's worker as it is: `plumbline worker`, with a count put around the processor of its account stage.

It does all that a worker does: order between the six topics, timers, late and repeated events, lists, states and offsets
committed in Redis, observations and alerts published, the drift stage.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from bench.stream.job import Job
from bench.stream.meter import Meter
from streams.batch_result import BatchResult
from streams.cli import main
from streams.processor import Processor


def run(job: Job) -> None:
    meter = Meter(job.total, job.pipe)
    one_at_a_time = Lock()  # partitions are processed in several threads
    process = Processor.process_merged

    def counted(
        self: Processor, records: Sequence[tuple[str, int, bytes]], offsets: Mapping[str, int], *rest: Any
    ) -> BatchResult:
        if not meter.begun:
            meter.mark()
        result = process(self, records, offsets, *rest)
        if result.stage == "accounts" and result.received:
            with one_at_a_time:
                meter.took(sum(result.applied.values()), sum(result.duplicate.values()))
                meter.mark()  # each commit: what is applied is durable then, and not before
        return result

    Processor.process_merged = counted  # type: ignore[method-assign]
    sys.argv = ["plumbline", "worker", "--settings", job.settings]
    main()
