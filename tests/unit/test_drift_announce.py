"""plumbline drift announce: into the log, shown before and after a drift, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from schemas.event_reader import decode_event
from schemas.events import DriftAnnounced
from schemas.settings import Settings
from streams.replay import replay
from tests.unit.drift_folder import GAP, drain, run, verdict, write_history
from tests.unit.serving_world import NOW, icp

REASON = "New list prices"
TODAY = datetime.fromtimestamp(NOW, UTC).date()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("history"))


@pytest.fixture
def folder(history: Path, tmp_path: Path) -> Path:
    (tmp_path / "plumbline.db").write_bytes(history.read_bytes())
    return tmp_path


def began(folder: Path) -> date:
    """The day on which the drift of ``content`` began, by estimate."""
    return datetime.fromisoformat(str(verdict(folder)["since"])).date()


def of_content(on: date) -> list[str]:
    """The arguments by which a change on that day is announced to the segment that drifts."""
    return ["announce", GAP, "--segment", "source:content", "--on", str(on), "--reason", REASON]


def test_a_coming_change_is_shown_before_anything_moves(folder: Path) -> None:
    on = TODAY + timedelta(days=20)
    done = run(folder, "announce", GAP, "--on", str(on), "--reason", REASON)
    assert done.exit_code == 0, (done.output, done.exception)
    assert f"{GAP}, all segments: announced from {on.day} {on:%b %Y} on" in done.output
    assert "the drift of source:content since" in done.output
    assert "did not begin then and stays; plumbline drift acknowledge" in done.output
    drain(folder)
    words = f"{REASON}, from {on.day} {on:%b %Y}"
    assert verdict(folder)["state"] == "drifting"
    for segment in ("all", "source:content"):
        (made,) = verdict(folder, segment)["announcements"]  # type: ignore[misc]
        assert (made["on"], made["segment"], made["by"], made["reason"]) == (str(on), None, "ann", REASON)
        assert made["current"] is True
    listed = run(folder, "list").output
    assert listed.count(f"announced: {words}") == 1
    explained = run(folder, "explain", GAP).output
    assert words in explained
    assert "What was announced" in explained
    assert f"of all segments: {REASON}" in explained
    assert "What was announced" in run(folder, "explain", GAP, "--segment", "source:referral").output


def test_a_drift_that_was_told_already_is_acknowledged_by_who_announced_it(folder: Path) -> None:
    on = began(folder)
    done = run(folder, *of_content(on), "--by", "Bo")
    assert "fits it and is acknowledged" in done.output
    drain(folder)
    after = verdict(folder)
    assert after["state"] == "acknowledged"
    (made,) = after["decisions"]  # type: ignore[misc]
    assert (made["kind"], made["by"], made["reason"], made["state"]) == (
        "announced",
        "Bo",
        REASON,
        "drifting",
    )
    assert verdict(folder, "source:referral")["announcements"] == []
    explained = run(folder, "explain", GAP, "--segment", "source:content").output
    assert "acknowledged as announced by Bo (it was drifting since" in explained
    assert f"of source:content: {REASON}" in explained
    listed = run(folder, "list").output
    assert "acknowledged" in listed
    assert "announced: " not in listed  # what begins now it can explain no more


def test_the_event_in_the_log_is_what_any_program_may_send(folder: Path) -> None:
    on = TODAY + timedelta(days=20)
    line = run(folder, *of_content(on), "--json").output.strip()
    (logged,) = [one for path in folder.glob("log/*.jsonl") for one in path.read_bytes().splitlines()]
    assert json.loads(line) == json.loads(logged)
    event = decode_event(logged)
    assert isinstance(event, DriftAnnounced)
    assert (event.subject, event.source) == (f"signal:{GAP}", "plumbline.drift")
    assert (event.data.on, event.data.segment, event.data.by) == (on, "source:content", "ann")
    assert event.time == datetime.fromtimestamp(NOW - 86400.0, UTC)  # no timer of a history fires early


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            (GAP, "--segment", "nowhere", "--on", str(TODAY), "--reason", REASON),
            "all, source:content, source:referral",
        ),
        (("plg.nothing", "--on", str(TODAY), "--reason", REASON), GAP),
        (("data.health", "--on", str(TODAY), "--reason", REASON), "takes no announcements"),
        ((GAP, "--on", "2036-05-04", "--reason", REASON), "more than 366 days"),
        ((GAP, "--on", "2016-05-04", "--reason", REASON), "more than 366 days"),
        ((GAP, "--on", "4 May", "--reason", REASON), "--on"),
        ((GAP, "--on", str(TODAY)), "--reason"),
        ((GAP, "--on", str(TODAY), "--reason", "  "), "says nothing"),
        ((GAP, "--on", str(TODAY), "--reason", "x" * 501), "500"),
        ((GAP, "--reason", REASON), "--on"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_is_written(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = run(folder, "announce", *arguments)
    said = f"{result.output} {result.exception} {getattr(result.exception, 'remedy', '')}"
    assert words in said
    assert getattr(result.exception, "exit_code", result.exit_code) == 2
    assert not list(folder.glob("log/*"))


def test_a_replay_dead_letters_what_no_signal_can_take(tmp_path: Path) -> None:
    """Sent by a program that does not ask: the event is refused with the reason, and the rest goes on."""
    log = tmp_path / "events.jsonl"
    subjects = ("signal:plg.nothing", "signal:data.health", f"signal:{GAP}")
    log.write_text(
        "".join(
            json.dumps(
                {
                    "specversion": "1.0",
                    "id": f"a-{number}",
                    "source": "runbook",
                    "type": "drift.announced",
                    "subject": subject,
                    "time": "2026-10-20T10:00:00Z",
                    "data": {"on": "2026-11-02", "by": "Ann", "reason": REASON},
                }
            )
            + "\n"
            for number, subject in enumerate(subjects)
        )
    )
    report = replay([log], [icp()], Settings(data_dir=tmp_path), rejects_to=tmp_path / "rejects.jsonl")
    assert (report.ledger.applied, report.ledger.dead_lettered) == (1, 2)
    rejects = (tmp_path / "rejects.jsonl").read_text()
    assert "there is no such drift signal" in rejects
    assert "data.health takes no announcements" in rejects
