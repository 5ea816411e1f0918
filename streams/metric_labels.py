"""Labels of metrics that come from outside: bounded in number, and never a person's name or text."""

from __future__ import annotations

import re

OTHER = "other"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/=+ -]{0,63}")


def bounded_label(seen: set[str], value: str, top_n: int) -> str:
    """``value`` if it is among the first ``top_n`` that came by and reads like a name, else ``other``.

    ``seen`` remembers those that were let in (it is changed). An e-mail address never reads like a name.
    """
    if value in seen:
        return value
    if value == OTHER or len(seen) >= top_n or not _NAME.fullmatch(value):
        return OTHER
    seen.add(value)
    return value
