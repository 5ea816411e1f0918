"""The project's compose files, brought up for real in the daemon of tests/services/docker.py.

Rules: what is started is what the file in the repository says; ports are free ones of loopback, by the variables that
the files offer for it, and secrets are made anew; images are provided first, so that nothing is pulled in a daemon of
our own; all that was started is removed with its volumes, and the logs are told when something fails.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ruamel.yaml import YAML

from tests.services.docker import ROOT, Docker
from tests.services.programs import free_port, program
from tests.services.waiting import wait_until

UP_LIMIT_S = 120
NOT_TO_BE_HAD = frozenset({"grafana"})
"""Services whose image has no stand-in."""


class Stack:
    """The services of one compose file."""

    def __init__(self, docker: Docker, file: str) -> None:
        self._docker = docker
        services: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / file)["services"]
        self.services = [name for name in services if name not in NOT_TO_BE_HAD]
        self.images = sorted({services[name]["image"] for name in self.services})
        self.read_token = secrets.token_hex(32)
        self.write_token = secrets.token_hex(32)
        self.port = free_port()
        self.prometheus_port = free_port()
        self.alertmanager_port = free_port()
        self.secrets = {
            "PLUMBLINE_READ_TOKEN": self.read_token,
            "PLUMBLINE_WRITE_TOKEN": self.write_token,
            "PLUMBLINE_REDIS_PASSWORD": secrets.token_hex(32),
            "PLUMBLINE_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        ports = {
            "PLUMBLINE_PORT": self.port,
            "PROMETHEUS_PORT": self.prometheus_port,
            "ALERTMANAGER_PORT": self.alertmanager_port,
        }
        self._environment = {
            **os.environ,
            **docker.environment,
            **self.secrets,
            **{name: str(port) for name, port in ports.items()},
        }
        self._project = f"plumbline{secrets.token_hex(4)}"
        compose = program("docker-compose", package="docker-compose")
        self._command = [compose, "--project-name", self._project, "--file", str(ROOT / file)]

    def run(self, *arguments: str, limit_s: float = UP_LIMIT_S) -> str:
        """What ``docker-compose ARGUMENTS`` prints; its failure is an AssertionError with its words."""
        done = subprocess.run(
            [*self._command, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )
        assert done.returncode == 0, f"docker-compose {arguments[0]}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def logs(self, *services: str) -> str:
        """What ``services`` have printed, each line after the container's name; all when none is named."""
        return self.run("logs", "--no-color", *services)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """The containers of ``service``, as docker inspect shows them."""
        found = self.run("ps", "--quiet", service).split()
        inspected: list[dict[str, Any]] = json.loads(self._docker.run("inspect", *found)) if found else []
        return inspected

    def get(self, path: str, *, port: int | None = None) -> Any:
        """The JSON at ``path`` of the service, or of what listens at ``port``; None where the answer is not yet 200."""
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}")
        request.add_header("Authorization", f"Bearer {self.read_token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def post(self, events: list[dict[str, Any]]) -> Any:
        """Posts ``events`` to the gateway; the body of the answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/events",
            data=json.dumps(events).encode(),
            headers={
                "Authorization": f"Bearer {self.write_token}",
                "Content-Type": "application/cloudevents-batch+json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def wait(self, what: str, condition: Callable[[], Any], *, limit_s: float = 90) -> Any:
        """The first true value of ``condition``; its absence is an AssertionError that tells the logs."""
        return wait_until(condition, limit_s, told=lambda: f"{what}\n{self.logs()[-12000:]}")


@contextmanager
def compose_up(docker: Docker, file: str) -> Iterator[Stack]:
    """The services of ``file``, started as ``docker compose up --build`` starts them; removed with their volumes."""
    stack = Stack(docker, file)
    docker.provide(*(image for image in stack.images if image != "plumbline"), "python:3.11-slim-bookworm")
    docker.build("deploy/Dockerfile", "plumbline")
    try:
        try:
            stack.run("up", "--no-build", "--detach", *stack.services)
        except AssertionError as failed:
            raise AssertionError(f"{failed}\n{stack.logs()[-12000:]}") from None
        yield stack
    finally:
        stack.run("down", "--volumes", "--timeout", "10")
