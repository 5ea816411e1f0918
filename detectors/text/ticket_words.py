"""A ticket's text as what may leave the account stage: hashed words for the classifier, a few known words as evidence.

Rules:
1. Words of letters count, each once, in any script. What holds a digit, an @ or an address is left out before hashing:
   no order number, no e-mail address, no link.
2. A word becomes one of BUCKETS numbers (CRC-32), sorted: the order of the words is gone, and each number stands for many
   words of any language. It is no secret, though: who holds the numbers can test whether a word *may* have been there.
3. The subject and then the beginning of the body are read, up to MAX_TOKENS words.

The hashing trick: K. Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import cast
from unicodedata import normalize
from zlib import crc32

from detectors.text.word_classes import WordClasses
from schemas.icp_checks import TicketKind

BUCKETS = 4096
MAX_TOKENS = 48
MAX_EVIDENCE = 3

_READ_CHARS = 4000
_MAX_WORD = 30
_WORDS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_ASCII_WORDS = re.compile(r"[a-z]+(?:'[a-z]+)?")
"""The same of small ASCII letters, in half the time."""
_DIGIT = re.compile(r"\d")

_ASKING = (
    "what is, what's, what are, what does, what do, what am i, what can, what happens, mean, means, meaning, stand for,"
    " what for, good for, purpose, point of, supposed to, where do i start, where should i begin, where to begin, begin,"
    " first steps, getting started, get started, new here, first time, newbie, beginner, basics, basic question, introduction,"
    " overview, difference between, which is which, explain, in simple words, plain language, simple terms, understand,"
    " don't understand, do not understand, don't get it, no idea, no clue, confused, confusing, lost, not sure what, who is it"
    " for, who should use, why would we, why would i, why do i, do i need, do we need, how does it work, jargon"
)


def ticket_tokens(subject: str, body: str | None = None) -> tuple[int, ...]:
    """The words as numbers from 0 to BUCKETS - 1: rising, each once, at most MAX_TOKENS."""
    found = dict.fromkeys(map(_number, _words(subject, body)))
    return tuple(sorted(islice(found, MAX_TOKENS)))


def ticket_phrases(subject: str, body: str | None = None) -> tuple[str, ...]:
    """Up to MAX_EVIDENCE phrases of one who asks for the basics ("what is", "where do i start"), of known words only."""
    vocabulary = _asking()
    text = vocabulary.read(subject + "\n" + (body or "")[:_READ_CHARS])
    known = (word for word, sign in zip(text.words, text.signs, strict=True) if vocabulary.known(sign))
    return tuple(dict.fromkeys(known))[:MAX_EVIDENCE]


def kinds_by_spelling(tickets: Mapping[TicketKind, Iterable[str]]) -> dict[str, TicketKind]:
    """The ICP file's ``tickets`` table as ``kind_by_category`` looks it up. Of two kinds with the same spelling the first counts."""
    found: dict[str, TicketKind] = {}
    for kind, spellings in tickets.items():
        for spelling in spellings:
            found.setdefault(_plain(spelling), kind)
    return found


def kind_by_category(category: str | None, kinds: Mapping[str, TicketKind]) -> TicketKind | None:
    """The kind that the ICP file gives to the help desk's ``category``, without regard to case and spaces around it."""
    return None if category is None else kinds.get(_plain(category))


def _plain(spelling: str) -> str:
    return spelling.strip().casefold()


@lru_cache(4096)
def _number(word: str) -> int:
    """Remembered: most words of most tickets are a few hundred."""
    return crc32(word.encode("utf-8", "replace")) % BUCKETS


def _words(subject: str, body: str | None) -> Iterable[str]:
    text = f"{subject}\n{body or ''}"[:_READ_CHARS]
    if text.isascii():
        text, words = text.lower(), _ASCII_WORDS
    else:
        text, words = normalize("NFC", text).casefold().replace("’", "'"), _WORDS
    if _left_out(text):
        text = " ".join(chunk for chunk in text.split() if not _left_out(chunk))
    return [word for word in cast(list[str], words.findall(text)) if len(word) <= _MAX_WORD]


def _left_out(chunk: str) -> bool:
    return "@" in chunk or "://" in chunk or "www." in chunk or _DIGIT.search(chunk) is not None


@lru_cache(maxsize=1)
def _asking() -> WordClasses:
    return WordClasses({"ASKING": _ASKING.split(", ")}, {})
