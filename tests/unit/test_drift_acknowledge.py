"""plumbline drift acknowledge: into the log of a service that stands still, over HTTP to one that runs; what it refuses."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.observations import encode_observation
from schemas.settings import Settings
from streams.cli.drift import command
from streams.cli.drift_acknowledge import LIVE_S, decided_at
from streams.embedded import EmbeddedPipeline, EmbeddedService
from streams.stores.contract import Commit, Ledger
from streams.stores.sqlite import SqliteStore
from tests.unit.serving_world import DAY, NOW, drifting, icp

GAP = "plg.conversion_gap"
REASON = "A price test, until May"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose account stage has told of a drift of ``content``; the newest event is from the day before NOW."""
    folder = tmp_path_factory.mktemp("history")
    store = SqliteStore(folder / "plumbline.db")
    told = [encode_observation(each) for each in drifting(Settings())]
    claim = store.claim("accounts", 0)
    store.commit(claim, Commit(observations=told, watermark=NOW - DAY, ledger=Ledger()))
    store.close()
    drain(folder)
    return folder / "plumbline.db"


@pytest.fixture
def folder(history: Path, tmp_path: Path) -> Path:
    (tmp_path / "plumbline.db").write_bytes(history.read_bytes())
    return tmp_path


def drain(folder: Path) -> None:
    """Lets the embedded pipeline take in what its log holds."""
    engine = EmbeddedPipeline(Settings(data_dir=folder, clock="events"), [icp()])
    try:
        engine.pipeline.catch_up()
        while engine.turn() is not None:
            pass
    finally:
        engine.close()


def run(folder: Path, *arguments: str, input: str | None = None) -> Result:
    environment = {"COLUMNS": "110", "NO_COLOR": "1", "LOGNAME": "ann"}
    return CliRunner().invoke(command, [*arguments, "--data-dir", str(folder)], env=environment, input=input)


def verdict(folder: Path, segment: str = "content") -> dict[str, object]:
    result = run(folder, "explain", GAP, "--segment", segment, "--json")
    found: dict[str, object] = json.loads(result.output)["verdict"]
    return found


def test_a_decision_goes_into_the_log_and_is_shown_with_who_and_why(folder: Path) -> None:
    result = run(folder, "acknowledge", GAP, "--segment", "content", "--reason", REASON)
    assert result.exit_code == 0, result.output
    assert "plumbline drift explain" in result.output
    assert verdict(folder)["state"] == "drifting"
    drain(folder)
    after = verdict(folder)
    assert after["state"] == "acknowledged"
    (made,) = after["decisions"]  # type: ignore[misc]
    assert (made["by"], made["reason"], made["kind"]) == ("ann", REASON, "acknowledged")
    assert made["at"] == datetime.fromtimestamp(NOW - DAY, UTC).isoformat().replace("+00:00", "Z")
    shown = run(folder, "explain", GAP, "--segment", "content").output
    assert f"ann on 30 Oct 2026: {REASON}" in shown
    assert "What was decided" in shown
    assert shown.count("named by the alert of") == 10
    assert "acknowledged" in run(folder, "list").output


def test_a_baseline_is_taken_anew_after_a_question(folder: Path) -> None:
    arguments = ("acknowledge", GAP, "--segment", "content", "--reason", REASON, "--retake-baseline")
    assert run(folder, *arguments, input="n\n").exit_code == 1
    drain(folder)
    assert verdict(folder)["state"] == "drifting"
    result = run(folder, *arguments, "--by", "Bo", input="y\n")
    assert result.exit_code == 0, result.output
    drain(folder)
    after = verdict(folder)
    assert after["state"] == "learning"
    assert [made["by"] for made in after["decisions"]] == ["Bo"]  # type: ignore[attr-defined]
    said = run(folder, "explain", GAP, "--segment", "content").output
    assert "baseline taken anew by Bo (it was drifting since" in said
    assert "RESOLVED" in said
    assert verdict(folder, "referral")["state"] == "watching"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            (GAP, "--segment", "referral", "--reason", REASON),
            "nothing drifts in this segment: it is watching",
        ),
        ((GAP, "--segment", "nowhere", "--reason", REASON), "all, content, referral"),
        (("plg.nothing", "--reason", REASON), GAP),
        ((GAP, "--segment", "content", "--reason", "  "), "says nothing"),
        ((GAP, "--segment", "content", "--reason", "x" * 501), "500"),
        ((GAP, "--segment", "content"), "--reason"),
        ((GAP, "--segment", "content", "--reason", REASON, "--retake-baseline", "--json"), "--yes"),
    ],
)
def test_what_means_nothing_is_refused_and_nothing_is_written(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = run(folder, "acknowledge", *arguments)
    said = f"{result.output} {result.exception} {getattr(result.exception, 'remedy', '')}"
    assert words in said
    assert getattr(result.exception, "exit_code", result.exit_code) == 2
    assert not list(folder.glob("log/*"))


async def test_while_the_service_runs_it_gets_the_event_over_http(folder: Path) -> None:
    token = "s3cret-of-growth-team"
    settings = Settings(
        data_dir=folder,
        listen="127.0.0.1:0",
        tokens=[
            {"name": "growth", "token": token, "acknowledge": True},
            {"name": "crm", "token": "s3cret-of-the-crm-team", "source": "*"},
        ],
    )
    service = EmbeddedService(settings, [icp()], now=lambda: NOW)
    started = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run(started.set))
        await asyncio.wait_for(started.wait(), 60)

        def acknowledge(secret: str) -> Result:
            environment = {"TOKEN": secret, "LOGNAME": "ann", "COLUMNS": "110"}
            arguments = [
                "acknowledge",
                GAP,
                "--segment",
                "content",
                "--reason",
                REASON,
                "--token",
                "env:TOKEN",
            ]
            where = ["--url", service.url, "--data-dir", str(folder)]
            return CliRunner().invoke(command, [*arguments, *where], env=environment)

        refused = await asyncio.to_thread(acknowledge, "s3cret-of-the-crm-team")
        assert "may not decide about drifts" in str(refused.exception)
        assert "acknowledge: true" in getattr(refused.exception, "remedy", "")
        done = await asyncio.to_thread(acknowledge, token)
        assert done.exit_code == 0, (done.output, done.exception)
        await asyncio.wait_for(service.delivered(), 60)
        service.stop()
    assert verdict(folder)["state"] == "acknowledged"


def test_a_history_is_not_hurried_by_the_present() -> None:
    newest = datetime.fromtimestamp(NOW, UTC)
    assert decided_at(NOW + LIVE_S / 2, newest) == NOW + LIVE_S / 2
    assert decided_at(NOW + 400 * DAY, newest) == NOW
    assert decided_at(NOW, None) == NOW
