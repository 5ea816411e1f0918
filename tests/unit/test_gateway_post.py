"""plumbline post against a real gateway, and against a service that misbehaves."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from schemas.settings import Settings
from streams.dead_letters import read_rejects
from streams.posting import MAX_LINE_BYTES, PostFailed, Sender, read_batches
from tests.unit.gateway_service import dump, event, serve


async def plumbline_post(*arguments: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from streams.cli import main; main()",
        "post",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200", **environment},
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def history(path: Path, count: int, bad: dict[int, bytes] | None = None) -> Path:
    lines = [(bad or {}).get(number, dump(event(number))) for number in range(1, count + 1)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


async def test_a_good_history_is_accepted_whole_and_in_order(tmp_path: Path) -> None:
    file = history(tmp_path / "events.jsonl", 1_234)
    async with serve(tmp_path / "log") as service:
        code, out, err = await plumbline_post(str(file), "--url", service.url)
        assert (code, err) == (0, "")
        assert "1,234 events accepted" in out
        assert service.kept() == file.read_bytes().splitlines()
        assert [answer[0] for answer in service.answers] == [202, 202, 202]
    assert not (tmp_path / "events.rejects.jsonl").exists()


async def test_rejected_lines_are_named_and_written_with_their_remedy(tmp_path: Path) -> None:
    bad = {3: dump(event(3, time="2026-10-20")), 7: b"nonsense", 8: b"", 9: b'{"id":"\xff"}'}
    file = history(tmp_path / "events.jsonl", 10, bad)
    async with serve(tmp_path / "log") as service:
        code, out, err = await plumbline_post(str(file), "--url", service.url, "--batch", "2", COLUMNS="40")
        assert code == 2
        assert len(service.kept()) == 6
    lines = err.splitlines()  # one for each, however narrow the terminal
    assert [line.partition(": ")[0] for line in lines] == [f"{file}:{number}" for number in (3, 7, 9)]
    assert lines[0].startswith(f"{file}:3: $.time: a time must be RFC 3339")
    assert "write it like 2026-11-01T09:30:00Z" in lines[0]
    assert "acct-1" not in out + err
    assert "3 rejected: 1 bad_time, 2 not_json" in out
    rejects = list(read_rejects(tmp_path / "events.rejects.jsonl"))
    assert [(one.offset, one.reason) for one in rejects] == [
        (2, "bad_time"),
        (6, "not_json"),
        (8, "not_json"),
    ]
    assert rejects[0].event == bad[3].decode()
    assert rejects[2].event_base64 is not None
    assert "line 3" in rejects[0].detail


async def test_the_summary_as_json_and_a_second_run_leaves_no_old_rejects(tmp_path: Path) -> None:
    file = history(tmp_path / "events.jsonl", 3, {2: b"[]"})
    async with serve(tmp_path / "log") as service:
        code, out, err = await plumbline_post(str(file), "--url", service.url, "--json")
        summary = json.loads(out)
        assert (code, err) == (2, "")
        assert (summary["accepted"], summary["rejected"], summary["reasons"]) == (2, 1, {"wrong_type": 1})
        assert summary["rejects_file"] == str(tmp_path / "events.rejects.jsonl")
        history(file, 3)
        assert (await plumbline_post(str(file), "--url", service.url, "--json"))[0] == 0
    assert not (tmp_path / "events.rejects.jsonl").exists()


async def test_a_token_comes_from_the_environment_only(tmp_path: Path) -> None:
    file = history(tmp_path / "events.jsonl", 2)
    secret = "a-token-of-some-length"
    settings = Settings.model_validate({"tokens": [{"name": "crm", "token": secret, "source": "app.*"}]})
    async with serve(tmp_path / "log", settings) as service:
        sent = (str(file), "--url", service.url)
        code, _, err = await plumbline_post(*sent)
        assert code == 1
        assert "--token env:NAME" in err
        code, _, err = await plumbline_post(*sent, "--token", secret)
        assert code == 2
        code, _, err = await plumbline_post(*sent, "--token", "env:CRM_TOKEN")
        assert code == 2
        assert "CRM_TOKEN is not set" in err
        code, out, err = await plumbline_post(*sent, "--token", "env:CRM_TOKEN", CRM_TOKEN=secret)
        assert code == 0
        assert secret not in out + err
        assert len(service.kept()) == 2


async def test_a_source_that_the_token_may_not_write_is_rejected_line_by_line(tmp_path: Path) -> None:
    secret = "a-token-of-some-length"
    settings = Settings.model_validate({"tokens": [{"name": "crm", "token": secret, "source": "crm.*"}]})
    file = history(tmp_path / "events.jsonl", 3, {2: dump(event(2, source="crm.eu"))})
    async with serve(tmp_path / "log", settings) as service:
        code, out, _ = await plumbline_post(
            str(file), "--url", service.url, "--token", "env:T", "--batch", "1", "--json", T=secret
        )
        assert code == 2
        assert json.loads(out)["reasons"] == {"source_not_allowed": 2}
        assert len(service.kept()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.jsonl",), "No such file"),
        (("events.jsonl", "--url", "ftp://127.0.0.1"), "write it like http://127.0.0.1:8460"),
        (("events.jsonl", "--url", "http://jo:secret@127.0.0.1"), "without a name, password"),
        (("events.jsonl", "--url", "http://127.0.0.1:8460/v1/events"), "leave /v1/events out"),
        (("events.jsonl", "--patience", "soon"), "write a duration"),
        ((".",), "Is a directory"),
    ],
)
async def test_what_can_not_be_done_ends_with_2(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    history(tmp_path / "events.jsonl", 1)
    code, _, err = await plumbline_post(str(tmp_path / arguments[0]), *arguments[1:])
    assert code == 2
    assert said in err
    assert "secret" not in err


async def test_no_service_ends_with_1_at_once_and_says_how_to_start_one(tmp_path: Path) -> None:
    async with serve(tmp_path / "log") as service:
        closed = service.url
    code, out, err = await plumbline_post(str(history(tmp_path / "e.jsonl", 1)), "--url", closed, "--json")
    assert code == 1
    assert "plumbline run" in err
    assert json.loads(out)["error"].startswith("there is no service at")
    _, told, _ = await plumbline_post("--help")
    assert "never answered is not waited for" in " ".join(told.split())


@asynccontextmanager
async def service_that(*answers: web.Response | None) -> AsyncIterator[tuple[URL, list[bytes]]]:
    """A service that gives these answers one after another (None: closes the connection), and the bodies it got."""
    bodies: list[bytes] = []
    left = list(answers)

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        following = left.pop(0)
        if following is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return following

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/v1/events", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield URL(f"http://127.0.0.1:{runner.addresses[0][1]}"), bodies
    finally:
        await runner.cleanup()


REFUSED = {"index": 0, "code": "x", "where": "$", "what": "w", "remedy": "r"}


def ok(count: int) -> web.Response:
    return web.json_response({"accepted": count}, status=202)


async def send(url: URL, *lines: bytes, patience_s: float = 600) -> tuple[list[tuple[int, str]], list[float]]:
    """((line, reason) of each rejected line, the seconds of each wait)"""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with aiohttp.ClientSession() as http:
        sender = Sender(http, url, None, patience_s=patience_s, sleep=sleep)
        numbered = list(enumerate(lines, start=1))
        return [(one.line, one.problem.code) for one in await sender.send(numbered)], slept


async def test_retry_after_is_heeded_and_the_same_batch_is_sent_again() -> None:
    behind = web.json_response({"detail": "behind"}, status=429, headers={"Retry-After": "7"})
    full = web.json_response({}, status=503, headers={"Retry-After": "30"})
    async with service_that(behind, full, ok(2)) as (url, bodies):
        assert await send(url, b"a", b"b") == ([], [7.0, 30.0])
        assert bodies == [b"a\nb"] * 3


async def test_an_answer_that_got_lost_is_asked_for_again() -> None:
    async with service_that(web.Response(status=502, text="<html>"), None, ok(1)) as (url, bodies):
        assert await send(url, b"a") == ([], [1.0, 2.0])
        assert len(bodies) == 3


async def test_patience_ends() -> None:
    busy = [web.json_response({}, status=429, headers={"Retry-After": "300"}) for _ in range(4)]
    async with service_that(*busy) as (url, _):
        with pytest.raises(PostFailed, match="more events than it can process, for 600 seconds"):
            await send(url, b"a")


async def test_a_batch_that_is_too_large_is_halved_down_to_the_line() -> None:
    large = [web.json_response({}, status=413) for _ in range(3)]
    async with service_that(large[0], ok(1), large[1], ok(1), large[2]) as (url, bodies):
        rejected, _ = await send(url, b"a", b"b", b"cc")
        assert rejected == [(3, "too_large")]
        assert bodies == [b"a\nb\ncc", b"a", b"b\ncc", b"b", b"cc"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: ok(1), "does not add up"),
        (lambda: web.json_response({"accepted": 1, "rejected": []}, status=207), "does not add up"),
        (
            lambda: web.json_response({"accepted": 1, "rejected": [{**REFUSED, "index": 2}]}, status=207),
            "add up",
        ),
        (lambda: web.json_response({"accepted": 0, "rejected": [REFUSED, REFUSED]}, status=207), "add up"),
        (lambda: web.Response(status=200, text="hello"), "answers 200"),
        (lambda: web.Response(status=404), "answers 404"),
        (lambda: web.Response(status=301, headers={"Location": "https://evil.example/"}), "sends elsewhere"),
        (lambda: web.json_response({"detail": "no"}, status=401), "refuses the token"),
        (lambda: web.json_response({"detail": "no"}, status=415), "answers 415: no"),
        (lambda: web.json_response({"errors": [REFUSED]}, status=400), "answers 400"),
    ],
)
async def test_an_answer_that_is_none_of_ours_stops_it(answer: Callable[[], web.Response], said: str) -> None:
    async with service_that(answer()) as (url, bodies):
        with pytest.raises(PostFailed, match=said):
            await send(url, b"a", b"b")
        assert len(bodies) == 1


def test_lines_are_numbered_as_in_the_file_and_bounded() -> None:
    file = BytesIO(b"\xef\xbb\xbfa\r\n\n  \nb\n" + b"x" * (MAX_LINE_BYTES + 5) + b"\nc")
    batches = list(read_batches(file, 2))
    assert [lines for lines, _ in batches] == [[(1, b"a"), (4, b"b")], [(6, b"c")]]
    assert [(one.line, one.problem.code) for _, rejected in batches for one in rejected] == [(5, "too_large")]


def test_an_empty_file_is_one_empty_batch() -> None:
    assert list(read_batches(BytesIO(b"\n\n"), 5)) == [([], [])]
