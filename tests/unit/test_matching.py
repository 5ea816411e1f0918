"""The condition language as it runs: each operator on what it should and should not hold for, and the look-up."""

from __future__ import annotations

import fnmatch
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import matching
from detectors.matching import Matcher, compile_event_node, compile_node, glob_predicate
from schemas.conditions import OPERATORS, Condition, read_condition
from schemas.events import Event
from tests.unit.account_world import T0, event, product, profile, stage_change, ticket, visit


def holds(condition: dict[str, Any], attributes: dict[str, Any]) -> bool:
    return compile_node(read_condition(condition, about="account").of_account)(attributes)


def fits(condition: dict[str, Any], what: Event) -> bool:
    """Whether the event part holds."""
    read = read_condition(condition, about="event")
    assert read.event is not None
    return compile_event_node(read.of_event, read.event)(what)


CASES: list[tuple[str, Any, list[Any], list[Any]]] = [
    # operator, operand, values for which it holds, values for which it does not
    ("equals", "a", ["a"], ["A", "ab", "", ["a"], 1]),
    ("equals", 1, [1, 1.0], [True, "1", 2, [1]]),
    ("equals", True, [True], [1, "true", False]),
    ("equals", False, [False], [0, "", []]),
    ("equals", 0, [0, 0.0, -0.0], [False, "", "0"]),
    ("not_equals", "a", ["b", 1, ["a"]], ["a"]),
    ("not_equals", 1, [True, 2, "1"], [1, 1.0]),
    ("in", ["a", 1], ["a", 1, 1.0], [True, "b", ["a"]]),
    ("in", [True], [True], [1]),
    ("not_in", ["a", 1], ["b", True, 2], ["a", 1]),
    ("between", [1, 5], [1, 5, 2.5], [0.999, 5.001, True, "3", [3]]),
    ("at_least", 3, [3, 3.0, 99], [2.9, "3", True, [3]]),
    ("at_least", 0, [0], [True, False, "x"]),
    ("at_most", 3, [3, -1], [3.1, "1", False]),
    ("more_than", 3, [3.1], [3, "4", True]),
    ("less_than", 3, [2.9], [3, "2", False]),
    ("contains", "port", ["Export all", "PORT", "ﬁx the port"], ["pört", 1, [], ["porto"]]),
    ("contains", "STRASSE", ["Hauptstraße 1"], ["Strase"]),
    ("contains", "a", [["a", "b"], "bAb"], [["A"], ["ab"], {"a": 1}]),
    ("contains", 1, [[1, 2]], ["1", [True], 1]),
    ("contains_any", ["cancel", "quit"], ["I CANCEL", "don't quit", ["quit"]], ["", "leave", []]),
    ("any", ["a", "b"], [["a"], ["x", "b"], "a"], [[], ["A"], "ab", [["a"]]]),
    ("any", [1], [[1], 1], [[True], True]),
    ("all", ["a", "b"], [["b", "a", "c"]], [["a"], [], "a"]),
    ("all", ["a"], [["a"], "a"], [["b"]]),
    (
        "glob",
        "/pricing*",
        ["/pricing", "/pricing/x\ny"],
        ["/Pricing", "x/pricing", "/pricin", 1, ["/pricing"]],
    ),
    ("glob", "*.pdf", ["a.pdf", ".pdf"], ["a.pdfx", "apdf"]),
    ("glob", "a?c", ["abc", "a\nc", "aéc", "a𝄞c"], ["ac", "abbc"]),
    ("glob", "a", ["a"], ["ab"]),
    ("glob", "*", ["", "x"], [1, True]),
    ("glob", "[ab]+(c).d^$|\\", ["[ab]+(c).d^$|\\"], ["a", "ab+c.d"]),
    ("glob", "[*]", ["[x]", "[]"], ["x"]),
    ("regex", "^v[0-9]+$", ["v12"], ["xv12", "v", "v12\n", 12]),
    ("regex", "b", ["abc"], ["ac"]),
    ("regex", "(?i)é", ["É"], ["e"]),
    ("exists", True, ["", 0, False, [], {}], []),
    ("exists", False, [], ["", 0, False]),
]


@pytest.mark.parametrize(("operator", "operand", "true", "false"), CASES)
def test_operators(operator: str, operand: Any, true: list[Any], false: list[Any]) -> None:
    condition = {"field": {operator: operand}}
    assert [value for value in true if not holds(condition, {"field": value})] == []
    assert [value for value in false if holds(condition, {"field": value})] == []


@pytest.mark.parametrize(("operator", "operand", "true", "false"), CASES)
def test_a_field_that_is_not_there_fulfils_nothing_but_exists_false(
    operator: str, operand: Any, true: list[Any], false: list[Any]
) -> None:
    expected = operator == "exists" and operand is False
    for attributes in ({}, {"field": None}, {"other": operand}):
        assert holds({"field": {operator: operand}}, attributes) is expected
        assert holds({"not": {"field": {operator: operand}}}, attributes) is not expected


def test_every_operator_has_cases() -> None:
    assert {operator for operator, *_ in CASES} == set(OPERATORS)


def test_several_operators_on_a_field_and_several_fields_mean_and() -> None:
    condition = {"employees": {"at_least": 10, "less_than": 20}, "industry": "software"}
    assert holds(condition, {"employees": 10, "industry": "software"})
    assert not holds(condition, {"employees": 20, "industry": "software"})
    assert not holds(condition, {"employees": 10})


@pytest.mark.parametrize("tier", [None, "free", "enterprise"])
@pytest.mark.parametrize("seats", [None, 10, 200])
@pytest.mark.parametrize("blocked", [None, True, False])
def test_any_all_and_not_nest(tier: str | None, seats: int | None, blocked: bool | None) -> None:
    condition = {
        "any": [{"tier": "enterprise"}, {"all": [{"seats": {"at_least": 200}}, {"not": {"tier": "free"}}]}],
        "not": {"any": [{"blocked": True}]},
    }
    expected = (tier == "enterprise" or (seats == 200 and tier != "free")) and blocked is not True
    assert holds(condition, {"tier": tier, "seats": seats, "blocked": blocked}) is expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"open_roles": {"data_engineer": 3}}, True),
        ({"open_roles.data_engineer": 3}, True),
        ({"open_roles": {"data_engineer": 2}}, False),
        ({"open_roles": 3}, False),
        ({"open_roles": [3]}, False),
        ({"open_roles": {"data_engineer": {"berlin": 3}}}, False),
        ({"open_roles": None}, False),
        ({"open_roles.data_engineer": None, "open_roles": {"data_engineer": 3}}, False),  # removed is removed
    ],
)
def test_dots_go_deeper_and_flat_names_count_too(attributes: dict[str, Any], expected: bool) -> None:
    condition = {"open_roles.data_engineer": {"at_least": 3}}
    assert holds(condition, attributes) is expected
    assert fits({"event": "account.profile", **condition}, profile(T0, **attributes)) is expected


def test_fields_of_events_and_what_lies_below_them() -> None:
    what = product(T0, "export", properties={"plan": {"name": "team"}, "a.b": 1})
    assert fits({"event": "product.event", "properties.plan.name": "team"}, what)
    assert fits({"event": "product.event", "properties.a.b": 1}, what)
    assert not fits({"event": "product.event", "properties.plan": "team"}, what)
    assert not fits({"event": "product.event", "properties.none.name": "team"}, what)
    assert fits({"event": "product.event", "properties.none.name": {"exists": False}}, what)
    assert fits({"event": "product.event", "properties.plan": {"exists": False}}, product(T0))
    campaign = visit(T0, campaign={"medium": "cpc"})
    assert fits({"event": "web.visit", "campaign.medium": "cpc"}, campaign)
    assert fits({"event": "web.visit", "campaign.source": {"exists": False}}, campaign)
    assert not fits({"event": "web.visit", "campaign.medium": "cpc"}, visit(T0))


def test_the_account_part_is_about_the_profile() -> None:
    read = read_condition({"event": "product.event", "name": "export", "account": {"tier": "team"}})
    assert compile_event_node(read.of_event, "product.event")(product(T0, "export"))
    assert compile_node(read.of_account)({"tier": "team"})
    assert not compile_node(read.of_account)({})


# The look-up

NAMES = ["signed_up", "invited", "export", ""]
TEXTS = st.sampled_from(NAMES[:3])
SOME_TESTS = st.one_of(
    st.fixed_dictionaries({"name": TEXTS}),
    st.fixed_dictionaries({"name": st.fixed_dictionaries({"in": st.lists(TEXTS, min_size=1, max_size=4)})}),
    st.fixed_dictionaries(
        {"name": st.fixed_dictionaries({"not_in": st.lists(TEXTS, min_size=1, max_size=3)})}
    ),
    st.fixed_dictionaries({"feature": st.sampled_from(["x", "y"])}),
    st.fixed_dictionaries({"properties.n": st.sampled_from([1, True, "1", 2])}),
    st.fixed_dictionaries({"properties.n": st.just({"in": ["1", "2"]})}),
    st.fixed_dictionaries({"properties.n": st.just({"in": ["1", 1]})}),
)
NESTED = st.recursive(
    st.builds(lambda a, b: {**a, **b}, SOME_TESTS, SOME_TESTS),
    lambda inner: st.one_of(
        st.builds(lambda a: {"not": a}, inner),
        st.builds(lambda a, b, key: {key: [a, b]}, inner, inner, st.sampled_from(["any", "all"])),
    ),
    max_leaves=4,
)
PRODUCT_EVENTS = st.builds(
    lambda name, feature, n: product(
        T0, name, **({"feature": feature} if feature else {}), **({"properties": {"n": n}} if n else {})
    ),
    TEXTS,
    st.sampled_from(["", "x", "y"]),
    st.sampled_from([None, 1, True, "1", 2, ["1"], {"n": "1"}]),
)


@given(
    conditions=st.lists(NESTED, max_size=8),
    others=st.lists(
        st.sampled_from([{"event": "web.visit"}, {"event": "support.ticket", "subject": "x"}]), max_size=2
    ),
    whats=st.lists(PRODUCT_EVENTS, min_size=1, max_size=8),
)
def test_the_look_up_gives_what_trying_every_rule_gives(
    conditions: list[dict[str, Any]], others: list[dict[str, Any]], whats: list[Event]
) -> None:
    rules = [
        read_condition(rule) for rule in [*({"event": "product.event", **c} for c in conditions), *others]
    ]
    matcher = Matcher((rule, number) for number, rule in enumerate(rules))
    for what in [*whats, *whats]:  # what is remembered from the first time must be right the second time
        expected = [
            number
            for number, rule in enumerate(rules)
            if rule.event == "product.event" and compile_event_node(rule.of_event, "product.event")(what)
        ]
        assert list(matcher.match(what)) == expected


DEALS = st.builds(
    lambda outcome, amount, stage: stage_change(
        T0,
        to_stage=stage,
        **({"outcome": outcome} if outcome else {}),
        **({"amount": amount, "currency": "EUR"} if amount is not None else {}),
    ),
    st.sampled_from([None, "won", "lost"]),
    st.sampled_from([None, 0, 0.0, 1, 1.0, 5000]),
    st.sampled_from(["won", "talking", "x" * 200]),
)
DEAL_RULES = [
    {"outcome": "won"},
    {"outcome": {"in": ["won", "lost"]}, "amount": {"at_least": 1}},
    {"amount": {"exists": False}},
    {"amount": 0},
    {"amount": {"not_equals": 1}},
    {"to_stage": {"glob": "x*"}},
    {"not": {"outcome": {"exists": True}}},
]


@given(
    rules=st.lists(st.sampled_from(DEAL_RULES), max_size=5), whats=st.lists(DEALS, min_size=1, max_size=12)
)
def test_numbers_and_absent_fields_are_told_apart_in_what_is_remembered(
    rules: list[dict[str, Any]], whats: list[Event]
) -> None:
    read = [read_condition({"event": "crm.stage_changed", **rule}) for rule in rules]
    matcher = Matcher((rule, number) for number, rule in enumerate(read))
    for what in whats:
        expected = [
            n for n, rule in enumerate(read) if compile_event_node(rule.of_event, "crm.stage_changed")(what)
        ]
        assert list(matcher.match(what)) == expected


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MAX_MEMO", 10)
    matcher = Matcher([(read_condition({"event": "web.visit", "path": {"glob": "/pricing*"}}), "rule")])
    for number in range(100):
        assert list(matcher.match(visit(T0, f"/pricing/{number}"))) == ["rule"]
        assert list(matcher.match(visit(T0, f"/{number}" + "x" * 1000))) == []
    (plan,) = matcher._plans.values()
    assert 0 < len(plan.memo) <= 10
    assert all(len(repr(key)) <= matching.MAX_MEMO_KEY for key in plan.memo)


def test_a_literal_that_is_written_twice_counts_once() -> None:
    rule = read_condition({"event": "product.event", "name": {"in": ["export", "export"]}})
    assert list(Matcher([(rule, "rule")]).match(product(T0, "export"))) == ["rule"]


@pytest.mark.parametrize("what", [visit(T0), ticket(T0), stage_change(T0), profile(T0, a=1), product(T0)])
def test_an_event_that_no_rule_is_about_gives_nothing(what: Event) -> None:
    assert list(Matcher[str]([]).match(what)) == []
    other = "web.visit" if type(what).__name__ != "WebVisit" else "product.event"
    assert list(Matcher([(read_condition({"event": other}), "rule")]).match(what)) == []


def test_a_rule_without_an_event_is_refused() -> None:
    with pytest.raises(ValueError, match="event"):
        Matcher([(read_condition({"tier": "team"}), "rule")])


def test_an_event_that_nobody_wants_costs_one_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred rules with a literal are one table; none of their predicates runs."""
    runs: list[str] = []

    def counted(node: Any, event_type: str) -> Any:
        return lambda _: runs.append(event_type) or True

    monkeypatch.setattr(matching, "compile_event_node", counted)
    rules: list[tuple[Condition, int]] = [
        (read_condition({"event": "product.event", "name": f"n{i}", "feature": {"exists": True}}), i)
        for i in range(100)
    ]
    matcher = Matcher(rules)
    assert list(matcher.match(product(T0, "other"))) == []
    assert runs == []
    assert list(matcher.match(product(T0, "n7"))) == [7]
    assert len(runs) == 1


# Patterns, by people and against attackers


@given(
    pattern=st.text(st.sampled_from("*?ab[]().\\^$|{}é\n/-"), min_size=1, max_size=12),
    text=st.text(st.sampled_from("ab[]().\\^$|{}é\n/-𝄞"), max_size=12),
)
def test_a_glob_knows_star_and_question_mark_and_nothing_else(pattern: str, text: str) -> None:
    escaped = "".join(
        f"[{sign}]" if sign == "[" else sign for sign in pattern
    )  # fnmatch has character classes
    expected = re.fullmatch(fnmatch.translate(escaped), text) is not None
    assert glob_predicate(pattern)(text) is expected


NASTY = ["(a+)+$", "(a|aa)+$", "(.*a){10}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y"]


@pytest.mark.parametrize("pattern", NASTY)
def test_a_nasty_pattern_on_a_million_characters_is_answered(pattern: str) -> None:
    """A backtracking engine would need longer than anybody lives; that it answers at all is the point."""
    for filler in ("a", "x"):
        text = filler * 1_000_000 + "!"
        assert holds({"field": {"regex": pattern}}, {"field": text}) is False
    assert holds({"field": {"glob": "*a" * 99 + "b"}}, {"field": "a" * 1_000_000}) is False


def test_patterns_run_in_the_linear_engine() -> None:
    for operator, operand in (("regex", "a+b"), ("glob", "a*b")):
        predicate = compile_node(read_condition({"field": {operator: operand}}, about="account").of_account)
        assert predicate({"field": "aab"})
    assert matching.re2.__name__ == "re2"
    assert not hasattr(matching, "re")


@given(st.text(max_size=30))
def test_any_text_is_taken(text: str) -> None:
    for operator, operand in (("regex", "."), ("glob", "*x?"), ("contains", "ß"), ("equals", "a")):
        assert holds({"field": {operator: operand}}, {"field": text}) in (True, False)


def test_events_of_other_types_have_other_fields() -> None:
    assert fits({"event": "crm.stage_changed", "outcome": "won"}, stage_change(T0, outcome="won"))
    assert not fits({"event": "crm.stage_changed", "outcome": "won"}, stage_change(T0))
    assert fits({"event": "support.ticket", "subject": {"contains": "Broken"}}, ticket(T0))
    outcome = event("alert.outcome", T0, {"alert_id": "x", "outcome": "wrong"})
    assert fits({"event": "alert.outcome", "outcome": "wrong"}, outcome)
