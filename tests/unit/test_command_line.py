"""The command line without the extra ``distributed``: one process needs none of it, and what is missing is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streams.cli import DISTRIBUTED

WITHOUT = (
    f"import sys; sys.modules.update(dict.fromkeys({sorted(DISTRIBUTED)})); from streams.cli import main; "
)


def run_without(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = WITHOUT + f"sys.argv = ['plumbline', *{list(arguments)}]; main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", ["gateway", "deliver", "topics", "worker"])
def test_a_command_of_the_distributed_mode_says_what_to_install(name: str) -> None:
    done = run_without(name, "--help")
    assert done.returncode == 1
    assert "is not installed" in done.stderr
    assert "plumbline[distributed]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["run", "dlq", "deliveries", "drift", "replay", "post"])
def test_commands_of_one_process_need_none_of_it(name: str) -> None:
    done = run_without(name, "--help")
    assert done.returncode == 0, done.stderr
