"""Reading from the distributed store (docs/redis.md), whichever workers own its state partitions.

Rules:
1. Nothing is read by a key pattern, and nothing is read whole but where serving must score every account.
2. All state partitions are asked at the same time, in one pipeline (redis_ranges.py, redis_lists.py, redis_alerts.py).
3. Other partition counts or another layout version in the store than in the settings are refused.
4. No error names the server's address: who reads answers need not know it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from detectors.accounts import NOT_ACCOUNTS
from schemas.errors import StateRefused, StoreUnavailable
from schemas.redis_settings import RedisSettings
from streams.kafka.partitioning import partition_of
from streams.serving import redis_alerts, redis_lists
from streams.serving.contract import AlertPlace, Archived, Listed, Progress, Unreadable, Wanted
from streams.serving.versions import Versions
from streams.serving.views import DeadLetterView, EndpointView
from streams.stores.contract import Ledger, decode_dead_letter
from streams.stores.redis_connection import Client, connect, reaching
from streams.stores.redis_keys import LAYOUT_VERSION, PartitionKeys, layout_key

SCANNED_AT_ONCE = 1000
ADDRESS = "the address in the settings"

_ledger = msgspec.json.Decoder(Ledger)
_offsets = msgspec.json.Decoder(dict[str, int])


class RedisSource:
    """``partitions``: how many state partitions each stage has (``accounts``, ``drift``). Keeps contract.py."""

    def __init__(self, settings: RedisSettings, partitions: Mapping[str, int]) -> None:
        self._settings = settings
        self._partitions = dict(partitions)
        self._keys = {
            stage: [PartitionKeys(settings.key_prefix, stage, number) for number in range(count)]
            for stage, count in self._partitions.items()
        }
        self._lock = threading.Lock()
        self._client: Client | None = None

    @contextmanager
    def snapshot(self) -> Iterator[RedisSnapshot]:
        """Raises Unreadable, StateRefused."""
        try:
            with reaching(ADDRESS):
                client = self._connected()
                self._check_layout(client)
                yield RedisSnapshot(client, self._keys)
        except StoreUnavailable as error:
            raise Unreadable(error.what, remedy=error.remedy) from None

    def relist(self, versions: Versions, now: float, pause: Callable[[float], bool]) -> int | None:
        """Nothing: the owner of a state partition keeps its lists in order (redis_relisting.py)."""
        return 0

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Client:
        # A cluster is asked for its nodes here: when it is away, the next request tries again.
        with self._lock:
            if self._client is None:
                self._client = connect(self._settings)
            return self._client

    def _check_layout(self, client: Any) -> None:
        found = {
            name.decode(): value.decode()
            for name, value in client.hgetall(layout_key(self._settings.key_prefix)).items()
        }
        expected = {"version": LAYOUT_VERSION, **self._partitions}
        for name, count in expected.items():
            if found and found.get(name) != str(count):
                raise StateRefused(
                    f"in Redis `{name}` of the layout is {found.get(name, 'missing')}, here it is {count}",
                    remedy="give this program the partition counts and the version of the workers that wrote it",
                )


class RedisSnapshot:
    """What is read of one Redis (or cluster) for one answer. ``keys``: by stage, of each state partition."""

    def __init__(self, client: Any, keys: Mapping[str, Sequence[PartitionKeys]]) -> None:
        self._client = client
        self._keys = keys

    def state(self, account: str) -> bytes | None:
        found: bytes | None = self._client.hget(self._of("accounts", account).states, account)
        return found

    def account_states(self) -> Iterator[tuple[str, bytes]]:
        for keys in self._keys["accounts"]:
            # A scan can give a field twice when the hash grows meanwhile.
            seen: set[bytes] = set()
            for name, state in self._client.hscan_iter(keys.states, count=SCANNED_AT_ONCE):
                if name not in seen:
                    seen.add(name)
                    account = name.decode()
                    if not account.startswith(NOT_ACCOUNTS):
                        yield account, state

    def account_count(self) -> int:
        counts = self._ask(lambda pipe, keys: pipe.hget(keys.head, "accounts"), "accounts")
        return sum(int(count or 0) for count in counts)

    def listed_under(self, variant: str) -> str | None:
        heads = self._ask(lambda pipe, keys: pipe.hget(keys.head, "accounts"), "accounts")
        scorings = self._ask(lambda pipe, keys: pipe.hget(keys.listed_under, variant), "accounts")
        # Where there is no account yet, there is no order.
        found = {scoring for count, scoring in zip(heads, scorings, strict=True) if int(count or 0)}
        if len(found) != 1:
            return None
        scoring = found.pop()
        return None if scoring is None else scoring.decode()

    def by_rank(self, variant: str) -> Iterator[Listed]:
        return redis_lists.by_rank(self._client, self._keys["accounts"], variant)

    def by_fit(self, variant: str, unknown: float, after: tuple[float, str] | None) -> Iterator[Listed]:
        return redis_lists.by_fit(self._client, self._keys["accounts"], variant, unknown, after)

    def listed_before(self, variant: str, at: float) -> Iterator[tuple[str, bytes]]:
        return redis_lists.listed_before(self._client, self._keys["accounts"], variant, at)

    def alerts(self, wanted: Wanted, limit: int, after: AlertPlace | None) -> Sequence[Archived]:
        return redis_alerts.newest(self._client, self._keys, wanted, limit, after)

    def alert(self, alert_id: str) -> bytes | None:
        for stage in self._keys:
            for body in self._ask(lambda pipe, keys: pipe.hget(keys.alerts, alert_id), stage):
                if body is not None:
                    return bytes(body)
        return None

    def alerts_by_kind(self) -> dict[str, int]:
        return redis_alerts.count_by_kind(self._client, self._keys)

    def drift_states(self, signals: Sequence[str]) -> dict[str, bytes]:
        pipe = self._client.pipeline(transaction=False)
        for signal in signals:
            pipe.hget(self._of("drift", signal).states, signal)
        found = zip(signals, pipe.execute(), strict=True)
        return {signal: state for signal, state in found if state is not None}

    def progress(self, stage: str) -> list[Progress]:
        heads = self._ask(lambda pipe, keys: pipe.hmget(keys.head, "offsets", "watermark", "ledger"), stage)
        return [
            Progress(
                partition=number,
                offsets=_offsets.decode(offsets or b"{}"),
                watermark=float(watermark or 0.0),
                ledger=_ledger.decode(ledger or b"{}"),
            )
            for number, (offsets, watermark, ledger) in enumerate(heads)
            if offsets is not None
        ]

    def dead_letters(self, limit: int) -> list[DeadLetterView]:
        """Of each state partition the newest, then of each the second, and so on: they bear no common time."""
        found: list[tuple[int, int, DeadLetterView]] = []
        for stage in self._keys:
            numbers = self._ask(lambda pipe, keys: pipe.hget(keys.head, "dead_letters"), stage)
            lists = self._ask(lambda pipe, keys: pipe.lrange(keys.recent_dead_letters, 0, limit - 1), stage)
            for number, rows in zip(numbers, lists, strict=True):
                for index, raw in enumerate(rows):
                    letter = decode_dead_letter(raw)
                    view = DeadLetterView(
                        seq=int(number or 0) - index,
                        topic=letter.topic,
                        offset=letter.offset,
                        reason=letter.reason,
                        detail=letter.detail,
                    )
                    found.append((index, len(found), view))
        return [view for _, _, view in sorted(found)[:limit]]

    def dead_letters_by_reason(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for stage in self._keys:
            for reasons in self._ask(lambda pipe, keys: pipe.hgetall(keys.dead_letter_reasons), stage):
                counts.update({reason.decode(): int(count) for reason, count in reasons.items()})
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def deliveries(self) -> list[EndpointView]:
        """None: `plumbline deliver` keeps its own books."""
        return []

    def _of(self, stage: str, key: str) -> PartitionKeys:
        partitions = self._keys[stage]
        return partitions[partition_of(key, len(partitions))]

    def _ask(self, command: Callable[[Any, PartitionKeys], object], stage: str) -> list[Any]:
        """One command for each state partition of the stage, in one pipeline."""
        pipe = self._client.pipeline(transaction=False)
        for keys in self._keys[stage]:
            command(pipe, keys)
        answers: list[Any] = pipe.execute()
        return answers
