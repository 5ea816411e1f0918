"""A committed batch, as the processor reports it: what the tests of metrics begin from."""

from __future__ import annotations

from detectors.effects import Effects, Listing
from streams.batch_result import BatchResult
from streams.stores.contract import DeadLetter, OutboxRow


def listing(account: str, *, fit: float | None, trigger: float, variant: str = "reverse-etl") -> Listing:
    return Listing(variant, account, fit, trigger, 1.8e9, 5.0, 604_800.0)


def dead_letter(reason: str) -> DeadLetter:
    return DeadLetter(topic="events", offset=6, reason=reason, detail="", body=b"{")


def batch(
    *,
    stage: str = "accounts",
    listings: tuple[Listing, ...] = (
        listing("acct-1", fit=80.0, trigger=61.0),
        listing("acct-2", fit=10.0, trigger=-3.0),
        listing("acct-3", fit=None, trigger=12.0),
    ),
    dead_letters: tuple[DeadLetter, ...] = (dead_letter("not_json"),),
) -> BatchResult:
    """Seven events: 5 visits (3 applied, 2 duplicate), 1 late ticket, 1 dead letter; one trigger alert."""
    return BatchResult(
        stage=stage,
        touched=3,
        received=6 + len(dead_letters),
        applied={"WebVisit": 3},
        duplicate={"WebVisit": 2},
        late={"SupportTicket": 1},
        dead_letters=list(dead_letters),
        alerts=[OutboxRow(id="0" * 32, kind="trigger", at=1.8e9, body=b"{}")],
        effects=Effects(listings=list(listings)),
        batch_s=0.2,
        commit_s=0.1,
    )
