"""The store is away: killed, frozen, cut off in the midst of a commit, or restored from a copy a second older."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.faults.distributed import oracle
from tests.faults.distributed.lasting import meanwhile
from tests.faults.distributed.undisturbed import Undisturbed
from tests.faults.distributed.wire import Wire
from tests.services.programs import free_port
from tests.services.redis import PackagedServer
from tests.services.waiting import wait_until
from tests.services.workers import Deployment, WorkerProcess

FAULT_S = 10.0
CUTS = 25
MEMORY_LIMIT_KB = 400_000
"""of a worker whose store is away; it takes some 150,000 with nothing to do"""


class Watched:
    """A worker and its health page."""

    def __init__(self, mine: Deployment) -> None:
        address = f"127.0.0.1:{free_port()}"
        self.worker: WorkerProcess = mine.start_worker(metrics=address)
        self._url = f"http://{address}/readyz"

    def ready(self) -> bool:
        try:
            with urlopen(self._url, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def memory_kb(self) -> int:
        status = Path(f"/proc/{self.worker.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


async def broker_is_behind(mine: Deployment) -> None:
    """The offsets that the broker has are never beyond those of the store."""
    admin = AIOKafkaAdminClient(bootstrap_servers=mine.kafka.bootstrap)
    await admin.start()
    try:
        noted = await admin.list_consumer_group_offsets(f"{mine.kafka.prefix}plumbline")
    finally:
        await admin.close()
    assert noted
    for where, offset in noted.items():
        stage = "drift" if where.topic.endswith("observations") else "accounts"
        assert offset.offset <= mine.offset_of(stage, where.partition, where.topic)


@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_the_store_is_away(
    fault: str, busy: Deployment, expected: Undisturbed, server: PackagedServer, wire: Wire
) -> None:
    watched = Watched(busy)
    wait_until(lambda: busy.ledger().received > expected.ledger.received // 20)
    if fault == "killed":
        server.kill()
    else:
        server.freeze()
    watched.worker.wait_for("partition_let_go")

    def not_ready_and_small() -> None:
        assert not watched.ready()
        assert watched.memory_kb() < MEMORY_LIMIT_KB

    meanwhile(FAULT_S, not_ready_and_small, every_s=0.5)
    if fault == "killed":
        server.start()
    else:
        server.thaw()
    back = time.monotonic()
    wait_until(watched.ready)
    print(f"ready again after {time.monotonic() - back:.1f} s")
    await broker_is_behind(busy)
    assert busy.ledger().received < expected.ledger.received
    lines = watched.worker.events("partition_let_go")
    assert len({(line["stage"], line["partition"]) for line in lines}) == len(lines), "said once"
    wire.slow(0)
    await oracle.check(busy, expected)
    assert watched.worker.stop() == 0
    await broker_is_behind(busy)


async def test_the_store_comes_back_a_second_older(
    busy: Deployment, expected: Undisturbed, server: PackagedServer, wire: Wire, tmp_path: Path
) -> None:
    files = server.folder / "appendonlydir"
    worker = busy.start_worker()
    wait_until(lambda: busy.ledger().received > expected.ledger.received // 20)
    server.freeze()
    shutil.copytree(files, tmp_path / "copy")
    server.thaw()
    copied = busy.ledger().received
    meanwhile(1.0)
    server.kill()
    shutil.rmtree(files)
    shutil.copytree(tmp_path / "copy", files)
    server.start()
    worker.wait_for("partition_let_go")
    assert busy.ledger().received < expected.ledger.received
    print(f"the copy had {copied} events of {expected.ledger.received}")
    wire.slow(0)
    await oracle.check(busy, expected)
    assert worker.stop() == 0
    await broker_is_behind(busy)


async def test_connections_to_the_store_break_in_the_midst_of_what_is_sent(
    busy: Deployment, expected: Undisturbed, wire: Wire
) -> None:
    """A commit that is cut off is in or it is not; the worker finds out which."""
    worker = busy.start_worker()
    wait_until(lambda: busy.ledger().received > 0)
    for cut in range(CUTS):
        before = busy.ledger().received
        wire.cut_within(1_000 + 7_919 * cut % 20_000)
        wait_until(lambda: not wire.cut_is_due)
        wait_until(lambda before=before: busy.ledger().received > before)
    assert len(worker.events("partition_let_go")) >= CUTS // 2
    wire.slow(0)
    await oracle.check(busy, expected)
    assert worker.stop() == 0
