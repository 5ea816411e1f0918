"""What happens to the data on its way: a source that falls silent, a field that empties, doubled events, a wrong clock."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.simulation.calendar import Calendar
from streams.simulation.happenings import OF_TYPE, Happening, Happenings
from streams.simulation.wire import Lines, utc

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


def damage(lines: Lines, happenings: Happenings, calendar: Calendar) -> Lines:
    """``lines`` as they come out of ill sources; the same object where nothing is damaged."""
    for happening in happenings.all:
        if happening.kind in OF_TYPE:
            lines = _damaged(lines, happening, happenings, calendar)
    return lines


def _damaged(lines: Lines, happening: Happening, happenings: Happenings, calendar: Calendar) -> Lines:
    begins, ends = happenings.starts(happening), happenings.ends(happening)
    mark = f'{{"type":"{happening.type}"'
    out = Lines()
    for second, text in zip(lines.times, lines.texts, strict=True):
        if second < begins or (ends is not None and second >= ends) or not text.startswith(mark):
            out.add(second, text)
        elif happening.kind != "source_silent":
            for at, each in _changed(second, text, happening):
                if at >= calendar.start:
                    out.add(at, each)
    return out


def _changed(second: int, text: str, happening: Happening) -> list[tuple[int, str]]:
    event: dict[str, Any] = _decoder.decode(text)
    if happening.kind == "field_emptied":
        event["data"].pop(happening.field, None)
        return [(second, _text(event))]
    if happening.kind == "clock_behind":
        event["time"] = utc(second - round(happening.amount * 3600)).isoformat().replace("+00:00", "Z")
        return [(second, _text(event))]
    copies = [(second, text)]
    for number in range(1, round(happening.amount)):
        copies.append((second + number, _text(event | {"id": f"{event['id']}-{number}"})))
    return copies


def _text(event: dict[str, Any]) -> str:
    return _encoder.encode(event).decode()
