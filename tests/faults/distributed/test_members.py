"""Workers that come, go, die and sleep while there is work: partitions move, and nothing is applied twice."""

from __future__ import annotations

import signal
import time

from tests.faults.distributed import oracle
from tests.faults.distributed.conftest import PARTITIONS
from tests.faults.distributed.progress import Progress
from tests.faults.distributed.undisturbed import Undisturbed
from tests.faults.distributed.wire import Wire
from tests.services.waiting import wait_until
from tests.services.workers import Deployment, WorkerProcess

PAUSE_S = 5.0
TAKEN_OVER = "another worker has taken it over"


def held(worker: WorkerProcess) -> list[int]:
    """The account partitions that a worker was given last."""
    assigned = worker.events("partitions_assigned")
    return list(assigned[-1]["accounts"]) if assigned else []


def shared_out(workers: list[WorkerProcess]) -> bool:
    """Whether each has some, and all are somebody's."""
    parts = [held(worker) for worker in workers]
    return all(parts) and sorted(number for part in parts for number in part) == list(range(PARTITIONS))


async def test_one_two_three_one_worker_under_load(
    busy: Deployment, expected: Undisturbed, wire: Wire
) -> None:
    with Progress(busy) as progress:
        workers = [busy.start_worker()]
        wait_until(progress.everywhere)
        for _ in range(2):
            workers.append(busy.start_worker())
            wait_until(lambda: shared_out(workers))
            progress.begin()
            wait_until(progress.everywhere, PAUSE_S)
        for worker in workers[1:]:
            worker.send(signal.SIGTERM)
        wait_until(lambda: shared_out(workers[:1]))
        progress.begin()
        wait_until(progress.everywhere, PAUSE_S)
        assert [worker.exit_code() for worker in workers[1:]] == [0, 0]
        assert busy.ledger().received < expected.ledger.received, "there was no load any more"
    print(f"longest pause of a partition: {progress.longest_pause_s:.1f} s")
    wire.slow(0)
    await oracle.check(busy, expected)
    assert workers[0].stop() == 0


async def test_one_worker_is_killed_and_a_frozen_one_wakes_as_a_zombie(
    busy: Deployment, expected: Undisturbed, wire: Wire
) -> None:
    killed, zombie = workers = [busy.start_worker(), busy.start_worker()]
    wait_until(lambda: shared_out(workers))
    with Progress(busy) as progress:
        wait_until(progress.everywhere)
        zombie.send(signal.SIGSTOP)
        killed.kill()
        heir = busy.start_worker()
        wait_until(lambda: shared_out([heir]))
        progress.begin()
        wait_until(progress.everywhere)
        assert busy.ledger().received < expected.ledger.received
        woken = time.monotonic()
        zombie.send(signal.SIGCONT)
        assert TAKEN_OVER in {line["reason"] for line in zombie.wait_for_all("partition_let_go")}
        wait_until(lambda: shared_out([heir, zombie]))
        print(f"a zombie is a member again after {time.monotonic() - woken:.1f} s")
    wire.slow(0)
    await oracle.check(busy, expected)
    assert [worker.stop() for worker in (heir, zombie)] == [0, 0]


async def test_a_worker_for_which_there_is_no_partition_is_ready_and_one_that_loses_all_lets_go(
    busy: Deployment, expected: Undisturbed, wire: Wire
) -> None:
    """More workers than partitions: the spare ones wait until they are needed."""
    workers = [busy.start_worker() for _ in range(PARTITIONS + 1)]
    for worker in workers:
        worker.wait_for("partitions_assigned")
    wait_until(
        lambda: sorted(number for worker in workers for number in held(worker)) == list(range(PARTITIONS))
    )
    spare = next(worker for worker in workers if not held(worker))
    for worker in workers:
        if worker is not spare:
            worker.send(signal.SIGTERM)
    wait_until(lambda: shared_out([spare]))
    wire.slow(0)
    await oracle.check(busy, expected)
