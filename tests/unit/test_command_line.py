"""The command line as a whole: without the extra ``distributed`` one process needs none of it, and what is missing is said;
what is wrong with a file is said, not traced back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.cli import DISTRIBUTED

WITHOUT = (
    f"import sys; sys.modules.update(dict.fromkeys({sorted(DISTRIBUTED)})); from streams.cli import main; "
)


ICP = Path(__file__).parents[2] / "examples/acme/icp.yaml"


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


@pytest.mark.parametrize(
    ("code", "remedy", "arguments"),
    [
        (1, "check", ["run", "--icp", str(ICP), "--data-dir", "{file}/data"]),
        (1, "check", ["run", "--icp", str(ICP), "--data-dir", "{file}"]),
        (1, "check", ["demo", "--folder", "{file}/folder"]),
        (2, "create it", ["replay", "--icp", str(ICP), "{file}", "--output", "{file}/alerts.jsonl"]),
    ],
)
def test_a_folder_that_can_t_be_made_is_said(
    code: int, remedy: str, arguments: list[str], tmp_path: Path
) -> None:
    in_the_way = tmp_path / "a-file"
    in_the_way.touch()
    done = run_without(*(each.format(file=in_the_way) for each in arguments))
    assert done.returncode == code
    assert done.stderr.startswith("plumbline: ")
    assert "a-file" in done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["run", "--icp", str(ICP), "--drain"], ["dlq", "list"]])
def test_a_data_file_that_is_none_is_said(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "plumbline.db").write_bytes(b"a letter to the editor\n" * 100)
    done = run_without(*command, "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "file is not a database" in done.stderr
    assert "check that the file is whole" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["drift", "list"], ["deliveries", "list"], ["dlq", "list"]])
def test_a_folder_without_data_is_named(command: list[str], tmp_path: Path) -> None:
    done = run_without(*command, "--data-dir", str(tmp_path / "elsewhere"))
    assert done.returncode == 1
    assert "elsewhere" in done.stderr
