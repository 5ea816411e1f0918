"""What texts tell the drift signals: hedged language in notes (slg.hedged_language), kinds of tickets
(plg.ticket_comprehension). Pure. No text leaves here, only classes, spans, phrases of known words, and hashed words.

Notes (account half)::

    from detectors.text import hedges_in, phrases_of

    hedges = hedges_in(note, icp.hedging)          # tuple[Hedge, ...] in order of place; () for a note without any
    fit = phrases_of(hedges, "fit")                # tuple[str, ...]; not empty: the note hedges about fit
    timing_alone = not fit and bool(phrases_of(hedges, "timing"))    # "price" likewise: counted apart

``Hedge`` has ``about`` ("fit", "timing" or "price"), ``phrase`` (at most 80 characters of known words, "…" in place of
any other), ``start`` and ``end`` (characters of the note). What is negated, or quoted from the customer, is not in it.
``icp.hedging`` is the ICP file's extension (about -> phrases); it may be left out.

Tickets, account half::

    from detectors.text import kind_by_category, kinds_by_spelling, ticket_phrases, ticket_tokens

    kinds = kinds_by_spelling(icp.tickets)                           # once for each version of the file
    kind = kind_by_category(ticket.category, kinds)                  # TicketKind, or None: the text decides
    tokens = ticket_tokens(ticket.subject, ticket.body)              # tuple[int, ...], at most MAX_TOKENS
    phrases = ticket_phrases(ticket.subject, ticket.body)            # at most 3, of known words: evidence for basics
    output.observe(..., phrases=phrases, tokens=tokens)              # the kind travels too, where there is one

Tickets, drift half (one classifier for the signal, its state inside the signal's own state)::

    from detectors.text import TicketClassifier

    classifier = TicketClassifier()
    texts = classifier.new_state()
    classifier.learn(texts, tokens, kind)          # a ticket that arrived labelled; raises ValueError for bad tokens
    guess = classifier.classify(texts, tokens)     # Guess(kind: TicketKind | None, confidence); None: it abstains
    raw = classifier.encode_state(texts)           # bytes, explicit and versioned
    texts = classifier.decode_state(raw)           # raises StateRefused

Count an abstention by itself (``counted_out["kind_unsure"]``); it is not "other". Classify a ticket once, when its
observation comes, and keep the answer: what is learned later changes no earlier ticket.
"""

from detectors.text.hedge_lexicon import About
from detectors.text.hedging import Hedge, hedges_in, phrases_of
from detectors.text.ticket_kinds import Guess, TicketClassifier, TicketTexts
from detectors.text.ticket_words import (
    BUCKETS,
    MAX_TOKENS,
    kind_by_category,
    kinds_by_spelling,
    ticket_phrases,
    ticket_tokens,
)

__all__ = [
    "BUCKETS",
    "MAX_TOKENS",
    "About",
    "Guess",
    "Hedge",
    "TicketClassifier",
    "TicketTexts",
    "hedges_in",
    "kind_by_category",
    "kinds_by_spelling",
    "phrases_of",
    "ticket_phrases",
    "ticket_tokens",
]
