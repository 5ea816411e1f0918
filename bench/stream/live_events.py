"""The events of the latency measurement, as senders would make them now: a load without end, and probes.

A probe is an account of which everything is known but one visit: with it, it raises its one alert.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_TIME = re.compile(rb'"time":"[^"]+"')
STAMPED = 100
"""events that share a time"""


def endless(lines: Path) -> Iterator[bytes]:
    """The lines of the file over and over, each with an id of its own and the present as its time."""
    parts = []
    for line in lines.read_bytes().splitlines():
        before, after = _TIME.split(line, maxsplit=1)
        parts.append((*before.split(b'"id":"', maxsplit=1), after))
    for times in itertools.count():
        turn = b'"id":"%d-' % times
        for number, (before, event_id, after) in enumerate(parts):
            if number % STAMPED == 0:
                now = b'"time":"' + datetime.now(UTC).isoformat(timespec="milliseconds").encode() + b'"'
            yield before + turn + event_id + now + after


def _event(number: int, name: str, kind: str, data: dict[str, Any]) -> bytes:
    return json.dumps(
        {
            "specversion": "1.0",
            "type": kind,
            "id": f"{name}-{number}",
            "source": "bench",
            "subject": f"probe-{number}",
            "time": datetime.now(UTC).isoformat(),
            "data": data,
        }
    ).encode()


def profile(number: int) -> bytes:
    attributes = {
        "industry": "software",
        "employees": 200,
        "compliance": ["soc2"],
        "technologies": ["snowflake"],
    }
    return _event(number, "profile", "account.profile", {"attributes": attributes})


def visit(number: int, name: str) -> bytes:
    """Two of them raise an alert of the sample ICP's variant embedded-analytics."""
    path = "/pricing/enterprise"
    data = {"visitor_id": f"v-{number}", "url": f"https://acme.example{path}", "path": path}
    return _event(number, name, "web.visit", data)
