"""Kinds of tickets: from the help desk's category, else from hashed words; what leaves, what is learned, what is kept."""

from __future__ import annotations

import msgspec
import pytest

from detectors.text import (
    BUCKETS,
    MAX_TOKENS,
    Guess,
    TicketClassifier,
    kind_by_category,
    kinds_by_spelling,
    ticket_phrases,
    ticket_tokens,
)
from detectors.text.ticket_kinds import KINDS, MOST_LEARNED
from schemas.errors import StateRefused

BASICS = ticket_tokens("What is this for?", "I am new and don't understand what the product does.")
ODD = ticket_tokens("Zwiebelkuchen", "Federweisser Spundekaes Handkaes")


@pytest.fixture(scope="module")
def classifier() -> TicketClassifier:
    return TicketClassifier()


@pytest.mark.parametrize(
    ("kind", "subject", "body"),
    [
        ("basic_comprehension", "What does it do?", "I don't understand what this product is for."),
        ("bug", "Error", "The page does not load since the update, it shows an error."),
        ("billing", "Invoice", "Please send the invoice with our VAT number."),
        ("integration", "Salesforce", "How do we connect the API to our Salesforce by OAuth?"),
    ],
)
def test_the_seeds_tell_kinds_apart(classifier: TicketClassifier, kind: str, subject: str, body: str) -> None:
    assert classifier.classify(classifier.new_state(), ticket_tokens(subject, body)).kind == kind


def test_it_abstains_where_it_knows_nothing(classifier: TicketClassifier) -> None:
    state = classifier.new_state()

    assert classifier.classify(state, ODD).kind is None
    assert classifier.classify(state, ()) == Guess(None, 1 / len(KINDS))


def test_it_learns_from_what_arrives_labelled(classifier: TicketClassifier) -> None:
    state = classifier.new_state()
    before = classifier.classify(state, ODD)
    for _ in range(5):
        classifier.learn(state, ODD, "request")

    assert before.kind is None
    assert classifier.classify(state, ODD).kind == "request"


def test_what_is_common_is_not_likelier_beforehand(classifier: TicketClassifier) -> None:
    state = classifier.new_state()
    for _ in range(50):
        classifier.learn(state, BASICS, "basic_comprehension")

    assert classifier.classify(state, ODD).kind is None


def test_a_state_read_back_answers_the_same(classifier: TicketClassifier) -> None:
    state = classifier.new_state()
    classifier.classify(state, ODD)  # the live model is there, and then follows
    for number in range(40):
        tokens = ticket_tokens(f"{'abcdefghijklmnop'[number % 16]}x word", "another")
        classifier.learn(state, tokens, KINDS[number % len(KINDS)])
    raw = classifier.encode_state(state)
    back = classifier.decode_state(raw)

    assert classifier.encode_state(back) == raw
    for tokens in (ODD, BASICS, ticket_tokens("ax word")):
        assert classifier.classify(back, tokens) == classifier.classify(state, tokens)


def test_what_is_learned_is_bounded_and_the_rarest_goes(classifier: TicketClassifier) -> None:
    state = classifier.new_state()
    classifier.learn(state, ODD, "bug")
    for number in range(2000):
        first = number * 7 % (BUCKETS - 10)
        classifier.learn(state, range(first, first + 10), "bug")
        assert sum(state.learned["bug"].values()) <= 4 * MOST_LEARNED

    assert len(classifier.encode_state(state)) < 20_000
    assert classifier.decode_state(classifier.encode_state(state)).learned == state.learned


@pytest.mark.parametrize("tokens", [range(MAX_TOKENS + 1), [-1], [BUCKETS], [5, 5]], ids=str)
def test_tokens_that_can_not_be_are_refused(classifier: TicketClassifier, tokens: list[int]) -> None:
    state = classifier.new_state()

    with pytest.raises(ValueError, match="token"):
        classifier.learn(state, tokens, "bug")
    with pytest.raises(ValueError, match="token"):
        classifier.classify(state, tokens)
    assert classifier.encode_state(state) == classifier.encode_state(classifier.new_state())


def test_an_unknown_kind_is_refused(classifier: TicketClassifier) -> None:
    with pytest.raises(ValueError, match="kind is one of"):
        classifier.learn(classifier.new_state(), BASICS, "praise")  # type: ignore[arg-type]


def _with(kinds: object, version: int = 1) -> bytes:
    return msgspec.msgpack.encode((version, [kinds]))


EMPTY = dict.fromkeys(KINDS, (b"", b""))
DAMAGED = {
    "nothing": b"",
    "another version": _with(EMPTY, 2),
    "a kind less": _with(dict.fromkeys(KINDS[1:], (b"", b""))),
    "half a number": _with(EMPTY | {"bug": (b"\x01", b"\x01")}),
    "a count less": _with(EMPTY | {"bug": (b"\x01\x00", b"")}),
    "a word beyond the buckets": _with(EMPTY | {"bug": (b"\x00\x10", b"\x01\x00")}),
    "words out of order": _with(EMPTY | {"bug": (b"\x02\x00\x01\x00", b"\x01\x00\x01\x00")}),
    "a count of nothing": _with(EMPTY | {"bug": (b"\x01\x00", b"\x00\x00")}),
    "too much learned": _with(EMPTY | {"bug": (b"\x01\x00", b"\xff\xff")}),
}


@pytest.mark.parametrize("raw", DAMAGED.values(), ids=DAMAGED)
def test_a_state_that_can_not_be_is_refused(classifier: TicketClassifier, raw: bytes) -> None:
    with pytest.raises(StateRefused, match="ticket classifier"):
        classifier.decode_state(raw)


def test_what_names_somebody_is_left_out_before_hashing() -> None:
    plain = ticket_tokens("Invoice for")
    named = ticket_tokens(
        "Invoice for A12345 ann@acme.example https://acme.example/ann www.acme.example +49-151-1"
    )

    assert named == plain


def test_tokens_are_words_once_each_in_any_order_case_and_script() -> None:
    assert ticket_tokens("Wo finde ich", "das") == ticket_tokens("das ICH", "finde wo wo")
    assert ticket_tokens("Где") != ticket_tokens("Кто")
    assert (
        len(ticket_tokens("", " ".join(chr(97 + i % 26) * (1 + i // 26) for i in range(200)))) == MAX_TOKENS
    )


def test_the_evidence_is_made_of_known_words() -> None:
    assert ticket_phrases(
        "Where do I start?", "ann@acme.example asks: what is a Frobnicator? Explain the PURPOSE"
    ) == (
        "where do i start",
        "what is",
        "explain",
    )
    assert ticket_phrases("Invoice 1234") == ()


def test_categories_are_compared_without_case_and_spaces() -> None:
    kinds = kinds_by_spelling({"bug": ["Defect"], "billing": ["Invoices", " Money", "defect"]})

    assert kind_by_category(" defect ", kinds) == "bug"
    assert kind_by_category("MONEY", kinds) == "billing"
    assert kind_by_category("defects", kinds) is None
    assert kind_by_category(None, kinds) is None
