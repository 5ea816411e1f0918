"""What a signal feeds on: event types, and the fields without which they tell it nothing.

Rules:
1. Those that the signal declares (``needs``), and those from which the ICP file makes the milestones that it listens to: when
   the CRM is silent nobody seems to pay.
2. A silent source, one that tells things twice and one with a wrong clock concern every signal that feeds on their type; a
   field concerns those that need it. A milestone needs the fields of its condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from detectors.health.fields import Needs
from detectors.health.watch import Illness
from detectors.signals.contract import Signal
from schemas.conditions import Node, Not, Test
from schemas.icp import ICP


class OfType(Protocol):
    @property
    def type(self) -> str: ...

    @property
    def illness(self) -> Illness: ...


def needs_of(signal: Signal, icps: Sequence[ICP]) -> Needs:
    found = dict(signal.needs)
    for icp in icps:
        for milestone in sorted(signal.listens):
            condition = getattr(icp.lifecycle, milestone)
            if condition is not None and condition.event is not None:
                fields = frozenset(_fields(condition.of_event))
                found[condition.event] = found.get(condition.event, frozenset()) | fields
    return found


def concerns(needs: Needs, fact: OfType) -> bool:
    fields = needs.get(fact.type)
    if fields is None:
        return False
    return not fact.illness.field or fact.illness.field in fields


def _fields(node: Node) -> Iterator[str]:
    if isinstance(node, Test):
        yield node.field
    elif isinstance(node, Not):
        yield from _fields(node.of)
    else:
        for part in node.of:
            yield from _fields(part)
