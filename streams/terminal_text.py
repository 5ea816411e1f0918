"""Text from outside, made safe to print: it must not move the cursor, change the terminal or reorder what is read."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """``text`` on one line: any white space is a space, and control, format (bidirectional overrides, zero width) and
    unassigned characters are shown as U+FFFD."""
    return "".join(
        sign
        if sign.isprintable()
        else " "
        if sign.isspace() or unicodedata.category(sign) == "Zs"
        else "\N{REPLACEMENT CHARACTER}"
        for sign in text
    )
