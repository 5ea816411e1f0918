"""Lists by trigger and by fit are exactly what scoring every account gives, before, during and after rebuilding."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.account_state import decode_state, present
from detectors.accounts import NOT_ACCOUNTS
from detectors.scoring import Score
from streams.serving import CursorRefused, UnknownVariant, lists, relisting
from streams.serving.views import AccountList, Order
from tests.unit.serving_world import DAY, GOOD, HOUR, NOW, World, icp

EVENTS = ("visit", "invited", "export", "complaint", "docs", "profile", "small", "gambling")


def every_score(world: World, variant: str) -> dict[str, Score]:
    """By the way that can't be wrong: all states, scored one by one."""
    compiled = world.pipeline.account_stage.in_force(world.now).by_name[variant]
    found = {}
    for key, raw in world.store._db.execute("SELECT key, state FROM states_accounts"):
        if not key.startswith(NOT_ACCOUNTS):
            state = decode_state(raw)
            found[key] = compiled.score(state, present(state), max(world.now, state.now))
    return found


def by_trigger(world: World, variant: str) -> list[tuple[str, float]]:
    scores = [(key, score.trigger) for key, score in every_score(world, variant).items()]
    wanted = [each for each in scores if each[1] >= lists.MIN_TRIGGER]
    return sorted(wanted, key=lambda each: (-each[1], each[0]))


def by_fit(world: World, variant: str) -> list[str]:
    keys = {
        key: score.fit.score if score.fit.out is None else -1.0
        for key, score in every_score(world, variant).items()
    }
    listed = {
        row[0]
        for row in world.store._db.execute("SELECT account FROM listings WHERE variant = ?", (variant,))
    }
    return sorted(listed, key=lambda key: (-keys[key], key))


def shown(found: AccountList) -> list[tuple[str, float]]:
    return [(each.account, each.trigger) for each in found.accounts]


def all_pages(world: World, variant: str, order: Order, size: int) -> list[str]:
    names: list[str] = []
    cursor = None
    while True:
        page = world.serving.accounts(variant, order, size, cursor)
        names += [each.account for each in page.accounts]
        cursor = page.next
        if cursor is None:
            return names


def event(world: World, account: str, at: float, what: str) -> bytes:
    make = world.events
    match what:
        case "visit":
            return make.visit(account, at)
        case "docs":
            return make.visit(account, at, "/docs/api")
        case "complaint":
            return make.ticket(account, at, "we want to cancel")
        case "profile":
            return make.profile(account, at, **GOOD)
        case "small":
            return make.profile(account, at, employees=3)
        case "gambling":
            return make.profile(account, at, industry="gambling", employees=50)
        case _:
            return make.product(account, at, what)


HISTORIES = st.lists(
    st.tuples(st.integers(0, 12), st.floats(0.01, 60), st.sampled_from(EVENTS)), min_size=1, max_size=60
)


def fill(world: World, history: list[tuple[int, float, str]]) -> None:
    world.put(event(world, f"a{who:02}", NOW - days * DAY, what) for who, days, what in history)


@settings(max_examples=40)
@given(
    history=HISTORIES,
    limit=st.integers(1, 5),
    later_days=st.floats(0, 30),
    rebuilt=st.booleans(),
    variant=st.sampled_from(["analytics", "embedded"]),
)
def test_a_list_is_what_scoring_every_account_gives(
    history: list[tuple[int, float, str]], limit: int, later_days: float, rebuilt: bool, variant: str
) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        if rebuilt:
            world.serving.relist()  # on the empty store: from here on the stored order is relied on
        fill(world, history)
        world.now = NOW + later_days * DAY
        expected = by_trigger(world, variant)
        assert shown(world.serving.accounts(variant, "trigger", limit)) == expected[:limit]
        assert all_pages(world, variant, "trigger", limit) == [name for name, _ in expected]
        fits = all_pages(world, variant, "fit", limit)
        assert len(set(fits)) == len(fits)
        assert [name for name in fits if name in by_fit(world, variant)] == by_fit(world, variant)
        world.close()


@settings(max_examples=30)
@given(history=HISTORIES, late=HISTORIES, pricing=st.integers(1, 100), rebuilt=st.booleans())
def test_a_changed_file_and_late_events_under_the_old_version(
    history: list[tuple[int, float, str]], late: list[tuple[int, float, str]], pricing: int, rebuilt: bool
) -> None:
    """Two versions in one file list: what is listed under the earlier one is not mistaken for the later one's."""
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.serving.relist()
        fill(world, history)
        world.change_icp(
            icp(), icp(version="2", effective_from="2026-10-15T00:00:00Z", pricing=pricing, reps=5)
        )
        if rebuilt:
            world.serving.relist()
        fill(world, late)
        assert shown(world.serving.accounts("analytics", "trigger", 4)) == by_trigger(world, "analytics")[:4]
        fits = all_pages(world, "analytics", "fit", 3)
        assert [name for name in fits if name in by_fit(world, "analytics")] == by_fit(world, "analytics")
        world.close()


@pytest.fixture
def world(tmp_path: Path) -> Any:
    world = World(tmp_path)
    yield world
    world.close()


def crowd(world: World, size: int) -> None:
    """Many accounts that looked at prices once, the earlier the higher their number."""
    world.put(world.events.visit(f"a{n:04}", NOW - n * HOUR) for n in reversed(range(size)))


def test_the_first_ones_are_found_without_scoring_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(world, 800)
    world.serving.relist()
    read: list[bytes] = []

    def counting(raw: bytes) -> Any:
        read.append(raw)
        return decode_state(raw)

    monkeypatch.setattr(lists, "decode_state", counting)
    found = world.serving.accounts("analytics", "trigger", 10)
    assert [each.account for each in found.accounts] == [f"a{n:04}" for n in range(10)]
    assert len(read) < 40


def test_a_loose_bound_does_not_hide_who_comes_behind_it(world: World) -> None:
    """What fades evenly is bounded by twice its score, and so stands above who scores more."""
    world.serving.relist()
    world.put(world.events.product(name, NOW, "export") for name in ("export", "export2"))
    world.put([world.events.product("invite", NOW, "invited")])
    rows = world.store._db.execute(
        "SELECT account FROM listings WHERE variant = 'analytics' ORDER BY rank DESC, account"
    )
    assert [account for (account,) in rows] == ["export", "export2", "invite"]
    assert shown(world.serving.accounts("analytics", "trigger", 1)) == [("invite", 10.0)]


def test_without_a_profile_fit_is_that_of_an_empty_one(world: World) -> None:
    world.serving.relist()
    world.put([world.events.visit("bare", NOW), world.events.profile("small", NOW, employees=3)])
    world.put([world.events.profile("good", NOW, **GOOD)])
    found = world.serving.accounts("analytics", "fit", 5).accounts
    # The screen wants at least ten employees: who has no profile is out too.
    assert [(each.account, each.screened_out is None) for each in found] == [
        ("good", True),
        ("bare", False),
        ("small", False),
    ]
    world.put([world.events.visit("bare", NOW, "/docs")])
    found = world.serving.accounts("embedded", "fit", 5).accounts
    assert [(each.account, each.fit) for each in found] == [("good", 100.0), ("bare", 0.0), ("small", 0.0)]


def test_an_edited_weight_is_seen_at_once_and_after_rebuilding(world: World) -> None:
    crowd(world, 30)
    world.put([world.events.product("inviter", NOW - HOUR, "invited") for _ in range(2)])
    world.serving.relist()
    assert world.serving.accounts("analytics", "trigger", 1).accounts[0].account == "a0000"
    world.change_icp(icp(pricing=5))
    before = world.serving.accounts("analytics", "trigger", 40)
    assert before.accounts[0].account == "inviter"
    assert world.serving.relist() == 31
    assert shown(world.serving.accounts("analytics", "trigger", 40)) == shown(before)
    assert world.serving.relist() == 0


def test_a_rebuilding_that_breaks_off_leaves_lists_right(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(world, 30)
    world.serving.relist()
    world.change_icp(icp(pricing=5))
    monkeypatch.setattr(relisting, "CHUNK", 10)
    written = relisting._list
    calls: list[int] = []

    def breaking(*arguments: Any) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise sqlite3.OperationalError("disk I/O error")
        return written(*arguments)

    monkeypatch.setattr(relisting, "_list", breaking)
    with pytest.raises(sqlite3.OperationalError):
        world.serving.relist()
    assert shown(world.serving.accounts("analytics", "trigger", 50)) == by_trigger(world, "analytics")
    monkeypatch.setattr(relisting, "_list", written)
    assert world.serving.relist() == 30
    assert shown(world.serving.accounts("analytics", "trigger", 50)) == by_trigger(world, "analytics")


def test_rebuilding_leaves_room_for_commits_and_ends_when_closed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(world, 30)
    monkeypatch.setattr(relisting, "CHUNK", 10)
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        world.put([world.events.visit("busy", NOW)])  # fails when the lock is held
        return len(pauses) == 2

    assert relisting.relist(world.path, world.serving._versions, NOW, pause) is None
    assert pauses == [relisting.PAUSE_S] * 2
    assert shown(world.serving.accounts("analytics", "trigger", 50)) == by_trigger(world, "analytics")
    world.serving.close()
    assert world.serving.relist() is None


def test_reading_holds_up_no_commit(world: World) -> None:
    crowd(world, 5)
    with world.serving._source.snapshot() as snapshot:
        before = snapshot.account_count()
        world.put([world.events.visit("new", NOW)])
        assert snapshot.account_count() == before
    assert "new" in [each.account for each in world.serving.accounts(None).accounts]


def test_a_list_can_leave_out_whom_the_screen_puts_out(world: World) -> None:
    make = world.events
    world.put(
        [
            make.profile("good", NOW - DAY, **GOOD),
            make.profile("small", NOW - DAY, employees=2),
            make.profile("own", NOW - DAY, employees=50, deployment="on_premises"),
            *(make.visit(name, NOW - HOUR) for name in ("good", "small", "own")),
        ]
    )
    for order in ("trigger", "fit"):
        found = world.serving.accounts("analytics", order, 10)
        assert {each.account for each in found.accounts} == {"good", "small", "own"}
        left = world.serving.accounts("analytics", order, 10, with_out=False)
        assert [each.account for each in left.accounts] == ["good"]
    small = next(each for each in found.accounts if each.account == "small")
    assert (small.screened_out, small.standing) == ("Too small to need it", "trigger_below")
    assert found.accounts[-1].account == "small"


def test_visitors_and_products_are_no_accounts(world: World) -> None:
    world.put([world.events.visit("visitor:v1", NOW), world.events.visit("a", NOW)])
    world.serving.relist()
    assert [each.account for each in world.serving.accounts(None).accounts] == ["a"]
    assert world.serving.account_count() == 1
    assert world.serving.account("visitor:v1") is None


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "bnVsbA", "WzFd", "e30", "é", "A" * 5000])
def test_what_is_no_cursor_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(CursorRefused):
        world.serving.accounts(None, cursor=cursor)


def test_an_unknown_variant_is_refused_with_those_there_are(world: World) -> None:
    with pytest.raises(UnknownVariant, match="analytics, embedded"):
        world.serving.accounts("nope")
