"""A second opinion from the settings file to what people see: a replay's alerts, the page, the API, plumbline drift explain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.alerts import Alert, DriftAlert, Notice, decode_alert
from schemas.settings import DriftSettings
from streams.cli.drift import command as drift
from streams.cli.replay import command as replay
from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS
from tests.unit.serving_world import World, get, served
from tests.unit.simulated import ICP

GAP, HEDGED = "plg.conversion_gap", "slg.hedged_language"
ASKED = f"drift: {{second_opinion: {{{GAP}: adwin, {HEDGED}: adwin}}}}\n"


def replayed(folder: Path, settings: str) -> list[Alert]:
    (folder / "plumbline.yaml").write_text(f"icp: [{ICP}]\nclock: events\n{settings}", encoding="utf-8")
    arguments = ["events.jsonl", "--settings", "plumbline.yaml", "-o", "alerts.jsonl", "--json"]
    with pytest.MonkeyPatch.context() as moved:
        moved.chdir(folder)
        result = CliRunner().invoke(replay, arguments)
    assert result.exit_code == 0, result.output
    return [decode_alert(line) for line in (folder / "alerts.jsonl").read_bytes().splitlines()]


def test_a_replay_of_notes_that_come_to_hedge_notices_it_beside_the_drift(tmp_path: Path) -> None:
    order = Order(
        scenario=SCENARIOS["slg-hedged-notes"],
        accounts=1500,
        days=400,
        seed=11,
        until=datetime(2026, 11, 1, tzinfo=UTC),
        activity=0.01,
        malformed=0,
    )
    simulate(order, tmp_path / "events.jsonl", lambda *_: None)
    with_it, without = replayed(tmp_path, ASKED), replayed(tmp_path, "")
    (found,) = [each for each in with_it if isinstance(each, Notice) and each.finding == "second opinion"]
    assert [each for each in with_it if each != found] == without
    (said,) = [each for each in without if isinstance(each, DriftAlert) and each.signal == HEDGED]
    assert found.signal == HEDGED
    assert said.since < found.at
    assert "share of new opportunities that hedge about fit" in found.what
    assert "The signal itself is drifting" in found.means


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("data")
    world = World(folder, drift=DriftSettings(second_opinion={GAP: "adwin", HEDGED: "kswin"}))
    world.drift()
    (folder / "plumbline.yaml").write_text(
        f"data_dir: .\n{ASKED.replace(f'{HEDGED}: adwin', f'{HEDGED}: kswin')}", encoding="utf-8"
    )
    yield world
    world.close()


async def test_the_page_and_the_api_say_it_of_the_whole(world: World) -> None:
    async with served(world) as url:
        found = (await get(url, f"/v1/drift?signal={GAP}")).json["verdicts"]
        opinions = {each["segment"]: each["second_opinion"] for each in found}
        page = (await get(url, f"/drift/{GAP}")).text
        other = (await get(url, "/drift/slg.cycle_spread")).text
    whole = opinions.pop("all")
    assert whole["detector"] == "adwin"
    assert whole["n"] == next(each["n"] for each in found if each["segment"] == "all")
    assert whole["found_at"].startswith("2026-")
    assert set(opinions.values()) == {None}
    assert page.count("Second opinion") == 1
    assert "<dd>adwin, last found a change on " in page
    assert "Second opinion" not in other


@pytest.mark.parametrize(
    ("signal", "words"),
    [(GAP, "adwin, last found a change on "), (HEDGED, "kswin, found nothing in 0 observations")],
)
def test_explain_says_it(world: World, signal: str, words: str) -> None:
    arguments = ["explain", signal, "--settings", str(world.path.with_name("plumbline.yaml"))]
    shown = CliRunner().invoke(drift, arguments, env={"COLUMNS": "110", "NO_COLOR": "1"})
    assert shown.exit_code == 0, shown.output
    (line,) = [line for line in shown.output.splitlines() if "second opinion  " in line]
    assert words in line
    as_json = json.loads(CliRunner().invoke(drift, [*arguments, "--json"]).output)
    assert as_json["verdict"]["second_opinion"]["detector"] == words.partition(",")[0]
