"""A text made plain, so that patterns need no variants: small ASCII letters, straight quotes, simple spaces.

Rules:
1. One character in, one character out: a place in the folded text is the same place in the text.
2. A letter with a mark becomes its base letter (ü: u), any other letter or digit an underscore, any other sign a space.
   Lone surrogates are signs. Lines stay lines.
3. Costs the same for each character, whatever the text is.
"""

from __future__ import annotations

from unicodedata import normalize

_SIGNS = {
    "‘": "'",
    "’": "'",
    "ʼ": "'",
    "`": "'",
    "´": "'",
    "“": '"',
    "”": '"',
    "„": '"',
    "«": '"',
    "»": '"',
    "–": "-",
    "—": "-",
    "‐": "-",
    "‑": "-",
    "…": ".",
    "\u2028": "\n",
    "\u2029": "\n",
    "ß": "s",
    "æ": "a",
    "œ": "o",
    "ø": "o",
    "Ø": "o",
    "ł": "l",
    "Ł": "l",
    "đ": "d",
    "ı": "i",
    "\x85": "\n",
    "\r": "\n",
}


def _fold(sign: str) -> str:
    known = _SIGNS.get(sign)
    if known is not None:
        return known
    base = normalize("NFKD", sign)[0]
    if base.isascii() and base.isalnum():
        return base.lower()
    return "_" if sign.isalnum() else " "


class _Table(dict[int, str]):
    """ASCII is listed; the rest is computed when it is met, and not kept: Unicode is large."""

    def __missing__(self, code: int) -> str:
        return _fold(chr(code))


_TABLE = _Table(
    {code: chr(code).lower() if code == 10 or 32 <= code < 127 else " " for code in range(128)}
    | {ord(sign): plain for sign, plain in _SIGNS.items() if sign.isascii()}
)


def folded(text: str) -> str:
    """``text``, character by character in plain ASCII."""
    return text.translate(_TABLE)
