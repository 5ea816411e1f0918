"""The condition language: what is read, and what is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.conditions import (
    MAX_TESTS,
    OPERATORS,
    AllOf,
    AnyOf,
    Condition,
    ConditionRefused,
    Not,
    Test,
    read_condition,
)
from schemas.events import EVENT_CLASSES

Test.__test__ = False  # type: ignore[attr-defined]  # not a test of pytest's


def test_a_profile_condition() -> None:
    condition = read_condition({"employees": {"between": [50, 2000]}, "industry": "software"})
    assert condition == Condition(
        None,
        AllOf(()),
        AllOf((Test("employees", "between", [50, 2000]), Test("industry", "equals", "software"))),
    )


def test_an_event_condition_with_a_part_on_the_account() -> None:
    condition = read_condition({"event": "web.visit", "path": {"glob": "/p*"}, "account": {"tier": "free"}})
    assert condition == Condition("web.visit", Test("path", "glob", "/p*"), Test("tier", "equals", "free"))


def test_nesting() -> None:
    condition = read_condition({"any": [{"tier": "free"}, {"not": {"seats": {"at_least": 5}}}]})
    assert condition.of_account == AnyOf((Test("tier", "equals", "free"), Not(Test("seats", "at_least", 5))))


def test_several_operators_mean_and() -> None:
    condition = read_condition({"seats": {"more_than": 1, "less_than": 9}})
    assert condition.of_account == AllOf((Test("seats", "more_than", 1), Test("seats", "less_than", 9)))


def test_unknown_attributes_can_be_anything() -> None:
    assert read_condition({"sales_reps": 3, "open_roles.engineer": "x", "weird-name": {"glob": "*"}})


def test_a_row_may_have_any_field() -> None:
    condition = read_condition({"event": "x", "account": "y", "Deal.Name": {"exists": True}}, "row")
    assert condition.of_account == AllOf(
        (Test("event", "equals", "x"), Test("account", "equals", "y"), Test("Deal.Name", "exists", True))
    )


REFUSED: list[tuple[Any, str, tuple[str | int, ...]]] = [
    ([], "condition", ()),
    ({}, "condition", ()),
    ("x", "condition", ()),
    ({"event": ["web.visit"]}, "unknown_event", ("event",)),
    ({"event": "web.visits"}, "unknown_event", ("event",)),
    ({"event": "product.released"}, "condition", ("event",)),
    ({"event": "web.visit", "pth": "x"}, "unknown_field", ("pth",)),
    ({"event": "web.visit", "campaign.colour": "x"}, "unknown_field", ("campaign.colour",)),
    ({"event": "web.visit", "path.x": "x"}, "unknown_field", ("path.x",)),
    (
        {"event": "web.visit", "account": {"tier": {"at_least": 3}}},
        "never_holds",
        ("account", "tier", "at_least"),
    ),
    ({"event": "crm.stage_changed", "outcome": "wonn"}, "never_holds", ("outcome",)),
    ({"event": "crm.stage_changed", "opened_at": "2026"}, "never_holds", ("opened_at",)),
    ({"event": "product.event", "properties": "x"}, "never_holds", ("properties",)),
    ({"event": "product.event", "any": [{"account": {"tier": "x"}}]}, "condition", ("any", 0, "account")),
    ({"account": {"tier": "free"}}, "condition", ("account",)),
    ({"technologies": "snowflake"}, "never_holds", ("technologies",)),
    ({"technologies": {"not_in": ["snowflake"]}}, "never_holds", ("technologies", "not_in")),
    ({"employees": "50"}, "never_holds", ("employees",)),
    ({"advisory_board": "yes"}, "never_holds", ("advisory_board",)),
    ({"arr": 5}, "never_holds", ("arr",)),
    ({"x": None}, "condition", ("x",)),
    ({"x": [1]}, "condition", ("x",)),
    ({"x": {}}, "condition", ("x",)),
    ({"x": {"like": 1}}, "unknown_operator", ("x", "like")),
    ({"x": {"between": [2, 1]}}, "condition", ("x", "between")),
    ({"x": {"between": [1, 2, 3]}}, "condition", ("x", "between")),
    ({"x": {"in": []}}, "condition", ("x", "in")),
    ({"x": {"in": [[1]]}}, "condition", ("x", "in")),
    ({"x": {"at_least": True}}, "condition", ("x", "at_least")),
    ({"x": {"at_least": float("nan")}}, "condition", ("x", "at_least")),
    ({"x": {"exists": "yes"}}, "condition", ("x", "exists")),
    ({"x": {"regex": "(a"}}, "condition", ("x", "regex")),
    ({"x": {"regex": "(?!a)"}}, "condition", ("x", "regex")),
    ({"x": {"regex": r"(a)\1"}}, "condition", ("x", "regex")),
    ({"x": {"regex": "((a{999}){999}){999}"}}, "condition", ("x", "regex")),
    ({"x": {"glob": "*" * 201}}, "condition", ("x", "glob")),
    ({"x": "y" * 501}, "condition", ("x",)),
    ({"a..b": 1}, "unknown_field", ("a..b",)),
    ({5: 1}, "condition", ("5",)),
    ({"any": {"tier": "x"}}, "condition", ("any",)),
    ({"any": []}, "condition", ("any",)),
    ({"not": {}}, "condition", ("not",)),
    ({"not": {"not": {"not": {"not": {"not": {"not": {"not": {"a": 1}}}}}}}}, "condition", ("not",) * 7),
]


@pytest.mark.parametrize(("written", "code", "path"), REFUSED, ids=[str(case[0])[:60] for case in REFUSED])
def test_refused_with_its_place(written: object, code: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(ConditionRefused) as refused:
        read_condition(written)
    assert (refused.value.code, refused.value.path) == (code, path)
    assert refused.value.remedy
    assert not refused.value.others


def test_all_refusals_of_a_condition_are_there() -> None:
    with pytest.raises(ConditionRefused) as refused:
        read_condition({"x": {"like": 1}, "technologies": "dbt", "any": [{"y": None}]})
    assert [one.path for one in (refused.value, *refused.value.others)] == [
        ("x", "like"),
        ("technologies",),
        ("any", 0, "y"),
    ]


def test_where_an_event_is_needed_and_where_it_is_not_wanted() -> None:
    with pytest.raises(ConditionRefused) as needed:
        read_condition({"tier": "free"}, "event")
    assert needed.value.code == "event_needed"
    with pytest.raises(ConditionRefused) as unwanted:
        read_condition({"event": "web.visit"}, "account")
    assert (unwanted.value.code, unwanted.value.path) == ("no_event_here", ("event",))


def test_the_number_of_tests_is_bounded() -> None:
    with pytest.raises(ConditionRefused, match="more than"):
        read_condition({"any": [{f"f{i}": 1} for i in range(MAX_TESTS + 1)]})


def test_a_bad_expression_writes_nothing_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConditionRefused):
        read_condition({"x": {"regex": "(a"}})
    assert capfd.readouterr().err == ""


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
keys = st.sampled_from(
    [*OPERATORS, *EVENT_CLASSES, "event", "account", "not", "path", "technologies", "employees", "a.b"]
) | st.text(max_size=5)
anything = st.recursive(
    scalars | st.sampled_from(sorted(EVENT_CLASSES)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(keys, anything, max_size=4), st.sampled_from(["either", "event", "account", "row"]))
def test_anything_is_a_condition_or_is_refused(written: object, about: Any) -> None:
    try:
        condition = read_condition(written, about)
    except ConditionRefused:
        return
    assert about != "event" or condition.event is not None
    assert about not in ("account", "row") or condition.event is None
