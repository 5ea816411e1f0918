"""A real Redis: one server for all tests of a run, kept apart by key prefix.

Two ways to get it, chosen by PLUMBLINE_TEST_SERVICES: `packages` (the default) starts an installed redis-server;
`docker` starts the image redis by testcontainers. Tests of TLS and clusters start installed servers in either case.

Rules: everything listens on loopback; a server that a test kills, freezes, fills or restarts is its own
(``redis_server``, or a ServerOfOwn), and comes back on the same port with the same data; what a test started ends with
it, whatever happens in it.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from redis import Redis
from redis import exceptions as errors

from schemas.redis_settings import RedisSettings
from tests.services.programs import free_port, program, services_by
from tests.services.service_process import START_LIMIT_S, Service, ServiceContainer, ServiceProcess
from tests.services.waiting import wait_until

IMAGE = "redis:7"
READY = "Ready to accept connections"
SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "''",
    "maxmemory-policy": "noeviction",
}


class RedisServer(Service, Protocol):
    url: str
    """redis://host:port"""


class PackagedServer(ServiceProcess):
    """A redis-server process over a folder of its own. ``settings`` are added to its configuration; ``tls``: the port
    takes TLS only."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None, *, tls: bool = False) -> None:
        server = program("redis-server", package="redis-server")
        self.folder = folder
        self.port = free_port()
        self.url = f"{'rediss' if tls else 'redis'}://127.0.0.1:{self.port}"
        ports = {"port": "0", "tls-port": str(self.port)} if tls else {"port": str(self.port)}
        everything = {"bind": "127.0.0.1", "dir": str(folder), **ports, **SETTINGS, **(settings or {})}
        configuration = folder / "redis.conf"
        configuration.write_text("".join(f"{name} {value}\n" for name, value in everything.items()))
        super().__init__("Redis", [server, str(configuration)], folder / "output.log", ready=READY)


class ContainerServer(ServiceContainer):
    """The image redis, its port on loopback."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer  # asks for a Docker daemon when it is used

        port = free_port()
        self.url = f"redis://127.0.0.1:{port}"
        command = ["redis-server"]
        for name, value in SETTINGS.items():
            command += [f"--{name}", value.strip("'")]
        container = DockerContainer(IMAGE).with_command(command)
        container.ports["6379/tcp"] = ("127.0.0.1", port)  # its own method binds every interface
        super().__init__("Redis", container, ready=READY)


@contextmanager
def server_of_own(
    settings: Mapping[str, str] | None = None, *, tls: bool = False
) -> Iterator[PackagedServer]:
    """A started redis-server with ``settings``, ended and removed at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-redis-"))
    try:
        process = PackagedServer(folder, settings, tls=tls)
        try:
            process.start()
            yield process
        finally:
            process.kill()
    finally:
        shutil.rmtree(folder)


@contextmanager
def running_server() -> Iterator[RedisServer]:
    """A started server of the chosen kind, ended and removed at the end of the block."""
    if services_by() == "packages":
        with server_of_own() as process:
            yield process
        return
    container = ContainerServer()
    try:
        container.start()
        yield container
    finally:
        container.remove()


@contextmanager
def cluster_of(count: int) -> Iterator[list[PackagedServer]]:
    """A Redis Cluster of ``count`` primaries, all slots served, ended at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-redis-cluster-"))
    nodes: list[PackagedServer] = []
    try:
        for number in range(count):
            (folder / str(number)).mkdir()
            bus = {"cluster-enabled": "yes", "cluster-port": str(free_port())}
            nodes.append(PackagedServer(folder / str(number), bus))
            nodes[-1].start()
        made = subprocess.run(
            [
                *(program("redis-cli", package="redis-tools"), "--cluster", "create"),
                *(f"127.0.0.1:{node.port}" for node in nodes),
                *("--cluster-replicas", "0", "--cluster-yes"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=START_LIMIT_S,
        )
        assert made.returncode == 0, f"the cluster could not be made:\n{made.stdout}{made.stderr}"
        for node in nodes:
            _await_cluster(node)
        yield nodes
    finally:
        for node in nodes:
            node.kill()
        shutil.rmtree(folder)


def _await_cluster(node: PackagedServer) -> None:
    with Redis(port=node.port) as client:
        wait_until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok", START_LIMIT_S)


class RedisSpace:
    """What a test sees of a server: its keys begin with a prefix of its own. ``client`` sees all of them."""

    def __init__(self, url: str) -> None:
        self.settings = RedisSettings(url=url, key_prefix=f"test-{secrets.token_hex(6)}")
        self.client = Redis.from_url(url)

    def key_names(self) -> list[str]:
        return sorted(
            key.decode() for key in self.client.scan_iter(f"{self.settings.key_prefix}:*", count=1000)
        )

    def clear(self) -> None:
        for key in self.key_names():
            self.client.unlink(key)

    def close(self) -> None:
        self.client.close()


@pytest.fixture(scope="session")
def shared_redis_server() -> Iterator[RedisServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server of the test's own, which it may kill, freeze and start again."""
    with running_server() as server:
        yield server


@pytest.fixture
def redis(shared_redis_server: RedisServer) -> Iterator[RedisSpace]:
    """``redis.settings`` for the test's own part of the shared server."""
    space = RedisSpace(shared_redis_server.url)
    try:
        yield space
    finally:
        try:
            space.clear()
        except errors.ConnectionError as error:
            raise AssertionError("a test that ends its Redis needs one of its own: redis_server") from error
        finally:
            space.close()
