"""What plg.ticket_comprehension keeps over all segments: launches, the trust in the help desk's categories, the taxonomy, and
what the classifier of texts has learned.

Rules:
1. A feature is asked about for ASKED_FOR after its launch: tickets that have all words of its name don't count in that
   time. A name without words (digits alone) can't be recognised. At most MAX_LAUNCHED launches are remembered.
2. Categories are not believed while a form seems to write them: FORM_SAME of the newest FORM_OF tickets with a listed
   category have one kind, which was at most USUAL of them before, and the texts of FORM_DENIED surely say otherwise. Then
   the text decides, until tickets have several kinds again. In a true rise the texts agree with the categories. The
   classifier learns a ticket FORM_OF later, so never from a form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from detectors.signals.plg_ticket_comprehension_taxonomy import Taxonomy
from detectors.signals.segmented_state import MakeMonitor, SegmentedState
from detectors.text import TicketClassifier
from detectors.text.ticket_kinds import KINDS
from schemas.duration import DAY

ASKED_FOR = 14 * DAY
MAX_LAUNCHED = 64
FORM_OF, FORM_SAME, FORM_DENIED = 12, 11, 5
USUAL, USUAL_OF = 0.6, 40
"""A kind that was more than USUAL of at least USUAL_OF tickets is no takeover."""
_FOLLOWS = 400
"""Kinds are halved in number when there are so many, so that the usual follows."""


class Launched(Struct, array_like=True):
    """A feature by the hashed words of its name, and when it was launched, Unix seconds."""

    at: float
    tokens: list[int]


class Labelled(Struct, array_like=True):
    """Number of the kind, whether the text surely says otherwise, its hashed words, and whether it was ``trusted``."""

    kind: int
    denied: bool
    tokens: list[int] = []
    trusted: bool = True


class Shared(Struct, array_like=True):
    """``form``: the number of the kind that a form writes, -1 for none; ``untold``: that is news. ``texts``: the classifier's
    state as it is stored."""

    launched: list[Launched] = []
    recent: list[Labelled] = []
    usual: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    form: int = -1
    untold: bool = False
    taxonomy: Taxonomy = field(default_factory=Taxonomy)
    texts: bytes = b""


class TicketState(SegmentedState):
    """``texts``: what the ``classifier`` has learned, which is costly to read and to write."""

    def __init__(self, make: MakeMonitor, dimensions: tuple[str, ...], shared: Any) -> None:
        super().__init__(make, dimensions, shared)
        self.classifier = TicketClassifier()
        self.texts = self.classifier.new_state()
        if shared.texts:
            self.texts = self.classifier.decode_state(shared.texts)

    def encode(self, version: int) -> bytes:
        self.shared.texts = self.classifier.encode_state(self.texts)
        return super().encode(version)


def launch(shared: Shared, at: float, tokens: list[int]) -> None:
    shared.launched.append(Launched(at, tokens))
    shared.launched.sort(key=lambda each: each.at)
    del shared.launched[:-MAX_LAUNCHED]


def asks_about_launched(shared: Shared, began: float, tokens: list[int]) -> bool:
    return any(
        each.at <= began < each.at + ASKED_FOR and set(each.tokens) <= set(tokens) for each in shared.launched
    )


def to_learn(shared: Shared) -> Labelled | None:
    """The oldest of the newest tickets where the next one pushes it out: by now a form would have been found out, so that
    what it wrote is not learned."""
    if len(shared.recent) < FORM_OF:
        return None
    oldest = shared.recent[0]
    return oldest if oldest.trusted and oldest.kind != shared.form else None


def believed(shared: Shared, kind: int, denied: bool, tokens: Sequence[int] = ()) -> bool:
    """Takes a ticket with a listed category in; whether the category is the customer's or the help desk's own choice."""
    shared.recent.append(Labelled(kind, denied, list(tokens)))
    del shared.recent[:-FORM_OF]
    most, same = Counter(each.kind for each in shared.recent).most_common(1)[0]
    if same < FORM_SAME:
        shared.form = -1
    elif shared.form < 0 and _is_new(shared, most) and _denied(shared) >= FORM_DENIED:
        shared.form, shared.untold = most, True
    if kind == shared.form:
        shared.recent[-1].trusted = False
        return False
    shared.usual[kind] += 1
    if sum(shared.usual) >= _FOLLOWS:
        shared.usual = [number // 2 for number in shared.usual]
    return True


def _denied(shared: Shared) -> int:
    return sum(each.denied for each in shared.recent)


def _is_new(shared: Shared, kind: int) -> bool:
    n = sum(shared.usual)
    # The newest are in it already.
    return n >= USUAL_OF and shared.usual[kind] - FORM_SAME <= USUAL * (n - FORM_OF)
