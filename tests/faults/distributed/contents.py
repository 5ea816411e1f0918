"""All that a deployment has in Redis, in a form in which two runs of the same events can be compared.

Left out is what may differ: the fence's version, what waits to be published (nothing, in the end), where the observations
topic was read to (marks come when they come), and who wrote the lists anew. Of a list by trigger only who is on it is
compared: an account's rank there is a bound as of the batch that wrote it, and batches may differ.
"""

from __future__ import annotations

from typing import Any

import msgspec
from redis import Redis

from schemas.redis_settings import RedisSettings

_APART = ("outgoing:", "held", "sources", "listed_under", "dead_letters:recent")
_BOUNDS = ("rank:", "listed:")
_HEAD_APART = {b"version"}


def contents(redis: RedisSettings, topic_prefix: str) -> dict[str, Any]:
    """Key, without the prefix, to value. ``topic_prefix`` is taken off the topics of the offsets."""
    found: dict[str, Any] = {}
    begin = f"{redis.key_prefix}:1:"
    with Redis.from_url(redis.url) as client:
        for raw in client.scan_iter(f"{begin}*", count=1000):
            name = raw.decode().removeprefix(begin)
            kind = name.partition("}:")[2]
            if not kind.startswith(_APART):
                found[name] = _value(client, raw)
                if kind.startswith(_BOUNDS):
                    found[name] = set(found[name])
                if kind == "head":
                    found[name] = _head(found[name], name, topic_prefix)
    return found


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Which keys differ, and in how much; empty when they are the same."""
    lines = []
    for name in sorted(found.keys() | expected.keys()):
        ours, theirs = found.get(name), expected.get(name)
        if ours != theirs:
            if isinstance(ours, dict) and isinstance(theirs, dict):
                fields = [
                    field for field in ours.keys() | theirs.keys() if ours.get(field) != theirs.get(field)
                ]
                lines.append(
                    f"{name}: {len(fields)} fields; {fields[0]}: {ours.get(fields[0])} != {theirs.get(fields[0])}"
                )
            else:
                lines.append(f"{name}: {str(ours)[:300]} != {str(theirs)[:300]}")
    return lines


def _value(client: Any, key: bytes) -> Any:
    kind = client.type(key)
    if kind == b"hash":
        return client.hgetall(key)
    if kind == b"zset":
        return dict(client.zrange(key, 0, -1, withscores=True))
    assert kind == b"string", kind
    return client.get(key)


def _head(head: dict[bytes, Any], name: str, topic_prefix: str) -> dict[bytes, Any]:
    kept = {field: value for field, value in head.items() if field not in _HEAD_APART}
    offsets = msgspec.json.decode(kept.pop(b"offsets", b"{}"))
    if name.startswith("{accounts:"):
        kept[b"offsets"] = {topic.removeprefix(topic_prefix): at for topic, at in offsets.items()}
    return kept
