"""A hundred workers killed with SIGKILL, one run: at each step of a commit and of what comes after it."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from itertools import count, cycle

import pytest

from tests.faults.distributed import oracle
from tests.faults.distributed.undisturbed import Undisturbed
from tests.faults.distributed.wire import Wire
from tests.services.workers import Deployment, WorkerProcess

KILLS = 102
AT_ONCE = 3
"""workers at the same time: while one is killed, others hold partitions, wait for some, or are still starting"""
POINTS = (
    "claim.after",
    "commit.before",
    "commit.after",
    "relay.before_publish",
    "relay.after_publish",
    "relay.after_trim",
    "relay.after_mark",
)


def points() -> Iterator[str]:
    return (f"{point}:{1 + number % 4}" for number, point in zip(count(), cycle(POINTS), strict=False))


@pytest.mark.timeout(1200)
async def test_a_hundred_kills_leave_what_an_undisturbed_run_leaves(
    busy: Deployment, expected: Undisturbed, wire: Wire
) -> None:
    killed = Counter(_kill(busy, KILLS))
    assert set(killed) == set(POINTS)
    assert busy.ledger().received < expected.ledger.received, "the last ones had nothing left to do"
    wire.slow(0)
    busy.start_worker()
    await oracle.check(busy, expected)


def _kill(mine: Deployment, kills: int) -> Iterator[str]:
    """The point of each kill."""
    armed = points()
    running: dict[WorkerProcess, str] = {}
    for number in range(kills):
        while len(running) < min(AT_ONCE, kills - number):
            point = next(armed)
            running[mine.start_worker(failpoint=point)] = point
        ended = mine.wait_for_an_end(list(running))
        assert ended.exit_code() == -signal.SIGKILL, ended.text()
        yield running.pop(ended).partition(":")[0]
