"""What the company announces to the drift signals: changes of its own making, by an event in the log."""

from __future__ import annotations

from schemas.events import DriftAnnouncedData
from streams.simulation.calendar import DAY_S, Calendar
from streams.simulation.happenings import Happenings
from streams.simulation.wire import Lines, announcement, utc

BEFORE_S = 14 * DAY_S


def announce(calendar: Calendar, happenings: Happenings, lines: Lines) -> None:
    """Adds all announcements of the history."""
    for number, prices in enumerate(happenings.of("prices_announced"), start=1):
        begin = happenings.starts(prices)
        data = DriftAnnouncedData(on=utc(begin).date(), by="pricing", reason="New list prices")
        told = max(begin - BEFORE_S, calendar.start)
        lines.add_event(told, announcement(number, told, "plg.conversion_gap", data))
