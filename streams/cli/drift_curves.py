"""How soon accounts get there, before and now, as a table with bars for a terminal."""

from __future__ import annotations

from rich.table import Table

from streams.web.curves import Curves

BAR = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def curve_table(curves: Curves) -> Table:
    """Bars of one scale, so that the two can be compared."""
    longest = max(share for each in curves.rows for share in (each.before_share, each.now_share or 0.0))
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("  days", justify="right")
    for name in ("before", "now"):
        table.add_column(name, no_wrap=True)
        table.add_column("", no_wrap=True)
    for each in curves.rows:
        table.add_row(
            str(each.days),
            _words(each.before, each.before_interval),
            _bar(each.before_share, longest),
            _words(each.now, each.now_interval),
            _bar(each.now_share or 0.0, longest),
        )
    return table


def _words(estimate: str, interval: str) -> str:
    return f"{estimate} ({interval})" if interval else estimate


def _bar(share: float, longest: float) -> str:
    eighths = round(8 * BAR * share / longest) if longest > 0 else 0
    return (_EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8]).strip()
