"""How deep JSON is nested, found without parsing it: what is too deep is refused before anything reads it."""

from __future__ import annotations

import re

# A string without an end takes the rest: else every quote in it would be tried as a start, in quadratic time.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)
_BRACKETS = re.compile(rb"[\[{]|[\]}]")


def deeper_than(raw: bytes, levels: int) -> bool:
    """Whether objects and lists in ``raw`` are nested more than ``levels`` deep; brackets in texts do not count."""
    level = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", raw)):
        if bracket in (b"{", b"["):
            level += 1
            if level > levels:
                return True
        else:
            level -= 1
    return False
