"""The books: the ledger, how many accounts there are, dead letters, deliveries."""

from __future__ import annotations

from schemas.alerts import moment
from streams.serving.contract import Snapshot
from streams.serving.views import BooksView, LedgerView


def ledger_view(snapshot: Snapshot) -> LedgerView:
    """The account stage's ledger, summed over its state partitions, each as of its last commit."""
    parts = snapshot.progress("accounts")
    ledgers = [part.ledger for part in parts]
    watermark = max((part.watermark for part in parts), default=0.0)
    return LedgerView(
        received=sum(ledger.received for ledger in ledgers),
        applied=sum(ledger.applied for ledger in ledgers),
        duplicate=sum(ledger.duplicate for ledger in ledgers),
        late=sum(ledger.late for ledger in ledgers),
        dead_lettered=sum(ledger.dead_lettered for ledger in ledgers),
        balanced=all(ledger.balanced for ledger in ledgers),
        watermark=moment(watermark) if watermark else None,
    )


def books_view(snapshot: Snapshot) -> BooksView:
    return BooksView(
        ledger=ledger_view(snapshot),
        accounts=snapshot.account_count(),
        alerts=snapshot.alerts_by_kind(),
        dead_letters=snapshot.dead_letters_by_reason(),
        deliveries=snapshot.deliveries(),
    )
