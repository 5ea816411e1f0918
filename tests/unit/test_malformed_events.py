"""Events that must be refused (tests/cases/events): each with its reason, its place and a remedy, and none is kept."""

from __future__ import annotations

import base64
import json
import re
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from schemas.errors import EventRefused
from schemas.event_reader import EventReader, decode_event
from schemas.event_subjects import OWNERS
from schemas.events import Limits, WebVisit
from tests.unit.gateway_service import BATCH, LINES, NOW, ONE, dump, event, serve

CASES = Path(__file__).parents[1] / "cases" / "events"
REASONS = {
    "not_json",
    "too_large",
    "too_deep",
    "unknown_type",
    "missing_field",
    "wrong_type",
    "bad_value",
    "bad_time",
    "in_future",
    "wrong_subject",
}


class Case(NamedTuple):
    name: str
    raw: bytes
    code: str
    where: str


def read_cases() -> list[Case]:
    found = []
    for path in sorted(CASES.glob("*.yaml")):
        for case in YAML(typ="safe").load(path):
            raw = (
                base64.b64decode(case["base64"])
                if "base64" in case
                else re.sub(
                    r"<<(.+?)\*(\d+)>>", lambda part: part[1] * int(part[2]), case["raw"], flags=re.DOTALL
                ).encode()
            )
            found.append(Case(f"{path.stem}: {case['name']}", raw, case["code"], case["where"]))
    return found


ALL = read_cases()
WELL = [
    dump(event(1)),
    dump(event(2, id="café")),
    dump(
        event(
            3,
            subject="visitor:7",
            type="web.visit",
            data={"visitor_id": "7", "url": "https://a/b", "path": "/b"},
        )
    ),
    dump(event(4, data={"name": "a", "properties": {"deep": {"er": [1, {"x": "\\"}]}}})),
    dump(event(5, type="account.profile", data={"attributes": {"domains": ["a", "b"], "tier": "{[{["}})),
]
BYTE_ORDER_MARK = "not_json: a byte order mark"
BLANKS = "size_and_depth: blanks to more than 65,536 bytes"


def test_there_are_enough_and_each_reason_occurs() -> None:
    assert len(ALL) >= 100
    assert len({case.name for case in ALL}) == len(ALL)
    assert {case.code for case in ALL} == REASONS


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_each_is_refused_with_its_reason_place_and_remedy(case: Case) -> None:
    with pytest.raises(EventRefused) as refused:
        decode_event(case.raw, now=NOW)
    problem = refused.value.problem
    assert (problem.code, problem.where) == (case.code, case.where)
    assert problem.what
    assert problem.remedy
    # msgspec's own way of speaking is for programmers.
    assert "`str`" not in str(problem)
    assert "Expected" not in str(problem)


@given(st.lists(st.sampled_from([*(case.raw for case in ALL), *WELL]), max_size=40), st.integers(0, 5))
def test_many_at_once_are_read_as_one_by_one(raws: list[bytes], first: int) -> None:
    reader = EventReader(now=NOW)
    found, refused = [], []
    for number, raw in enumerate(raws, first):
        try:
            found.append((number, *reader.read(raw)))
        except EventRefused as error:
            refused.append((number, error.problem))
    at_once, refused_at_once = reader.read_all(range(first, first + len(raws)), raws)
    assert at_once == found
    assert [(number, error.problem) for number, error in refused_at_once] == refused


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts_of(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts_of(inner)]
    return [value] if isinstance(value, str) and len(value) > 8 else []


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_no_value_of_the_event_is_repeated(case: Case) -> None:
    try:
        values = texts_of(json.loads(case.raw))
    except (ValueError, RecursionError):
        values = []
    with pytest.raises(EventRefused) as refused:
        decode_event(case.raw, now=NOW)
    known = {"app.acme.example", "product.event", "product.released", "web.visit", "support.ticket"}
    for value in (
        set(values)
        - known
        - {"account.profile", "crm.stage_changed", "alert.outcome", *chain(*OWNERS.values())}
    ):
        assert value not in str(refused.value)


def fits(case: Case, media_type: str) -> bool:
    """Whether the case is one line, or one element of a JSON array, and still bad without the blanks around it."""
    if case.name == BLANKS:
        return False
    if media_type == LINES:
        return bool(case.raw.strip()) and b"\n" not in case.raw
    try:
        whole = msgspec.json.decode(b"[" + case.raw + b"]", type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return False
    return len(whole) == 1


async def test_a_running_gateway_refuses_all_and_goes_on(tmp_path: Path) -> None:
    async with serve(tmp_path / "log") as service:
        for case in ALL:
            if case.name in (BYTE_ORDER_MARK, BLANKS):  # around a request's body they are nobody's mistake
                continue
            status, answer, _ = await service.post(case.raw, ONE)
            assert status == 400, case.name
            assert [(one["index"], one["code"], one["where"]) for one in answer["errors"]] == [
                (0, case.code, case.where)
            ], case.name
        assert service.kept() == []
        assert (await service.post(dump(event(1))))[0] == 202
        assert service.kept() == [dump(event(1))]


@pytest.mark.parametrize("media_type", [LINES, BATCH])
async def test_good_events_among_bad_ones_are_kept(tmp_path: Path, media_type: str) -> None:
    """Every case that can be a line, or an element of an array, between two good events."""
    body = [case for case in ALL if fits(case, media_type)]
    events = [piece for n, case in enumerate(body) for piece in (dump(event(n)), case.raw)] + [
        dump(event(9_999))
    ]
    sent = b"\n".join(events) if media_type == LINES else b"[" + b",".join(events) + b"]"
    async with serve(tmp_path / "log") as service:
        status, answer, _ = await service.post(sent, media_type)
        assert status == 207
        assert answer["accepted"] == len(body) + 1
        assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
            (2 * n + 1, case.code) for n, case in enumerate(body)
        ]
        assert len(body) >= 100
        assert service.kept() == [dump(event(n)) for n in range(len(body))] + [dump(event(9_999))]


def test_of_a_key_given_twice_the_last_counts() -> None:
    raw = dump(event(1))
    assert decode_event(raw[:-1] + b',"subject":"acct-2","type":"product.event"}').subject == "acct-2"


def test_what_looks_odd_and_is_right_is_accepted() -> None:
    for changes in (
        {"time": "2026-10-20t10:15:30.123456789+01:00"},
        {"time": "2026-10-26T08:33:20Z"},  # within the tolerance
        {"subject": "acct:1"},
        {"subject": "Straße 7 · 東京"},
        {"source": "https://crm.example/eu?x=1#y"},
        {"data": {"name": "x", "properties": {"n": 2**63 - 1, "deep": {"a": [[1, None, True]]}}}},
        {
            "extra": {"anything": [1]},
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
    ):
        assert decode_event(dump(event(1, **changes)), now=NOW).id == "e-1"
    visit = event(
        2,
        type="web.visit",
        subject="visitor:v-1",
        data={"visitor_id": "v-1", "url": "https://acme.example/", "path": "/", "title": "Zeile\nzwei\t"},
    )
    assert isinstance(decode_event(dump(visit), now=NOW), WebVisit)


def test_limits_are_the_settings_not_ours() -> None:
    large = dump(event(1, data={"name": "x", "properties": {"html": "x" * 70_000}}))
    deep = dump(
        event(1, data={"name": "x", "properties": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}})
    )
    wide = Limits(max_bytes=100_000, max_depth=20)
    for raw in (large, deep):
        with pytest.raises(EventRefused):
            decode_event(raw)
        decode_event(raw, wide)
