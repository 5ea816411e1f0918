"""What Plumbline's workers write to Kafka, record by record: observations and marks, alerts, dead letters.

Rules:
1. ``observations``: one JSON object a record, told apart by ``kind``. The key is the drift signal's name (a mark has
   none), so that one partition of the topic, and with it one owner of the drift stage, sees all of a signal. An account
   partition writes in the order of its observations' numbers, and the mark that speaks of them after them.
2. ``alerts``: the alert as it is (schemas/alerts.py); the key is its account, or its signal. Its ``id`` tells repeats.
3. ``dead-letters``: the value is the record's own bytes, cut at what a dead letter may hold; where it comes from and why
   stand in headers. The key, topic:partition:offset, tells repeats.
4. A record is refused (EventRefused) when it can't be what Plumbline wrote; it is never taken for something near it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from schemas.alerts import DataHealthAlert, DriftAlert, Notice, decode_alert
from schemas.errors import EventRefused, Problem
from schemas.observations import Observation, decode_observation
from streams.stores.contract import DeadLetter

LATEST = 7_258_118_400.0
"""2200-01-01 in Unix seconds: no time that is meant lies beyond it"""


class Sent(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="observation"):
    """One observation of account partition ``source``: its ``sequence``-th, from 1 on.

    ``known``: how far the partition's time had come when it was made (Unix seconds, event time), never less than that of
    the observation before. ``sent``: when it was written to the topic (Unix seconds, clock of the sender).
    """

    source: int
    sequence: int
    known: float
    sent: float
    observation: Raw


class Mark(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="mark"):
    """How far account partition ``source`` has come.

    All that it will still say is ``known`` at ``watermark`` (Unix seconds, event time) or later. ``caught_up``: the newest
    moment (Unix seconds, clock of the sender) at which it had no record left to read; 0: not since it was taken over.
    """

    source: int
    watermark: float
    caught_up: float


Message = Sent | Mark
Headers = Sequence[tuple[str, bytes]]

DEAD_LETTER_HEADERS = ("topic", "partition", "offset", "reason", "detail")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Message)


def encode_message(message: Message) -> bytes:
    return _encoder.encode(message)


def decode_message(raw: bytes, sources: int) -> Message:
    """``sources``: how many account partitions there are. Raises EventRefused."""
    try:
        message: Message = _decoder.decode(raw)
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise _refused("not_an_observation", str(error)) from None
    if not 0 <= message.source < sources:
        raise _refused("unknown_partition", f"there is no account partition {message.source}")
    if isinstance(message, Sent):
        if message.sequence < 1:
            raise _refused("bad_value", "a number below 1", "$.sequence")
        _check_times(known=message.known, sent=message.sent)
    else:
        _check_times(watermark=message.watermark, caught_up=message.caught_up)
    return message


def decode_sent(raw: bytes) -> tuple[str, float, Observation]:
    """(signal, event time, observation) of a ``Sent`` message, as the drift stage's processor wants it. Raises
    EventRefused."""
    try:
        sent = _decoder.decode(raw)
        if not isinstance(sent, Sent):
            raise _refused("not_an_observation", "a mark is no observation")
        observation = decode_observation(bytes(sent.observation))
    except ValueError as error:
        raise _refused("not_an_observation", str(error)) from None
    return observation.signal, observation.at, observation


def alert_key(body: bytes) -> bytes:
    """The key of an encoded alert. Raises msgspec.ValidationError or msgspec.DecodeError."""
    alert = decode_alert(body)
    if isinstance(alert, DriftAlert | Notice | DataHealthAlert):
        return alert.signal.encode()
    return alert.account.encode()


def dead_letter_record(letter: DeadLetter, partition: int) -> tuple[bytes, Headers]:
    """Key and headers of a dead letter from ``partition`` of ``letter.topic``; the value is ``letter.body``."""
    values = (letter.topic, str(partition), str(letter.offset), letter.reason, letter.detail)
    headers = [(name, value.encode()) for name, value in zip(DEAD_LETTER_HEADERS, values, strict=True)]
    return f"{letter.topic}:{partition}:{letter.offset}".encode(), headers


def read_dead_letter(value: bytes | None, headers: Headers) -> tuple[int, DeadLetter]:
    """(partition, dead letter) of a record of the dead-letters topic. Raises EventRefused."""
    found = dict(headers)
    try:
        topic, partition, offset, reason, detail = (found[name].decode() for name in DEAD_LETTER_HEADERS)
        return int(partition), DeadLetter(topic, int(offset), reason, detail, value or b"")
    except (KeyError, ValueError):
        raise _refused("not_a_dead_letter", "a record without a dead letter's headers", "headers") from None


def _check_times(**times: float) -> None:
    for name, value in times.items():
        if not 0 <= value <= LATEST:
            raise _refused("bad_time", "a time that can't be", f"$.{name}")


def _refused(code: str, what: str, where: str = "$") -> EventRefused:
    return EventRefused(
        Problem(
            code=code,
            what=what,
            where=where,
            remedy="Plumbline's workers alone write to this topic; see that nothing else does",
        )
    )
