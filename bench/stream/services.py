"""The broker and the store that all arms share: the programs of the tests' fixtures, started for one run of the benchmark.

Unlike in the tests the broker waits for more members before it shares out the partitions of a new group, as it does by
default: so two workers that start together begin together.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from tests.services.kafka import PackagedBroker
from tests.services.redis import server_of_own

_TICKS = os.sysconf("SC_CLK_TCK")


class Services(Struct, kw_only=True):
    bootstrap: str
    """host:port of the broker"""
    redis: str
    """redis://host:port"""


@contextmanager
def running_services() -> Iterator[Services]:
    """Both, until the end of the block. Raises SystemExit with what is missing and how to get it."""
    try:
        with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder, server_of_own() as server:
            broker = PackagedBroker(Path(folder), {"group.initial.rebalance.delay.ms": "3000"})
            broker.start()
            try:
                yield Services(bootstrap=broker.bootstrap, redis=server.url)
            finally:
                broker.kill()
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        raise SystemExit(f"plumbline: {missing}") from None


def processor_seconds() -> dict[str, float]:
    """Processor seconds so far of the services, by program."""
    spent: dict[str, float] = {}
    children = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children")
    for child in children.read_text().split():
        head, _, fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")
        program = head.partition("(")[2]
        if program in ("java", "redis-server"):
            user, system = fields.split()[11:13]
            spent[program] = spent.get(program, 0.0) + (int(user) + int(system)) / _TICKS
    return spent
