"""What all tests share: how hypothesis runs, and the fixtures that start real programs (tests/services)."""

from __future__ import annotations

import os

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
