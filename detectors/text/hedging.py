"""Hedged language in a seller's note: what it hedges about, in which words, and where.

Rules:
1. Only the seller's own hedge counts: what the customer is quoted with ("they said our price is not typical"), and what
   is said of another vendor's product, is not one.
2. A negation takes it back: "nothing unusual", "not unlike our usual buyers", "no doubt about fit".
3. A hedge about timing or price alone is never one about fit. What is about nothing in particular belongs to the nearest
   noun of its clause; without one "a stretch" is about fit, and "not sure" is no hedge.
4. The evidence is the phrase, of known words only: any other word is shown as "…". So no name, address or number from
   a note gets into it.
5. Each place is looked at over a bounded number of words, and a note has a bounded number of hedges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from msgspec import Struct

from detectors.text import hedge_lexicon as lexicon
from detectors.text.hedge_lexicon import About
from detectors.text.word_classes import (
    COLON,
    COMMA,
    END,
    QUOTE,
    QUOTED_LINE,
    TURN,
    WordClasses,
    Words,
    compile_signs,
)

MAX_HEDGES = 8
"""of one note"""
MAX_PHRASE = 80
"""characters of one phrase"""
NOT_HEDGING = "not_hedging"
"""The ICP file's class of phrases that are to be passed over."""

_SENTENCE = 60
"""Words before and after a place that are looked at, at most."""


class Hedge(Struct, frozen=True):
    """One hedge: what it is about, its phrase for people, and its place (characters of the note)."""

    about: About
    phrase: str
    start: int
    end: int


def hedges_in(note: str, own: Mapping[str, Iterable[str]] | None = None) -> tuple[Hedge, ...]:
    """The hedges of ``note`` in the order of their places. ``own`` is the ICP file's ``hedging``."""
    key = tuple(sorted((about, tuple(phrases)) for about, phrases in own.items())) if own else ()
    return _matcher(key).read(note)


def phrases_of(hedges: Iterable[Hedge], about: About) -> tuple[str, ...]:
    """The phrases about ``about``, each once."""
    return tuple(dict.fromkeys(hedge.phrase for hedge in hedges if hedge.about == about))


@lru_cache(maxsize=32)  # of a pure function: as many as versions of the ICP file are likely in use
def _matcher(own: tuple[tuple[str, tuple[str, ...]], ...]) -> _Matcher:
    return _Matcher(dict(own))


class _Matcher:
    def __init__(self, own: Mapping[str, Sequence[str]]) -> None:
        listed = {name: words.split(", ") for name, words in lexicon.CLASSES.items()}
        # A class of the lexicon stands in capitals, so the ICP file's own can't be mistaken for one.
        classes = self._classes = WordClasses(listed, own)
        frames = [(name, "open", name) for name in own]
        frames += [(about, form, frame) for about, form, frame in lexicon.FRAMES]
        self._kinds = [(about, form) for about, form, _ in frames]
        self._frames = _each(classes, [frame for _, _, frame in frames])
        self._topics = [
            (about, compile_signs("|".join(map(classes.pattern, topics))))
            for about, topics in lexicon.TOPICS.items()
        ]
        self._negated = compile_signs(f"(?:{classes.pattern(lexicon.NEGATED_BEFORE)})$")
        self._taken_back = _ending(classes, lexicon.TAKEN_BACK_BEFORE)
        self._told_before = compile_signs(classes.pattern(lexicon.TOLD_BEFORE))
        self._told_after = compile_signs("|".join(map(classes.pattern, lexicon.TOLD_AFTER)))
        self._label = compile_signs(f"^[^{END}{COMMA}{TURN}]{{0,3}}{classes.pattern('THEY|ACCOUNT')}{COLON}")
        self._their_doubt = _ending(classes, [lexicon.THEIR_DOUBT])
        self._rival = compile_signs(classes.pattern("RIVAL"))
        self._if = compile_signs(classes.pattern("IF") + "[^" + COMMA + "]{0,6}$")
        self._but = classes.pattern("BUT")
        self._ours = compile_signs(classes.pattern("OUR|WE SOFT{0,1} THEY") + "$")

    def read(self, note: str) -> tuple[Hedge, ...]:
        text = self._classes.read(note)
        found: list[Hedge] = []
        for match in self._frames.finditer(text.signs):
            about, form = self._kinds[match.lastindex - 1]
            hedge = self._judged(text, match.start(), match.end(), about, form)
            if hedge is not None:
                found.append(hedge)
                if len(found) == MAX_HEDGES:
                    break
        return tuple(found)

    def _judged(self, text: Words, start: int, end: int, about: str, form: str) -> Hedge | None:
        if about == NOT_HEDGING:
            return None
        before, after = _sentence(text.signs, start, end)
        clause = _last_clause(before, self._but)
        if (self._negated if form == "open" else self._taken_back).search(clause):
            return None
        theirs = form == "ours" and self._their_doubt.search(clause) is not None
        if about == "topic":
            matched = text.signs[start:end]
            about = self._topic(matched, clause, _first_clause(after)) or (
                "fit" if self._is_stretch(matched) else ""
            )
            theirs = self._their_doubt.search(clause) is not None
        if not about or (
            about == "fit" and (theirs or self._not_ours(text.signs, start, before, after, clause))
        ):
            return None
        if about != "fit" and self._told(text.signs, start, before, after):
            return None
        return Hedge(
            cast(About, about), self._phrase(text, start, end), text.starts[start], text.ends[end - 1]
        )

    def _is_stretch(self, matched: str) -> bool:
        return self._classes.pattern("STRETCH")[1] in matched

    def _topic(self, matched: str, clause: str, after: str) -> str | None:
        """What the nearest noun is about: behind first, since a hedge mostly comes before its noun."""
        nearest: list[tuple[int, str]] = []
        for about, topic in self._topics:
            if match := topic.search(after):
                nearest.append((match.start(), about))
        if not nearest:
            for about, topic in self._topics:
                for match in topic.finditer(clause):
                    nearest.append((len(clause) - match.start(), about))
        return min(nearest, default=(0, None))[1]

    def _not_ours(self, signs: str, start: int, before: str, after: str, clause: str) -> bool:
        return (
            self._told(signs, start, before, after)
            or self._rival.search(clause) is not None
            or self._if.search(clause) is not None
        )

    def _told(self, signs: str, start: int, before: str, after: str) -> bool:
        """Whether somebody on the other side says it."""
        if self._label.search(before) or before.startswith(QUOTED_LINE):
            return True
        turn = max(before.rfind(TURN), *(before.rfind(sign) for sign in self._but[1:-1]))
        for match in self._told_before.finditer(before):
            if match.end() > turn and not self._ours.search(before[: match.start() + 1]):
                return True
        said = after.find(COMMA)
        if said >= 0 and (match := self._told_after.search(after[said : said + 5])) and match.start() <= 2:
            return True
        return _in_quotation(signs, start)

    def _phrase(self, text: Words, start: int, end: int) -> str:
        shown: list[str] = []
        for word, sign in zip(text.words[start:end], text.signs[start:end], strict=True):
            plain = word if self._classes.known(sign) else "…"
            if not (plain == "…" and shown and shown[-1] == "…"):
                shown.append(plain)
        phrase = " ".join(shown).replace(" '", "'")
        return phrase if len(phrase) <= MAX_PHRASE else phrase[: MAX_PHRASE - 1] + "…"


def _each(classes: WordClasses, frames: Sequence[str]) -> Any:
    """One expression with a group for each frame."""
    return compile_signs("|".join(f"({classes.pattern(frame)})" for frame in frames))


def _ending(classes: WordClasses, frames: Sequence[str]) -> Any:
    return compile_signs("(?:" + "|".join(map(classes.pattern, frames)) + ")$")


def _sentence(signs: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after in the same sentence."""
    before = signs[max(0, start - _SENTENCE) : start]
    cut = before.rfind(END)
    quoted = before.rfind(QUOTED_LINE)
    before = before[quoted:] if quoted > cut else before[cut + 1 :]
    after = signs[end : end + _SENTENCE]
    return before, after[: _first(after, END + QUOTED_LINE)]


def _last_clause(before: str, but: str) -> str:
    breaks = COMMA + TURN + COLON + QUOTE + but[1:-1]
    return before[max(before.rfind(sign) for sign in breaks) + 1 :]


def _first_clause(after: str) -> str:
    return after[: _first(after, COMMA + TURN)]


def _first(signs: str, breaks: str) -> int:
    return min((place for sign in breaks if (place := signs.find(sign)) >= 0), default=len(signs))


def _in_quotation(signs: str, start: int) -> bool:
    """Between two quotation marks (word_classes.py leaves out those around a few words)."""
    begin = max(0, start - _SENTENCE)
    opened = signs.rfind(QUOTE, begin, start)
    if opened < 0 or signs.count(QUOTE, begin, start) % 2 == 0:
        return False
    return signs.find(QUOTE, start, start + _SENTENCE) >= 0
