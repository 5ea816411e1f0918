"""What the account stage tells the drift stage: one fact about one account, mature when it is sent."""

from __future__ import annotations

import msgspec
from msgspec import Struct

OBSERVATIONS = "observations"
"""The topic that they travel in."""


class Observation(Struct, kw_only=True, omit_defaults=True, gc=False):
    """One fact.

    ``signal`` is the drift signal that it is for, ``measure`` which of the signal's quantities; ``at`` (Unix seconds,
    event time) when it became mature, ``began`` when what it measures began (a cohort's date); ``value`` is 0 or 1 for
    shares, else a number in the unit that the signal states. ``segments`` maps a dimension (source, variant, rep) to the
    account's value. ``account`` is evidence: it never goes into a label, a log line or an error.

    ``known``: how far the time of its state partition had come when it was made (Unix seconds, event time): the watermark,
    or the due time of the timer that made it where that is later. It never falls from one observation of a partition to
    its next, and the distributed mode's drift stage takes observations in its order. 0: not written down.

    ``stratum`` is what a baseline tells apart before it compares (a tenure or size band); ``exposure`` what the value is
    given (days at risk, a share of seats); ``phrases`` are the few words that the evidence rests on, never a whole text;
    ``tokens`` are hashed words of a text, for a classifier that learns in the drift stage. ``counts`` are sums by name, for
    data.health (detectors/health/tally.py), whose observations are of a source and no account.
    """

    signal: str
    measure: str
    at: float
    began: float
    value: float
    account: str
    known: float = 0.0
    segments: dict[str, str] = {}
    stratum: str = ""
    exposure: float = 1.0
    phrases: list[str] = []
    tokens: list[int] = []
    counts: dict[str, list[int]] = {}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Observation)


def encode_observation(observation: Observation) -> bytes:
    return _encoder.encode(observation)


def decode_observation(raw: bytes) -> Observation:
    """Raises msgspec.ValidationError or msgspec.DecodeError."""
    return _decoder.decode(raw)
