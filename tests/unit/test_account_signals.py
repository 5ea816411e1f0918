"""What a drift signal's account half hears, reads and remembers in the account stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from detectors.effects import Effects
from detectors.signals.contract import AccountFacts, AccountOutput
from schemas.events import Envelope, ProductReleased, SupportTicket
from schemas.observations import Observation
from tests.unit.account_world import DAY, GOOD, T0, Account, event, icp, product, profile, ticket, time_of


class Heard(Struct, array_like=True):
    tickets: int = 0


class Listener:
    """The account half of a signal: counts tickets, tells of each what it can see, and a day after the last one the sum."""

    name = "test.tickets"
    listens: frozenset[str] = frozenset()
    hears: frozenset[type[Envelope]] = frozenset({SupportTicket, ProductReleased})
    memory: type[Struct] | None = Heard
    needs: Mapping[str, frozenset[str]] = {}

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        facts.memory.tickets += 1
        self.seen.append(
            {
                "account": facts.account,
                "tenure": facts.tenure_s(at),
                "fits": dict(facts.fits(at)),
                "version": facts.icp(at).version,
                "attributes": dict(facts.attributes),
                "source": facts.source,
                "now": facts.now,
            }
        )
        output.set_timer("sum", at + DAY)

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:
        output.observe(
            name,
            at=due,
            began=due - DAY,
            value=float(facts.memory.tickets),
            segments={"source": facts.source},
            stratum="new",
            exposure=0.5,
            phrases=["broken"],
            tokens=[7],
        )


def test_a_signal_hears_what_it_asked_for_after_the_account_took_it_in() -> None:
    listener = Listener()
    account = Account(signals=[listener])
    account.take(profile(T0, **GOOD, acquisition_source="partner"), product(T0 + DAY, "signed_up"))
    account.take(ticket(T0 + 3 * DAY))
    assert listener.seen == [
        {
            "account": "a",
            "tenure": 2 * DAY,
            "fits": {"main": 90.0},
            "version": "1",
            "attributes": {**GOOD, "acquisition_source": "partner"},
            "source": "partner",
            "now": T0 + 3 * DAY,
        }
    ]


def test_a_repeat_is_not_heard_and_a_late_event_is() -> None:
    listener = Listener()
    account = Account(signals=[listener])
    first, late = ticket(T0 + DAY), ticket(T0)
    account.take(first, first, late)
    assert [seen["now"] for seen in listener.seen] == [T0 + DAY, T0 + DAY]


def test_memory_and_timers_outlive_the_process() -> None:
    account = Account(signals=[Listener()])
    account.take(ticket(T0), ticket(T0 + DAY / 2))
    account.state = account.stage.decode_state("a", account.raw)
    account.wait(T0 + 5 * DAY)
    (told,) = account.effects.observations
    assert told == Observation(
        signal="test.tickets",
        measure="sum",
        at=T0 + DAY * 3 / 2,
        began=T0 + DAY / 2,
        value=2.0,
        account="a",
        segments={"source": "unknown"},
        stratum="new",
        exposure=0.5,
        phrases=["broken"],
        tokens=[7],
    )


def test_a_dropped_timer_does_not_fire() -> None:
    class Undecided(Listener):
        def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
            super().on_event(facts, event, at, output)
            output.drop_timer("sum")
            output.drop_timer("never set")

    account = Account(signals=[Undecided()])
    account.take(ticket(T0))
    account.wait(T0 + 5 * DAY)
    assert account.effects.observations == []
    assert account.state.timers == {}


def test_tenure_counts_from_signing_up_else_from_the_profile() -> None:
    listener = Listener()
    account = Account(signals=[listener])
    account.take(ticket(T0))
    account.take(ticket(T0 + DAY))
    account.take(profile(T0 + DAY, customer_since="2026-02-28T00:00:00Z"), ticket(T0 + 2 * DAY))
    account.take(product(T0 + 3 * DAY, "signed_up"), ticket(T0 + 4 * DAY), ticket(T0 + 5 * DAY / 2))
    tenures = [seen["tenure"] for seen in listener.seen]
    assert tenures == [None, None, 4 * DAY, DAY, None]


def test_the_version_in_force_at_the_time_is_the_one_that_is_shown() -> None:
    listener = Listener()
    strict = """
  - name: main
    screen: [{keep: {sales_reps: {at_least: 500}}, because: "Large ones only"}]
    fit: [{name: warehouse, when: {technologies: {any: [snowflake]}}, weight: 60, because: "Says so"}]
    triggers: [{name: p, when: {event: web.visit, path: {glob: "/p*"}}, weight: 25, half_life: 7d, because: "Says so"}]
"""
    later = icp(strict, version="2", effective_from="2026-03-10T00:00:00Z")
    account = Account(icp(), later, signals=[listener])
    account.take(profile(T0, **GOOD), ticket(T0 + DAY), ticket(T0 + 20 * DAY))
    assert [seen["version"] for seen in listener.seen] == ["1", "2"]
    assert [seen["fits"] for seen in listener.seen] == [{"main": 90.0}, {"main": None}]


def test_a_release_is_heard_under_its_product() -> None:
    listener = Listener()
    account = Account(name="product:app", signals=[listener])
    released = msgspec.structs.replace(
        event("product.released", T0, {"release": "7", "complexity": 3}), subject="product:app"
    )
    account.stage.step("product:app", account.state, released, time_of(released), Effects())
    assert [seen["account"] for seen in listener.seen] == ["product:app"]
