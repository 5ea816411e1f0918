"""plumbline run and plumbline demo as a person runs them: real processes, real HTTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.services.waiting import wait_until
from tests.unit.simulated import ICP, ROOT, write_history

COMMAND = [sys.executable, "-m", "streams"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose log holds a history, processed to its end by ``plumbline run --drain``."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "log").mkdir()
    write_history(folder / "log" / f"events-{0:020d}.jsonl", accounts=200, malformed=3)
    drained = subprocess.run(
        [*COMMAND, "run", "--drain", "--icp", str(ICP), "--data-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert drained.stdout.startswith("received ")
    assert drained.stdout.rstrip().endswith("dead-lettered 3")
    return folder


class Service:
    """A running ``plumbline run``."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "run", "--icp", str(ICP), "--data-dir", str(data_dir), "--listen", "127.0.0.1:0", *options],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = _pipe(self.process.stdout).readline()
        if not line:
            raise AssertionError(_pipe(self.process.stderr).read())
        self.url = line.split()[3]

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return bytes(answer.read())

    def until(self, metric: str) -> None:
        """Until the metrics have this line."""
        wait_until(lambda: metric in self.get("/metrics").decode().splitlines())

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        for pipe in (self.process.stdout, self.process.stderr):
            _pipe(pipe).close()
        return code


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@pytest.fixture
def service(data_dir: Path) -> Iterator[Service]:
    running = Service(data_dir)
    yield running
    running.end()


def test_it_serves_what_was_processed_and_ends_in_order(data_dir: Path) -> None:
    running = Service(data_dir)
    assert json.loads(running.get("/v1/ledger"))["ledger"]["received"] > 1000
    assert b"plumbline_watermark_timestamp_seconds" in running.get("/metrics")
    assert running.get("/healthz")
    assert running.get("/readyz")
    assert running.end() == 0


def test_a_second_service_on_the_same_data_is_told_so(service: Service, data_dir: Path) -> None:
    second = subprocess.run(
        [*COMMAND, "run", "--icp", str(ICP), "--data-dir", str(data_dir), "--listen", "127.0.0.1:0"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert second.returncode == 3
    assert "another process" in second.stderr.lower()
    assert "Traceback" not in second.stderr
    assert service.get("/healthz")  # the first one goes on


def test_a_port_that_is_taken_is_named(data_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = subprocess.run(
            [*COMMAND, "run", "--icp", str(ICP), "--data-dir", str(tmp_path), "--listen", address],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert refused.returncode == 1
    assert address in refused.stderr
    assert "--listen" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_restart_goes_on_where_it_was(data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data_dir, folder)
    first = Service(folder)
    before = json.loads(first.get("/v1/ledger"))["ledger"]
    event = (
        b'{"specversion":"1.0","id":"new-1","source":"urn:test","type":"product.event","subject":"acct-new",'
        b'"time":"2026-10-31T12:00:00Z","data":{"name":"report_viewed"}}'
    )
    request = urllib.request.Request(
        first.url + "/v1/events", data=event, headers={"Content-Type": "application/cloudevents+json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202
    # Killed at once: the event is durable, processed or not.
    first.process.send_signal(signal.SIGKILL)
    first.end()
    drained = subprocess.run(
        [*COMMAND, "run", "--drain", "--icp", str(ICP), "--data-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert drained.stdout.startswith(
        f"received {before['received'] + 1:,} = applied {before['applied'] + 1:,} "
    )


def test_the_demo_brings_a_trigger_alert_and_the_drift_alert_to_the_receiver(tmp_path: Path) -> None:
    """What ``make run`` shows, to the end."""
    folder = tmp_path / "demo"
    command = [*COMMAND, "demo", "--folder", str(folder), "--listen", "127.0.0.1:0", "--until-delivered"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.returncode == 0, done.stderr
    assert "CALL TODAY" in done.stdout
    assert "Why now" in done.stdout
    assert "DRIFTING · plg.conversion_gap · segment source:content" in done.stdout
    assert "silent drift" in done.stdout
    assert "dead-lettered 0" in done.stdout
    listed = subprocess.run(
        [*COMMAND, "deliveries", "list", "--settings", str(folder / "plumbline.yaml"), "--json"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    states = {json.loads(line)["state"] for line in listed.stdout.splitlines()}
    assert "delivered" in states
    assert states <= {"delivered", "skipped"}
    assert "whsec_" not in done.stdout + done.stderr + listed.stdout


def test_the_demo_does_not_empty_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    done = subprocess.run(
        [*COMMAND, "demo", "--folder", str(tmp_path), "--listen", "127.0.0.1:0"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "was not made by plumbline demo" in done.stderr
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_second_demo_leaves_the_folder_of_the_first_alone(tmp_path: Path) -> None:
    """Its port is taken, which is said before anything is emptied or simulated."""
    (tmp_path / "made-by-plumbline-demo").touch()
    (tmp_path / "data").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "demo", "--folder", str(tmp_path), "--listen", f"127.0.0.1:{port}"],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"127.0.0.1:{port} can't be listened on" in done.stderr
    assert done.stdout == ""
    assert (tmp_path / "data").is_dir()


def test_a_flood_of_dead_letters_holds_it_still_until_somebody_says_go_on(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    history = tmp_path / "log" / f"events-{0:020d}.jsonl"
    write_history(history, accounts=20, malformed=0)
    good = len(history.read_bytes().splitlines())
    with history.open("ab") as log:
        log.write(b'{"not": "an event"}\n' * 600)
    running = Service(tmp_path)
    try:
        running.until("plumbline_partitions_stopped 1.0")
        with pytest.raises(urllib.error.HTTPError) as answer:
            running.get("/readyz")
        assert "events would be dead letters (missing_field)" in answer.value.read().decode()
        assert json.loads(running.get("/v1/ledger"))["ledger"]["dead_lettered"] == 0
        resumed = subprocess.run(
            [*COMMAND, "dlq", "resume", "--data-dir", str(tmp_path), "--json"],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        assert json.loads(resumed.stdout)["resumed"] == [0]
        running.until('plumbline_dead_letters_total{reason="missing_field"} 600.0')
        assert "plumbline_partitions_stopped 0.0" in running.get("/metrics").decode()
        ledger = json.loads(running.get("/v1/ledger"))["ledger"]
        assert (ledger["received"], ledger["dead_lettered"]) == (good + 600, 600)
    finally:
        assert running.end() == 0
