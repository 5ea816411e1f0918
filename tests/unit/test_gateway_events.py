"""POST /v1/events over real HTTP: what is answered, and that exactly what was accepted is in the log."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from schemas.event_reader import decode_event
from schemas.settings import Settings
from streams import log as log_module
from streams.gateway.batch import MAX_EVENTS, split
from tests.unit.gateway_service import BATCH, LINES, ONE, Service, dump, event, serve

PRETTY = json.dumps(event(2), indent=2, ensure_ascii=False).replace("\n", "\r\n").encode()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with serve(tmp_path / "log", Settings(max_request_bytes=200_000)) as running:
        yield running


async def test_one_event_is_kept_as_it_was_sent(service: Service) -> None:
    sent = dump(event())
    status, answer, headers = await service.post(sent)
    assert (status, answer) == (202, {"accepted": 1})
    assert headers["Content-Type"] == "application/json"
    assert service.kept() == [sent]
    assert service.answers == [(202, 1, 0)]


async def test_a_batch_is_kept_with_one_line_for_each_event(service: Service) -> None:
    body = b"[ " + PRETTY + b",\n" + dump(event(1)) + b"\n]\n"
    assert (await service.post(body, BATCH))[:2] == (202, {"accepted": 2})
    pretty, plain = service.kept()
    assert plain == dump(event(1))
    assert b"\n" not in pretty
    assert json.loads(pretty) == event(2)
    assert decode_event(pretty).id == "e-2"


async def test_a_pretty_single_event_becomes_one_line(service: Service) -> None:
    assert (await service.post(PRETTY))[0] == 202
    assert [json.loads(line) for line in service.kept()] == [event(2)]


@pytest.mark.parametrize(
    "media_type", [LINES, "application/jsonl", "application/x-ndjson; charset=UTF-8", "Application/JSONL"]
)
async def test_json_lines_with_blank_lines_crlf_and_a_byte_order_mark(
    service: Service, media_type: str
) -> None:
    body = b"\xef\xbb\xbf" + dump(event(1)) + b"\r\n\r\n  \n" + dump(event(2))
    assert (await service.post(body, media_type))[:2] == (202, {"accepted": 2})
    assert service.kept() == [dump(event(1)), dump(event(2))]


async def test_an_empty_batch_is_accepted_and_no_lines_are_not(service: Service) -> None:
    assert (await service.post(b"[]", BATCH))[:2] == (202, {"accepted": 0})
    status, answer, _ = await service.post(b"\n\n", LINES)
    assert (status, answer["type"]) == (400, "urn:plumbline:problem:not_json")


@pytest.mark.parametrize("media_type", [BATCH, LINES])
async def test_good_events_of_a_batch_are_kept_and_bad_ones_are_listed(
    service: Service, media_type: str
) -> None:
    events: list[dict[str, Any]] = [
        event(1),
        event(2, time="2026-10-20T10:15:30"),
        event(3),
        event(4, data={}),
        event(5, id=7),
    ]
    body = dump(events) if media_type == BATCH else b"\n".join(map(dump, events))
    status, answer, headers = await service.post(body, media_type)
    assert status == 207
    assert headers["Content-Type"].startswith("application/json")
    assert answer["accepted"] == 2
    assert [(one["index"], one.get("id"), one["code"], one["where"]) for one in answer["rejected"]] == [
        (1, "e-2", "bad_time", "$.time"),
        (3, "e-4", "missing_field", "$.data"),
        (4, None, "wrong_type", "$.id"),
    ]
    assert all(one["what"] and one["remedy"] for one in answer["rejected"])
    assert service.kept() == [dump(event(1)), dump(event(3))]
    assert service.answers == [(207, 2, 3)]


async def test_all_bad_is_a_problem_document_and_nothing_is_kept(service: Service) -> None:
    status, answer, headers = await service.post(dump([event(1, type="x"), {}, 5, None]), BATCH)
    assert status == 400
    assert headers["Content-Type"] == "application/problem+json"
    assert (answer["type"], answer["status"]) == ("urn:plumbline:problem:bad_events", 400)
    assert answer["title"]
    assert answer["detail"]
    assert [(one["index"], one["code"]) for one in answer["errors"]] == [
        (0, "unknown_type"),
        (1, "missing_field"),
        (2, "wrong_type"),
        (3, "wrong_type"),
    ]
    assert service.kept() == []
    assert service.answers == [(400, 0, 4)]


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", ONE),
        (b"", BATCH),
        (b"{", BATCH),
        (b"{}", BATCH),
        (b"nope", ONE),
        (b"[" * 5_000 + b"]" * 5_000, BATCH),
        (b"[" * 100_000, BATCH),
        (b"[1,", BATCH),
        (dump(event()) + dump(event()), ONE),
        (b'{"id":"a\nb"}', ONE),
        (dump(event()).decode().encode("utf-16"), ONE),
    ],
)
async def test_what_is_not_json_gets_400(service: Service, body: bytes, media_type: str) -> None:
    status, answer, _ = await service.post(body, media_type)
    assert status == 400
    assert answer["status"] == 400
    assert service.kept() == []


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "text/plain", "", "application/cloudevents+json; charset=latin-1", "nonsense"],
)
async def test_another_media_type_gets_415_with_those_that_are_read(
    service: Service, media_type: str
) -> None:
    status, answer, headers = await service.post(dump(event()), media_type)
    assert status == 415
    assert ONE in headers["Accept"]
    assert BATCH in answer["detail"]


async def test_gzip_is_inflated_in_one_or_several_members(service: Service) -> None:
    body = gzip.compress(dump(event(1)) + b"\n") + gzip.compress(dump(event(2)))
    assert (await service.post(body, LINES, Content_Encoding="gzip"))[:2] == (202, {"accepted": 2})
    assert service.kept() == [dump(event(1)), dump(event(2))]


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(dump(event(1)) + b"\n" + dump(event(2)))[:-9],
        gzip.compress(dump(event(1))) + b"x",
        dump(event(1)),
        gzip.compress(b"") * 1_001,
    ],
)
async def test_gzip_that_is_cut_or_none_is_refused(service: Service, body: bytes) -> None:
    status, answer, _ = await service.post(body, LINES, Content_Encoding="gzip")
    assert (status, answer["type"]) == (400, "urn:plumbline:problem:broken_body")
    assert service.kept() == []


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
async def test_another_encoding_gets_415(service: Service, encoding: str) -> None:
    status, _, headers = await service.post(dump(event()), ONE, Content_Encoding=encoding)
    assert status == 415
    assert headers["Accept-Encoding"] == "gzip"


async def test_a_gzip_bomb_gets_413(service: Service) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    assert len(bomb) < 200_000
    status, answer, _ = await service.post(bomb, LINES, Content_Encoding="gzip")
    assert (status, answer["type"]) == (413, "urn:plumbline:problem:too_large")


async def test_a_body_over_the_limit_gets_413_by_its_length_and_by_its_size(service: Service) -> None:
    body = dump(event()) + b" " * 200_000
    assert (await service.post(body))[0] == 413

    async def streamed() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b" " * 1_000

    async with service.http.post(
        f"{service.url}/v1/events", data=streamed(), headers={"Content-Type": ONE}
    ) as answer:
        assert answer.status == 413
    assert service.kept() == []


async def test_a_refused_sender_is_not_asked_for_its_body(service: Service) -> None:
    """Expect: 100-continue: the final answer comes at once, and 100 only when the body is wanted."""
    for length, first in ((10_000_000, b"HTTP/1.1 413"), (len(dump(event())), b"HTTP/1.1 100")):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(
            b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/cloudevents+json\r\nContent-Length: %d\r\n\r\n" % length
        )
        assert (await reader.readline()).startswith(first)
        if first.endswith(b"100"):
            writer.write(dump(event()))
            await reader.readline()
            assert (await reader.readline()).startswith(b"HTTP/1.1 202")
        writer.close()
        await writer.wait_closed()


async def test_too_many_events_get_413() -> None:
    for form, body in (("lines", b"{}\n" * (MAX_EVENTS + 1)), ("batch", b"[" + b"{}," * MAX_EVENTS + b"{}]")):
        with pytest.raises(Exception, match="more than 50000 events") as refused:
            split(form, body)  # type: ignore[arg-type]
        assert refused.value.status == 413  # type: ignore[attr-defined]


async def test_a_dripping_sender_is_cut_off(tmp_path: Path) -> None:
    async with serve(tmp_path / "log", body_timeout_s=0.2) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(
            b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n" + dump(event()) + b"\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()
        assert service.kept() == []


async def test_a_connection_that_never_completes_its_head_is_closed(tmp_path: Path) -> None:
    async with serve(tmp_path / "log", idle_s=0.2) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"POST /v1/events HTTP/1.1\r\nHost: 127.0")
        assert await reader.read() == b""
        writer.close()


async def test_a_sender_that_goes_away_in_the_middle_leaves_nothing(service: Service) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(
        b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
        b"Content-Length: 1000\r\n\r\n" + dump(event()) + b"\n"
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await asyncio.wait_for(service.has_answered.wait(), 30)
    assert service.answers == [(400, 0, 0)]
    assert service.kept() == []


async def test_too_much_lag_gets_429_with_a_time_to_come_back(service: Service) -> None:
    service.lag = Settings().max_lag_events + 1
    status, answer, headers = await service.post(dump(event()))
    assert (status, headers["Retry-After"]) == (429, "5")
    assert "Retry-After" in answer["detail"]
    service.lag = 0
    assert (await service.post(dump(event())))[0] == 202


async def test_a_full_disk_gets_503_and_afterwards_it_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def full(file: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(log_module.os, "write", full)
    status, answer, headers = await service.post(dump([event(1), event(2, type="x")]), BATCH)
    assert (status, answer["type"]) == (503, "urn:plumbline:problem:log_unwritable")
    assert headers["Retry-After"] == "30"
    monkeypatch.setattr(log_module.os, "write", write)
    assert service.kept() == []
    assert (await service.post(dump(event(1))))[0] == 202
    assert service.kept() == [dump(event(1))]


async def test_the_answer_waits_for_the_log(tmp_path: Path) -> None:
    """No 202 before the append has returned."""
    order: list[str] = []

    def append(lines: Sequence[bytes]) -> int:
        order.append(f"durable {len(lines)}")
        return 0

    async with serve(tmp_path / "log", append=append) as service:
        await service.post(dump(event()))
        order.append("answered")
    assert order == ["durable 1", "answered"]


async def test_other_requests_are_answered_while_a_big_batch_is_decoded(tmp_path: Path) -> None:
    async with serve(tmp_path / "log") as service:
        big = asyncio.create_task(service.post(b"\n".join(dump(event(n)) for n in range(20_000)), LINES))
        between = 0
        while not big.done():
            async with service.http.get(f"{service.url}/healthz") as answer:
                between += answer.status == 200
        assert (await big)[1] == {"accepted": 20_000}
        assert between > 5
        assert len(service.kept()) == 20_000


async def test_concurrent_senders_lose_nothing(service: Service) -> None:
    async def send(sender: int) -> None:
        for number in range(10):
            status, _, _ = await service.post(dump(event(sender * 100 + number)))
            assert status == 202

    await asyncio.gather(*(send(sender) for sender in range(10)))
    ids = sorted(json.loads(line)["id"] for line in service.kept())
    assert ids == sorted(f"e-{sender * 100 + number}" for sender in range(10) for number in range(10))


PIECES = st.sampled_from(
    [dump(event(1)), dump(event(2)), dump(event(3, id="")), PRETTY, b"5", b"null", b"\x00", b"\xff"]
    + [bytes([sign]) for sign in b'{}[],\n\r"\\']
)


@given(pieces=st.lists(PIECES, max_size=8), media_type=st.sampled_from([ONE, BATCH, LINES]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_sent_202_and_207_count_what_is_kept_and_every_kept_line_decodes(
    service: Service, pieces: list[bytes], media_type: str
) -> None:
    before = len(service.kept())
    status, answer, _ = await service.post(b"".join(pieces), media_type)
    kept = service.kept()[before:]
    assert status in (202, 207, 400)
    assert len(kept) == answer.get("accepted", 0)
    for line in kept:
        decode_event(line)


async def test_no_part_of_an_event_is_logged_or_answered(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    private = "jo@customer.example"
    with capture_logs() as logged:
        for changes in (
            {"data": {"name": {"x": private}}},
            {"data": {"name": "x", "user_id": private * 100}},
            {"type": private},
            {"subject": "product:" + private},
            {"time": private},
        ):
            _, answer, _ = await service.post(dump(event(1, **changes)))
            assert private not in json.dumps(answer)
        async with service.http.get(f"{service.url}/broken") as broken:
            assert broken.status == 500
            assert private not in await broken.text()
    assert {entry["event"] for entry in logged} == {"events_refused", "request_failed"}
    assert private not in repr(logged) + caplog.text


async def test_a_wrong_method_or_path_is_a_problem_document_too(service: Service) -> None:
    async with service.http.get(f"{service.url}/v1/events") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.content_type == "application/problem+json"
    async with service.http.get(f"{service.url}/v1/jo@customer.example") as answer:
        assert answer.status == 404
        assert "jo@" not in await answer.text()


async def test_every_answer_carries_the_security_headers(service: Service) -> None:
    for path in ("/", "/nowhere", "/broken", "/healthz"):
        async with service.http.get(service.url + path) as answer:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Server"] == "plumbline"


async def test_a_malformed_chunked_body_gets_400(service: Service) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(
        b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    )
    assert b" 400 " in await reader.readline()
    writer.close()
    assert service.kept() == []
