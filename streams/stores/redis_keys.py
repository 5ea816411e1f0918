"""The names of all keys in Redis, as docs/redis.md lists them.

Rules:
1. All keys of one state partition have the same hash tag, and so lie in one slot of a cluster.
2. Another meaning of any key is another LAYOUT_VERSION. The key ``layout`` alone is the same in every version.
"""

from __future__ import annotations

from streams.stores.contract import OutgoingKind

LAYOUT_VERSION = 1

FIT_OUT = 1.0
"""Score in ``fit:VARIANT`` of an account that the screen puts out: minus the fit of -1 in detectors/effects.py."""
FIT_UNKNOWN = 2.0
"""Score in ``fit:VARIANT`` of an account that was listed without a profile."""
RECENT_DEAD_LETTERS = 200


def layout_key(prefix: str) -> str:
    return f"{prefix}:layout"


class PartitionKeys:
    """The keys of state partition ``partition`` of ``stage``. ``prefix``: the setting redis.key_prefix."""

    def __init__(self, prefix: str, stage: str, partition: int) -> None:
        self.tag = f"{prefix}:{LAYOUT_VERSION}:{{{stage}:{partition}}}:"
        self.head = self.tag + "head"
        self.states = self.tag + "states"
        self.timers = self.tag + "timers"
        self.listed_under = self.tag + "listed_under"
        self.alerts = self.tag + "alerts"
        self.alerts_by_time = self.tag + "alerts:time"
        self.dead_letter_reasons = self.tag + "dead_letters:reasons"
        self.recent_dead_letters = self.tag + "dead_letters:recent"
        self.stopped = self.tag + "stopped"
        self.held = self.tag + "held"
        self.held_bodies = self.tag + "held:bodies"
        self.sources = self.tag + "sources"

    def outgoing(self, kind: OutgoingKind) -> str:
        return f"{self.tag}outgoing:{kind}"

    def rank(self, variant: str) -> str:
        return f"{self.tag}rank:{variant}"

    def fit(self, variant: str) -> str:
        return f"{self.tag}fit:{variant}"

    def listed(self, variant: str) -> str:
        return f"{self.tag}listed:{variant}"

    def alerts_of(self, fact: str, value: str) -> str:
        """``fact``: kind, account, variant or signal."""
        return f"{self.tag}alerts:{fact}:{value}"
