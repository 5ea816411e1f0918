from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.alerts import Alert
from schemas.settings import Subscription
from streams.delivery.subscriptions import Route, judge, routes
from tests.unit.delivery_alerts import AT, activation_missed, blocker_ended, drift, notice, trigger

NOW = AT.timestamp() + 60


@pytest.mark.parametrize(
    ("alert", "filters", "route"),
    [
        (trigger(), {}, "send"),
        (drift(), {}, "send"),
        (notice(), {}, "send"),
        (trigger(), {"kinds": ["trigger"]}, "send"),
        (drift(), {"kinds": ["trigger"]}, "other_kind"),
        (blocker_ended(), {"kinds": ["trigger", "blocker_ended"]}, "send"),
        (trigger(), {"variants": ["analytics-engineering"]}, "send"),
        (trigger(), {"variants": ["reverse-etl"]}, "other_variant"),
        (drift(), {"variants": ["analytics-engineering"]}, "other_variant"),
        (trigger(), {"quadrants": ["route", "discover"]}, "send"),
        (trigger(quadrant="nurture"), {"quadrants": ["route"]}, "other_quadrant"),
        (activation_missed(), {"quadrants": ["route"]}, "other_quadrant"),
        (drift(), {"signals": ["plg.conversion_gap"]}, "send"),
        (notice(), {"signals": ["plg.conversion_gap"]}, "send"),
        (drift(), {"signals": ["slg.cycle_spread"]}, "other_signal"),
        (trigger(), {"signals": ["plg.conversion_gap"]}, "other_signal"),
        (
            trigger(),
            {"kinds": ["trigger"], "variants": ["analytics-engineering"], "quadrants": ["nurture"]},
            "other_quadrant",
        ),
    ],
)
def test_filters(alert: Alert, filters: dict[str, list[str]], route: str) -> None:
    assert judge(alert, Subscription(endpoint="crm", **filters), NOW) == route  # type: ignore[arg-type]


def test_max_age_is_the_alerts_age_at_fan_out() -> None:
    subscription = Subscription(endpoint="crm", max_age=3600)
    assert judge(trigger(), subscription, AT.timestamp() + 3600) is Route.SEND
    assert judge(trigger(), subscription, AT.timestamp() + 3601) is Route.TOO_OLD
    assert judge(trigger(at=AT + timedelta(days=2)), subscription, AT.timestamp()) is Route.SEND


def test_an_endpoint_without_subscription_gets_nothing() -> None:
    answers = list(routes(trigger(), ["crm", "idle"], [Subscription(endpoint="crm")], NOW))
    assert [(a.endpoint, a.route) for a in answers] == [("crm", Route.SEND), ("idle", Route.NO_SUBSCRIPTION)]


@pytest.mark.parametrize("order", [1, -1])
def test_one_matching_subscription_is_enough_and_the_nearest_miss_is_told(order: int) -> None:
    def answer(subscriptions: list[Subscription]) -> Route:
        [routed] = routes(trigger(), ["crm"], subscriptions[::order], NOW)
        return routed.route

    drift_only = Subscription(endpoint="crm", kinds=["drift"])
    other_variant = Subscription(endpoint="crm", variants=["reverse-etl"])
    short = Subscription(endpoint="crm", max_age=1)
    assert answer([drift_only, Subscription(endpoint="crm")]) is Route.SEND
    assert answer([short, Subscription(endpoint="crm")]) is Route.SEND
    assert answer([drift_only, other_variant]) is Route.OTHER_VARIANT
    assert answer([drift_only, short]) is Route.TOO_OLD
