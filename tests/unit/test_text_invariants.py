"""What must hold for any text: no crash, places inside it, bounded evidence without addresses, work in proportion."""

from __future__ import annotations

from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from detectors.text import BUCKETS, MAX_TOKENS, hedges_in, hedging, ticket_phrases, ticket_tokens
from detectors.text.folding import folded
from detectors.text.hedge_lexicon import CLASSES
from detectors.text.hedging import MAX_HEDGES, MAX_PHRASE
from detectors.text.ticket_words import MAX_EVIDENCE
from detectors.text.word_classes import _TOKENS, MAX_CHARS

LEXICON = [word for words in CLASSES.values() for word in words.split(", ")]
ANY = st.text(st.characters(), max_size=300)  # surrogates too
NOTE = st.lists(
    st.one_of(
        st.sampled_from(LEXICON),
        st.sampled_from(
            ["ann@acme.example", "they said", '"', ", ", ". ", "\n> ", "; ", "…", "Müller", "12 345", "'"]
        ),
        st.text(st.characters(), max_size=8),
    ),
    max_size=40,
).map(" ".join)
KNOWN = {part for word in LEXICON for part in folded(word).replace("'", " ").replace("-", " ").split()}


@given(st.one_of(ANY, NOTE))
def test_any_note_is_read_and_its_hedges_lie_in_it(note: str) -> None:
    hedges = hedges_in(note)

    assert len(hedges) <= MAX_HEDGES
    end = 0
    for hedge in hedges:
        assert end <= hedge.start < hedge.end <= len(note)
        end = hedge.end
        assert 0 < len(hedge.phrase) <= MAX_PHRASE
        assert "@" not in hedge.phrase


@given(NOTE)
def test_a_phrase_has_words_of_the_lexicon_alone(note: str) -> None:
    for hedge in hedges_in(note):
        words = hedge.phrase.replace("…", " ").replace("'", " ").split()
        whole = words[:-1] if len(hedge.phrase) == MAX_PHRASE else words  # the last one may be cut
        assert set(whole) <= KNOWN


@given(
    NOTE,
    st.dictionaries(
        st.sampled_from(["fit", "timing", "price", "not_hedging"]),
        st.lists(st.sampled_from(LEXICON), max_size=3),
    ),
)
def test_any_phrases_of_the_firms_can_be_used(note: str, own: dict[str, list[str]]) -> None:
    assert {hedge.about for hedge in hedges_in(note, own)} <= {"fit", "timing", "price"}


@given(ANY)
def test_folding_keeps_places(text: str) -> None:
    plain = folded(text)

    assert len(plain) == len(text)
    assert plain.isascii()
    assert plain == plain.lower()


@given(st.one_of(ANY, NOTE), st.one_of(st.none(), ANY))
def test_any_ticket_has_bounded_tokens_and_evidence(subject: str, body: str | None) -> None:
    tokens, phrases = ticket_tokens(subject, body), ticket_phrases(subject, body)

    assert len(tokens) <= MAX_TOKENS
    assert list(tokens) == sorted(set(tokens))
    assert all(0 <= token < BUCKETS for token in tokens)
    assert len(phrases) <= MAX_EVIDENCE
    assert all(len(phrase) <= 40 and "@" not in phrase for phrase in phrases)


class Counted:
    """An RE2 expression that counts the signs it is given."""

    given = 0

    def __init__(self, pattern: str) -> None:
        self._compiled = re2.compile(pattern)

    def search(self, signs: str) -> Any:
        Counted.given += len(signs)
        return self._compiled.search(signs)

    def finditer(self, signs: str) -> Any:
        Counted.given += len(signs)
        return self._compiled.finditer(signs)


ADVERSARIAL = {
    "negations": "not ",
    "negated hedges": "not outside our icp ",
    "topics": "not sure ",
    "quotes": '"they said off profile" ',
    "quotation marks": '"',
    "dots": ".",
    "dashes": "-",
    "lines": "\n ",
    "apostrophes": "a'",
    "sayings": "they said they said not our typical ",
    "gaps": "not our typical x ",
    "surrogates": "\ud800",
    "marks": "é́",
}


@pytest.mark.parametrize("piece", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_work_is_in_proportion_to_the_text(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedging, "compile_signs", Counted)
    monkeypatch.setattr(hedging, "MAX_HEDGES", 10**9)
    matcher = hedging._Matcher({})
    steps = []
    for chars in (8_000, 16_000, 32_000):
        Counted.given = 0
        matcher.read((piece * chars)[:chars] + ". Off profile.")
        steps.append(Counted.given)

    assert steps[0] > 0
    assert steps[2] - steps[1] <= 2.1 * (steps[1] - steps[0]) + 2_000


def test_the_words_are_found_without_going_back() -> None:
    re2.compile(_TOKENS.pattern)  # no look-around, no back-reference; what RE2 finds is what is found

    for piece in ADVERSARIAL.values():
        text = folded(piece * 500 + "a")
        assert [m[0] for m in re2.finditer(_TOKENS.pattern, text)] == _TOKENS.findall(text)


def test_a_text_beyond_the_limit_is_read_up_to_it() -> None:
    assert hedges_in("x" * MAX_CHARS + " not our typical buyer") == ()
