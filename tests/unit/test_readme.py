"""README.md: its commands run, its pictures bring nothing from elsewhere; docs/index.md and the list of decisions are whole."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.test_docs_links import links

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]
SMALL = {"8000": "300", "400": "120"}
"""The simulated company of the README, small enough for a test."""


def test_setting_up_takes_two_commands() -> None:
    assert [command for command in COMMANDS if command[0] != "plumbline"] == [
        ["make", "run"],
        ["make", "test"],
    ]


def test_the_first_screen_shows_an_alert_and_how_to_begin() -> None:
    first_screen = "\n".join(TEXT.splitlines()[:32])
    assert "](docs/pictures/trigger-alert.svg)" in first_screen
    assert "make run" in first_screen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reader's folder: exports and a mapping, an ICP file, the examples."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for path in (tmp_path / "examples" / "import" / "hubspot").iterdir():
        shutil.copy(path, tmp_path)
    shutil.copy(tmp_path / "examples" / "acme" / "icp.yaml", tmp_path)
    return tmp_path


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PLUMBLINE_LISTEN": "127.0.0.1:0", "COLUMNS": "100"}


def begin(command: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "streams", *(SMALL.get(word, word) for word in command[1:])],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )


def run(command: list[str], folder: Path) -> str:
    with begin(command, folder) as process:
        out, _ = process.communicate()
    assert process.returncode == 0, (command, out)
    return out


def test_the_commands_do_what_they_say(folder: Path) -> None:
    said: dict[str, str] = {}
    with ExitStack() as running:
        for command in COMMANDS:
            name = command[1]
            if command[0] == "make":
                continue
            if name == "run":
                service = running.enter_context(begin(command, folder))
                running.callback(service.terminate)
                assert service.stdout is not None
                url = service.stdout.readline().split()[3]
            else:
                said[name] = run([*command, "--url", url] if name == "post" else command, folder)
    assert service.returncode == 0
    assert "in all             13" in said["import"]
    assert ": ok" in said["check"]
    assert "13 events accepted" in said["post"]
    assert "plg.conversion_gap" in said["replay"]
    kept = run(["plumbline", "run", "--icp", "icp.yaml", "--drain"], folder)
    assert kept.startswith("received 13 = applied 13 ")


def test_pictures_bring_nothing_from_elsewhere() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    assert {f"docs/pictures/{picture.name}" for picture in pictures} <= set(links(README))
    for picture in pictures:
        if picture.suffix == ".svg":
            addresses = set(re.findall(r"https?://[^\"'\s)<]+", picture.read_text(encoding="utf-8")))
            assert addresses <= {"http://www.w3.org/2000/svg"}, picture.name


@pytest.mark.parametrize("list_of", ["docs/index.md", "docs/decisions/README.md"])
def test_every_page_is_listed(list_of: str) -> None:
    page = ROOT / list_of
    listed = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
    assert {path for path in page.parent.glob("*.md") if path != page} <= listed
