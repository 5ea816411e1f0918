"""Who may do what over HTTP: tokens, the host that is asked for, and pages of other sites."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs
from yarl import URL

from schemas.errors import PlumblineError
from schemas.settings import Settings, Token
from streams.gateway import protect
from streams.gateway.auth import is_loopback
from tests.unit.gateway_service import BATCH, ONE, Service, dump, event, serve

SECRET = "s3cret-of-the-crm-team"
TOKENS = Settings.model_validate(
    {
        "listen": "0.0.0.0:8460",
        "tokens": [
            {"name": "crm", "token": SECRET, "source": "https://crm.example/*"},
            {"name": "app", "token": "s3cret-of-the-app-team", "source": "app.?cme.example"},
            {"name": "ops", "token": "s3cret-of-ops-people", "read": True},
            {"name": "growth", "token": "s3cret-of-growth-team", "acknowledge": True},
        ],
    }
)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Service]:
    async with serve(tmp_path / "guarded", TOKENS) as running:
        yield running


@pytest.fixture
async def open_here(tmp_path: Path) -> AsyncIterator[Service]:
    async with serve(tmp_path / "log") as running:
        yield running


async def get(service: Service, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    async with service.http.get(service.url + path, headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.text()


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Basic " + base64.b64encode(b"x:" + SECRET.encode()).decode(), SECRET],
)
async def test_events_without_a_bearer_token_get_401(guarded: Service, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    status, answer, answered = await guarded.post(dump(event()), **headers)
    assert (status, answer["type"]) == (401, "urn:plumbline:problem:no_token")
    assert answered["WWW-Authenticate"] == 'Bearer realm="plumbline"'
    assert guarded.kept() == []
    assert guarded.answers == [(401, 0, 0)]


@pytest.mark.parametrize("token", ["none-of-ours", SECRET[:-1], SECRET + "x", SECRET.upper(), "é"])
async def test_a_wrong_token_gets_401_and_stays_out_of_the_log(guarded: Service, token: str) -> None:
    with capture_logs() as logged:
        status, answer, answered = await guarded.post(dump(event()), Authorization=f"Bearer {token}")
    assert (status, answer["type"]) == (401, "urn:plumbline:problem:wrong_token")
    assert "invalid_token" in answered["WWW-Authenticate"]
    assert [(entry["event"], entry["code"]) for entry in logged] == [("request_refused", "wrong_token")]
    assert token not in repr(logged)


async def test_a_token_may_write_its_own_source(guarded: Service) -> None:
    sent = dump(event(1, source="https://crm.example/eu"))
    assert (await guarded.post(sent, Authorization=f"bearer {SECRET}"))[0] == 202
    assert guarded.kept() == [sent]


def decision(**changes: str) -> dict[str, object]:
    data = {"segment": "all", "by": "Ann", "reason": "a promotion", "retake_baseline": True}
    made = event(1, source="https://crm.example/eu", type="drift.acknowledged", subject="signal:plg.x")
    return {**made, "data": data, **changes}


async def test_who_sends_data_may_not_decide_about_drifts(guarded: Service) -> None:
    status, answer, _ = await guarded.post(dump(decision()), Authorization=f"Bearer {SECRET}")
    assert (status, answer["type"]) == (403, "urn:plumbline:problem:may_not_acknowledge")
    good = event(2, source="https://crm.example/eu")
    status, answer, _ = await guarded.post(dump([decision(), good]), BATCH, Authorization=f"Bearer {SECRET}")
    assert (status, answer["accepted"]) == (207, 1)
    assert answer["rejected"][0]["code"] == "may_not_acknowledge"
    assert guarded.kept() == [dump(good)]


async def test_who_decides_about_drifts_sends_nothing_else(guarded: Service) -> None:
    bearer = {"Authorization": "Bearer s3cret-of-growth-team"}
    assert (await guarded.post(dump(decision(source="plumbline")), **bearer))[0] == 202
    status, answer, _ = await guarded.post(dump(event(2)), **bearer)
    assert (status, answer["type"]) == (403, "urn:plumbline:problem:source_not_allowed")
    assert (await get(guarded, "/", **bearer))[0] == 403
    assert len(guarded.kept()) == 1


async def test_without_tokens_this_machine_decides(open_here: Service) -> None:
    assert (await open_here.post(dump(decision())))[0] == 202


async def test_another_source_gets_403_for_all_and_207_for_some(guarded: Service) -> None:
    bearer = {"Authorization": f"Bearer {SECRET}"}
    for source in (
        "app.acme.example",
        "https://crm.example",
        "xhttps://crm.example/eu",
        "https://crmXexample/a",
    ):
        status, answer, _ = await guarded.post(dump(event(1, source=source)), **bearer)
        assert (status, answer["type"]) == (403, "urn:plumbline:problem:source_not_allowed")
        assert answer["errors"][0]["where"] == "$.source"
    good = event(1, source="https://crm.example/eu")
    status, answer, _ = await guarded.post(dump([event(2), good]), BATCH, **bearer)
    assert (status, answer["accepted"]) == (207, 1)
    assert answer["rejected"][0]["code"] == "source_not_allowed"
    assert guarded.kept() == [dump(good)]


async def test_a_token_that_only_reads_may_not_write_and_one_that_writes_may_not_read(
    guarded: Service,
) -> None:
    status, answer, _ = await guarded.post(dump(event()), Authorization="Bearer s3cret-of-ops-people")
    assert (status, answer["type"]) == (403, "urn:plumbline:problem:token_not_allowed")
    status, _, text = await get(guarded, "/", Authorization=f"Bearer {SECRET}")
    assert status == 403
    assert "read: true" in text


async def test_reading_needs_a_token_as_bearer_or_as_basic_password(guarded: Service) -> None:
    status, headers, _ = await get(guarded, "/")
    assert status == 401
    assert headers["WWW-Authenticate"] == 'Bearer realm="plumbline", Basic realm="plumbline", charset="UTF-8"'
    basic = base64.b64encode(b"anyone:s3cret-of-ops-people").decode()
    for authorization in ("Bearer s3cret-of-ops-people", f"Basic {basic}"):
        assert (await get(guarded, "/", Authorization=authorization))[0] == 200
    for wrong in ("anyone:", "s3cret-of-ops-people", "anyone:wrong"):
        encoded = base64.b64encode(wrong.encode()).decode()
        assert (await get(guarded, "/", Authorization=f"Basic {encoded}"))[0] == 401
    for broken in ("Basic ä", "Basic ===", "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Digest x"):
        assert (await get(guarded, "/", Authorization=broken))[0] == 401


async def test_health_is_open_and_nothing_that_only_looks_like_it(guarded: Service) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await get(guarded, path))[0] == 200
    for path in (
        "/healthz/",
        "/healthz/../",
        "//healthz",
        "/HEALTHZ",
        "/metrics",
        "/v1/accounts",
        "/%2fhealthz",
    ):
        assert (await get(guarded, path))[0] == 401
    async with guarded.http.post(guarded.url + "/healthz") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8460", "localhost:1", "LOCALHOST", "[::1]:8460", "127.9.9.9"]
)
async def test_without_tokens_a_loopback_host_is_served(open_here: Service, host: str) -> None:
    assert (await get(open_here, "/", Host=host))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "0.0.0.0",  # noqa: S104 - a header
        "[::]",
        "",
        "[::1",
    ],
)
async def test_without_tokens_another_host_is_refused(open_here: Service, host: str) -> None:
    """DNS rebinding: the browser of somebody on this machine is led to us under a stranger's name."""
    for path in ("/", "/healthz"):
        status, _, text = await get(open_here, path, Host=host)
        assert status in (400, 403)
        assert "accounts" not in text
    assert (await open_here.post(dump(event()), Host=host))[0] in (400, 403)
    assert open_here.kept() == []


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://[", "http://localhost"]
)
async def test_a_foreign_page_may_not_change_anything(
    open_here: Service, guarded: Service, origin: str
) -> None:
    assert (await open_here.post(dump(event()), ONE, Origin=origin))[0] == 403
    async with open_here.http.post(open_here.url + "/change", headers={"Origin": origin}) as answer:
        assert answer.status == 403
    basic = "Basic " + base64.b64encode(b"x:s3cret-of-ops-people").decode()
    headers = {"Origin": origin, "Authorization": basic}
    async with guarded.http.post(guarded.url + "/change", headers=headers) as answer:
        assert answer.status == 403
    assert open_here.kept() == []


async def test_our_own_page_may(open_here: Service) -> None:
    async with open_here.http.post(open_here.url + "/change", headers={"Origin": open_here.url}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:8460", "[::]:8460", "192.168.1.5:8460", "plumbline.example:80", ":8460"]
)
def test_an_open_service_beyond_this_machine_is_refused(listen: str) -> None:
    with pytest.raises(PlumblineError, match="without a token"):
        protect(web.Application(), Settings.model_construct(listen=listen))


def test_an_empty_token_is_refused() -> None:
    settings = Settings.model_construct(
        tokens=[Token.model_construct(name="x", token=SecretStr(""), source=None, read=True)]
    )
    with pytest.raises(PlumblineError, match="empty"):
        protect(web.Application(), settings)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("[::1]", True),
        ("localhost", True),
        ("::ffff:127.0.0.1", False),
        ("", False),
        ("1", False),
    ],
)
def test_what_counts_as_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "head",
    [
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\x00\r\n\r\n",
        f"GET /accounts/{SECRET}\x7f HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\n{SECRET}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET * 400}\r\n\r\n",
    ],
)
async def test_what_is_no_http_stays_out_of_the_log(
    open_here: Service, caplog: pytest.LogCaptureFixture, head: str
) -> None:
    url = URL(open_here.url)
    with capture_logs() as logged:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(head.encode())
        answered = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answered.startswith(b"HTTP/1.0 400 ")
    assert [(entry["event"], entry["code"], entry["status"]) for entry in logged] == [
        ("request_refused", "not_http", 400)
    ]
    assert caplog.text == ""
    assert SECRET not in str(logged)
