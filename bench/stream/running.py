"""Runs one arm: starts its processes, gathers their marks, ends them when all events are applied.

Rules:
1. Every event applied once: a repeat, an event too many, a process that ends early or an arm that takes longer than
   ``LIMIT_S`` is an error, with the end of what the process said.
2. Nothing that was started outlives the call.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.stream.job import ROOT, Job
from bench.stream.meter import Mark

LIMIT_S = 300.0
"""for one arm"""
END_S = 20.0
"""for a process to end in order"""
_TOLD = 2000
"""bytes of what a failed process said"""


class ArmFailed(Exception):
    """The arm has measured nothing."""


def run_arm(job: Job, *, processes: int = 1, interpreter: str = sys.executable) -> list[list[Mark]]:
    """The marks of each process, in order. Raises ArmFailed."""
    started: list[subprocess.Popen[bytes]] = []
    pipes: list[int] = []
    with tempfile.TemporaryDirectory(prefix="plumbline-arm-") as scratch:
        said = Path(scratch) / "said"
        try:
            with said.open("wb") as errors:
                for number in range(processes):
                    own = Path(scratch) / str(number)
                    own.mkdir()
                    ours, theirs = os.pipe()
                    pipes.append(ours)
                    told = msgspec.json.encode(msgspec.structs.replace(job, scratch=str(own), pipe=theirs))
                    try:
                        started.append(
                            subprocess.Popen(
                                [interpreter, "-m", "bench.stream.arms", told.decode()],
                                stdin=subprocess.DEVNULL,
                                stdout=errors,
                                stderr=errors,
                                cwd=ROOT,
                                pass_fds=[theirs],
                                start_new_session=True,
                            )
                        )
                    finally:
                        os.close(theirs)
            trails = _gather(job, pipes)
        except ArmFailed as failure:
            ending = said.read_bytes()[-_TOLD:].decode(errors="replace")
            raise ArmFailed(f"{job.arm}: {failure}\n{ending}") from None
        finally:
            _end(job, started)
            for pipe in pipes:
                os.close(pipe)
        if job.arm == "plumbline":
            for process in started:
                if process.returncode:
                    ending = said.read_bytes()[-_TOLD:].decode(errors="replace")
                    raise ArmFailed(f"the worker ended with {process.returncode} on SIGTERM\n{ending}")
    return trails


def _gather(job: Job, pipes: list[int]) -> list[list[Mark]]:
    decode = msgspec.json.Decoder(Mark).decode
    trails: list[list[Mark]] = [[] for _ in pipes]
    pending = [b""] * len(pipes)
    deadline = time.monotonic() + LIMIT_S
    with selectors.DefaultSelector() as waiting:
        for number, pipe in enumerate(pipes):
            waiting.register(pipe, selectors.EVENT_READ, number)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ArmFailed(f"{_applied(trails)} of {job.total} events after {LIMIT_S:.0f} s")
            for key, _ in waiting.select(left):
                number = key.data
                piece = os.read(pipes[number], 65_536)
                if not piece:
                    raise ArmFailed(f"it ended after {_applied(trails)} of {job.total} events")
                *lines, pending[number] = (pending[number] + piece).split(b"\n")
                trails[number].extend(decode(line) for line in lines)
            if any(trail and trail[-1].duplicate for trail in trails):
                raise ArmFailed("it has taken an event in twice")
            if _applied(trails) > job.total:
                raise ArmFailed(f"it has applied {_applied(trails)} events of {job.total}")
            if _applied(trails) == job.total:
                return trails


def _applied(trails: list[list[Mark]]) -> int:
    return sum(trail[-1].applied for trail in trails if trail)


def _end(job: Job, started: list[subprocess.Popen[bytes]]) -> None:
    for process in started:
        # How a peer ends is not measured; Plumbline's worker must end in order.
        process.send_signal(signal.SIGTERM if job.arm == "plumbline" else signal.SIGKILL)
    deadline = time.monotonic() + END_S
    for process in started:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
