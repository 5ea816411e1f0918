"""Listening: what is said where an address can't be had, by what is wrong with it."""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from schemas.errors import PlumblineError
from schemas.settings import Settings
from streams.icp_files import load_icps
from streams.kafka.gateway_service import GatewayService
from streams.listening import listen, not_listened_on
from tests.unit.simulated import ICP


@pytest.fixture
async def runner() -> AsyncIterator[web.AppRunner]:
    made = web.AppRunner(web.Application())
    await made.setup()
    yield made
    await made.cleanup()


async def test_a_free_port_is_taken_and_named(runner: web.AppRunner) -> None:
    url = await listen(runner, Settings(listen="127.0.0.1:0"))
    assert url == f"http://127.0.0.1:{runner.addresses[0][1]}"


async def test_a_port_in_use(runner: web.AppRunner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(PlumblineError) as refused:
            await listen(runner, Settings(listen=address), choose=": --listen HOST:PORT")
    assert str(refused.value).splitlines() == [
        f"{address} can't be listened on: Address already in use",
        "  end what uses the port, or choose another: --listen HOST:PORT",
    ]


async def test_the_gateway_says_so_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        settings = Settings.model_validate({"listen": address, "kafka": {"bootstrap": "127.0.0.1:1"}})
        with pytest.raises(PlumblineError) as refused:
            await GatewayService(settings, load_icps([ICP])).run()
    assert str(refused.value).splitlines() == [
        f"{address} can't be listened on: Address already in use",
        "  end what uses the port, or choose another: --listen 127.0.0.1:PORT",
    ]


async def test_an_address_of_another_machine(runner: web.AppRunner) -> None:
    settings = Settings.model_validate(
        {"listen": "192.0.2.1:8460", "tokens": [{"name": "r", "token": "t" * 16, "read": True}]}
    )
    with pytest.raises(PlumblineError, match="no such address"):
        await listen(runner, settings)


def test_a_port_that_needs_a_right() -> None:
    said = not_listened_on("127.0.0.1:80", PermissionError(errno.EACCES, "error while attempting to bind"))
    assert said.what == "127.0.0.1:80 can't be listened on: Permission denied"
    assert "1024" in said.remedy


def test_what_is_not_about_the_address_gets_no_remedy_that_is() -> None:
    said = not_listened_on("127.0.0.1:80", OSError(errno.EMFILE, "Too many open files"))
    assert str(said) == "127.0.0.1:80 can't be listened on: Too many open files"
