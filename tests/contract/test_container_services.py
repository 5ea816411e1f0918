"""Kafka and Redis by testcontainers, the second way of tests/services: the same tests pass over it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.docker import Docker
from tests.services.kafka import VERSION
from tests.services.redis import IMAGE

pytestmark = pytest.mark.timeout(600)  # the first run on a machine builds the images

ROOT = Path(__file__).parents[2]
TESTS = [
    "tests/contract/test_stores.py",
    "tests/contract/test_gateway_kafka.py::test_what_was_accepted_is_in_its_topic_and_partition_in_order",
    "tests/contract/test_gateway_kafka.py::test_broker_away_is_503_and_comes_back_by_itself",
]
"""Redis and a shared broker; a broker that is frozen, killed and started again."""


def test_the_same_tests_pass_over_containers(docker: Docker) -> None:
    docker.provide(f"apache/kafka:{VERSION}", IMAGE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env={
            **os.environ,
            **docker.environment,
            "PLUMBLINE_TEST_SERVICES": "docker",
            "TESTCONTAINERS_RYUK_DISABLED": "true",  # its image would have to be pulled; the fixtures remove what they started
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"^\d+ passed in ", done.stdout, re.M), done.stdout[-2000:]
    assert docker.run("ps", "--all", "--quiet") == ""
