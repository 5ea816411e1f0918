"""The port for health and metrics: what it says, and to whom."""

from __future__ import annotations

import socket

import aiohttp
import pytest

from schemas.errors import PlumblineError
from schemas.settings import Settings
from streams.web.monitoring import monitoring

TOKEN = "a-token-that-may-read-0123456789"
READER = Settings.model_validate({"tokens": [{"name": "ops", "token": TOKEN, "read": True}]})


async def test_health_readiness_and_metrics() -> None:
    state = (False, "Kafka can't be reached")
    async with (
        monitoring("127.0.0.1:0", Settings(), lambda: state, lambda: b"up 1\n") as url,
        aiohttp.ClientSession() as http,
    ):
        assert (await http.get(f"{url}/healthz")).status == 200
        answer = await http.get(f"{url}/readyz")
        assert answer.status == 503
        assert "Kafka can't be reached" in (await answer.json(content_type=None))["detail"]
        state = (True, "")
        assert (await http.get(f"{url}/readyz")).status == 200
        answer = await http.get(f"{url}/metrics")
        assert (answer.status, await answer.read()) == (200, b"up 1\n")
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert (await http.get(f"{url}/metrics", headers={"Host": "evil.example"})).status == 403


async def test_metrics_need_the_token_that_reads() -> None:
    async with (
        monitoring("127.0.0.1:0", READER, lambda: (True, ""), lambda: b"") as url,
        aiohttp.ClientSession() as http,
    ):
        assert (await http.get(f"{url}/healthz")).status == 200
        assert (await http.get(f"{url}/metrics")).status == 401
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert (await http.get(f"{url}/metrics", headers=headers)).status == 200


async def test_nothing_is_served_unless_asked_for() -> None:
    async with monitoring(None, Settings(), lambda: (True, ""), lambda: b"") as url:
        assert url == ""


async def test_an_address_open_to_others_needs_a_token() -> None:
    with pytest.raises(PlumblineError, match="no token guards"):
        async with monitoring("0.0.0.0:0", Settings(), lambda: (True, ""), lambda: b""):
            raise AssertionError("it was served")


async def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PlumblineError, match="can't be listened on"):
            async with monitoring(
                f"127.0.0.1:{other.getsockname()[1]}", Settings(), lambda: (True, ""), lambda: b""
            ):
                raise AssertionError("it was served")
