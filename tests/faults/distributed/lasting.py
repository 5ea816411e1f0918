"""How long a fault lasts: the one thing here that is waited for by the clock, since it is part of the fault itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def meanwhile(seconds: float, look: Callable[[], Any] = lambda: None, *, every_s: float = 0.1) -> None:
    """The fault lasts so long; ``look`` is called again and again, and may assert what has to hold meanwhile."""
    for _ in range(round(seconds / every_s)):
        look()
        threading.Event().wait(every_s)
