"""What one attempt to deliver means, and what comes next. Pure: the clock and the dice are handed in.

Rules:
1. 2xx is success. Everything else is a failure, and all failures but 410 are tried again.
2. A redirect is a failure: following it would go where nobody checked.
3. 410 says that nobody wants this any more: the endpoint is disabled and its deliveries wait.
4. Retry-After on 429 and 503 is heeded for the whole endpoint, up to 24 hours; it never makes a retry sooner than the
   backoff, or a receiver that says "1 second" all day would use the ten tries up in ten seconds.
5. Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): uniform between 0 and
   the ceiling. Ten tries spread over 73 hours on average (146 at most), then the delivery is dead.
"""

from __future__ import annotations

import math
import random
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum

from msgspec import Struct

MAX_TRIES = 10
FIRST_CEILING_S = 30.0
GROWTH = 4.0
LAST_CEILING_S = 50 * 3600.0
MAX_RETRY_AFTER_S = 24 * 3600.0


class Result(StrEnum):
    """What an attempt came to; and, for counting, the two ends without one (``dead``, ``skipped``)."""

    DELIVERED = "delivered"
    REDIRECTED = "redirected"
    GONE = "gone"
    THROTTLED = "throttled"
    REFUSED = "refused"
    SERVER_ERROR = "server_error"
    BROKEN_ANSWER = "broken_answer"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    NAME_NOT_FOUND = "name_not_found"
    TLS_FAILED = "tls_failed"
    EGRESS_REFUSED = "egress_refused"
    UNREADABLE = "unreadable"
    DEAD = "dead"
    SKIPPED = "skipped"


class Answer(Struct, frozen=True, kw_only=True):
    """What came back from one attempt: a status, or the failure that prevented one."""

    status: int | None = None
    retry_after: str | None = None
    failure: Result | None = None
    detail: str = ""
    """A bounded word to go with the failure (why egress was refused)."""


class Delivered(Struct, frozen=True, kw_only=True):
    result: Result = Result.DELIVERED


class TryAgain(Struct, frozen=True, kw_only=True):
    """``at``: Unix seconds. ``pause_until``: the receiver asked everybody to wait until then."""

    result: Result
    at: float
    pause_until: float | None = None


class GiveUp(Struct, frozen=True, kw_only=True):
    """``pause_until`` as in TryAgain: the last try may also ask the others to wait."""

    result: Result
    pause_until: float | None = None


class EndpointGone(Struct, frozen=True, kw_only=True):
    result: Result = Result.GONE


Decision = Delivered | TryAgain | GiveUp | EndpointGone


def result_of(answer: Answer) -> Result:
    if answer.failure is not None:
        return answer.failure
    status = answer.status or 0
    if 200 <= status < 300:
        return Result.DELIVERED
    if 300 <= status < 400:
        return Result.REDIRECTED
    if status == 410:
        return Result.GONE
    if status == 429:
        return Result.THROTTLED
    if 400 <= status < 500:
        return Result.REFUSED
    if 500 <= status < 600:
        return Result.SERVER_ERROR
    return Result.BROKEN_ANSWER


def backoff_ceiling_s(tries: int) -> float:
    """The longest wait after ``tries`` tries (1 or more), in seconds."""
    if tries < 1:
        raise ValueError("a wait follows a try")
    # The bound on the exponent keeps a count from a damaged store from overflowing; the ceiling is reached long before.
    return float(min(LAST_CEILING_S, FIRST_CEILING_S * GROWTH ** min(tries - 1, 32)))


def retry_after_s(written: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3), within 0 and 24 h; None if absent or nonsense."""
    text = (written or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        seconds = float(text) if len(text) <= 15 else math.inf
    else:
        try:
            until = parsedate_to_datetime(text)
            # RFC 9110 dates are GMT; -0000 and a missing zone parse as naive.
            seconds = (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def decide(answer: Answer, *, tries: int, now: float, rng: random.Random) -> Decision:
    """What follows from ``answer`` to try number ``tries`` (from 1)."""
    result = result_of(answer)
    if result is Result.DELIVERED:
        return Delivered()
    if result is Result.GONE:
        return EndpointGone()
    if result is Result.UNREADABLE:
        return GiveUp(result=result)  # what can't be read today can't be read in an hour
    asked = retry_after_s(answer.retry_after, now) if answer.status in (429, 503) else None
    pause_until = now + asked if asked else None
    if tries >= MAX_TRIES:
        return GiveUp(result=result, pause_until=pause_until)
    wait = rng.uniform(0.0, backoff_ceiling_s(tries))
    return TryAgain(result=result, at=now + max(wait, asked or 0.0), pause_until=pause_until)
