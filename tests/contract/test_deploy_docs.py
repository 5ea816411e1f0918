"""docs/deploy.md: its commands for a distributed service from packages run, and its settings are settings."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.settings import Settings
from streams.settings_file import check_settings
from tests.services.kafka import JARS
from tests.services.programs import free_port, missing, program
from tests.services.waiting import wait_until

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
PORTS = ("9092", "9093", "6379", "8460", "8461", "8462", "8463", "8470")
"""Ports that the page and its files name; the test takes free ones."""
LIMIT_S = 120


def blocks(name: str) -> str:
    """The commands of the blocks marked ``name``, in order."""
    found = re.findall(rf"^```bash {name}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert found, f"docs/deploy.md has no block marked {name}"
    return "\n".join(found)


def read(url: str) -> bytes:
    """The body of an answer; empty while there is none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return b""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The repository as far as the commands touch it, with free ports."""
    if not JARS.is_dir():
        missing("Apache Kafka's jars are missing; get them by: make services")
    program("java", package="default-jre-headless")
    program("redis-server", package="redis-server")
    shutil.copytree(ROOT / "deploy/packages", tmp_path / "deploy/packages")
    shutil.copytree(ROOT / "examples/acme", tmp_path / "examples/acme")
    (tmp_path / "plumbline-data").mkdir()
    (tmp_path / "plumbline-data/kafka-jars").symlink_to(JARS)  # what the Maven command of the page brings
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/plumbline").write_text(f'#!/bin/sh\nexec {sys.executable} -m streams "$@"\n')
    (tmp_path / "bin/plumbline").chmod(0o755)
    return tmp_path


def test_the_distributed_service_runs_from_packages(folder: Path) -> None:
    ports = {port: str(free_port()) for port in PORTS}

    def with_free_ports(text: str) -> str:
        return re.sub("|".join(PORTS), lambda found: ports[found[0]], text)

    for path in (folder / "deploy/packages").iterdir():
        path.write_text(with_free_ports(path.read_text()))
    # Two ports are defaults of the commands, which the page need not name.
    start = with_free_ports(blocks("start").replace("plumbline listen", "plumbline listen --port 8470"))
    use = with_free_ports(
        blocks("use").replace("plumbline post", "plumbline post --url http://127.0.0.1:8460")
    )
    script = f"set -euo pipefail\n{start}\necho started\nread -r _\n{blocks('end')}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
    }
    with (folder / "out.log").open("wb") as out:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        gateway, second_worker = (f"http://127.0.0.1:{ports[port]}" for port in ("8460", "8462"))

        def told() -> str:
            logs = [folder / "out.log", *sorted((folder / "plumbline-data").glob("*.log"))]
            return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs)

        def answer_of(url: str) -> bytes | None:
            assert shell.poll() is None, f"it ended\n{told()}"
            return read(url)

        def received() -> dict[str, int] | None:
            body = answer_of(f"{gateway}/v1/ledger")
            ledger = json.loads(body)["ledger"] if body else {}
            return ledger if ledger.get("received") == posted else None

        wait_until(lambda: answer_of(f"{gateway}/readyz"), LIMIT_S, told=told)
        wait_until(lambda: answer_of(f"{second_worker}/readyz"), LIMIT_S, told=told)
        used = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{use}"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert used.returncode == 0, used.stdout + used.stderr + told()
        posted = (folder / "plumbline-data/events.jsonl").read_bytes().count(b"\n")
        ledger = wait_until(received, LIMIT_S, told=told)
        assert ledger["applied"] > 0.9 * posted
        assert shell.stdin is not None
        shell.stdin.write(b"\n")
        shell.stdin.close()
        assert shell.wait(LIMIT_S) == 0, told()
    finally:
        with suppress(ProcessLookupError):  # all of them have ended when all is well
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


def test_the_commands_of_the_other_blocks_are_those_of_the_project() -> None:
    assert "setup/kafka-broker.xml dependency:copy-dependencies" in blocks("jars")
    assert (ROOT / "setup/kafka-broker.xml").exists()
    assert "--editable '.[distributed]'" in blocks("install")
    assert "docker compose -f docker-compose.embedded.yml up --build" in TEXT


def test_the_settings_of_the_cluster_are_settings() -> None:
    (written,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    tokens = "tokens: [{name: readers, token: env:PLUMBLINE_READ_TOKEN, read: true}]\n"
    settings, named = check_settings(written + tokens, "docs/deploy.md")
    assert isinstance(settings, Settings)
    assert set(named) == {
        "PLUMBLINE_KAFKA_PASSWORD",
        "PLUMBLINE_REDIS_PASSWORD",
        "PLUMBLINE_READ_TOKEN",
    }
