"""docs/api.md: its curl examples run; its tables are complete."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import get_args

from detectors.scoring import Reason
from streams.web.api import DEFAULT_LIMIT, MAX_LIMIT, api_routes
from tests.services.programs import program
from tests.unit.serving_world import GOOD, NOW, World, get, served

DOC = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"```sh\n(.*?)```", DOC, flags=re.DOTALL)


async def test_the_examples_answer(tmp_path: Path) -> None:
    program("curl", package="curl")
    assert len(EXAMPLES) == 5
    world = World(tmp_path)
    world.put(
        [world.events.profile("acct-42", NOW, **GOOD), *(world.events.visit("acct-42", NOW) for _ in "ab")]
    )
    world.drift()
    async with served(world) as url:
        for command in EXAMPLES:
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                command.replace("http://127.0.0.1:8460", url).replace("curl -s", "curl -sf"),
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await process.communicate()
            assert process.returncode == 0, command
            answer = json.loads(out)
            assert all(answer[name] for name in ("accounts", "alerts", "verdicts") if name in answer), command
    world.close()


async def test_each_path_parameter_and_reason_has_its_row(tmp_path: Path) -> None:
    world = World(tmp_path)
    paths = {route.path.replace(":.+", "") for route in api_routes(world.serving, lambda: (True, ""))}
    assert paths == set(re.findall(r"^\| `(/[^`]+)` \|", DOC, flags=re.MULTILINE))
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", DOC, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert named >= set(get_args(Reason))
    async with served(world) as url:
        for path in ("accounts", "alerts", "drift"):
            refused = (await get(url, f"/v1/{path}?nonsense=1")).json
            taken = re.findall(r"[a-z]+", refused["detail"].rpartition("one of ")[2])
            assert set(taken) <= named
    world.close()
    assert f"1 to {MAX_LIMIT}, {DEFAULT_LIMIT} when left out" in DOC
