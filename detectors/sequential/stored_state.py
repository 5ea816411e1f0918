"""How a detector's state is stored: a version, then the struct, as MessagePack; nothing else can be read back.

What is cut, foreign, of another version or of another shape than the detector's parameters is refused with StateRefused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from schemas.errors import StateRefused

State = TypeVar("State")


def encode(version: int, state: object) -> bytes:
    return msgspec.msgpack.encode((version, state))


def decode(
    raw: bytes, version: int, kind: type[State], *, what: str, fits: Callable[[State], bool] = lambda _: True
) -> State:
    """The state in ``raw``; ``what`` names it in words, ``fits`` says whether it belongs to the detector's parameters.

    Raises StateRefused.
    """
    found: int | None = None
    try:
        found, body = msgspec.msgpack.decode(raw, type=tuple[int, msgspec.Raw])
        if found == version:
            state = msgspec.msgpack.decode(body, type=kind)
            if fits(state):
                return state
    except msgspec.MsgspecError:
        found = None
    raise StateRefused(
        f"{what} has version {found}; this program reads version {version}"
        if found not in (None, version)
        else f"{what} is damaged or belongs to other parameters",
        remedy="run the version that wrote it, or take the baseline anew",
    )
