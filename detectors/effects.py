"""What stepping a stage through a batch brings about, besides the new states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from schemas.alerts import Alert
from schemas.observations import Observation

if TYPE_CHECKING:
    from detectors.scoring import Score


class Listing(Struct, gc=False):
    """One account's place in a variant's list.

    ``bound`` is log2 of a bound of its trigger score at ``at`` (Unix seconds) that halves every ``envelope_s``:
    ``rank = bound + at / envelope_s`` orders accounts by what they can score at any later time, so that the top of
    the list is found without scoring every account.
    """

    variant: str
    account: str
    fit: float | None
    """None: as it was; -1: the screen puts the account out"""
    trigger: float
    at: float
    bound: float
    envelope_s: float


class Effects(Struct):
    alerts: list[Alert] = []
    observations: list[Observation] = []
    listings: dict[tuple[str, str], Listing] = {}
    """(variant, account) -> the newest listing"""
    timers_changed: bool = False
    """set by a step that set or removed a timer; whoever runs the stage reads and resets it"""

    def list_account(
        self,
        variant: str,
        account: str,
        score: Score | None,
        trigger: float,
        at: float,
        bound: float,
        envelope_s: float,
    ) -> None:
        """Notes where the account stands; ``score`` is None where its fit is as it was."""
        key = (variant, account)
        fit: float | None
        if score is not None:
            fit = score.fit.score if score.fit.out is None else -1.0
        else:
            before = self.listings.get(key)
            fit = None if before is None else before.fit
        self.listings[key] = Listing(variant, account, fit, trigger, at, bound, envelope_s)
