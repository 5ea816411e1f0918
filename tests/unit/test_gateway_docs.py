"""docs/gateway.md: its curl examples run and answer what it says; its tables are complete."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from streams.gateway.batch import MAX_EVENTS
from streams.gateway.events import BODY_TIMEOUT_S
from tests.services.programs import program
from tests.unit.gateway_service import serve
from tests.unit.test_malformed_events import REASONS

DOC = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
EXAMPLES = re.findall(r"```sh\n(.*?)```\s+```json\n(.*?)```", DOC, flags=re.DOTALL)


async def test_each_example_answers_what_stands_below_it(tmp_path: Path) -> None:
    program("curl", package="curl")
    assert len(EXAMPLES) == DOC.count("```sh") == 4
    async with serve(tmp_path / "log") as service:
        for command, expected in EXAMPLES:
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                command.replace("http://127.0.0.1:8460", service.url),
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await process.communicate()
            assert json.loads(out) == json.loads(expected)
        assert len(service.kept()) == 4


def test_every_reason_and_limit_stands_in_the_tables() -> None:
    for reason in {*REASONS, "source_not_allowed"}:
        assert f"| `{reason}` |" in DOC
    for status in (202, 207, 400, 401, 403, 408, 413, 415, 429, 503):
        assert f"\n| {status} |" in DOC
    assert f"{MAX_EVENTS:,} events" in DOC
    assert f"{BODY_TIMEOUT_S:.0f} seconds" in DOC
