"""Named points at which a fault test kills the process, as a power cut would: no cleanup, no buffers flushed.

Armed by the environment alone: ``PLUMBLINE_FAILPOINT=log.after_write:3`` kills with SIGKILL when that point is reached
for the third time. It is read once, at import; without it a point costs one call that returns.
"""

from __future__ import annotations

import os
import re
import signal

from schemas.errors import PlumblineError

VARIABLE = "PLUMBLINE_FAILPOINT"
_WRITTEN = re.compile(r"(?P<name>[a-z_]+(?:\.[a-z_]+)*):(?P<count>[1-9]\d{0,8})")


class _Armed:
    """The one point that is armed, and how often it may still be reached."""

    def __init__(self, written: str) -> None:
        match = _WRITTEN.fullmatch(written)
        if match is None:
            raise PlumblineError(
                f"{VARIABLE} does not name a failpoint",
                remedy="write it like log.after_write:3, or unset it: it is for fault tests only",
            )
        self.name = match["name"]
        self.left = int(match["count"])


_armed = _Armed(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def reach(name: str) -> None:
    """Kills the process with SIGKILL when ``name`` is armed and its count is reached; else does nothing."""
    if _armed is None or name != _armed.name:
        return
    _armed.left -= 1
    if _armed.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
