"""What a signal's alerts say, as one text, against its golden file in tests/golden/signals/."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from schemas.alerts import DriftAlert, Notice

GOLDEN = Path(__file__).parents[1] / "golden" / "signals"


def as_text(alerts: Iterable[DriftAlert | Notice]) -> str:
    return "\n".join(
        f"{alert.segment}: {alert.state}\n{alert.what}\n{alert.means}\n{alert.check}\n{alert.wrong_if}\n"
        if isinstance(alert, DriftAlert)
        else f"{alert.segment}: {alert.finding}\n{alert.what}\n{alert.means}\n"
        for alert in alerts
    )


def golden(signal: str, found: str) -> str:
    """What ``found`` should be. To renew it after a wanted change, run with PLUMBLINE_RENEW_GOLDEN=1."""
    path = GOLDEN / f"{signal}.txt"
    if os.environ.get("PLUMBLINE_RENEW_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    return path.read_text(encoding="utf-8")
