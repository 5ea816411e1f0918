"""Grafana's dashboards: what is committed is what the program builds, and a real Prometheus that scrapes a real service has
something to show in every panel.

Grafana itself is not run: that panels look as they should is not tested.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from ruamel.yaml import YAML

from deploy.grafana.build import DASHBOARDS, FOLDER, written
from deploy.grafana.panels import PLUMBLINE
from deploy.grafana.verdicts import COLOURS
from detectors.catalogue import SIGNALS
from schemas.settings import Settings
from streams.drift_metrics import DRIFT_STATES
from streams.embedded import EmbeddedService
from streams.log import EventLog
from tests.services.programs import free_port
from tests.services.prometheus import Prometheus, StartPrometheus
from tests.services.waiting import until
from tests.unit.drift_courses import adoption_breadth, roadmap_onboarding, support_burden
from tests.unit.health_world import CRM, TRACKER, around_the_clock, hours, source
from tests.unit.serving_world import GOOD, NOW, Events, World, icp

ROOT = Path(__file__).parents[2]
CHOSEN = {
    "__interval": "5m",
    "__rate_interval": "5m",
    "__range": "1h",
    "signal": ".*",
    "segment": ".*",
    "variant": ".*",
    "endpoint": ".*",
    "trigger_bound": "40.0",
    "fit_bound": "50.0",
}
"""Grafana's own variables and those of the dashboards, as at first."""
LINKED = {
    "plumbline:raw": "",
    "__field.labels.signal": "plg.conversion_gap",
    "__data.fields.Signal": "plg.conversion_gap",
}


def committed(file: str) -> dict[str, Any]:
    model: dict[str, Any] = json.loads((FOLDER / file).read_text())
    return model


def panels(file: str) -> Iterator[dict[str, Any]]:
    return (panel for panel in committed(file)["panels"] if panel["type"] != "row")


EVERY_PANEL = [
    pytest.param(panel, id=f"{file.removesuffix('.json')}: {panel['title']}")
    for file in DASHBOARDS
    for panel in panels(file)
]


def links(part: Any) -> Iterator[str]:
    """The addresses of all links anywhere in ``part``."""
    if isinstance(part, dict):
        if part.get("url"):
            yield part["url"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from links(each)


def put_in(text: str, values: dict[str, str]) -> str:
    """``text`` with values for its variables; another variable is a KeyError."""
    return re.sub(r"\$(?:\{([^}]+)\}|(\w+))", lambda found: values[found[1] or found[2]], text)


def lost(part: Any, read: Any, path: str = "") -> list[str]:
    """Where ``read`` lacks something of ``part``, or has it otherwise; what it has beside is allowed (defaults)."""
    if isinstance(part, dict) and isinstance(read, dict):
        return [each for key in part for each in lost(part[key], read.get(key), f"{path}/{key}")]
    if isinstance(part, list) and isinstance(read, list) and len(part) == len(read):
        return [
            each
            for place, (a, b) in enumerate(zip(part, read, strict=True))
            for each in lost(a, b, f"{path}/{place}")
        ]
    return [] if part == read else [path]


def yaml(path: str) -> Any:
    return YAML(typ="safe", pure=True).load(ROOT / path)


# --- what is committed


@pytest.mark.parametrize("file", DASHBOARDS)
def test_what_is_committed_is_what_is_built(file: str):
    assert (FOLDER / file).read_text() == written(DASHBOARDS[file]()), "make dashboards"


@pytest.mark.parametrize("file", DASHBOARDS)
def test_the_sdk_knows_every_field_of_it(file: str):
    register_default_plugins()
    read = json.loads(json.dumps(Dashboard.from_json(committed(file)), cls=JSONEncoder))
    assert lost(committed(file), read) == []


@pytest.mark.parametrize("panel", EVERY_PANEL)
def test_a_panel_says_what_it_means_in_which_unit_and_from_where(panel: dict[str, Any]):
    assert len(panel["description"]) > 60
    assert panel["fieldConfig"]["defaults"]["unit"]
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert sources == [{"type": "prometheus", "uid": "${datasource}"}] * (len(panel["targets"]) + 1)
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
    if panel["type"] in ("timeseries", "state-timeline"):
        assert panel["options"]["legend"]["showLegend"]
        assert all(target["legendFormat"] for target in panel["targets"])


def test_rows_of_panels_are_full_and_none_lies_upon_another():
    for file in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in committed(file)["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place.get("x", 0), place.get("x", 0) + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            taken |= cells
        assert {x for x, _ in taken} == set(range(24))


def test_alerts_that_panels_name_are_rules():
    rules = "\n".join(path.read_text() for path in (ROOT / "deploy/prometheus").glob("*.rules.yml"))
    told = "\n".join(panel["description"] for file in DASHBOARDS for panel in panels(file))
    named = set(re.findall(r"\bPlumbline[A-Z]\w+", told))
    assert named
    assert named <= set(re.findall(r"- alert: (\w+)", rules))


def test_every_state_has_a_colour_and_every_signal_a_panel_in_its_unit():
    assert set(COLOURS) == set(DRIFT_STATES)
    (row,) = [
        place
        for place, panel in enumerate(committed("drift.json")["panels"])
        if panel["title"] == "Before and now"
    ]
    shown = [
        name
        for panel in committed("drift.json")["panels"][row + 1 : row + 5]
        for name in re.findall(r'signal=~"([a-z_.|]+)"', panel["targets"][0]["expr"])[0].split("|")
    ]
    assert sorted(shown) == sorted(SIGNALS)


def test_compose_provisions_them_over_the_source_that_they_ask():
    mounts = yaml("docker-compose.yml")["services"]["grafana"]["volumes"]
    (provider,) = yaml("deploy/grafana/dashboards/provider.yaml")["providers"]
    assert f"./{FOLDER.relative_to(ROOT)}:{provider['options']['path']}:ro" in mounts
    (provisioned,) = yaml("deploy/grafana/datasources/prometheus.yaml")["datasources"]
    for file in DASHBOARDS:
        asked = {each["name"]: each["current"]["value"] for each in committed(file)["templating"]["list"]}
        assert asked["datasource"] == provisioned["uid"]
        assert asked["plumbline"] == PLUMBLINE == f"http://{Settings().listen}"


# --- what is shown


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a company: a signal of each unit, one that drifts, some that learn, a source that is ill and
    signals that are suspended by it, an event that is a dead letter."""
    folder = tmp_path_factory.mktemp("company")
    world = World(folder)
    silent = source(CRM, around_the_clock(200), silent=lambda day, hour: day >= 50)
    world.observe(list(hours(60, 0, source(TRACKER, around_the_clock(150)), silent)))
    world.drift()
    for course in (adoption_breadth, roadmap_onboarding, support_burden):
        world.observe(course().observations)
    world.close()
    with EventLog(folder / "log") as log:
        log.append([b"nonsense"])
    return folder


@asynccontextmanager
async def shown(folder: Path, start: StartPrometheus) -> AsyncIterator[tuple[str, Prometheus]]:
    """The service over ``folder``, to which things happen, and Prometheus, which has seen them. Its only receiver is away."""
    settings = Settings.model_validate(
        {
            "data_dir": folder,
            "listen": "127.0.0.1:0",
            "endpoints": [
                {"name": "crm", "url": f"http://127.0.0.1:{free_port()}/", "secrets": ["whsec_" + "A" * 44]}
            ],
            "subscriptions": [{"endpoint": "crm"}],
            "egress": {"allow_networks": ["127.0.0.1/32"]},
        }
    )
    events = Events()
    service = EmbeddedService(settings, [icp()], now=lambda: NOW)
    started = asyncio.Event()
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as http:
        group.create_task(service.run(started.set))
        await started.wait()
        prometheus = await start(targets=[service.url.removeprefix("http://")])

        async def seen(condition: str) -> None:
            await until(lambda: prometheus.query(condition))

        async def visits(account: str) -> None:
            """By which the ICP file says: call them now."""
            told = [events.profile(account, NOW - 9, **GOOD)]
            told += [events.visit(account, NOW - before) for before in (8, 7)]
            answer = await http.post(
                f"{service.url}/v1/events",
                data=b"\n".join(told),
                headers={"Content-Type": "application/x-ndjson"},
            )
            assert answer.status == 202, await answer.text()

        await seen("plumbline_deliveries_total")
        await visits("acct-1")  # with it come the series of a variant
        await seen("plumbline_trigger_score_count > 0")
        await visits("acct-2")
        await seen("sum(increase(plumbline_trigger_score_count[5m])) > 0")
        await seen('sum(increase(plumbline_deliveries_total{result="unreachable"}[5m])) > 0')
        yield service.url, prometheus
        service.stop()


async def numbers(prometheus: Prometheus, expr: str) -> list[float]:
    """What an expression of a panel gives, series by series; AssertionError where it is no PromQL."""
    found = [float(each["value"][1]) for each in await prometheus.query(put_in(expr, CHOSEN))]
    return [number for number in found if not math.isnan(number)]


async def test_every_panel_shows_something_and_every_link_leads_somewhere(
    history: Path, prometheus: StartPrometheus
):
    async with shown(history, prometheus) as (url, answering), aiohttp.ClientSession() as http:
        empty = [
            f"{file}: {panel['title']}: {target['expr']}"
            for file in DASHBOARDS
            for panel in panels(file)
            for target in panel["targets"]
            if not await numbers(answering, target["expr"])
        ]
        assert empty == []

        for file in DASHBOARDS:
            for variable in committed(file)["templating"]["list"]:
                if variable["type"] == "query":
                    series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]).groups()
                    found = await answering.query(put_in(series, CHOSEN))
                    assert any(each["metric"].get(label) for each in found), variable["name"]

        addresses = {put_in(each, LINKED) for file in DASHBOARDS for each in links(committed(file))}
        assert "/drift/plg.conversion_gap" in addresses
        for address in addresses:
            async with http.get(url + address) as answer:
                assert answer.status == 200, address
                _, _, section = address.partition("#")
                assert f'id="{section}"' in await answer.text() or not section, address
