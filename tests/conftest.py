"""What all tests share: how hypothesis runs, and the fixtures that start real programs (tests/services)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from tests.services.chromium import chromium
from tests.services.docker import docker
from tests.services.kafka import kafka, kafka_broker, shared_kafka_broker
from tests.services.prometheus import prometheus
from tests.services.redis import redis, redis_server, shared_redis_server

__all__ = [
    "chromium",
    "docker",
    "kafka",
    "kafka_broker",
    "prometheus",
    "redis",
    "redis_server",
    "shared_kafka_broker",
    "shared_redis_server",
]

# No deadline: the machine may be busy, and time is measured in bench/. In CI the same examples each time, so that a
# failure there is about the change at hand; new ones are looked for on people's machines.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")

_HERE = Path(__file__).parent
_TOGETHER = {
    _HERE / "contract" / "test_compose.py": "docker",
    _HERE / "contract" / "test_container_services.py": "docker",
}
"""Files that share what is dear to start."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """When several processes share the tests (`make test`), a file's tests stay together: they share its fixtures."""
    for item in items:
        group = _TOGETHER.get(item.path, str(item.path.relative_to(_HERE)))
        item.add_marker(pytest.mark.xdist_group(group))
