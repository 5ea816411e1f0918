"""Patterns over words: a text becomes one sign for each word, and a pattern is an expression over these signs.

``NOT SOFT{0,4} TYPICAL any{0,2} ACCOUNT`` is a word of the class NOT, up to four of SOFT, and so on; ``A|B`` is either
class, ``any`` any word, ``other`` one of no class, ``colon`` a colon. (The idea is that of TokensRegex: A. X. Chang, C. D. Manning, Stanford CSTR 2014-02.)

Rules:
1. Each word, or the longest phrase that begins there, has one class. Words that are in no class have one of their own.
2. A comma, a quotation mark, the end of a sentence are signs too, and ``any`` is none of them: a match stays within.
   Quotation marks around a few words are irony ("standard" fit), and no signs.
3. RE2 does the matching, and only over a bounded stretch of words; so the whole costs the same for each word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import re2
from msgspec import Struct

from detectors.text.folding import folded

MAX_CHARS = 32_768
"""What a note may hold (schemas/events.py); a longer text is read up to here."""
MAX_PHRASE_WORDS = 8

END, COMMA, TURN, QUOTE, COLON, QUOTED_LINE = ".", ",", ";", '"', ":", ">"
_IRONY = 3
"""So many words between quotation marks are irony; more are somebody's sentence."""
_FIRST_SIGN = 0x100
"""The classes' own signs begin here, beyond all punctuation."""
_OTHER = "_"

# No alternative can fail beyond its first sign (but for spaces at the very beginning), so nothing is read twice; what
# stands around a dot or a dash is looked at afterwards.
_TOKENS = re.compile(r"[a-z0-9_%&]+(?:'[a-z]+)*|'[a-z]+|[.!?]+|\A[ ]*>|\n[ ]*>?|[,;:()\"]|-+")
_PUNCTUATION = {",": COMMA, ";": TURN, "(": TURN, ")": TURN, ":": COLON, '"': QUOTE}


class Words(Struct, frozen=True, gc=False):
    """A text as words: the sign of each, the words, and where they begin and end in the text (characters)."""

    signs: str
    words: list[str]
    starts: list[int]
    ends: list[int]


class WordClasses:
    """A vocabulary: class -> words and phrases. Own phrases may stand in further classes, and come first.

    Raises ValueError for a word in two classes, and for a phrase of too many words.
    """

    def __init__(self, classes: Mapping[str, Iterable[str]], own: Mapping[str, Iterable[str]]) -> None:
        names = [*classes, *(name for name in own if name not in classes)]
        self._signs = {name: chr(_FIRST_SIGN + number) for number, name in enumerate(names)}
        any_class = f"{chr(_FIRST_SIGN)}-{chr(_FIRST_SIGN + len(names) - 1)}"
        self._frame_signs = {**self._signs, "any": any_class + _OTHER, "other": _OTHER, "colon": COLON}
        self._phrases: dict[str, dict[tuple[str, ...], str]] = {}
        for name, phrases in classes.items():
            for phrase in phrases:
                if not self._add(name, phrase):
                    raise ValueError(f"{phrase!r} stands in two classes")
        for name, phrases in own.items():
            for phrase in phrases:
                self._add(name, phrase, instead=True)
        self._longest = {first: max(map(len, rest)) for first, rest in self._phrases.items()}

    def _add(self, name: str, phrase: str, *, instead: bool = False) -> bool:
        words = tuple(split_words(phrase))
        if not 0 < len(words) <= MAX_PHRASE_WORDS:
            raise ValueError(f"a phrase has 1 to {MAX_PHRASE_WORDS} words")
        known = self._phrases.setdefault(words[0], {})
        if words in known and not instead:
            return known[words] == self._signs[name]
        known[words] = self._signs[name]
        return True

    def pattern(self, frame: str) -> str:
        """The expression over signs for ``frame``. Raises KeyError for an unknown class."""
        made = []
        for part in frame.split():
            names, brace, count = part.partition("{")
            signs = "".join(self._frame_signs[name] for name in names.split("|"))
            made.append(f"[{signs}]{brace}{count}")
        return "".join(made)

    def read(self, text: str) -> Words:
        """``text`` as words; a phrase is one word."""
        plain = folded(text[:MAX_CHARS])
        tokens = _without_irony(list(_tokens(plain)))
        signs: list[str] = []
        words: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        place = 0
        while place < len(tokens):
            token, start, end, sign = tokens[place]
            taken = 1
            if sign == _OTHER:
                found = self._phrase_at(tokens, place)
                if found is not None:
                    taken, sign = found
                    end = tokens[place + taken - 1][2]
                    token = " ".join(each[0] for each in tokens[place : place + taken])
            signs.append(sign)
            words.append(token)
            starts.append(start)
            ends.append(end)
            place += taken
        return Words("".join(signs), words, starts, ends)

    def _phrase_at(self, tokens: Sequence[tuple[str, int, int, str]], place: int) -> tuple[int, str] | None:
        """How many tokens the longest phrase takes, and its class."""
        known = self._phrases.get(tokens[place][0])
        if known is None:
            return None
        stretch = tokens[place : place + self._longest[tokens[place][0]]]
        for length in range(len(stretch), 0, -1):
            sign = known.get(tuple(token[0] for token in stretch[:length]))
            if sign is not None:
                return length, sign
        return None

    def known(self, sign: str) -> bool:
        """Whether it is the sign of a class."""
        return ord(sign) >= _FIRST_SIGN


def compile_signs(pattern: str) -> Any:
    """``pattern`` (see WordClasses.pattern) as an RE2 expression over Words.signs."""
    return re2.compile(pattern)


def split_words(text: str) -> list[str]:
    """The words of ``text``, folded, as a vocabulary holds them; without punctuation."""
    return [token for token, _, _, sign in _tokens(folded(text)) if sign == _OTHER]


def _without_irony(tokens: list[tuple[str, int, int, str]]) -> list[tuple[str, int, int, str]]:
    marks = [place for place, token in enumerate(tokens) if token[3] == QUOTE]
    dropped: set[int] = set()
    for opened, closed in pairwise(marks):
        if closed - opened <= _IRONY + 1 and opened not in dropped:
            dropped |= {opened, closed}
    return [token for place, token in enumerate(tokens) if place not in dropped] if dropped else tokens


_KEPT = frozenset(
    [
        "isn't",
        "aren't",
        "wasn't",
        "weren't",
        "ain't",
        "doesn't",
        "don't",
        "didn't",
        "wouldn't",
        "couldn't",
        "shouldn't",
        "can't",
        "won't",
        "hasn't",
        "haven't",
        "hadn't",
        "dq'd",
        "jury's",
        "bull's",
        "they'd",
    ]
)
"""Words that keep their apostrophe; any other is split before it: they + 're."""


def _tokens(plain: str) -> Iterable[tuple[str, int, int, str]]:
    for match in _TOKENS.finditer(plain):
        token, start, end = match[0], match.start(), match.end()
        first = token[0]
        if token.endswith(">"):
            yield token, start, end, QUOTED_LINE
        elif first == "\n" or (first in ".!?" and plain[end : end + 1].strip() == ""):
            yield token, start, end, END
        elif first == "-":
            if plain[start - 1 : start].isspace() and plain[end : end + 1].isspace():
                yield token, start, end, TURN
        elif first in _PUNCTUATION:
            yield token, start, end, _PUNCTUATION[first]
        elif first in ".!?":
            continue  # within an address or a number
        elif "'" in token and token not in _KEPT:
            cuts = [place for place, sign in enumerate(token) if sign == "'" and place]
            for begin, until in pairwise((0, *cuts, len(token))):
                yield token[begin:until], start + begin, start + until, _OTHER
        else:
            yield token, start, end, _OTHER
