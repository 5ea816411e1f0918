"""Secrets that the settings name by an environment variable, ``env:NAME``: looked up, and put where the name stood.

Rules:
1. A variable that is missing or empty is told of, with its place; a stand-in takes the secret's place, so that the rest of the
   settings can be checked.
2. Nothing here says a value of the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.file_positions import Path as Place

PASSWORDS = (("kafka", "password"), ("redis", "password"))
"""Secrets outside of lists."""
SECRETS = frozenset({"kafka", "redis", "tokens", "endpoints"})
"""The parts of the settings that hold secrets."""

_NAME = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")


class NamedSecret(NamedTuple):
    """``part``: one of SECRETS. ``place``: where in the settings. ``variable``: that it is to be taken from."""

    part: str
    place: Place
    variable: str


def look_up(written: dict[str, Any]) -> list[NamedSecret]:
    """Puts the secrets into ``written``; which of them are not set."""
    unset = []
    for secret in list(_named(written)):
        value = os.environ.get(secret.variable, "")
        if not value:
            unset.append(secret)
            value = _stand_in(secret)
        _put(written, secret.place, value)
    return unset


def _named(written: dict[str, Any]) -> Iterator[NamedSecret]:
    for part, place, value in _places(written):
        match = _NAME.fullmatch(value) if isinstance(value, str) else None
        if match:
            yield NamedSecret(part, place, match[1])


def _places(written: dict[str, Any]) -> Iterator[tuple[str, Place, Any]]:
    """All places of secrets, with what is written there; what has another shape is refused elsewhere."""
    for part, name in PASSWORDS:
        if isinstance(written.get(part), dict):
            yield part, (part, name), written[part].get(name)
    for part in ("tokens", "endpoints"):
        entries = written.get(part)
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            if not isinstance(entry, dict):
                continue
            if part == "tokens":
                yield part, (part, number, "token"), entry.get("token")
            elif isinstance(entry.get("secrets"), list):
                for index, one in enumerate(entry["secrets"]):
                    yield part, (part, number, "secrets", index), one


def _stand_in(secret: NamedSecret) -> str:
    if secret.part == "endpoints":
        return "whsec_" + "A" * 32
    return f"stands-in-for-a-secret-{secret.variable}"


def _put(written: Any, place: Place, value: str) -> None:
    for part in place[:-1]:
        written = written[part]
    written[place[-1]] = value
