"""Finds the programs that tests start.

Two ways, and no third: on a developer's machine a missing program skips the test, with the reason; with CI=true it
fails it, since a check that silently doesn't run is worse than none. `make test` installs them where it can.
"""

from __future__ import annotations

import os
import shutil

import pytest


def program(*names: str, package: str) -> str:
    """The path of the first of ``names`` that is installed. ``package``: what Debian calls it."""
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    reason = f"{names[0]} is not installed; install it by: make services (Debian package {package})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
