"""plg.ticket_comprehension: customers ask what the thing is for. The sign of silent drift that support hears first.

What counts:
1. One observation for each account and burst of tickets: the kind of its first ticket, when the burst is over. A ticket
   counts once; later events of its ``ticket_id`` change nothing.
2. The kind is that of the help desk's category, where the ICP file's ``tickets`` table lists it; else the drift half's
   classifier decides by hashed words (detectors/text), once, when the observation comes. It learns from tickets with a
   listed category, one an account and burst. Where it abstains, the ticket is counted apart: ``kind_unsure``.
3. The share of basic questions may rise, in all or by acquisition source, each ticket judged against its own tenure's
   baseline: newcomers always ask for the basics. Tickets whose kind the text told have baselines of their own, since a
   classifier errs otherwise than a help desk. Shifts between these are mix, a notice. The baseline grows while nothing speaks
   for a drift.
4. Tickets about a feature that was launched less than two weeks before don't count (``feature_launched``), nor do tickets
   of accounts whose tenure is not known (``left_truncated``), nor, as ``settling``, those of the first four weeks of recording.
5. A form that writes the category is data health: plg_ticket_comprehension_state.py.
6. The whole taxonomy before and now is evidence: plg_ticket_comprehension_taxonomy.py.
7. Late tickets count while their burst is not told; what was told stays told. A late release counts for tickets that are
   told after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import msgspec
from msgspec import Struct

from detectors.signals.bursts import BurstRule, close, due, join
from detectors.signals.contract import ALL, AccountFacts, AccountOutput, Reading
from detectors.signals.known_tickets import hear
from detectors.signals.measures import SHARE, Values
from detectors.signals.monitor import Promise
from detectors.signals.plg_ticket_comprehension_state import (
    Labelled,
    Shared,
    TicketState,
    asks_about_launched,
    believed,
    launch,
    to_learn,
)
from detectors.signals.plg_ticket_comprehension_taxonomy import BASIC, count_in, follow, rest_shifted
from detectors.signals.plg_ticket_comprehension_tickets import UNLISTED, Memory, read
from detectors.signals.plg_ticket_comprehension_words import (
    SHARE_OF,
    words_drifting,
    words_form,
    words_mix,
    words_other_kinds,
)
from detectors.signals.rate_monitor import RateMonitor
from detectors.signals.rate_state import RateState
from detectors.signals.rate_words import words_unsteady
from detectors.signals.segmented import SegmentedSignal, promise_of
from detectors.signals.segmented_alerts import Case, Words, case_of, notice
from detectors.signals.segmented_state import SegmentedState
from detectors.signals.tenure import tenure_band
from detectors.text import ticket_tokens
from detectors.text.ticket_kinds import KINDS
from schemas.alerts import Notice
from schemas.duration import DAY
from schemas.errors import EventRefused, Problem
from schemas.events import Envelope, ProductReleased, SupportTicket
from schemas.observations import Observation
from schemas.settings import DriftSettings

CATEGORISED = "categorised"
"""A ticket whose category is listed; the value is the number of its kind in KINDS."""
BY_TEXT = "by_text"
"""A ticket whose text decides; its value says nothing."""
LAUNCHED = "launched"
"""A feature of a release, its name as tokens."""
SEEN = "ticket_seen"
MAX_FEATURES = 20
"""of one release"""
ENOUGH_ONES = 300
"""Of a baseline that grows. It has a share for each tenure, told by category and by text: of its first 300 tickets most of
these have a few dozen, and their bounds lie far above the estimates."""
_TELL = "tell"


class TicketComprehension(SegmentedSignal):
    """See the module."""

    name = "plg.ticket_comprehension"
    title = "tickets that ask for the basics"
    needs: Mapping[str, frozenset[str]] = {"support.ticket": frozenset({"subject", "category"})}
    hears: frozenset[type[Envelope]] = frozenset({SupportTicket, ProductReleased})
    memory: type[Struct] | None = Memory

    reading = Reading(frozenset({CATEGORISED, BY_TEXT}), "share of tickets that ask for the basics")
    measures: ClassVar[Mapping[str, Values]] = {
        CATEGORISED: Values(0, len(KINDS) - 1, whole=True),
        **dict.fromkeys((BY_TEXT, LAUNCHED, SEEN, "left_truncated", "too_many_tickets"), SHARE),
    }
    left_out: ClassVar[frozenset[str]] = frozenset({"left_truncated", "too_many_tickets"})
    recorded_by: ClassVar[Mapping[str, str]] = {CATEGORISED: SEEN, BY_TEXT: SEEN}
    dimensions: ClassVar[tuple[str, ...]] = ("source",)
    state_version: ClassVar[int] = 3
    state: ClassVar[type[SegmentedState]] = TicketState
    monitor_state: ClassVar[type[Struct]] = RateState
    shared: ClassVar[type[Struct] | None] = Shared

    def __init__(
        self,
        promise: Promise,
        *,
        max_segments: int = 12,
        bursts: BurstRule = BurstRule(),  # noqa: B008  # frozen
    ) -> None:
        super().__init__(promise, max_segments=max_segments)
        self._bursts = bursts

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        return cls(
            promise_of(settings, monitors),
            max_segments=settings.max_segments,
            bursts=BurstRule(settings.burst_gap, settings.burst_longest),
        )

    def monitor(self, stored: Any) -> RateMonitor:
        return RateMonitor(self.promise, "rise", stored, grows_to=ENOUGH_ONES)

    def healthy_example(self) -> Sequence[Observation]:
        per_day, days = 8, int(self.settling_days + self.promise.min_baseline_days) + 240
        told = [self._example(SEEN, 0.0, 0.0, 1.0, 0)]
        for i in range(per_day * days):
            began = i * DAY / per_day
            kind = BASIC if i % 5 == 0 else (i // 5 + i) % len(KINDS)
            measure, value = (BY_TEXT, 0.0) if i % 10 in (2, 5) else (CATEGORISED, float(kind))
            told.append(self._example(measure, began + DAY, began, value, i))
        return told

    def _example(self, measure: str, at: float, began: float, value: float, number: int) -> Observation:
        asks = number % 5 == 0
        text = (
            "What is a workspace, and where do I start?"
            if asks
            else "Invoice: wrong VAT number, please refund"
        )
        return Observation(
            signal=self.name,
            measure=measure,
            at=at,
            began=began,
            value=value,
            account=f"account-{number}",
            segments={"source": ("direct", "referral", "content")[number // 10 % 3]},
            stratum=("0-30", "over 365")[number // 10 % 2],
            phrases=["what is"] if asks else [],
            tokens=list(ticket_tokens(text)) if measure == BY_TEXT else [],
        )

    # The account half.

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        if isinstance(event, ProductReleased):
            _tell_launched(event.data.features, at, output)
            return
        ticket, memory = event.data, cast(Memory, facts.memory)
        output.recorded(SEEN, at)
        heard = hear(memory, ticket.ticket_id, at)
        if heard == "too_many_tickets":
            output.observe(heard, at=at, began=at, value=1.0, segments={"source": facts.source})
        if heard != "new":
            return
        place = join(memory.burst, at, self._bursts)
        if place == "over":
            self._tell(facts, memory, output)
            place = join(memory.burst, at, self._bursts)
        if place == "told":
            return
        if place == "opened" or at < memory.first.at:
            memory.first = read(ticket, at, facts.ticket_kind(ticket.category, at))
        output.set_timer(_TELL, due(memory.burst, self._bursts))

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:
        memory = cast(Memory, facts.memory)
        if memory.burst.open:
            self._tell(facts, memory, output)

    def _tell(self, facts: AccountFacts, memory: Memory, output: AccountOutput) -> None:
        first, at = memory.first, due(memory.burst, self._bursts)
        close(memory.burst)
        segments, tenure_s = {"source": facts.source}, facts.tenure_s(first.at)
        if tenure_s is None:
            output.observe("left_truncated", at=at, began=first.at, value=1.0, segments=segments)
            return
        listed = first.kind != UNLISTED
        output.observe(
            CATEGORISED if listed else BY_TEXT,
            at=at,
            began=first.at,
            value=float(first.kind) if listed else 0.0,
            segments=segments,
            stratum=tenure_band(tenure_s),
            phrases=first.phrases,
            tokens=first.tokens,
        )

    # The drift half.

    def read(self, state: SegmentedState, observation: Observation) -> str | Sequence[Observation]:
        shared, tokens = cast(Shared, state.shared), observation.tokens
        guess = _guess(cast(TicketState, state), tokens)
        if observation.measure == LAUNCHED:
            if not tokens:
                raise _not_tokens()
            launch(shared, observation.began, list(tokens))
            return ()
        number, by_text = guess, True
        if observation.measure == CATEGORISED:
            listed = int(observation.value)
            _learn(cast(TicketState, state), to_learn(shared))
            if believed(shared, listed, guess is not None and guess != listed, tokens):
                number, by_text = listed, False
        if asks_about_launched(shared, observation.began, tokens):
            return "feature_launched"
        if number is None:
            return "kind_unsure"
        if not state.leaves_out(observation.began):
            count_in(shared.taxonomy, number, observation.began)
        basic, stratum = number == BASIC, observation.stratum
        return (
            msgspec.structs.replace(
                observation,
                value=float(basic),
                stratum=f"{stratum} by text" if by_text else stratum,
                phrases=observation.phrases if basic else [],
            ),
        )

    def remarks(self, state: SegmentedState, observation: Observation) -> Sequence[Notice]:
        shared, whole, at = cast(Shared, state.shared), state.segments[ALL], observation.at
        watch = cast(RateMonitor, whole.monitor).stored.watch
        follow(shared.taxonomy, watch)
        out: list[Notice] = []
        if shared.untold:
            shared.untold = False
            out.append(notice(self, whole, ALL, "ticket form", at, words_form(shared.form)))
        if not shared.taxonomy.told and shared.form < 0:
            began = rest_shifted(shared.taxonomy, watch, self.promise)
            if began is not None:
                shared.taxonomy.told = True
                words = words_other_kinds(case_of(state, ALL, at), began)
                out.append(notice(self, whole, ALL, "other kinds", at, words))
        return out

    def words_drifting(self, case: Case) -> Words:
        return words_drifting(case)

    def words_noticed(self, finding: str, case: Case) -> Words:
        if finding == "unsteady baseline":
            return words_unsteady(case, SHARE_OF)
        if finding == "mix":
            return words_mix(case)
        return super().words_noticed(finding, case)


def _tell_launched(features: Sequence[str], at: float, output: AccountOutput) -> None:
    told: set[tuple[int, ...]] = {()}
    for feature in features[:MAX_FEATURES]:
        tokens = ticket_tokens(feature)
        if tokens not in told:
            told.add(tokens)
            output.observe(LAUNCHED, at=at, began=at, value=1.0, segments={}, tokens=tokens)


def _guess(state: TicketState, tokens: Sequence[int]) -> int | None:
    """The number of the kind that the text tells; None where the classifier abstains. Raises EventRefused."""
    try:
        kind = state.classifier.classify(state.texts, tokens).kind
    except ValueError:
        raise _not_tokens() from None
    return KINDS.index(kind) if kind is not None else None


def _learn(state: TicketState, ticket: Labelled | None) -> None:
    if ticket is not None:
        state.classifier.learn(state.texts, ticket.tokens, KINDS[ticket.kind])


def _not_tokens() -> EventRefused:
    return EventRefused(Problem(code="bad_value", what="tokens that no text has", where="$.tokens"))
