"""The oracle after each fault: nothing lost, nothing counted twice, nothing said otherwise, and life goes on.

1. The ledger is exact: received = applied + duplicate + late + dead_lettered, and each is what it has to be.
2. States of both stages, timers, lists, alerts and positions in Redis are those of an undisturbed run, to the byte.
3. The alerts topic has each alert at least once, none that nobody should have made, and always the same words; the
   dead-letters topic likewise.
4. A fresh event of every partition flows, up to its alert on the alerts topic.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from schemas.alerts import decode_alert
from schemas.redis_settings import RedisSettings
from streams.kafka.partitioning import partition_of
from streams.kafka.wire import read_dead_letter
from tests.faults.distributed.contents import contents, differences
from tests.faults.distributed.undisturbed import Undisturbed
from tests.services.waiting import LIMIT_S, wait_until
from tests.services.workers import Deployment

KINDS = ("observations", "alerts", "dead_letters")


async def check(mine: Deployment, expected: Undisturbed) -> None:
    """Waits until everything is through, then compares. A worker has to run."""
    wait_until(lambda: mine.ledger().received >= expected.ledger.received)
    await settled(mine, expected.observations)
    ledger = mine.ledger()
    assert ledger.balanced
    assert ledger == expected.ledger, f"{ledger} != {expected.ledger}"
    found = contents(settings_of(mine), mine.kafka.prefix)
    differing = differences(found, dict(expected.contents))
    assert not differing, "\n".join(differing)
    differing = differences({"alerts": await alerts(mine)}, {"alerts": dict(expected.alerts)})
    assert not differing, "\n".join(differing)
    differing = differences({"letters": await dead_letters(mine)}, {"letters": dict(expected.dead_letters)})
    assert not differing, "\n".join(differing)
    await fresh_events_flow(mine)


def settings_of(mine: Deployment) -> RedisSettings:
    return RedisSettings(url=mine.redis_url, key_prefix=mine.key_prefix)


async def settled(mine: Deployment, observations: int) -> None:
    """Returns when the drift stage has taken all observations, and nothing waits to be published."""
    wait_until(lambda: mine.drift_ledger().received >= observations and not mine.waiting_to_be_published())


async def alerts(mine: Deployment) -> dict[str, bytes]:
    """Those of the alerts topic, id to body. Repeats say the same."""
    found: dict[str, bytes] = {}
    for record in await mine.kafka.read("alerts"):
        assert found.setdefault(decode_alert(record.value).id, record.value) == record.value
    return found


async def dead_letters(mine: Deployment) -> dict[str, str]:
    """Those of the dead-letters topic, topic:partition:offset to reason."""
    found = {}
    for record in await mine.kafka.read("dead-letters"):
        partition, letter = read_dead_letter(record.value, record.headers)
        topic = letter.topic.removeprefix(mine.kafka.prefix)
        found[f"{topic}:{partition}:{letter.offset}"] = letter.reason
    return found


async def fresh_events_flow(mine: Deployment, limit_s: float = LIMIT_S) -> None:
    """One account of each partition is interested enough for an alert."""
    before = mine.ledger().received
    names = _names(mine.partitions)
    lines = [line for name in names for line in _interested(name)]
    await mine.produce(lines, int(time.time() * 1000))
    wait_until(lambda: mine.ledger().received == before + len(lines), limit_s)
    wait_until(lambda: not mine.waiting_to_be_published(), limit_s)
    accounts = {msgspec.json.decode(body).get("account") for body in (await alerts(mine)).values()}
    assert accounts >= set(names)


def _names(partitions: int) -> list[str]:
    """A fresh account for each partition."""
    run = time.time_ns()
    found: dict[int, str] = {}
    for number in count():
        name = f"fresh-{run}-{number}"
        found.setdefault(partition_of(name, partitions), name)
        if len(found) == partitions:
            return [found[each] for each in range(partitions)]
    raise AssertionError


def _interested(account: str) -> Sequence[bytes]:
    at = datetime.now(UTC).isoformat()
    profile = {
        "industry": "software",
        "employees": 300,
        "sales_reps": 40,
        "technologies": ["snowflake", "dbt", "salesforce"],
        "open_roles": {"data_engineer": 3},
    }
    visit = {"visitor_id": f"v-{account}", "url": "https://acme.example/pricing", "path": "/pricing"}
    events: list[tuple[str, dict[str, Any]]] = [
        ("account.profile", {"attributes": profile}),
        *[("web.visit", visit)] * 3,
    ]
    return [
        msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": f"{account}-{number}",
                "source": "https://acme.example",
                "type": kind,
                "subject": account,
                "time": at,
                "data": data,
            }
        )
        for number, (kind, data) in enumerate(events)
    ]
