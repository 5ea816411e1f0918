"""With several drift partitions each one knows which sources are ill: the relay tells all of them, and they find the same."""

from __future__ import annotations

import asyncio
from itertools import chain

import msgspec

from detectors.catalogue import signals
from detectors.drift import DriftStage, all_verdicts
from schemas.alerts import DataHealthAlert
from schemas.observations import Observation, encode_observation
from schemas.settings import Settings
from streams.icp_files import load_icps
from streams.kafka.drift import DriftIntake
from streams.kafka.partitioning import partition_of
from streams.kafka.wire import Sent, decode_message
from tests.contract.test_relay_kafka import LIMIT_S, Lists, relay
from tests.services.kafka import Kafka
from tests.unit.drift_world import observation
from tests.unit.health_world import CHANGE, TRACKER, around_the_clock, hours, source
from tests.unit.simulated import ICP

PARTITIONS = 3
MEANT = "plg.conversion_gap"
"""the signal whose observations lie between those of data.health"""


def told_by(partition: int) -> list[bytes]:
    """Of one account partition: the hours of a tracker that dies, and now and then an account."""

    def known(each: Observation) -> Observation:
        return msgspec.structs.replace(each, known=each.at)

    tracker = source(TRACKER, around_the_clock(500), silent=lambda day, hour: day >= CHANGE)
    found: list[bytes] = []
    for number, hour in enumerate(hours(CHANGE + 4, 30 + partition, tracker)):
        found.append(encode_observation(known(hour)))
        if number % 100 == 0:
            found.append(encode_observation(observation(f"{partition}-{number}", hour.at)))
    return found


async def test_every_drift_partition_finds_the_same_sources_ill(kafka: Kafka) -> None:
    await kafka.create("observations", partitions=PARTITIONS)
    await kafka.create("alerts", "dead-letters", partitions=1)
    store = Lists()
    mine = relay(store, kafka)
    for partition in (0, 1):
        store.put(partition, "observations", *told_by(partition))
        mine.own("accounts", partition, 4e9)
    async with asyncio.timeout(LIMIT_S):
        await mine.round()
    await mine._writer.end()
    records = await kafka.read("observations")
    known = signals(Settings().drift)
    alerts: list[list[bytes]] = []
    meant = []
    for partition in range(PARTITIONS):
        own = [record for record in records if record.partition == partition]
        heard = [each for record in own if isinstance(each := decode_message(record.value, 10), Sent)]
        for number in (0, 1):
            sequences = [each.sequence for each in heard if each.source == number]
            assert sequences == sorted(sequences)
        meant.append(sum(MEANT.encode() in bytes(each.observation) for each in heard))
        drift = Lists()
        stage = DriftStage(known, load_icps([ICP]))
        intake = DriftIntake(drift, stage, "observations", partition, 2)
        results = intake.take([(record.offset, record.value) for record in own])
        found = list(chain.from_iterable(result.effects.alerts for result in results))
        assert [type(each) for each in found] == [DataHealthAlert]
        alerts.append([msgspec.json.encode(each) for each in found])
        loaded = drift.load(intake.claim, [stage.beside_key, MEANT], None).states
        verdicts = all_verdicts(
            stage, known, {name: stage.decode_state(name, each.state) for name, each in loaded.items()}
        )
        assert "ill" in {each.state for each in verdicts if each.signal == "data.health"}
        assert {each.state for each in verdicts if each.signal == MEANT} == {"suspended"}
    assert alerts[0] == alerts[1] == alerts[2]
    to = partition_of(MEANT, PARTITIONS)
    assert meant[to] > 0
    assert sum(meant) == meant[to]
