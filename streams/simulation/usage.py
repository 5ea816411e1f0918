"""What an account's people do in the product: milestones, invitations and the use of features.

Activity decays after the sign-up, revives with the activation and lasts while they pay; it is heavy-bodyed over
accounts and users, and each account has habits: its own weights over features.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.random import Generator

from streams.simulation.account import Account
from streams.simulation.calendar import DAY_S, NEVER, Calendar, Floats, Ints
from streams.simulation.happenings import LAUNCHED, Happenings
from streams.simulation.wire import END, Lines, product_data, product_frame
from streams.simulation.world import Life, World

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


def use_product(life: Life, world: World, lines: Lines) -> Use:
    """Adds the account's product events within the history."""
    account, calendar = life.account, world.calendar
    if max(account.signed_up, calendar.start) >= calendar.end:
        return Use(times=np.empty(0), users=0)
    draw = world.seeds.account(account.number, "usage")
    u = draw.random(16).tolist()
    # Few are invited before an activation.
    activated = account.activated < NEVER
    people = life.company.users if activated else min(life.company.users, 1 + int(u[1] < 0.15))
    told = _Told(account, calendar, lines)
    _milestones(told, account, u[0])
    joined = _invite(told, life, people, draw)
    times = _times(life, world, draw)
    _use_features(told, life, times, joined, world, draw)
    return Use(times=times, users=people)


class _Told:
    """The account's product events, numbered as they are told."""

    def __init__(self, account: Account, calendar: Calendar, lines: Lines) -> None:
        self._account, self._calendar, self._lines = account, calendar, lines
        self._before, self._after = product_frame(account.id)
        self._number = 0

    def data(self, name: str, user: int, feature: str | None = None) -> str:
        return product_data(name, f"user-{self._account.number:06d}-{user}", feature)

    def once(self, second: int, name: str, user: int, feature: str | None = None) -> None:
        calendar = self._calendar
        self._number += 1
        if calendar.start <= second < calendar.end:
            data = self.data(name, user, feature)
            written = f"{self._before}{self._number}{self._after}{calendar.written(second)}"
            self._lines.add(second, f"{data}{written}{END}")

    def many(self, seconds: Sequence[int], data: Iterable[str]) -> None:
        """Events within the history; ``data`` of each."""
        before, after = self._before, self._after
        dates, clock = self._calendar.dates, self._calendar.clock
        self._lines.times += seconds
        self._lines.texts += [
            f"{each}{before}{number}{after}{dates[second // DAY_S]}{clock[second % DAY_S]}{END}"
            for number, (each, second) in enumerate(zip(data, seconds, strict=True), start=self._number + 1)
        ]
        self._number += len(seconds)


def _milestones(told: _Told, account: Account, connected: float) -> None:
    """``connected``: when the data came in, as a share of the time before the activation, counted back from it."""
    told.once(account.signed_up, "signed_up", 0)
    if account.activated < NEVER:
        told.once(account.activated, "first_report_shared", 0, "reports")
        second = account.activated - int((account.activated - account.signed_up) * connected)
        told.once(second, "warehouse_connected", 0, "connectors")
    if account.onboarded < account.churned:
        told.once(account.onboarded, "onboarding_finished", 0)
    told.once(account.churned, "subscription_cancelled", 0)


def _invite(told: _Told, life: Life, people: int, draw: Generator) -> Floats:
    """When each of the account's people joined: some of them together in the first week, the others over the months."""
    account = life.account
    together = 0.75 if life.company.interest > 0.8 else 0.35
    joined = np.full(people, float(account.signed_up))
    if people > 1:
        first = min(account.activated, account.signed_up + 3 * DAY_S)
        soon = draw.random(people - 1) < together
        waits = np.where(soon, draw.random(people - 1) * 5, draw.exponential(75.0, people - 1))
        joined[1:] = first + waits * DAY_S
        for user, second in enumerate(joined[1:].astype(np.int64).tolist(), start=1):
            if second < account.churned:
                told.once(second, "user_invited", user)
    return joined


def _use_features(
    told: _Told, life: Life, times: Floats, joined: Floats, world: World, draw: Generator
) -> None:
    """What was done at ``times``, and by whom."""
    account, n, people = life.account, len(times), len(joined)
    breadth = world.levers.factor("feature_breadth", account.signed_up, **life.facts)
    habits = _SHARES * np.exp(HABIT_SIGMA * draw.standard_normal(len(FEATURES)))[_FEATURE_OF]
    habits = habits ** (1.0 / breadth)
    cumulated = np.cumsum(habits)
    action = np.searchsorted(cumulated[:-1], draw.random(n) * cumulated[-1], side="right")
    launch_draw = world.seeds.account(account.number, "launch")
    action, renamed = _changed_use(times, action, habits, world.happenings, launch_draw)
    # The n-th person is n times less active than the first.
    crowd = np.cumsum(1.0 / np.arange(1, people + 1))
    user_of = np.searchsorted(crowd[:-1], draw.random(n) * crowd[-1], side="right")
    user_of = np.where(joined[user_of] > times, 0, user_of)
    # Of actions times people few pairs occur where the use is small: the data is made when it is met.
    pairs = ((action + renamed * _ACTIONS) * people + user_of).tolist()
    data: dict[int, str] = {}
    for pair in set(pairs):
        part, each = divmod(pair // people, _ACTIONS)
        name, feature = _NAMES[each]
        feature += ("", "/own", "/shared", "/archived")[part]
        data[pair] = told.data(name, pair % people, feature)
    told.many(times.astype(np.int64).tolist(), (data[pair] for pair in pairs))


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


def _times(life: Life, world: World, draw: Generator) -> Floats:
    """Seconds of the account's use, ascending in days but not within them."""
    account, company, calendar, activity = life.account, life.company, world.calendar, world.activity
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
    rate = rate * world.weekday[first - calendar.first_day : first - calendar.first_day + len(day)]
    counts = draw.poisson(rate)
    of_day = np.repeat(day, counts) * float(DAY_S)
    # Local hours of work, seen from UTC; what falls out at the ends is not the account's time.
    times = of_day + calendar.time_of_day(draw.random(len(of_day))) - company.utc_offset_s
    return np.asarray(times[(times >= begin) & (times < end)])
