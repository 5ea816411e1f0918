"""Which version of the ICP file is in force, and what of it decides the order of the lists."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from detectors.accounts import AccountStage
from detectors.compiled_icp import CompiledICP
from detectors.scoring import CompiledVariant
from schemas.icp import ICP


class Versions:
    """The versions of the ICP file, ready to score with."""

    def __init__(self, icps: Sequence[ICP], late_after_s: float) -> None:
        self._stage = AccountStage(icps, (), late_after_s)
        self._earliest = min(icp.effective_from.timestamp() for icp in icps)

    def in_force(self, at: float) -> CompiledICP:
        """The version at ``at`` (Unix seconds)."""
        return self._stage.in_force(at)

    def stale_before(self, icp: CompiledICP) -> float:
        """Listings from before this time (Unix seconds) were written under an earlier version than ``icp``."""
        return float("-inf") if icp.effective_from <= self._earliest else icp.effective_from


def scoring_of(variant: CompiledVariant) -> str:
    """A fingerprint of what decides an account's place in the variant's lists: screen, fit and triggers."""
    written = variant.written
    meaning = (1, written.screen, written.fit, written.triggers)
    return hashlib.blake2b(repr(meaning).encode(), digest_size=16).hexdigest()
