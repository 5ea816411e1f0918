"""A gateway that is killed in the middle of its work has kept all that it answered with 202."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from streams.log import EventLog
from tests.unit.gateway_service import BATCH, dump, event

SERVER = """
import asyncio, sys
from pathlib import Path
from tests.unit.gateway_service import serve

async def main():
    async with serve(Path(sys.argv[1])) as service:
        print(service.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def post_until_it_breaks(http: aiohttp.ClientSession, url: str, sender: int) -> list[str]:
    """The ids that the service has accepted."""
    accepted: list[str] = []
    for number in range(100):
        ids = [f"{sender}-{number}-a", f"{sender}-{number}-b"]
        body = dump([event(1, id=each) for each in ids])
        try:
            async with http.post(f"{url}/v1/events", data=body, headers={"Content-Type": BATCH}) as answer:
                assert answer.status == 202
                accepted += ids
        except aiohttp.ClientError:
            return accepted
    raise AssertionError("the service was not killed")


@pytest.mark.parametrize("point", ["log.before_write", "log.after_write", "log.after_fsync"])
async def test_what_was_accepted_is_there_after_a_kill(tmp_path: Path, point: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVER,
        str(tmp_path / "log"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ".", "PLUMBLINE_FAILPOINT": f"{point}:15"},
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession() as http:
        per_sender = await asyncio.gather(*(post_until_it_breaks(http, url, sender) for sender in range(5)))
    assert await process.wait() == -signal.SIGKILL
    accepted = [each for ids in per_sender for each in ids]
    assert len(accepted) >= 14 * 2
    with EventLog(tmp_path / "log") as log:
        kept = [json.loads(line)["id"] for _, line in log.reader().read(0)]
    assert set(accepted) <= set(kept)
    assert len(kept) == len(set(kept))
