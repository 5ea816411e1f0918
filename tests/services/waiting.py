"""Waiting for what nobody announces: the only place of the tests that looks again and again, and always with a deadline.

What somebody does announce (an answer, the end of a process, an asyncio event) is awaited as such.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

LIMIT_S = 300.0
"""Long enough for a busy machine: it is only ever reached where something is wrong."""
_FIRST_S, _LONGER, _LAST_S = 0.002, 1.5, 0.2
"""Between two looks: at first, by which factor longer each time, and at most."""


def wait_until(condition: Callable[[], T], limit_s: float = LIMIT_S, *, told: Callable[[], str] = str) -> T:
    """The first true value of ``condition``; AssertionError, with what is ``told`` then, where there is none in time."""
    deadline, pause = time.monotonic() + limit_s, _FIRST_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {limit_s:g} s\n{told()}"
        time.sleep(pause)
        pause = min(pause * _LONGER, _LAST_S)
    return value


async def until(condition: Callable[[], Any | Awaitable[Any]], limit_s: float = LIMIT_S) -> Any:
    """The same while other tasks go on; ``condition`` may be a coroutine function. Raises TimeoutError."""
    pause = _FIRST_S
    async with asyncio.timeout(limit_s):
        while not (value := await _value(condition)):
            await asyncio.sleep(pause)
            pause = min(pause * _LONGER, _LAST_S)
    return value


async def _value(condition: Callable[[], Any | Awaitable[Any]]) -> Any:
    value = condition()
    return await value if inspect.isawaitable(value) else value
