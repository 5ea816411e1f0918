"""The JSON API over real HTTP: answers, refusals that say what is allowed, and nothing private in an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.settings import Settings
from tests.unit.serving_world import DAY, GOOD, NOW, Answer, World, get, served


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    async with served(world) as url:
        yield url


def alerting(world: World, account: str, at: float = NOW) -> None:
    make = world.events
    world.put(
        [
            make.profile(account, at - 60, **GOOD, name="Nord"),
            make.visit(account, at - 1),
            make.visit(account, at),
        ]
    )


def problem(answer: Answer, status: int, code: str) -> Any:
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    document = answer.json
    assert document["type"] == f"urn:plumbline:problem:{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


async def test_accounts_by_trigger_and_page_by_page(world: World, url: str) -> None:
    for number in range(3):
        alerting(world, f"a{number}", NOW - number * DAY)
    answer = await get(url, "/v1/accounts?variant=analytics&order=trigger&limit=2")
    assert answer.headers["Content-Type"].startswith("application/json")
    found = answer.json
    assert [each["account"] for each in found["accounts"]] == ["a0", "a1"]
    first = found["accounts"][0]
    assert (first["name"], first["fit"], first["trigger"]) == ("Nord", 90, pytest.approx(50, abs=0.01))
    assert (first["quadrant"], first["standing"]) == ("route", "still_on")
    assert first["top_reason"]["because"] == "They look at prices"
    assert first["last_signal"] == found["as_of"] == "2026-10-31T12:00:00Z"
    rest = (await get(url, f"/v1/accounts?limit=2&cursor={found['next']}")).json
    assert [each["account"] for each in rest["accounts"]] == ["a2"]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("query", "named", "allowed"),
    [
        ("order=score", "order", "trigger, fit"),
        ("limit=0", "limit", "1 to 200"),
        ("limit=201", "limit", "1 to 200"),
        ("limit=1e1", "limit", "1 to 200"),
        ("limit=%D9%A1", "limit", "1 to 200"),
        ("variant=nope", "variant", "analytics, embedded"),
        ("cursor=nope", "cursor", "next"),
        ("out=maybe", "out", "show, hide"),
        ("varient=analytics", "not known", "cursor, limit, order, out, variant"),
        ("limit=1&limit=2", "limit", "once"),
        ("variant=" + "x" * 600, "variant", "512"),
    ],
)
async def test_a_bad_parameter_is_named_with_what_is_allowed(
    url: str, query: str, named: str, allowed: str
) -> None:
    document = problem(await get(url, f"/v1/accounts?{query}"), 400, "bad_parameter")
    words = document["title"] + " " + document["detail"]
    assert named in words
    assert allowed in words


@pytest.mark.parametrize(
    "query",
    ["kind=nope", "signal=plg.nope", "since=yesterday", "since=2026-10-01T00:00:00", "since=1", "cursor=%00"],
)
async def test_bad_parameters_of_alerts(url: str, query: str) -> None:
    document = problem(await get(url, f"/v1/alerts?{query}"), 400, "bad_parameter")
    assert query.split("=")[0] in document["title"] + document["detail"]


@pytest.mark.parametrize(
    "account",
    [
        "acct 1",
        "a/b",
        "a%2Fb",
        "100%",
        "ü–é",
        "a?b#c&d=e",
        "a+b",
        "<script>",
        "..",
        "a/../b",
        "x" * 256,
        "a;b",
        "'",
    ],
)
async def test_an_account_whose_id_holds_any_characters(world: World, url: str, account: str) -> None:
    alerting(world, account)
    answer = await get(url, "/v1/accounts/" + quote(account, safe=""))
    assert answer.status == 200, answer.text
    assert answer.json["account"] == account
    alerts = (await get(url, "/v1/alerts?account=" + quote(account, safe=""))).json["alerts"]
    assert [each["account"] for each in alerts] == [account]


async def test_one_account_with_its_parts(world: World, url: str) -> None:
    alerting(world, "a")
    found = (await get(url, "/v1/accounts/a")).json
    for variant in found["variants"]:
        parts = sum(part["contribution"] for part in variant["trigger"]["parts"])
        assert parts == pytest.approx(variant["trigger"]["score"], abs=1e-9)
    assert found["variants"][0]["decision"]["reason"] == "still_on"
    assert found["timeline"][0]["kind"] == "alert"


async def test_an_unknown_account_is_not_repeated(url: str) -> None:
    answer = await get(url, "/v1/accounts/somebody%40acme.example")
    problem(answer, 404, "not_found")
    assert "somebody" not in answer.text


async def test_an_alert_is_byte_for_byte_what_went_out(world: World, url: str) -> None:
    alerting(world, "a")
    (stored,) = world.store.alerts()
    page = (await get(url, "/v1/alerts?kind=trigger&since=2026-10-31T00:00:00%2B02:00")).json
    one = await get(url, f"/v1/alerts/{page['alerts'][0]['id']}")
    assert one.body == stored
    assert stored in (await get(url, "/v1/alerts")).body
    problem(await get(url, "/v1/alerts/nope"), 404, "not_found")


async def test_drift_by_state_and_segment(world: World, url: str) -> None:
    world.drift()
    every = (await get(url, "/v1/drift")).json["verdicts"]
    assert every[0]["segment"] == "all"
    (content,) = (await get(url, "/v1/drift?state=drifting&segment=source:content")).json["verdicts"]
    assert content["since"].endswith("Z")
    assert content["before"]["estimate"] > content["now"]["estimate"]
    assert {"at", "n", "total", "statistic"} == set(content["history"][0])
    assert (await get(url, "/v1/drift?state=resolved")).json["verdicts"] == []
    problem(await get(url, "/v1/drift?state=bad"), 400, "bad_parameter")
    misspelt = problem(await get(url, "/v1/drift?signal=plg.conversion_gab"), 400, "bad_parameter")
    assert "plg.conversion_gap" in misspelt["detail"]


async def test_the_ledger_adds_up(world: World, url: str) -> None:
    visit = world.events.visit("a", NOW)
    world.put([visit, visit, b"nonsense"])
    found = (await get(url, "/v1/ledger")).json
    ledger = found["ledger"]
    assert ledger["received"] == 3
    assert ledger["received"] == sum(
        ledger[name] for name in ("applied", "duplicate", "late", "dead_lettered")
    )
    assert ledger["balanced"] is True
    assert found["accounts"] == 1


async def test_up_and_ready(world: World, url: str) -> None:
    assert (await get(url, "/healthz")).json == {"status": "up"}
    assert (await get(url, "/readyz")).json == {"status": "ready"}
    assert (await get(url, "/healthz", method="HEAD")).status == 200
    async with served(world, ready=(False, "the pipeline does not run")) as waiting:
        document = problem(await get(waiting, "/readyz"), 503, "not_ready")
        assert "pipeline does not run" in document["detail"]
        assert (await get(waiting, "/healthz")).status == 200


async def test_without_a_store_reading_fails_and_says_so(world: World, url: str) -> None:
    world.close()
    for path in world.path.parent.glob("plumbline.db*"):
        path.unlink()
    for path in ("/readyz", "/v1/accounts", "/v1/accounts/a", "/v1/alerts", "/v1/drift", "/v1/ledger"):
        answer = await get(url, path)
        problem(answer, 503, "not_readable")
        assert answer.headers["Retry-After"] == "5"
        assert str(world.path.parent) not in answer.text
    assert (await get(url, "/healthz")).status == 200


async def test_only_reading_is_allowed(url: str) -> None:
    for path in ("/v1/accounts", "/v1/ledger", "/"):
        assert (await get(url, path, method="POST")).status == 405


async def test_with_tokens_reading_needs_one(world: World) -> None:
    token = {"name": "reader", "token": "s3cret-s3cret", "read": True}
    settings = Settings.model_validate({"tokens": [token], "data_dir": world.path.parent})
    async with served(world, settings=settings) as url:
        assert (await get(url, "/v1/accounts")).status == 401
        assert (await get(url, "/accounts/a")).status == 401
        assert (await get(url, "/readyz")).status == 200
        assert (await get(url, "/v1/accounts", Authorization="Bearer s3cret-s3cret")).status == 200


async def test_events_go_in_while_many_read(world: World, url: str) -> None:
    async def read() -> list[int]:
        return [(await get(url, path)).status for path in ("/v1/accounts", "/v1/ledger", "/", "/v1/alerts")]

    async def write() -> None:
        for number in range(20):
            await asyncio.to_thread(alerting, world, f"w{number}")

    results = await asyncio.gather(write(), *(read() for _ in range(5)))
    assert all(status == 200 for statuses in results[1:] if statuses for status in statuses)
    assert (await get(url, "/v1/ledger")).json["accounts"] == 20


@settings(max_examples=60)
@given(
    query=st.text(st.characters(codec="utf-8"), max_size=60),
    path=st.sampled_from(["accounts", "alerts", "drift"]),
)
def test_no_query_is_an_internal_error(
    tmp_path_factory: pytest.TempPathFactory, query: str, path: str
) -> None:
    async def ask() -> int:
        world = World(tmp_path_factory.mktemp("world"))
        try:
            async with served(world) as url:
                name = ("variant", "limit", "cursor", "since", "order")[len(query) % 5]
                return (await get(url, f"/v1/{path}?{name}={quote(query, safe='')}")).status
        finally:
            world.close()

    assert asyncio.run(ask()) in (200, 400)
