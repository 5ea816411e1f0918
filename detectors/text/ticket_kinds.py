"""Which kind of question a ticket asks, by its words: naive Bayes, which learns as tickets come.

Rules:
1. It starts from the seeds that ship (seed_tickets.tsv) and adds what arrives labelled. The state is what was learned
   alone, counts of hashed words by kind: seeds that a later version of the program improves take effect at once.
2. All kinds are equally likely beforehand. A prior that follows the tickets would make a rising share rise further.
3. It abstains below CONFIDENT. Confidence is naive Bayes' own probability, tempered for texts of more than _TYPICAL_WORDS
   words: words of one text are not independent, so that long texts would always look certain (docs/text.md has both).
4. What was learned is bounded: when a kind has MOST_LEARNED words, its counts are halved, and the rarest go. So it follows
   a product that changes, and no kind outweighs the others for being common (J. D. Rennie et al., ICML 2003).
5. Counts are whole quarters, so that sums are exact: the same tickets in the same order give the same state, byte for byte.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from typing import cast, get_args

from msgspec import Struct

from detectors.sequential.stored_state import decode, encode
from detectors.text.naive_bayes import NaiveBayes
from detectors.text.ticket_words import BUCKETS, MAX_TOKENS, ticket_tokens
from schemas.icp_checks import TicketKind

STATE_VERSION = 1
KINDS: tuple[TicketKind, ...] = get_args(TicketKind)
CONFIDENT = 0.7
"""of the likeliest kind; below, the classifier abstains"""
MOST_LEARNED = 4000
"""words of one kind"""

_ALPHA = 0.3
_TYPICAL_WORDS = 12
_ONE = 4
"""A word counts four quarters: after three halvings the last of it is gone."""


class Guess(Struct, frozen=True):
    """``kind`` is None where the classifier abstains; ``confidence`` (0 to 1) is that of ``likeliest``, which is None for a
    ticket without words."""

    kind: TicketKind | None
    confidence: float
    likeliest: TicketKind | None = None


class TicketTexts:
    """What was learned: kind -> hashed word -> quarters. To be changed by TicketClassifier alone."""

    __slots__ = ("_encoded", "_model", "learned")

    def __init__(self, learned: dict[TicketKind, dict[int, int]] | None = None) -> None:
        self.learned: dict[TicketKind, dict[int, int]] = learned or {kind: {} for kind in KINDS}
        self._model: NaiveBayes | None = None
        self._encoded: bytes | None = None


class _Stored(Struct, array_like=True):
    """For each kind its hashed words, rising, and their quarters: unsigned 16 bits each, little endian."""

    kinds: dict[TicketKind, tuple[bytes, bytes]]


class TicketClassifier:
    """Stateless: what is learned lives in TicketTexts. ``seeds`` are (kind, tokens), those that ship when left out."""

    def __init__(self, seeds: Iterable[tuple[TicketKind, Sequence[int]]] | None = None) -> None:
        self._seeds = _shipped_seeds() if seeds is None else tuple(seeds)

    def new_state(self) -> TicketTexts:
        return TicketTexts()

    def learn(self, state: TicketTexts, tokens: Sequence[int], kind: TicketKind) -> None:
        """Takes in a ticket that arrived labelled. Raises ValueError, and changes nothing, for tokens or a kind that
        can't be."""
        _check(tokens)
        if kind not in KINDS:
            raise ValueError(f"a ticket's kind is one of {', '.join(KINDS)}")
        if not tokens:
            return
        counts = state.learned[kind]
        for token in tokens:
            counts[token] = counts.get(token, 0) + _ONE
        state._encoded = None
        if sum(counts.values()) > MOST_LEARNED * _ONE:
            state.learned[kind] = {token: count // 2 for token, count in counts.items() if count > 1}
            state._model = None
        elif state._model is not None:
            state._model.learn(KINDS.index(kind), dict.fromkeys(tokens, 1.0))

    def classify(self, state: TicketTexts, tokens: Sequence[int]) -> Guess:
        """Raises ValueError for tokens that ticket_tokens can't have made."""
        _check(tokens)
        if not tokens:
            return Guess(None, 1 / len(KINDS))
        if state._model is None:
            state._model = _model(self._seeds, state.learned)
        likelihoods = state._model.log_likelihoods(sorted(tokens))
        highest = max(likelihoods)
        best = KINDS[likelihoods.index(highest)]
        heat = max(1.0, len(tokens) / _TYPICAL_WORDS)
        confidence = 1 / sum(math.exp((each - highest) / heat) for each in likelihoods)
        return Guess(best if confidence >= CONFIDENT else None, confidence, best)

    def encode_state(self, state: TicketTexts) -> bytes:
        if state._encoded is None:
            stored = {}
            for kind, counts in state.learned.items():
                words = sorted(counts)
                form = f"<{len(words)}H"
                stored[kind] = (
                    struct.pack(form, *words),
                    struct.pack(form, *(counts[word] for word in words)),
                )
            state._encoded = encode(STATE_VERSION, _Stored(stored))
        return state._encoded

    def decode_state(self, raw: bytes) -> TicketTexts:
        """Raises StateRefused."""
        stored = decode(raw, STATE_VERSION, _Stored, what="the state of the ticket classifier", fits=_fits)
        return TicketTexts(
            {kind: dict(zip(*map(_numbers, stored.kinds[kind]), strict=True)) for kind in KINDS}
        )


def _check(tokens: Sequence[int]) -> None:
    if len(tokens) > MAX_TOKENS or len(set(tokens)) != len(tokens):
        raise ValueError(f"a ticket has at most {MAX_TOKENS} tokens, each once")
    if not all(0 <= token < BUCKETS for token in tokens):
        raise ValueError(f"a token is a number from 0 to {BUCKETS - 1}")


def _fits(stored: _Stored) -> bool:
    if set(stored.kinds) != set(KINDS):
        return False
    for words, counts in stored.kinds.values():
        if len(words) != len(counts) or len(words) % 2 or len(words) > 2 * BUCKETS:
            return False
        numbers, quarters = _numbers(words), _numbers(counts)
        if list(numbers) != sorted(set(numbers)) or any(number >= BUCKETS for number in numbers):
            return False
        if 0 in quarters or sum(quarters) > MOST_LEARNED * _ONE:
            return False
    return True


def _numbers(raw: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(raw) // 2}H", raw)


def _model(
    seeds: Iterable[tuple[TicketKind, Sequence[int]]], learned: dict[TicketKind, dict[int, int]]
) -> NaiveBayes:
    """With the seeds and what was learned."""
    model = NaiveBayes(len(KINDS), _ALPHA)
    for kind, tokens in seeds:
        model.learn(KINDS.index(kind), dict.fromkeys(tokens, 1.0))
    for number, kind in enumerate(KINDS):
        model.learn(number, {token: count / _ONE for token, count in learned[kind].items()})
    return model


@lru_cache(maxsize=1)
def _shipped_seeds() -> tuple[tuple[TicketKind, tuple[int, ...]], ...]:
    """The tickets that ship with the program: part of it, like code."""
    text = resources.files("detectors.text").joinpath("seed_tickets.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return tuple((cast(TicketKind, kind), ticket_tokens(subject, body)) for kind, subject, body in rows)
