"""The runs that were made, kept in a file: JSON lines, one a run, added as soon as it ends.

Rules:
1. A run is named by its scenario, its seed and ``company``, a digest of the scenario's parameters and its size. One that is
   there is not made again, whatever the commit: the page says from which commits its runs are. Of two with one name the
   later holds.
2. Several processes may add to one file. A line that was cut short is passed over.
3. What the signals were told is most of a run, so it is compressed.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import zlib
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.scenarios.rounds import Run, Told
from bench.scenarios.sizes import company_of, size_of
from streams.simulation.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
MEASURED = ("bench/scenarios", "detectors", "schemas", "streams", "examples")
"""what a result depends on"""
UNKNOWN = "unknown"

Name = tuple[str, int]
"""scenario, seed"""


class Kept(Struct):
    """``run`` without what was told; that is in ``told``: JSON, by zlib."""

    commit: str
    company: str
    run: Run
    told: bytes


def digest_of(scenario: str) -> str:
    """Of all that a run of this scenario is given beside its seed and the code."""
    found = SCENARIOS[scenario]
    return blake2b(msgspec.json.encode((company_of(found), size_of(found))), digest_size=6).hexdigest()


def commit_of(root: Path = ROOT) -> str:
    """The commit of the tree, with a + where what is measured is not as it was committed; ``unknown`` without git."""
    try:
        head = _git(root, "rev-parse", "--short", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--", *MEASURED) else "")
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN


def add(path: Path, commit: str, run: Run) -> None:
    """Raises OSError where the file can't be written."""
    kept = Kept(
        commit=commit,
        company=digest_of(run.scenario),
        run=msgspec.structs.replace(run, told=[]),
        told=zlib.compress(msgspec.json.encode(run.told), 9),
    )
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(msgspec.json.encode(kept) + b"\n")


def kept_in(path: Path) -> dict[Name, tuple[str, Run]]:
    """(commit, run) of each run that still is of its scenario's parameters; none where there is no file.

    Raises OSError where the file can't be read.
    """
    found: dict[Name, tuple[str, Run]] = {}
    if not path.exists():
        return found
    digests = {name: digest_of(name) for name in SCENARIOS}
    decoder = msgspec.json.Decoder(Kept)
    with path.open("rb") as lines:
        for line in lines:
            try:
                kept = decoder.decode(line)
                told = msgspec.json.decode(zlib.decompress(kept.told), type=list[Told])
            except (msgspec.MsgspecError, zlib.error):
                continue
            run = kept.run
            if digests.get(run.scenario) == kept.company:
                found[run.scenario, run.seed] = (kept.commit, msgspec.structs.replace(run, told=told))
    return found


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()
