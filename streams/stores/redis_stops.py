"""Which partitions stand still (stops.py), in Redis: the key ``stopped`` of each state partition of stage ``accounts``."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.stores.redis_connection import Client, reaching
from streams.stores.redis_keys import PartitionKeys
from streams.stores.stops import Stop, decode_stop

STAGE = "accounts"


class RedisStops:
    """Keeps Stops. ``prefix``: the setting redis.key_prefix. ``address``: what errors call the server."""

    def __init__(self, client: Client, prefix: str, partitions: int, address: str) -> None:
        self._client: Any = client
        self._keys = [PartitionKeys(prefix, STAGE, number).stopped for number in range(partitions)]
        self._address = address

    def put(self, stop: Stop) -> None:
        with reaching(self._address):
            self._client.set(self._keys[stop.partition], msgspec.json.encode(stop))

    def remove(self, partition: int) -> bool:
        with reaching(self._address):
            return int(self._client.delete(self._keys[partition])) > 0

    def stopped(self) -> list[Stop]:
        with reaching(self._address):
            pipe = self._client.pipeline(transaction=False)
            for key in self._keys:
                pipe.get(key)
            return [decode_stop(body) for body in pipe.execute() if body is not None]
