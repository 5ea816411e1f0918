"""Which endpoint gets which alert, and why not. Pure.

Rules:
1. An endpoint without a subscription gets nothing.
2. Every list that a subscription writes must hold; an empty one takes all. An alert that has no such field (a drift
   alert has no variant) does not match a list about it: write a second subscription for it.
3. One matching subscription is enough, and an alert goes to an endpoint once.
4. History is not news: what is older than ``max_age`` of every matching subscription is skipped, and the skip is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from schemas.alerts import Alert
from schemas.settings import Subscription


class Route(StrEnum):
    """What becomes of one alert at one endpoint: a bounded set of words."""

    SEND = "send"
    TOO_OLD = "too_old"
    NO_SUBSCRIPTION = "no_subscription"
    OTHER_KIND = "other_kind"
    OTHER_VARIANT = "other_variant"
    OTHER_QUADRANT = "other_quadrant"
    OTHER_SIGNAL = "other_signal"


class Routed(Struct, frozen=True):
    endpoint: str
    route: Route


# The nearer a miss was to a match, the more it explains.
_NEARNESS = [
    Route.NO_SUBSCRIPTION,
    Route.OTHER_KIND,
    Route.OTHER_VARIANT,
    Route.OTHER_SIGNAL,
    Route.OTHER_QUADRANT,
    Route.TOO_OLD,
    Route.SEND,
]


def judge(alert: Alert, subscription: Subscription, now: float) -> Route:
    """What ``subscription`` says of ``alert`` at ``now`` (Unix seconds)."""
    if not _takes(subscription.kinds, alert.__struct_config__.tag):
        return Route.OTHER_KIND
    if not _takes(subscription.variants, getattr(alert, "variant", None)):
        return Route.OTHER_VARIANT
    if not _takes(subscription.signals, getattr(alert, "signal", None)):
        return Route.OTHER_SIGNAL
    if not _takes(subscription.quadrants, getattr(alert, "quadrant", None)):
        return Route.OTHER_QUADRANT
    return Route.TOO_OLD if now - alert.at.timestamp() > subscription.max_age else Route.SEND


def _takes(listed: Sequence[str], value: object) -> bool:
    return not listed or value in listed


def routes(
    alert: Alert, endpoints: Iterable[str], subscriptions: Sequence[Subscription], now: float
) -> Iterator[Routed]:
    """One answer for each of ``endpoints``, in their order."""
    for endpoint in endpoints:
        answers = [judge(alert, s, now) for s in subscriptions if s.endpoint == endpoint]
        yield Routed(endpoint, max(answers, key=_NEARNESS.index, default=Route.NO_SUBSCRIPTION))
