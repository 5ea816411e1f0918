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
from streams.cli.drift_saying import LIVE_S, decided_at
from streams.embedded import EmbeddedService
from streams.stores.contract import Commit, Ledger
from streams.stores.sqlite import SqliteStore
from tests.unit.drift_folder import GAP, drain, run, verdict, write_history
from tests.unit.health_world import DESK, START, TRACKER, around_the_clock, hours, source
from tests.unit.serving_world import DAY, NOW, icp

REASON = "A price test, until May"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("history"))


@pytest.fixture
def folder(history: Path, tmp_path: Path) -> Path:
    (tmp_path / "plumbline.db").write_bytes(history.read_bytes())
    return tmp_path


def test_a_decision_goes_into_the_log_and_is_shown_with_who_and_why(folder: Path) -> None:
    result = run(folder, "acknowledge", GAP, "--segment", "source:content", "--reason", REASON)
    assert result.exit_code == 0, result.output
    assert "plumbline drift explain" in result.output
    assert verdict(folder)["state"] == "drifting"
    drain(folder)
    after = verdict(folder)
    assert after["state"] == "acknowledged"
    (made,) = after["decisions"]  # type: ignore[misc]
    assert (made["by"], made["reason"], made["kind"]) == ("ann", REASON, "acknowledged")
    assert made["at"] == datetime.fromtimestamp(NOW - DAY, UTC).isoformat().replace("+00:00", "Z")
    shown = run(folder, "explain", GAP, "--segment", "source:content").output
    assert f"ann on 30 Oct 2026: {REASON}" in shown
    assert "What was decided" in shown
    assert shown.count("did not pay within 60 days") + shown.count("has not paid yet") == 10
    assert "acknowledged" in run(folder, "list").output


def test_a_baseline_is_taken_anew_after_a_question(folder: Path) -> None:
    arguments = ("acknowledge", GAP, "--segment", "source:content", "--reason", REASON, "--retake-baseline")
    assert run(folder, *arguments, input="n\n").exit_code == 1
    drain(folder)
    assert verdict(folder)["state"] == "drifting"
    result = run(folder, *arguments, "--by", "Bo", input="y\n")
    assert result.exit_code == 0, result.output
    drain(folder)
    after = verdict(folder)
    assert after["state"] == "learning"
    assert [made["by"] for made in after["decisions"]] == ["Bo"]  # type: ignore[attr-defined]
    said = run(folder, "explain", GAP, "--segment", "source:content").output
    assert "baseline taken anew by Bo (it was drifting since" in said
    assert "RESOLVED" in said
    assert verdict(folder, "source:referral")["state"] == "watching"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            (GAP, "--segment", "source:referral", "--reason", REASON),
            "nothing drifts in this segment: it is watching",
        ),
        ((GAP, "--segment", "nowhere", "--reason", REASON), "all, source:content, source:referral"),
        (("plg.nothing", "--reason", REASON), GAP),
        ((GAP, "--segment", "source:content", "--reason", "  "), "says nothing"),
        ((GAP, "--segment", "source:content", "--reason", "x" * 501), "500"),
        ((GAP, "--segment", "source:content"), "--reason"),
        ((GAP, "--segment", "source:content", "--reason", REASON, "--retake-baseline", "--json"), "--yes"),
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


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has heard of a tracker that fell silent after 35 days, ten days ago."""
    folder = tmp_path_factory.mktemp("ended")
    tracker = source(TRACKER, around_the_clock(100), silent=lambda day, hour: day >= 35)
    told = [encode_observation(each) for each in hours(45, 1, tracker, source(DESK, around_the_clock(100)))]
    store = SqliteStore(folder / "plumbline.db")
    claim = store.claim("accounts", 0)
    store.commit(claim, Commit(observations=told, watermark=START + 45 * DAY + 1, ledger=Ledger()))
    store.close()
    drain(folder)
    return folder / "plumbline.db"


def test_a_source_was_meant_to_end(ended: Path, tmp_path: Path) -> None:
    (tmp_path / "plumbline.db").write_bytes(ended.read_bytes())
    about = ("acknowledge", "data.health", "--segment", "product.event /web", "--reason", "Switched off")

    def state(signal: str = "data.health", segment: str = "product.event /web") -> tuple[str, list[str]]:
        said = run(tmp_path, "explain", signal, "--segment", segment, "--json")
        found = json.loads(said.output)["verdict"]
        return found["state"], [made["kind"] for made in found["decisions"]]

    assert state() == ("ill", [])
    assert "was meant to end" in " ".join(
        run(tmp_path, "explain", "data.health", "--segment", "product.event /web").output.split()
    )
    result = run(tmp_path, *about)
    assert "what it suspends stays suspended" in result.output
    drain(tmp_path)
    assert state() == ("acknowledged", ["acknowledged"])
    assert state("plg.adoption_breadth", "all")[0] == "suspended"
    result = run(tmp_path, *about, "--retake-baseline", input="y\n")
    assert "What was learned of product.event /web is forgotten" in result.output
    assert "learned anew if it speaks" in result.output
    drain(tmp_path)
    assert state() == ("learning", ["baseline_retaken", "acknowledged"])
    assert state("plg.adoption_breadth", "all")[0] == "learning"
    assert "its next event" in run(tmp_path, "list").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--segment", "support.ticket /desk"), "this source is not ill: it is watching"),
        (("--segment", "support.ticket /nowhere"), "support.ticket /desk"),
        (("--retake-baseline", "--yes"), "is of one source"),
        ((), "is of one source"),
    ],
)
def test_what_means_nothing_of_a_source_is_refused(
    ended: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "plumbline.db").write_bytes(ended.read_bytes())
    result = run(tmp_path, "acknowledge", "data.health", "--reason", REASON, *arguments)
    assert words in f"{result.output} {result.exception}"
    assert getattr(result.exception, "exit_code", result.exit_code) == 2
    assert not list(tmp_path.glob("log/*"))


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
                "source:content",
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
