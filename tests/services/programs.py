"""Finds the programs that tests start.

Two ways, and no third: on a developer's machine a missing program skips the test, with the reason; with CI=true it
fails it, since a check that silently doesn't run is worse than none. `make test` installs them where it can.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import socket
from typing import Literal, NoReturn

import pytest


def program(*names: str, package: str) -> str:
    """The path of the first of ``names`` that is installed. ``package``: what Debian calls it."""
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    return missing(f"{names[0]} is not installed; install it by: make services (Debian package {package})")


def missing(reason: str) -> NoReturn:
    """Ends the test for want of a program."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def services_by() -> Literal["packages", "docker"]:
    """How Kafka and Redis are started: from installed packages, or by testcontainers where there is a Docker daemon."""
    chosen = os.environ.get("PLUMBLINE_TEST_SERVICES", "packages")
    if chosen == "packages" or chosen == "docker":
        return chosen
    raise pytest.UsageError(f"PLUMBLINE_TEST_SERVICES is `{chosen}`; it can be packages or docker")


_FIRST_PORT, _PORTS = 20_000, 1_500
"""Below the ports that the system itself gives to outgoing connections, so none of these takes one. Each of pytest's
processes has a stretch of its own."""
_stretch = _FIRST_PORT + _PORTS * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8)
_ports = itertools.cycle(random.sample(range(_stretch, _stretch + _PORTS), _PORTS))


def free_port() -> int:
    """A loopback port that nothing listens on and that was not given out lately: who asked may not be listening yet."""
    for port in itertools.islice(_ports, _PORTS):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError(f"none of the ports {_stretch} to {_stretch + _PORTS - 1} is free")
