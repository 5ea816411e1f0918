"""What the two halves of plg.conversion_gap tell each other: the measures, and which observation can't be one of them."""

from __future__ import annotations

import math
from collections.abc import Container

from schemas.errors import Problem
from schemas.observations import Observation

SIGNAL = "plg.conversion_gap"
PAID = "paid_given_activated"
ACTIVATED = "activated_given_signed_up"
SALES_LED = "sales_led"
SIGN_UP_SEEN = "sign_up_seen"
CONVERSION_SEEN = "conversion_seen"
ACTIVATION_SEEN = "activation_seen"
"""Told when it happens. ``began`` is the step before, and FOLLOWED its segment, where that was told; else ``at``. Value 1: the
account is at risk of the next step from now on."""
FOLLOWED = "followed_as"
"""A dimension of what is told at once: the source under which the account was told of at the step before."""
BASELINE_RETAKEN = "baseline_retaken"
"""A person's decision, told as an observation so that a replay repeats it; segments = {"segment": its name}."""

_MEASURES = frozenset(
    {PAID, ACTIVATED, SALES_LED, SIGN_UP_SEEN, CONVERSION_SEEN, ACTIVATION_SEEN, BASELINE_RETAKEN}
)
_EARLIEST, _LATEST = 0.0, 7_258_118_400.0


def problem_with(observation: Observation, segments: Container[str]) -> Problem | None:
    """Why the signal can't have made ``observation``; None where it can. ``segments``: those that there are."""
    if observation.signal != SIGNAL:
        return Problem(code="bad_value", what="an observation of another signal", where="$.signal")
    if observation.measure not in _MEASURES:
        return Problem(code="bad_value", what="not a measure of this signal", where="$.measure")
    if not (math.isfinite(observation.at) and math.isfinite(observation.began)):
        return Problem(code="bad_time", what="a time that is not finite", where="$.at")
    if not _EARLIEST <= observation.began <= observation.at <= _LATEST:
        return Problem(
            code="bad_time", what="a time that can't be: began <= at, 1970 to 2200", where="$.began"
        )
    if observation.value not in (0, 1):
        return Problem(code="bad_value", what="a share's observation is 0 or 1", where="$.value")
    if observation.measure == BASELINE_RETAKEN and observation.segments.get("segment") not in segments:
        return Problem(
            code="bad_value",
            what="there is no such segment",
            where="$.segments.segment",
            remedy="name one that plumbline drift lists",
        )
    return None
