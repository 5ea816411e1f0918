"""Fit: the screen, the weights, and the reasons in the order in which an SDR reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.fit import CompiledFit, top_reasons
from schemas.icp import FitRule, ScreenRule, Variant
from tests.unit.account_world import icp

VARIANT = """
  - name: main
    screen:
      - {keep: {employees: {between: [50, 2000]}}, because: "Nobody owns the warehouse"}
      - {drop: {industry: {in: [gambling]}}, because: "Payment partners refuse them"}
      - {keep: {not: {country: nowhere}}, because: "We can't send bills there"}
    fit:
      - {name: warehouse, when: {technologies: {any: [snowflake]}}, weight: 30, because: "Closes twice as often"}
      - {name: reps, when: {sales_reps: {at_least: 20}}, weight: 30, because: "Reps ask daily"}
      - {name: certified, when: {compliance: {contains: soc2}}, weight: 12.5, because: "Procurement is quick"}
      - {name: hires, when: {open_roles.data_engineer: {at_least: 1}}, weight: 27.5, because: "They have a budget"}
    triggers:
      - {name: visit, when: {event: web.visit}, weight: 5, half_life: 7d, because: "They look at us"}
    alert: {fit_at_least: 60, trigger_at_least: 40, rearm_below: 25}
"""
WRITTEN: Variant = icp(VARIANT).variants[0]
FIT = CompiledFit(WRITTEN)
IN = {"employees": 100}


@pytest.mark.parametrize(
    ("attributes", "score", "names"),
    [
        ({}, 0, []),
        ({"technologies": ["snowflake", "dbt"]}, 30, ["warehouse"]),
        ({"technologies": "snowflake"}, 30, ["warehouse"]),  # a CRM that has one field for one tool
        ({"technologies": ["Snowflake"]}, 0, []),
        ({"sales_reps": "50"}, 0, []),
        ({"sales_reps": 50, "compliance": "SOC2 type II"}, 42.5, ["reps", "certified"]),
        ({"open_roles": {"data_engineer": 1}}, 27.5, ["hires"]),
        (
            {
                "technologies": ["snowflake"],
                "sales_reps": 20,
                "compliance": ["soc2"],
                "open_roles.data_engineer": 2,
            },
            100,
            ["warehouse", "reps", "certified", "hires"],
        ),
    ],
)
def test_fit_is_the_sum_of_the_weights_that_hold(
    attributes: dict[str, Any], score: float, names: list[str]
) -> None:
    fit = FIT.judge({**IN, **attributes})
    assert fit.score == pytest.approx(score)
    assert [rule.name for rule in fit.rules] == names
    assert fit.out is None


@pytest.mark.parametrize(
    ("attributes", "because"),
    [
        ({}, "Nobody owns the warehouse"),  # what is not known does not come in by a keep rule
        ({"employees": 49}, "Nobody owns the warehouse"),
        ({"employees": 50}, None),
        ({"employees": 2000}, None),
        ({"employees": 2001, "industry": "gambling"}, "Nobody owns the warehouse"),  # the first rule speaks
        ({"employees": 100, "industry": "gambling"}, "Payment partners refuse them"),
        ({"employees": 100, "industry": "Gambling"}, None),
        ({"employees": 100, "country": "nowhere"}, "We can't send bills there"),
    ],
)
def test_the_screen_says_which_rule_puts_an_account_out(
    attributes: dict[str, Any], because: str | None
) -> None:
    assert FIT.judge(attributes).out == because


def test_who_is_screened_out_still_has_a_fit_with_reasons() -> None:
    fit = FIT.judge({"technologies": ["snowflake"]})
    assert (fit.out, fit.score) == ("Nobody owns the warehouse", 30)


def test_reasons_are_the_weightiest_and_keep_the_files_order_where_equal() -> None:
    fit = FIT.judge(
        {"technologies": ["snowflake"], "sales_reps": 20, "compliance": "soc2", "open_roles.data_engineer": 2}
    )
    assert [rule.name for rule in top_reasons(fit.rules, 3)] == ["warehouse", "reps", "hires"]
    assert top_reasons(fit.rules, 0) == []
    assert top_reasons([], 3) == []


@given(
    held=st.lists(st.booleans(), min_size=1, max_size=20),
    weights=st.lists(st.floats(0.1, 5.0), min_size=20, max_size=20),
)
def test_reasons_add_up_to_fit(held: list[bool], weights: list[float]) -> None:
    rules = [
        FitRule.model_validate(
            {"name": f"r{i}", "when": {f"a{i}": True}, "weight": weights[i], "because": "it says so"}
        )
        for i in range(len(held))
    ]
    fit = CompiledFit(WRITTEN.model_copy(update={"fit": rules, "screen": []})).judge(
        {f"a{i}": value for i, value in enumerate(held)}
    )
    assert fit.score == pytest.approx(sum(rule.weight for rule in fit.rules), abs=1e-9)
    assert [rule.name for rule in fit.rules] == [f"r{i}" for i, value in enumerate(held) if value]
    assert 0 <= fit.score <= 100


def test_a_rule_that_neither_keeps_nor_drops_is_refused() -> None:
    empty = ScreenRule.model_construct(keep=None, drop=None, because="nothing")
    with pytest.raises(ValueError, match="keep nor drop"):
        CompiledFit(WRITTEN.model_copy(update={"screen": [empty]}))
