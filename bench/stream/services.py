"""The broker and the store that all arms share: the fixtures of the tests, started for one run of the benchmark."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from tests.services.kafka import running_broker
from tests.services.redis import running_server

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
        with running_broker() as broker, running_server() as server:
            yield Services(bootstrap=broker.bootstrap, redis=server.url)
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        raise SystemExit(f"plumbline: {missing}") from None


def processor_seconds() -> dict[str, float]:
    """Processor seconds so far of the services, by program; empty where they run in containers."""
    spent: dict[str, float] = {}
    children = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children")
    for child in children.read_text().split() if children.exists() else ():
        head, _, fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")
        program = head.partition("(")[2]
        if program in ("java", "redis-server"):
            user, system = fields.split()[11:13]
            spent[program] = spent.get(program, 0.0) + (int(user) + int(system)) / _TICKS
    return spent
