"""The sender against real servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from schemas.alerts import encode_alert
from streams.delivery.egress import EgressRefused, read_destination
from streams.delivery.policy import Answer, Result
from streams.delivery.sender import MAX_ANSWER_BYTES, LookUp, Sender, system_look_up
from streams.delivery.signing import payload
from tests.unit.delivery_alerts import trigger

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes or more").decode()
SIGNED_BY = (Webhook(SECRET),)
LOOPBACK = [ip_network("127.0.0.0/8")]
BODY = payload(encode_alert(trigger()))
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, ssl_context: Any = None) -> AsyncIterator[int]:
    """A server on a free port of 127.0.0.1; the port."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_serving(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A TCP server whose every connection does ``talk``; the port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@asynccontextmanager
async def sender(
    url: str, *, allow: Sequence[Any] = LOOPBACK, look_up: LookUp = system_look_up, timeout_s: float = 15.0
) -> AsyncIterator[Sender]:
    made = Sender(read_destination(url), SIGNED_BY, allow, look_up=look_up, timeout_s=timeout_s)
    try:
        yield made
    finally:
        await made.close()


def resolving_to(*answers: list[str]) -> tuple[LookUp, list[str]]:
    """A name server that gives the first answer to the first question, and so on; and the questions."""
    asked: list[str] = []

    def look_up(host: str, port: int) -> list[tuple[Any, ...]]:
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port))
            for a in answer
        ]

    return look_up, asked


async def post(url: str, **options: Any) -> Answer:
    async with sender(url, **options) as made:
        return await made.send("id1", BODY, 1_800_000_000.7)


async def test_what_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    seen: list[tuple[web.BaseRequest, bytes]] = []

    async def keep(request: web.Request) -> web.Response:
        seen.append((request, await request.read()))
        return web.Response(headers={"Set-Cookie": "track=1; Path=/"})

    async with serving(keep) as port, sender(f"http://127.0.0.1:{port}/hook?key=1#part") as made:
        assert await made.send("id1", BODY, 1_800_000_000.7) == Answer(status=200)
        assert await made.send("id1", BODY, 1_800_000_100.7) == Answer(status=200)
    (first, body), (second, _) = seen
    assert (first.method, first.path_qs) == ("POST", "/hook?key=1")
    assert body == BODY
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["User-Agent"] == "Plumbline-Webhooks/1"
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "id1"
    assert first.headers["webhook-timestamp"] == "1800000000"
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert "Cookie" not in second.headers


@pytest.mark.parametrize("status", [200, 204, 299, 400, 404, 410, 429, 500, 503])
async def test_the_status_and_retry_after_come_back(status: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Retry-After": "7"})

    async with serving(answer) as port:
        assert await post(f"http://127.0.0.1:{port}/") == Answer(status=status, retry_after="7")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(status: int) -> None:
    paths: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with serving(redirect) as port:
        answer = await post(f"http://127.0.0.1:{port}/hook")
    assert answer.status == status
    assert paths == ["/hook"]


async def test_of_the_answer_at_most_64_kb_are_read() -> None:
    enough = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
        while not enough.is_set():
            writer.write(b"x" * MAX_ANSWER_BYTES)
            await writer.drain()

    async with raw_serving(pour) as port:
        assert await post(f"http://127.0.0.1:{port}/") == Answer(status=200)
        enough.set()


@pytest.mark.parametrize(
    "dripped",
    [
        pytest.param(b"", id="says nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Drip: ", id="drips headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", id="drips the body"),
    ],
)
async def test_a_receiver_that_drips_times_out(dripped: bytes) -> None:
    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(BODY))
        writer.write(dripped)
        while True:
            try:
                async with asyncio.timeout(0.02):
                    await reader.read(1)  # returns when the sender has hung up
                break
            except TimeoutError:
                writer.write(b"x" if dripped else b"")
        ended.set()

    async with raw_serving(drip) as port:
        assert await post(f"http://127.0.0.1:{port}/", timeout_s=0.3) == Answer(failure=Result.TIMEOUT)
        await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 99999 what\r\n\r\n",
    ],
)
async def test_an_answer_that_is_broken(said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(BODY))
        writer.write(said)
        await writer.drain()

    async with raw_serving(talk) as port:
        assert await post(f"http://127.0.0.1:{port}/") == Answer(failure=Result.BROKEN_ANSWER)


async def test_nobody_listens() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        port = reserved.getsockname()[1]
        assert await post(f"http://127.0.0.1:{port}/") == Answer(failure=Result.UNREACHABLE)


async def test_a_name_that_does_not_exist() -> None:
    def look_up(host: str, port: int) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert await post("https://nowhere.example/", look_up=look_up) == Answer(failure=Result.NAME_NOT_FOUND)


async def test_a_name_server_that_hangs_is_within_the_time_limit() -> None:
    released = threading.Event()

    def look_up(host: str, port: int) -> list[tuple[Any, ...]]:
        released.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    try:
        answer = await post("https://slow.example/", look_up=look_up, timeout_s=0.2)
    finally:
        released.set()
    assert answer == Answer(failure=Result.TIMEOUT)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (["127.0.0.1"], "loopback"),
        (["8.8.8.8", "127.0.0.1"], "loopback"),
        (["127.0.0.1", "8.8.8.8"], "loopback"),
        (["169.254.169.254"], "metadata"),
        (["::ffff:127.0.0.1"], "loopback"),
        (["64:ff9b::7f00:1"], "loopback"),
        (["fe80::1%1"], "link_local"),
        ([], "no_address"),
    ],
)
async def test_a_name_with_a_private_address_is_refused_before_anything_is_dialled(
    answer: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dial(*_: object) -> None:
        raise AssertionError("dialled")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", dial)
    look_up, asked = resolving_to(answer)
    refused = await post("https://rebind.example/", allow=[], look_up=look_up)
    assert refused == Answer(failure=Result.EGRESS_REFUSED, detail=reason)
    assert asked == ["rebind.example"]


async def test_a_name_that_changes_its_address_is_asked_once_and_the_checked_address_dialled() -> None:
    hosts: list[str | None] = []

    async def keep(request: web.Request) -> web.Response:
        hosts.append(request.headers.get("Host"))
        return web.Response()

    look_up, asked = resolving_to(["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"])
    async with serving(keep) as port:
        allow = [ip_network("127.0.0.2/32")]
        async with sender(f"http://rebind.example:{port}/", allow=allow, look_up=look_up) as made:
            # Nobody listens at 127.0.0.2: had it asked again, it would have reached the server at 127.0.0.1.
            first = await made.send("id1", BODY, 0)
            assert (first.failure, len(asked)) == (Result.UNREACHABLE, 1)
            second = await made.send("id1", BODY, 0)
            assert (second.failure, second.detail, len(asked)) == (Result.EGRESS_REFUSED, "loopback", 2)
        assert hosts == []
        look_up, asked = resolving_to(["127.0.0.1"])
        assert (await post(f"http://named.example:{port}/", look_up=look_up)).status == 200
    assert hosts == [f"named.example:{port}"]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254./",
        "http://8.8.8.8/",
    ],
)
async def test_a_private_address_in_the_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(EgressRefused):
        Sender(read_destination(url), SIGNED_BY, [])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for hook.example, and its key."""
    openssl = shutil.which("openssl")
    assert openssl, "these tests need the openssl command"
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl,
            *[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=hook.example",
            ],
            *("-addext", "subjectAltName=DNS:hook.example", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.mark.parametrize(
    ("host", "trusted", "answer"),
    [
        ("hook.example", True, Answer(status=200)),
        ("hook.example", False, Answer(failure=Result.TLS_FAILED)),
        ("other.example", True, Answer(failure=Result.TLS_FAILED)),
    ],
)
async def test_certificates_are_verified_by_the_name(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool, answer: Answer
) -> None:
    cert, key = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))  # as an operator with a CA of their own would

    async def accept(_: web.Request) -> web.Response:
        return web.Response()

    look_up, _ = resolving_to(["127.0.0.1"])
    async with serving(accept, context) as port:
        assert await post(f"https://{host}:{port}/", look_up=look_up) == answer
    assert names == [host]
