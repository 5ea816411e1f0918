"""Where a list goes on: the key of the last row that was shown, as one opaque word for URLs."""

from __future__ import annotations

import base64
import binascii
import math
from typing import TypeVar

import msgspec

Key = TypeVar("Key")
MAX_CURSOR = 2_000


class CursorRefused(ValueError):
    """Not a cursor of this list."""


def write_cursor(key: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def read_cursor(text: str, key: type[Key]) -> Key:
    """The key in ``text``. Raises CursorRefused for anything that write_cursor did not make for this kind of list."""
    if len(text) > MAX_CURSOR:
        raise CursorRefused
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(raw, type=key)
    except (UnicodeEncodeError, binascii.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CursorRefused from error
    for field in msgspec.structs.astuple(found) if isinstance(found, msgspec.Struct) else ():
        if isinstance(field, float) and not math.isfinite(field):
            raise CursorRefused
    return found
