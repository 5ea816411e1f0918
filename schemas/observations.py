"""What the account stage tells the drift stage: one fact about one account, mature when it is sent."""

from __future__ import annotations

import msgspec
from msgspec import Struct


class Observation(Struct, kw_only=True, omit_defaults=True):
    """One fact.

    ``signal`` is the drift signal that it is for, ``measure`` which of the signal's quantities; ``at`` (Unix seconds,
    event time) when it became mature, ``began`` when what it measures began (a cohort's date); ``value`` is 0 or 1 for
    shares, else a number in the unit that the signal states. ``segments`` maps a dimension (source, variant, rep) to the
    account's value. ``account`` is evidence: it never goes into a label, a log line or an error.
    """

    signal: str
    measure: str
    at: float
    began: float
    value: float
    account: str
    segments: dict[str, str] = {}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Observation)


def encode_observation(observation: Observation) -> bytes:
    return _encoder.encode(observation)


def decode_observation(raw: bytes) -> Observation:
    """Raises msgspec.ValidationError or msgspec.DecodeError."""
    return _decoder.decode(raw)
