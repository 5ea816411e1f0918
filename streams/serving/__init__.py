"""Reading for people: the lists, one account's reasons, alerts, verdicts and books, for the API, pages and commands."""

from streams.serving.contract import Unreadable, Wanted
from streams.serving.cursors import CursorRefused
from streams.serving.reading import Serving, UnknownVariant

__all__ = ["CursorRefused", "Serving", "UnknownVariant", "Unreadable", "Wanted"]
