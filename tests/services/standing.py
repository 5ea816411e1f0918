"""Where workers stand, as the store and their logs have it: what a test says when they are not done in time.

Rule: it is read when something has failed already, so it says what can't be read instead of raising.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from redis import Redis
from redis.exceptions import RedisError

from streams.stores.contract import OutgoingKind
from streams.stores.redis_keys import PartitionKeys

LOG_LINES = 120
_HEAD = ("ledger", "offsets", "watermark", "version", "observations")


def standing(client: Redis, key_prefix: str, partitions: int, logs: Iterable[Path]) -> str:
    """Of every state partition what is committed, waits to be published and is held back; of every log its last lines."""
    places = [("accounts", number) for number in range(partitions)] + [("drift", 0)]
    told = [f"{stage} {number}: {_state(client, key_prefix, stage, number)}" for stage, number in places]
    for log in logs:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else ["(there is none)"]
        told += [f"--- {log.name}, last of {len(lines)} lines", *lines[-LOG_LINES:]]
    return "\n".join(told)


def _state(client: Redis, key_prefix: str, stage: str, partition: int) -> str:
    keys = PartitionKeys(key_prefix, stage, partition)
    answers: Any
    try:
        head: Any = client.hmget(keys.head, _HEAD)
        answers = [client.llen(keys.outgoing(kind)) for kind in get_args(OutgoingKind)]
        held: Any = client.zcard(keys.held)
        sources: Any = client.hgetall(keys.sources)
    except RedisError as error:
        return f"the store does not tell ({type(error).__name__})"
    said = {name: _text(value) for name, value in zip(_HEAD, head, strict=True)}
    waiting = dict(zip(get_args(OutgoingKind), answers, strict=True))
    heard = {_text(source): _text(value) for source, value in sources.items()}
    return f"{said}, waiting to be published {waiting}, held back {held}, heard of sources {heard}"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
