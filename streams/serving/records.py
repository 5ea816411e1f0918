"""The books: the ledger, how many accounts there are, dead letters, deliveries."""

from __future__ import annotations

import sqlite3

import msgspec

from detectors.accounts import NOT_ACCOUNTS
from schemas.alerts import moment
from streams.delivery.schema import State
from streams.serving.database import has_table
from streams.serving.views import DeadLetterView, EndpointView, LedgerView
from streams.stores.contract import Ledger

_decoder = msgspec.json.Decoder(Ledger)


def ledger_view(db: sqlite3.Connection) -> LedgerView:
    """The account stage's ledger, as of its last commit."""
    row = db.execute(
        "SELECT ledger, watermark FROM partitions WHERE stage = 'accounts' AND partition = 0"
    ).fetchone()
    ledger, watermark = (_decoder.decode(row[0]), row[1]) if row is not None else (Ledger(), 0.0)
    return LedgerView(
        received=ledger.received,
        applied=ledger.applied,
        duplicate=ledger.duplicate,
        late=ledger.late,
        dead_lettered=ledger.dead_lettered,
        balanced=ledger.balanced,
        watermark=moment(watermark) if watermark else None,
    )


def account_count(db: sqlite3.Connection) -> int:
    """Accounts with a state. Visitors and products have one too, but are none."""
    (count,) = db.execute("SELECT count(*) FROM states_accounts WHERE partition = 0").fetchone()
    for prefix in NOT_ACCOUNTS:
        # The range of keys that begin with the prefix: its last sign, and the one after that.
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        (others,) = db.execute(
            "SELECT count(*) FROM states_accounts WHERE partition = 0 AND key >= ? AND key < ?", (prefix, end)
        ).fetchone()
        count -= others
    return int(count)


def dead_letters(db: sqlite3.Connection, limit: int) -> list[DeadLetterView]:
    """The newest first, without their bodies."""
    rows = db.execute(
        "SELECT seq, topic, offset, reason, detail FROM dead_letters ORDER BY seq DESC LIMIT ?", (limit,)
    )
    return [
        DeadLetterView(seq=seq, topic=topic, offset=offset, reason=reason, detail=detail)
        for seq, topic, offset, reason, detail in rows
    ]


def dead_letters_by_reason(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT reason, count(*) FROM dead_letters GROUP BY reason ORDER BY 2 DESC, 1"))


def deliveries_by_endpoint(db: sqlite3.Connection) -> list[EndpointView]:
    """Empty where delivery has never run."""
    if not has_table(db, "delivery_endpoints"):
        return []
    disabled = dict(
        db.execute(
            "SELECT name, iif(disabled_at IS NULL, '', coalesce(nullif(disabled_because, ''), 'by a person'))"
            " FROM delivery_endpoints"
        )
    )
    counts: dict[str, dict[State, int]] = {name: {} for name in disabled}
    for endpoint, state, count in db.execute(
        "SELECT endpoint, state, count(*) FROM deliveries GROUP BY endpoint, state"
    ):
        counts.setdefault(endpoint, {})[state] = count
    return [
        EndpointView(
            endpoint=endpoint,
            delivered=of.get("delivered", 0),
            waiting=of.get("waiting", 0) + of.get("sending", 0),
            retrying=of.get("retrying", 0),
            dead=of.get("dead", 0),
            skipped=of.get("skipped", 0),
            disabled_because=disabled.get(endpoint, ""),
        )
        for endpoint, of in sorted(counts.items())
    ]
