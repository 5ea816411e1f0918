"""The dead letters of the distributed mode, in their topic; put back into the event topics. By kafka-python.

Rules:
1. The topic is read from its beginning to where it ended when the reading began. Repeats of a key are one letter.
2. A letter that was put back is marked by a record of the same key with the header ``redriven``: its timestamp says when.
   Marks are written after the broker has the events, so a crash between leaves letters that can be put back once more,
   which does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from msgspec.structs import replace

from schemas.errors import EventRefused, PlumblineError
from schemas.observations import OBSERVATIONS
from schemas.settings import Settings
from streams.dead_letters import Letter
from streams.gateway.sink import Accepted
from streams.kafka.connection import client_options
from streams.kafka.partitioning import partition_of
from streams.kafka.record_times import RecordTimes
from streams.kafka.topics import DEAD_LETTERS, EVENT_TOPICS, check_counts, read_counts
from streams.kafka.wire import read_dead_letter

AT_ONCE = 500
PATIENCE_S = 30.0
REDRIVEN = "redriven"


class TopicShelf:
    """Keeps DeadLetterShelf. Raises PlumblineError when the settings name no Kafka."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._settings = settings.kafka
        self._topic = settings.kafka.topic_prefix + DEAD_LETTERS
        self._observations = settings.kafka.topic_prefix + OBSERVATIONS
        self._options = client_options(settings.kafka)
        self._now = now

    def letters(self, *, with_bodies: bool = True) -> list[Letter]:
        found: dict[str, tuple[int, Letter]] = {}
        marks: dict[str, float] = {}
        for record in self._records():
            place = (record.key or b"").decode(errors="replace")
            headers = list(record.headers or ())
            if any(name == REDRIVEN for name, _ in headers):
                marks[place] = record.timestamp / 1000
                continue
            try:
                partition, letter = read_dead_letter(record.value, headers)
            except EventRefused:
                continue  # nobody but workers writes here; what is no letter can't be shown as one
            if not with_bodies:
                letter.body = b""
            if place not in found:
                found[place] = (
                    record.timestamp,
                    Letter(
                        place=place,
                        letter=letter,
                        observation=letter.topic == self._observations,
                        partition=partition,
                    ),
                )
        letters = [letter for _, letter in sorted(found.values(), key=lambda entry: entry[0])]
        return [replace(each, redriven_at=marks.get(each.place)) for each in letters]

    def put_back(self, chosen: Sequence[tuple[Letter, Accepted]]) -> Iterator[int]:
        check_counts(self._settings, read_counts(self._settings))
        times = RecordTimes(EVENT_TOPICS)
        with _reaching(self._settings.bootstrap):
            producer = KafkaProducer(**self._options, acks="all", enable_idempotence=True, linger_ms=5)
            try:
                for first in range(0, len(chosen), AT_ONCE):
                    portion = chosen[first : first + AT_ONCE]
                    self._write(producer, [event for _, event in portion], times)
                    self._mark(producer, [letter for letter, _ in portion])
                    yield len(portion)
            finally:
                producer.close(timeout=PATIENCE_S)

    def _write(self, producer: KafkaProducer, events: Sequence[Accepted], times: RecordTimes) -> None:
        now_ms = int(self._now() * 1000)
        answers = []
        for event in events:
            partition = partition_of(event.subject, self._settings.partitions)
            answers.append(
                producer.send(
                    self._settings.topic_prefix + event.topic,
                    event.line,
                    key=event.subject.encode(),
                    partition=partition,
                    timestamp_ms=times.next(event.topic, partition, now_ms),
                )
            )
        for answer in answers:
            answer.get(timeout=PATIENCE_S)

    def _mark(self, producer: KafkaProducer, letters: Sequence[Letter]) -> None:
        now_ms = int(self._now() * 1000)
        answers = [
            producer.send(
                self._topic,
                key=letter.place.encode(),
                headers=[(REDRIVEN, b"1")],
                timestamp_ms=now_ms,
            )
            for letter in letters
        ]
        for answer in answers:
            answer.get(timeout=PATIENCE_S)

    def _records(self) -> Iterator[Any]:
        with _reaching(self._settings.bootstrap):
            consumer = KafkaConsumer(
                **self._options, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
            )
            try:
                numbers = consumer.partitions_for_topic(self._topic)
                if not numbers:
                    raise PlumblineError(
                        f"there is no topic {self._topic}", remedy="make it with: plumbline topics create"
                    )
                places = [TopicPartition(self._topic, number) for number in sorted(numbers)]
                consumer.assign(places)
                first = consumer.beginning_offsets(places)
                left = {
                    place: end for place, end in consumer.end_offsets(places).items() if end > first[place]
                }
                consumer.seek_to_beginning(*places)
                deadline = time.monotonic() + PATIENCE_S
                while left:
                    for records in consumer.poll(timeout_ms=500, max_records=1000).values():
                        deadline = time.monotonic() + PATIENCE_S
                        yield from records
                    left = {place: end for place, end in left.items() if consumer.position(place) < end}
                    if time.monotonic() > deadline:
                        raise TimeoutError
            finally:
                consumer.close()


@contextmanager
def _reaching(bootstrap: str | None) -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise PlumblineError(
            f"Kafka at {bootstrap} does not do what was asked: {type(error).__name__}",
            remedy="see that it runs there, and that kafka: in the settings says how to reach it and who this is",
        ) from error
