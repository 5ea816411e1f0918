"""plumbline dlq over an embedded service's data: what is put back counts once, and only what can be read is."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BadInput
from schemas.events import Limits
from schemas.settings import Settings
from streams.cli.dlq import command
from streams.dead_letters import Letter, write_rejects
from streams.embedded import EmbeddedPipeline
from streams.icp_files import load_icps
from streams.log import EventLog
from streams.redrive import plan_redrive
from streams.stores.contract import DeadLetter
from streams.stores.sqlite import open_database
from tests.unit.gateway_service import NOW, dump, event, serve
from tests.unit.simulated import ICP

OWN = "not_an_observation"
LONG = dump(event(2, data={"name": "x", "properties": {"note": "n" * 2000}}))


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "plumbline.yaml"
    path.write_text("data_dir: data\nmax_event_bytes: 1000\nlisten: 127.0.0.1:1\n")
    with EventLog(tmp_path / "data" / "log") as log:
        log.append([dump(event(1)), LONG, b"{nonsense", dump(event(3))])
    process(path)
    return path


def process(path: Path, **changes: int) -> dict[str, int]:
    """As a start of the service does, then drains the log; the ledger."""
    configured = Settings.model_validate(
        {"data_dir": str(path.parent / "data"), "max_event_bytes": 1000, "clock": "events", **changes}
    )
    engine = EmbeddedPipeline(configured, load_icps([ICP]), lambda: NOW)
    try:
        engine.pipeline.catch_up()
        while engine.turn() is not None:
            pass
        ledger = engine.pipeline.ledger
        assert ledger.balanced
        return {"received": ledger.received, "applied": ledger.applied, "duplicate": ledger.duplicate}
    finally:
        engine.close()


def dlq(*arguments: str | Path, answer: str = "") -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments], input=answer)


def mend(settings: Path) -> None:
    settings.write_text(settings.read_text().replace("1000", "10000"))


def test_an_empty_list_says_so(settings: Path) -> None:
    assert "2 in all: 1 too_large, 1 not_json" in dlq("list", "--settings", settings).stdout
    assert (
        dlq("list", "--settings", settings, "--reason", "late").stdout == "no dead letters with that reason\n"
    )


def test_after_a_mend_what_can_be_read_is_put_back_and_counts_once(settings: Path) -> None:
    listed = [json.loads(line) for line in dlq("list", "--settings", settings, "--json").stdout.splitlines()]
    assert [(each["place"], each["reason"]) for each in listed] == [
        ("events:1", "too_large"),
        ("events:2", "not_json"),
    ]
    mend(settings)
    done = dlq("redrive", "--all", "--settings", settings, answer="y\n")
    assert done.exit_code == 0, done.output
    assert "1 events can be put back: 1 to product.events" in done.output
    assert "1 still can't be read and stay: 1 not_json" in done.output
    assert "1 events put back" in done.output
    assert process(settings, max_event_bytes=10_000) == {"received": 5, "applied": 3, "duplicate": 0}
    shown = json.loads(dlq("show", "events:1", "--settings", settings, "--json").stdout)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown["redriven_at"])

    before = dlq("redrive", "--all", "--settings", settings, "--yes", "--json")
    assert json.loads(before.stdout) == {
        "put_back": 0,
        "still_refused": {"not_json": 1},
        "observations": 0,
        "put_back_before": 1,
    }
    again = dlq("redrive", "events:1", "--again", "--settings", settings, "--yes", "--json")
    assert json.loads(again.stdout)["put_back"] == 1
    assert process(settings, max_event_bytes=10_000) == {"received": 6, "applied": 3, "duplicate": 1}


def test_nothing_happens_unless_it_is_wanted(settings: Path) -> None:
    mend(settings)
    assert "can be put back" in dlq("redrive", "--all", "--settings", settings, answer="n\n").output
    assert dlq("redrive", "--settings", settings).exit_code == 2
    assert dlq("redrive", "--all", "--json", "--settings", settings).exit_code == 2
    missing = dlq("redrive", "events:1", "77", "--yes", "--settings", settings)
    assert missing.exit_code == 1
    assert "no dead letter lies at 77" in str(missing.exception)
    with EventLog(settings.parent / "data" / "log") as log:
        assert log.end == 4


def test_by_reason(settings: Path) -> None:
    mend(settings)
    done = dlq("redrive", "--reason", "too_large", "--yes", "--json", "--settings", settings)
    assert json.loads(done.stdout) == {
        "put_back": 1,
        "still_refused": {},
        "observations": 0,
        "put_back_before": 0,
    }


def test_while_the_log_is_in_use_the_service_is_asked(settings: Path) -> None:
    """Nobody answers at the address, so the events are not marked as put back."""
    mend(settings)
    with EventLog(settings.parent / "data" / "log"):
        failed = dlq("redrive", "--all", "--yes", "--settings", settings, "--url", "http://127.0.0.1:1")
    assert failed.exit_code == 1
    assert "127.0.0.1:1" in str(failed.exception)
    with closing(open_database(settings.parent / "data" / "plumbline.db")) as db:
        assert db.execute("SELECT count(*) FROM redriven").fetchone() == (0,)


async def test_a_running_service_takes_what_is_put_back(settings: Path) -> None:
    mend(settings)
    async with serve(settings.parent / "data" / "log") as service:
        arguments = ("redrive", "--all", "--yes", "--json", "--settings", settings, "--url", service.url)
        done = await asyncio.to_thread(dlq, *arguments)
        assert json.loads(done.stdout)["put_back"] == 1
        assert service.kept()[4:] == [LONG]


def test_a_rejects_file_tells_them_apart_too(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    write_rejects(path, [DeadLetter(topic, 7, "x", "", b"{}") for topic in ("events", "observations")])
    shown = dlq("show", "observations:7", "--file", path).output
    assert shown.startswith("offset  7 of observations\n")


def test_lines_of_a_rejects_file_that_name_no_place_are_named_by_their_offset(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(dump({"topic": "events.jsonl", "offset": 7, "reason": "x", "detail": "", "event": "{"}))
    assert dlq("show", "7", "--file", path).output.startswith("offset  7 of events.jsonl\n")


def test_resume_without_a_stopped_partition_says_so(settings: Path) -> None:
    assert "no partition stands still" in dlq("resume", "--settings", settings).output


@pytest.fixture
def with_observation(settings: Path) -> Path:
    """Settings of a service with a dead observation beside its dead events, of one number with the first of them."""
    with closing(open_database(settings.parent / "data" / "plumbline.db")) as db:
        db.execute("INSERT INTO observations (seq, body) VALUES (1, ?)", (b"{}",))
    process(settings)
    mend(settings)
    return settings


def marked(settings: Path) -> dict[str, bool]:
    """By place: whether it is marked as put back."""
    listed = [json.loads(line) for line in dlq("list", "--settings", settings, "--json").stdout.splitlines()]
    return {each["place"]: "redriven_at" in each for each in listed}


def test_an_observation_and_an_event_of_one_number_are_told_apart(with_observation: Path) -> None:
    done = dlq("redrive", "events:1", "--yes", "--json", "--settings", with_observation)
    assert json.loads(done.stdout)["put_back"] == 1
    assert marked(with_observation) == {"events:1": True, "events:2": False, "observations:1": False}
    shown = dlq("show", "observations:1", "--settings", with_observation).output
    assert shown.startswith("offset  1 of observations\nreason  not_an_observation\n")


@pytest.mark.parametrize("chosen", [["observations:1"], ["events:1", "observations:1"], ["--reason", OWN]])
def test_an_observation_that_is_asked_for_is_not_put_back(with_observation: Path, chosen: list[str]) -> None:
    refused = dlq("redrive", *chosen, "--yes", "--settings", with_observation).exception
    assert isinstance(refused, BadInput)
    assert refused.exit_code == 2
    assert "1 of what was named can't be put back" in refused.what
    assert "(observations:1)" in refused.what
    assert "report this" in refused.remedy
    assert "plumbline post" not in str(refused)
    assert not any(marked(with_observation).values())


def test_an_observation_keeps_no_event_from_being_put_back(with_observation: Path) -> None:
    done = dlq("redrive", "--all", "--yes", "--settings", with_observation)
    assert done.exit_code == 0, done.output
    assert "1 events put back" in done.output
    assert "1 still can't be read and stay: 1 not_json" in done.output
    assert "1 are Plumbline's own observations, no events, and stay" in done.output
    assert marked(with_observation) == {"events:1": True, "events:2": False, "observations:1": False}


bodies = st.one_of(st.binary(max_size=30), st.integers(1, 9).map(lambda number: dump(event(number))))


@given(st.lists(st.tuples(bodies, st.one_of(st.none(), st.just(1.0)), st.booleans())), st.booleans())
def test_every_letter_is_put_back_or_counted_as_left(
    found: list[tuple[bytes, float | None, bool]], again: bool
) -> None:
    letters = [
        Letter(
            place=str(n), letter=DeadLetter("x", n, "x", "", body), observation=observation, redriven_at=at
        )
        for n, (body, at, observation) in enumerate(found)
    ]
    plan = plan_redrive(letters, Limits(), NOW, again=again)
    assert plan.observations == [letter.place for letter in letters if letter.observation]
    left = plan.refused.total() + len(plan.observations) + plan.before
    assert len(plan.ready) + left == len(letters)
    assert [event.line for _, event in plan.ready] == [
        letter.letter.body
        for letter in letters
        if letter.letter.body.startswith(b'{"spec')
        and not letter.observation
        and (again or letter.redriven_at is None)
    ]
    assert again or plan.before == sum(at is not None and not own for _, at, own in found)
