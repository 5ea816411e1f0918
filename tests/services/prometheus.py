"""A real Prometheus on a free loopback port, scraping what a test serves.

Rules: readiness is Prometheus' own word for it, read from its log; the process is ended with the test, whatever
happens in it.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.services.programs import free_port, program

READY = b"Server is ready to receive web requests"
START_LIMIT_S = 60
SCRAPE_INTERVAL = "200ms"


class Prometheus:
    """A running Prometheus. ``url``: its address, without a slash at the end."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def query(self, promql: str) -> list[dict[str, Any]]:
        """The result of an instant query: metric and value of each series."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/query", params={"query": promql}) as answer,
        ):
            body = await answer.json()
        if body["status"] != "success":
            raise AssertionError(f"Prometheus refused the query: {body['error']}")
        result: list[dict[str, Any]] = body["data"]["result"]
        return result


StartPrometheus = Callable[..., Awaitable[Prometheus]]


def _config(targets: Sequence[str], rules: Path | None) -> str:
    """JSON is YAML too."""
    return json.dumps(
        {
            "global": {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": SCRAPE_INTERVAL},
            "rule_files": [str(rules)] if rules else [],
            "scrape_configs": [{"job_name": "plumbline", "static_configs": [{"targets": list(targets)}]}],
        }
    )


@asynccontextmanager
async def _running(folder: Path, targets: Sequence[str], rules: Path | None) -> AsyncIterator[Prometheus]:
    binary = program("prometheus", package="prometheus")
    config = folder / "prometheus.yml"
    config.write_text(_config(targets, rules))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        binary,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    draining: asyncio.Task[bytes] | None = None
    try:
        log: list[bytes] = []
        async with asyncio.timeout(START_LIMIT_S):
            async for line in process.stderr:
                log.append(line)
                if READY in line:
                    break
            else:
                raise AssertionError(f"Prometheus did not start:\n{b''.join(log).decode()}")
        draining = asyncio.create_task(process.stderr.read())  # a full pipe would stop it
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if draining is not None:
            await draining


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[StartPrometheus]:
    """``await prometheus(targets=["127.0.0.1:8460"], rules=None)`` starts one that scrapes ``targets``."""
    async with AsyncExitStack() as stack:

        async def start(*, targets: Sequence[str], rules: Path | None = None) -> Prometheus:
            folder = Path(tempfile.mkdtemp(prefix="prometheus-", dir=tmp_path))
            return await stack.enter_async_context(_running(folder, targets, rules))

        yield start
