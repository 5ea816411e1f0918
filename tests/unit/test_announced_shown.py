"""An announced change as people see it: pages, API and metrics, before a drift and while it is on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from detectors.signals.plg_conversion_gap import ConversionGap
from streams.drift_metrics import DriftMetrics
from tests.unit.serving_world import DAY, NOW, World, served

GAP = ConversionGap.name
REASON = "New <list> prices"


def announce(world: World, at: float, on: str) -> None:
    data = {"on": on, "by": "Ann", "reason": REASON}
    world.put([world.events.make(f"signal:{GAP}", at, "drift.announced", data)])


def day_of(world: World) -> str:
    """The day on which the drift of ``content`` began, by estimate."""
    (found,) = [
        each for each in world.pipeline.verdicts() if (each.signal, each.segment) == (GAP, "source:content")
    ]
    assert found.since is not None
    return datetime.fromtimestamp(found.since, UTC).date().isoformat()


@pytest.fixture(scope="module")
def began(tmp_path_factory: pytest.TempPathFactory) -> str:
    world = World(tmp_path_factory.mktemp("plain"))
    world.drift()
    try:
        return day_of(world)
    finally:
        world.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.put([world.events.product("a", NOW - DAY, "invited")])
    yield world
    world.close()


async def shown(url: str, path: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(url + path) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_before_anything_moved(world: World) -> None:
    announce(world, NOW - DAY / 2, "2026-11-20")
    async with served(world) as url:
        first, page, raw = [
            await shown(url, path) for path in ("/", f"/drift/{GAP}", f"/v1/drift?signal={GAP}")
        ]
    assert first.count("announced: New &lt;list&gt; prices, from 20 Nov 2026") == 1
    assert "<strong>Announced.</strong> New &lt;list&gt; prices, from 20 Nov 2026" in page
    assert "From 20 Nov 2026 on, by Ann" in page
    (verdict,) = msgspec.json.decode(raw)["verdicts"]
    (made,) = verdict["announcements"]
    assert (made["on"], made["segment"], made["by"], made["reason"], made["current"]) == (
        "2026-11-20",
        None,
        "Ann",
        REASON,
        True,
    )


async def test_while_an_announced_drift_is_on(world: World, began: str) -> None:
    announce(world, NOW - DAY / 2, began)
    world.drift()
    async with served(world) as url:
        first, page, raw, alerts = [
            await shown(url, path)
            for path in ("/", f"/drift/{GAP}", f"/v1/drift?signal={GAP}&segment=source:content", "/v1/alerts")
        ]
    (verdict,) = msgspec.json.decode(raw)["verdicts"]
    assert verdict["state"] == "acknowledged"
    assert [(made["kind"], made["by"]) for made in verdict["decisions"]] == [("announced", "Ann")]
    said = [each for each in msgspec.json.decode(alerts)["alerts"] if each["segment"] == "source:content"]
    assert [(each["kind"], each["finding"]) for each in said] == [("notice", "announced change")]
    assert "known: Ann" in first
    assert f'id="drift-{said[0]["id"]}"' in first  # what was said of the drift that is on
    assert "Acknowledged as announced by Ann" in page
    assert REASON not in page  # escaped wherever it stands


def test_a_metric_shows_it_as_acknowledged_and_says_nothing_of_who_and_why(world: World, began: str) -> None:
    announce(world, NOW - DAY / 2, began)
    world.drift()
    registry = CollectorRegistry()
    DriftMetrics(registry, 12).verdicts(world.pipeline.verdicts())

    def state(name: str) -> float | None:
        labels = {"signal": GAP, "segment": "source:content", "state": name}
        return registry.get_sample_value("plumbline_drift_state", labels)

    assert (state("acknowledged"), state("drifting")) == (1, 0)
    values = {
        label for metric in registry.collect() for each in metric.samples for label in each.labels.values()
    }
    assert not any("Ann" in value or "prices" in value for value in values)
