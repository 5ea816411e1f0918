"""Replay: deterministic, the same as live on the same input, and what the command says."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import msgspec
import pytest

from detectors.accounts import AccountStage
from schemas.settings import Settings
from streams.cli.replay import _standing
from streams.embedded import EmbeddedService
from streams.icp_files import load_icps
from streams.replay import DriftRow, replay
from streams.replay_shards import CHUNK, Failed, NotShared, _run_shard
from streams.replay_shares import shared_out
from tests.unit.simulated import ICP, ROOT, write_history

CLOCKLESS = Settings(clock="events", listen="127.0.0.1:0")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("history") / "events.jsonl")


@pytest.fixture(scope="module")
def lines(history: Path) -> list[bytes]:
    return history.read_bytes().splitlines()


@pytest.fixture(scope="module")
def alerts(history: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The alerts of a replay of the history."""
    path = tmp_path_factory.mktemp("alerts") / "alerts.jsonl"
    replay([history], load_icps([ICP]), CLOCKLESS, alerts_to=path)
    return path.read_bytes().splitlines()


def chunks(lines: list[bytes], sizes: random.Random) -> Iterator[list[bytes]]:
    while lines:
        size = sizes.randint(1, 2000)
        yield lines[:size]
        lines = lines[size:]


@pytest.mark.parametrize("batch_events", [37, 100_000])
def test_batches_change_no_byte(
    history: Path, alerts: list[bytes], tmp_path: Path, batch_events: int
) -> None:
    settings = Settings(clock="events", batch_events=batch_events)
    replay([history], load_icps([ICP]), settings, alerts_to=tmp_path / "alerts.jsonl")
    assert (tmp_path / "alerts.jsonl").read_bytes().splitlines() == alerts


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_change_no_byte(
    history: Path, lines: list[bytes], tmp_path: Path, processes: int
) -> None:
    """With events that can't be read, whose times must not move the watermark, and small batches."""
    broken = [line.replace(b'"specversion":"1.0"', b'"specversion":"9"') for line in lines[::50]]
    mixed = [each for pair in zip(lines, broken * 51, strict=False) for each in pair]
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(b"\n".join([*mixed, b"{}", b"\xff", *lines[len(broken) * 51 :]]) + b"\n")
    settings = Settings(clock="events", batch_events=9000)
    found = []
    for number in (1, processes):
        alerts_to, rejects_to = tmp_path / f"alerts{number}.jsonl", tmp_path / f"rejects{number}.jsonl"
        report = replay(
            [path],
            load_icps([ICP]),
            settings,
            processes=number,
            alerts_to=alerts_to,
            rejects_to=rejects_to,
        )
        report.seconds, report.rejects = 0.0, None
        found.append((report, alerts_to.read_bytes(), rejects_to.read_bytes()))
    assert found[0] == found[1]
    assert found[0][0].ledger.dead_lettered > 1000
    assert found[0][0].alerts.by_kind["trigger"] > 10


def test_a_step_that_fails_is_left_to_one_process(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise RuntimeError("a bug")

    monkeypatch.setattr(AccountStage, "step", broken)
    here, there = multiprocessing.Pipe(duplex=False)
    barrier = threading.Barrier(1)
    times = multiprocessing.RawArray("d", 2 * CHUNK)
    given = (
        0,
        shared_out([], 1),
        [history],
        load_icps([ICP]),
        CLOCKLESS,
        2e9,
        tmp_path,
        times,
        barrier,
        there,
    )
    _run_shard(*given)
    with closing(here):
        assert msgspec.msgpack.decode(here.recv_bytes(), type=Failed).again
    assert barrier.broken


def test_what_could_not_be_shared_is_done_by_one_process(
    history: Path, alerts: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_shared(*_: object, **__: object) -> None:
        raise NotShared

    monkeypatch.setattr("streams.replay.replay_shared", not_shared)
    replay([history], load_icps([ICP]), CLOCKLESS, processes=2, alerts_to=tmp_path / "alerts.jsonl")
    assert (tmp_path / "alerts.jsonl").read_bytes().splitlines() == alerts


async def test_the_embedded_service_says_the_same_byte_for_byte(
    lines: list[bytes], alerts: list[bytes], tmp_path: Path
) -> None:
    """The history goes in over HTTP, in pieces of any size, to a service that processes while they come."""
    settings = CLOCKLESS.model_copy(update={"data_dir": tmp_path / "data", "batch_events": 500})
    settings.data_dir.mkdir()
    service = EmbeddedService(settings, load_icps([ICP]))
    started = asyncio.Event()
    running = asyncio.create_task(service.run(started.set))
    await started.wait()
    kept = refused = 0
    async with aiohttp.ClientSession() as session:
        for piece in chunks(lines, random.Random(5)):
            headers = {"Content-Type": "application/x-ndjson"}
            async with session.post(
                f"{service.url}/v1/events", data=b"\n".join(piece), headers=headers
            ) as answer:
                assert answer.status in (202, 207)
                said = await answer.json()
                kept += said["accepted"]
                refused += len(said.get("rejected", ()))
    await service.delivered()
    ledger = service.serving.ledger()
    found = service.alerts()
    service.stop()
    await running
    assert found == alerts
    assert alerts, "a history without alerts shows nothing"
    assert ledger.received == kept
    assert refused == 15  # the gateway refuses what replay dead-letters
    assert ledger.balanced


def test_the_report_adds_up(history: Path, tmp_path: Path) -> None:
    output, rejects = tmp_path / "alerts.jsonl", tmp_path / "rejects.jsonl"
    report = replay([history], load_icps([ICP]), CLOCKLESS, alerts_to=output, rejects_to=rejects)
    lines = history.read_bytes().count(b"\n")
    assert report.events == report.ledger.received == lines
    assert report.ledger.balanced
    assert report.ledger.duplicate
    assert report.ledger.dead_lettered == sum(report.dead_letters.values()) == 15
    assert len(rejects.read_bytes().splitlines()) == 15
    kinds = report.alerts.by_kind
    assert sum(kinds.values()) == len(output.read_bytes().splitlines())
    assert (
        sum(report.alerts.by_variant.values()) == sum(report.alerts.by_trigger.values()) == kinds["trigger"]
    )
    times = [json.loads(line)["at"] for line in output.read_bytes().splitlines()]
    assert times == sorted(times)


def test_each_icp_version_counts_from_its_effective_from_on(history: Path, tmp_path: Path) -> None:
    text = ICP.read_text()
    version = next(line for line in text.splitlines() if line.startswith("version:"))
    begin = next(line for line in text.splitlines() if line.startswith("effective_from:"))
    later = tmp_path / "later.yaml"
    later.write_text(
        text.replace(version, 'version: "later"').replace(begin, "effective_from: 2026-09-01T00:00:00Z")
    )
    earlier = tmp_path / "earlier.yaml"
    earlier.write_text(text.replace(begin, "effective_from: 2026-01-01T00:00:00Z"))
    output = tmp_path / "alerts.jsonl"
    replay([history], load_icps([later, earlier]), CLOCKLESS, alerts_to=output)
    versions: dict[bool, set[str]] = {False: set(), True: set()}
    for line in output.read_bytes().splitlines():
        alert = json.loads(line)
        if alert["kind"] == "trigger":
            versions[alert["at"] >= "2026-09-01"].add(alert["icp_version"])
    assert versions[True] == {"later"}
    assert len(versions[False]) == 1
    assert versions[False] != {"later"}


def plumbline(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_the_command_prints_one_json_object(history: Path, tmp_path: Path) -> None:
    done = plumbline("replay", "--icp", ICP, history, "--json", "--rejects", tmp_path / "r.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert set(report["ledger"]) == {"received", "applied", "duplicate", "late", "dead_lettered"}
    assert report["accounts"] > 400
    assert set(report["alerts"]) == {"by_kind", "by_variant", "by_trigger"}
    everywhere = next(verdict for verdict in report["drift"] if verdict["segment"] == "all")
    said = {
        "signal",
        "segment",
        "state",
        "since",
        "baseline",
        "current",
        "statistic",
        "threshold",
        "suspended",
    }
    assert said <= set(everywhere)


def test_the_command_tells_people_what_came_out(history: Path, tmp_path: Path) -> None:
    rejects = tmp_path / "r.jsonl"
    done = plumbline("replay", "--icp", ICP, history, "--rejects", rejects)
    assert done.returncode == 0
    assert "received " in done.stdout
    assert "dead-lettered 15" in done.stdout
    assert "plg.conversion_gap" in done.stdout
    assert re.search(r"data\.health  product\.event .* [\d.,]+ events a day$", done.stdout, re.MULTILINE)
    assert f"plumbline dlq list --file {rejects}" in done.stdout.replace("\n", "")
    listed = plumbline("dlq", "list", "--file", rejects)
    assert listed.returncode == 0
    assert "15 in all" in listed.stdout
    offset = json.loads(rejects.read_text().splitlines()[0])["offset"]
    shown = plumbline("dlq", "show", f"events:{offset}", "--file", rejects, "--json")
    assert json.loads(shown.stdout)["offset"] == offset


def test_errors_say_what_to_do(history: Path, tmp_path: Path) -> None:
    no_icp = plumbline("replay", history)
    assert no_icp.returncode == 2
    assert "--icp icp.yaml" in no_icp.stderr
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: x\n")
    refused = plumbline("replay", "--icp", broken, history)
    assert refused.returncode == 2
    assert "variants" in refused.stderr
    no_events = plumbline("replay", "--icp", ICP, tmp_path / "none.jsonl")
    assert no_events.returncode == 2
    not_rejects = plumbline("dlq", "list", "--file", history)
    assert not_rejects.returncode == 2
    assert "not a line of a rejects file" in not_rejects.stderr
    assert "Traceback" not in no_icp.stderr + refused.stderr + no_events.stderr + not_rejects.stderr


@pytest.mark.parametrize(
    ("missing", "words"), [("", ""), ("9 of 300 observations", "(9 of 300 observations)")]
)
def test_a_segment_of_which_nothing_is_known_has_no_empty_words(missing: str, words: str) -> None:
    """As one that was suspended before it had a baseline."""
    row = DriftRow(
        signal="plg.conversion_gap",
        segment="email",
        state="suspended",
        since=None,
        since_margin_days=None,
        baseline=None,
        current=None,
        statistic=0.0,
        threshold=0.0,
        n=9,
        missing=missing,
        finding="",
        counted_out={},
        unit="share",
    )
    assert _standing(row) == words
