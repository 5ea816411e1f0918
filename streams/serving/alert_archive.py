"""Alerts that went out, newest first, page by page. They are shown word for word as they were sent."""

from __future__ import annotations

import msgspec

from schemas.alerts import Alert, decode_alert
from streams.serving.contract import AlertPlace, Snapshot, Wanted
from streams.serving.cursors import read_cursor, write_cursor
from streams.serving.views import AlertPage


def alert_page(snapshot: Snapshot, wanted: Wanted, limit: int, cursor: str | None) -> AlertPage:
    """Raises CursorRefused."""
    after = read_cursor(cursor, AlertPlace) if cursor is not None else None
    found = snapshot.alerts(wanted, limit + 1, after)
    last = found[limit - 1] if len(found) > limit else None
    return AlertPage(
        alerts=[msgspec.Raw(body) for _, _, body in found[:limit]],
        next=None if last is None else write_cursor(AlertPlace(last[0], last[1])),
    )


def newest_alerts(snapshot: Snapshot, wanted: Wanted, limit: int) -> list[Alert]:
    return [decode_alert(body) for _, _, body in snapshot.alerts(wanted, limit, None)]
