"""What an account's people do in the product: milestones, invitations and the use of features.

Activity decays after the sign-up, revives with the activation and lasts while they pay; it is heavy-bodyed over
accounts and users, and each account has habits: its own weights over features.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.random import Generator

from streams.simulation.calendar import DAY_S, NEVER, Calendar, Floats, Ints
from streams.simulation.companies import Company
from streams.simulation.happenings import LAUNCHED, Happenings
from streams.simulation.population import Account
from streams.simulation.wire import END, Lines, product_data, product_frame

ACTIONS: tuple[tuple[str, str, float], ...] = (
    ("report_viewed", "reports", 0.36),
    ("report_filtered", "reports", 0.08),
    ("dashboard_viewed", "dashboards", 0.20),
    ("dashboard_created", "dashboards", 0.03),
    ("alert_opened", "alerts", 0.08),
    ("alert_created", "alerts", 0.02),
    ("api_called", "api", 0.07),
    ("api_token_created", "api", 0.002),
    ("export_run", "exports", 0.06),
    ("connection_checked", "connectors", 0.04),
    ("permission_changed", "permissions", 0.015),
    ("embed_viewed", "embeds", 0.043),
)
"""name, feature, share of the use"""
FEATURES = tuple(dict.fromkeys(feature for _, feature, _ in ACTIONS))
_SHARES: Floats = np.array([share for _, _, share in ACTIONS])
_FEATURE_OF = np.array([FEATURES.index(feature) for _, feature, _ in ACTIONS])
_NAMES = (*((name, feature) for name, feature, _ in ACTIONS), ("assistant_asked", LAUNCHED))
_ACTIONS = len(_NAMES)
_LAUNCHED_SHARE = 0.35
"""of the use outside an account's two favourite features: who is curious tries what is new"""
_PARTS = (0.5, 0.3, 0.2)
HABIT_SIGMA = 1.1
_MOST_A_DAY = 400.0


class Use(Struct):
    """When somebody of the account was in the product, for visits to the documentation beside it."""

    times: Floats
    users: int


def use_product(
    account: Account,
    company: Company,
    calendar: Calendar,
    weekday: Floats,
    activity: float,
    breadth: float,
    happenings: Happenings,
    draw: Generator,
    launch_draw: Generator,
    lines: Lines,
) -> Use:
    """Adds the account's product events within the history. ``weekday`` weighs each touched day."""
    before, after = product_frame(account.id)
    u = draw.random(16).tolist()
    number = 0
    begin = max(account.signed_up, calendar.start)
    if begin >= calendar.end:
        return Use(times=np.empty(0), users=0)

    def once(second: int, name: str, user: int, feature: str | None = None) -> None:
        nonlocal number
        number += 1
        if calendar.start <= second < calendar.end:
            data = product_data(name, f"user-{account.number:06d}-{user}", feature)
            lines.add(second, f"{data}{before}{number}{after}{calendar.written(second)}{END}")

    once(account.signed_up, "signed_up", 0)
    if account.activated < NEVER:
        once(account.activated, "first_report_shared", 0, "reports")
        once(
            account.activated - int((account.activated - account.signed_up) * u[0]),
            "warehouse_connected",
            0,
            "connectors",
        )
    if account.onboarded < account.churned:
        once(account.onboarded, "onboarding_finished", 0)
    once(account.churned, "subscription_cancelled", 0)

    # Invitations: some of them together in the first week, the others over the months. Few, before an activation.
    people = company.users if account.activated < NEVER else min(company.users, 1 + int(u[1] < 0.15))
    together = 0.75 if company.interest > 0.8 else 0.35
    joined = np.full(people, float(account.signed_up))
    if people > 1:
        first = min(account.activated, account.signed_up + 3 * DAY_S)
        soon = draw.random(people - 1) < together
        waits = np.where(soon, draw.random(people - 1) * 5, draw.exponential(75.0, people - 1))
        joined[1:] = first + waits * DAY_S
        for user, second in enumerate(joined[1:].astype(np.int64).tolist(), start=1):
            if second < account.churned:
                once(second, "user_invited", user)

    times = _times(account, company, calendar, weekday, activity, draw)
    n = len(times)
    habits = _SHARES * np.exp(HABIT_SIGMA * draw.standard_normal(len(FEATURES)))[_FEATURE_OF]
    habits = habits ** (1.0 / breadth)
    cumulated = np.cumsum(habits)
    action = np.searchsorted(cumulated[:-1], draw.random(n) * cumulated[-1], side="right")
    action, renamed = _changed_use(times, action, habits, happenings, launch_draw)
    # The n-th person is n times less active than the first.
    crowd = np.cumsum(1.0 / np.arange(1, people + 1))
    user_of = np.searchsorted(crowd[:-1], draw.random(n) * crowd[-1], side="right")
    user_of = np.where(joined[user_of] > times, 0, user_of)
    seconds = times.astype(np.int64).tolist()
    # Of actions times people few pairs occur where the use is small: the data is made when it is met.
    pairs = ((action + renamed * _ACTIONS) * people + user_of).tolist()
    data: dict[int, str] = {}
    for pair in set(pairs):
        part, each = divmod(pair // people, _ACTIONS)
        name, feature = _NAMES[each]
        feature += ("", "/own", "/shared", "/archived")[part]
        data[pair] = product_data(name, f"user-{account.number:06d}-{pair % people}", feature)
    dates, clock = calendar.dates, calendar.clock
    lines.times += seconds
    lines.texts += [
        f"{data[pair]}{before}{place}{after}{dates[second // DAY_S]}{clock[second % DAY_S]}{END}"
        for place, (pair, second) in enumerate(zip(pairs, seconds, strict=True), start=number + 1)
    ]
    return Use(times=times, users=people)


def _changed_use(
    times: Floats, action: Ints, habits: Floats, happenings: Happenings, draw: Generator
) -> tuple[Ints, Ints]:
    """The actions after a launch, and the part of its feature that each names where the tracker tells parts apart (0:
    it does not)."""
    renamed = np.zeros(len(times), dtype=np.int64)
    if not len(times) or not happenings.all:
        return action, renamed
    launched = times >= happenings.at("feature_launched")
    if launched.any():
        by_feature = np.bincount(_FEATURE_OF, weights=habits)
        favourites = np.argsort(by_feature)[-2:]
        curious = ~np.isin(_FEATURE_OF[action], favourites) & (draw.random(len(times)) < _LAUNCHED_SHARE)
        action = np.where(launched & curious, _ACTIONS - 1, action)
    split = times >= happenings.at("features_renamed")
    if split.any():
        part = 1 + np.searchsorted(np.cumsum(_PARTS)[:-1], draw.random(len(times)), side="right")
        renamed = np.where(split, part, renamed)
    return action, renamed


def _times(
    account: Account, company: Company, calendar: Calendar, weekday: Floats, activity: float, draw: Generator
) -> Floats:
    """Seconds of the account's use, ascending in days but not within them."""
    begin = max(account.signed_up, calendar.start)
    end = min(calendar.end, account.churned)
    if begin >= end:
        return np.empty(0)
    first = begin // DAY_S
    day = np.arange(first, (end - 1) // DAY_S + 1)
    noon = day * float(DAY_S) + DAY_S / 2
    rate = 3.5 * np.exp(-np.maximum(noon - account.signed_up, 0.0) / (4 * DAY_S))
    if account.activated < end:
        since = (noon - account.activated) / DAY_S
        rate = rate + np.where(since > -0.5, 2.6 * np.exp(-np.maximum(since, 0.0) / 26), 0.0)
    if account.paid < end:
        since = (noon - account.paid) / DAY_S
        left = (account.churned - noon) / DAY_S
        fading = np.where(left < 40, np.maximum(left, 4.0) / 40, 1.0)
        rate = rate + np.where(since > -0.5, 5.0 * fading, 0.0)
    rate = np.minimum(rate * company.eagerness * activity, _MOST_A_DAY * max(activity, 1.0))
    rate = rate * weekday[first - calendar.first_day : first - calendar.first_day + len(day)]
    counts = draw.poisson(rate)
    of_day = np.repeat(day, counts) * float(DAY_S)
    # Local hours of work, seen from UTC; what falls out at the ends is not the account's time.
    times = of_day + calendar.time_of_day(draw.random(len(of_day))) - company.utc_offset_s
    return np.asarray(times[(times >= begin) & (times < end)])
