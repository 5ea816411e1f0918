"""The same small company as in serving_world.py in a real Redis, by state partitions: what workers leave there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from detectors.accounts import AccountStage
from detectors.catalogue import signals
from detectors.drift import DriftStage
from schemas.event_reader import EventReader
from schemas.icp import ICP
from schemas.observations import Observation, decode_observation, encode_observation
from schemas.redis_settings import RedisSettings
from schemas.settings import Settings
from streams.kafka.partitioning import partition_of
from streams.processor import Processor
from streams.serving import Serving
from streams.serving.redis import RedisSource
from streams.serving.redis_relisting import Lists
from streams.stage import one_by_one
from streams.stores.redis import RedisStore
from tests.unit.serving_world import HOUR, NOW, Events, World, icp

ACCOUNTS = 3
DRIFT = 2


class RedisWorld(World):
    """``put`` takes events to the state partitions of their subjects; what they observe goes on to the drift stage."""

    def __init__(
        self, folder: Path, redis: RedisSettings, icps: Sequence[ICP] | None = None, now: float = NOW
    ) -> None:
        self.redis = redis
        self.settings = Settings(data_dir=folder, redis=redis)
        self.now = now
        self.events = Events()
        self._begin(list(icps or [icp()]))

    def _begin(self, icps: list[ICP]) -> None:
        self.icps = icps
        store = self.redis_store = RedisStore(self.redis, accounts=ACCOUNTS, drift=DRIFT)
        heard = signals(self.settings.drift)
        stage = AccountStage(icps, heard, self.settings.late_after)
        read_all = EventReader(self.settings.limits).read_all
        late = self.settings.late_after
        self.accounts = [
            Processor(store, stage, read_all, partition=number, late_after_s=late)
            for number in range(ACCOUNTS)
        ]
        self.drifts = [
            Processor(store, DriftStage(heard), one_by_one(_decode), partition=number)
            for number in range(DRIFT)
        ]
        self.lists = Lists(self.settings, icps, lambda: self.now)
        self.source = RedisSource(self.redis, {"accounts": ACCOUNTS, "drift": DRIFT})
        self.serving = Serving(self.source, icps, self.settings, lambda: self.now)

    def put(self, events: Iterable[bytes]) -> None:
        for event in events:
            # What has no subject has no key: a producer puts it anywhere.
            subject = msgspec.json.decode(event).get("subject", "")
            processor = self.accounts[partition_of(subject, ACCOUNTS)]
            processor.process("events", [(processor.next_offset("events"), event)])
        self.relay()

    def crowd(self, size: int) -> None:
        """Many accounts that looked at prices once, the earlier the higher their number."""
        self.put([self.events.visit(f"a{n:04}", NOW - n * HOUR) for n in reversed(range(size))])

    def names(self, limit: int = 50) -> list[str]:
        """Of the first accounts by trigger."""
        return [each.account for each in self.serving.accounts("analytics", "trigger", limit).accounts]

    def until(self, time: float) -> None:
        """Fires the timers that are due, as workers do when no event comes. Unix seconds."""
        for processor in self.accounts:
            processor.fire_timers(time)
        self.relay()

    def relay(self) -> None:
        told: list[Observation] = []
        for number in range(ACCOUNTS):
            rows = self.redis_store.outgoing("accounts", number, "observations", 0, 1_000_000)
            told += [decode_observation(body) for _, body in rows]
            if rows:
                self.redis_store.trim("accounts", number, "observations", rows[-1][0])
        self.observe(sorted(told, key=lambda each: each.known))

    def observe(self, observations: Sequence[Observation]) -> None:
        for number, processor in enumerate(self.drifts):
            mine = [each for each in observations if partition_of(each.signal, DRIFT) == number]
            if mine:
                begin = processor.next_offset("observations")
                bodies = [encode_observation(each) for each in mine]
                processor.process("observations", list(enumerate(bodies, begin)))

    def change_icp(self, *icps: ICP) -> None:
        """Starts anew with another ICP file, as workers do, without writing the lists anew."""
        self.close()
        self._begin(list(icps))

    def relist(self) -> int:
        """As the owners of all state partitions do."""
        return sum(self.lists.begin(number).run(lambda seconds: False) or 0 for number in range(ACCOUNTS))

    def close(self) -> None:
        self.serving.close()
        self.lists.close()
        self.redis_store.close()


def _decode(raw: bytes) -> tuple[str, float, Observation]:
    observation = decode_observation(raw)
    return observation.signal, observation.at, observation
