"""Reads ICP files from disk; what stands in them is schemas/icp.py's business."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import BadInput
from schemas.icp import ICP, load_icp
from streams.written_file import read_written


def load_icps(paths: Sequence[Path]) -> list[ICP]:
    """The versions of the ICP file, each from its ``effective_from`` on, earliest first.

    Raises FileRefused for a file that is not an ICP or can't be read, BadInput when there is none or two begin together.
    """
    if not paths:
        raise BadInput(
            "no ICP file is given", remedy="name one with --icp icp.yaml, or under icp: in the settings"
        )
    icps = [load_icp(read_written(path), str(path)) for path in paths]
    icps.sort(key=lambda icp: icp.effective_from)
    for earlier, later in itertools.pairwise(icps):
        if earlier.effective_from == later.effective_from:
            raise BadInput(
                f"the ICP versions {earlier.version} and {later.version} begin at the same time",
                remedy="give each version its own effective_from",
            )
    return icps
