"""Reads the query of a request. What is not understood is refused by name, with what is allowed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from aiohttp import web

from streams.gateway.problem import RequestRefused

MAX_TEXT = 512


class Parameters:
    """The query parameters of one request; ``known`` are those that the handler takes."""

    def __init__(self, request: web.Request, known: Collection[str]) -> None:
        self._query = request.query
        for name in self._query:
            # A misspelt filter that is passed over would show too much and say nothing.
            if name not in known:
                allowed = (
                    f"take one of {_listed(sorted(known))}" if known else "this page takes none: leave it out"
                )
                raise _refused("there is a parameter that is not known", allowed)
            if len(self._query.getall(name)) > 1:
                raise _refused(f"the parameter {name} is given twice", "give it once")

    def text(self, name: str) -> str | None:
        """As given; None where it is missing or empty."""
        value = self._query.get(name) or None
        if value is not None and len(value) > MAX_TEXT:
            raise _refused(f"the parameter {name} is too long", f"at most {MAX_TEXT} characters")
        return value

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str | None:
        value = self.text(name)
        if value is None:
            return default
        if value not in allowed:
            raise _refused(f"the parameter {name} is none of its values", f"use one of {_listed(allowed)}")
        return value

    def whole(self, name: str, default: int, highest: int) -> int:
        """A whole number from 1 to ``highest``."""
        value = self.text(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= highest):
            raise _refused(
                f"the parameter {name} is not a number in its range",
                f"use a whole number from 1 to {highest}",
            )
        return int(value)

    def time(self, name: str) -> float | None:
        """Unix seconds of an RFC 3339 time with an offset."""
        value = self.text(name)
        if value is None:
            return None
        try:
            # In a query an unescaped + is a space.
            read = datetime.fromisoformat(value.replace(" ", "+"))
            if read.tzinfo is not None:
                return read.timestamp()
        except (ValueError, OverflowError):
            pass
        raise _refused(
            f"the parameter {name} is not a time", "write it with an offset, like 2026-11-01T09:30:00Z"
        )


def refused_value(name: str, remedy: str) -> RequestRefused:
    """For a value that only the store can judge (a variant, a cursor)."""
    return _refused(f"the parameter {name} is not one that is known here", remedy)


def _refused(what: str, remedy: str) -> RequestRefused:
    return RequestRefused(400, "bad_parameter", what, remedy=remedy)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"
