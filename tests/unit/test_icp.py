"""The ICP file: what the sample means, and that no text at all gets past or breaks the reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import FileRefused, Problem
from schemas.icp import ICP, Bands, DistinctCount, Trigger, load_icp

ACME = Path(__file__).parents[2] / "examples" / "acme" / "icp.yaml"
TEXT = ACME.read_text(encoding="utf-8")
DAY = 86400.0


@pytest.fixture(scope="module")
def acme() -> ICP:
    return load_icp(TEXT)


def test_sample_begins_with_the_editor_hint() -> None:
    assert TEXT.splitlines()[0] == "# yaml-language-server: $schema=icp.schema.json"


def test_sample_has_three_variants_and_twelve_triggers(acme: ICP) -> None:
    assert [variant.name for variant in acme.variants] == [
        "analytics-engineering",
        "reverse-etl",
        "embedded-analytics",
    ]
    assert sum(len(variant.triggers) for variant in acme.variants) == 12


def test_sample_uses_everything_that_a_trigger_can_do(acme: ICP) -> None:
    triggers = [trigger for variant in acme.variants for trigger in variant.triggers]
    for fading in ("half_life", "linear", "steps", "lasts"):
        assert any(getattr(trigger, fading) for trigger in triggers), fading
    assert any(isinstance(trigger.at_least, int) for trigger in triggers)
    assert any(isinstance(trigger.at_least, DistinctCount) for trigger in triggers)
    assert any(trigger.weight < 0 for trigger in triggers)
    assert any(trigger.daily_cap for trigger in triggers)
    blockers = [blocker for variant in acme.variants for blocker in variant.blockers]
    assert {blocker.when.event is None for blocker in blockers} == {True, False}


def test_sample_cites_nothing_that_came_after_it(acme: ICP) -> None:
    cited = re.findall(r"\b20\d\d\b", " ".join(re.findall(r"because: .*", TEXT)))
    assert cited
    assert max(map(int, cited)) < acme.effective_from.year


def test_units(acme: ICP) -> None:
    first = acme.variants[0]
    assert first.blockers[0].for_ == 120 * DAY
    assert first.triggers[0].half_life == first.triggers[0].within == 7 * DAY
    assert first.alert.cooldown == 7 * DAY
    assert acme.review_every == 90 * DAY
    assert acme.effective_from.utcoffset() is not None


def test_defaults_are_those_of_the_alert_rules(acme: ICP) -> None:
    assert acme.variants[1].plays.nurture == "Content and a light touch until the timing is right"


def test_a_trigger_can_be_made_in_code() -> None:
    trigger = Trigger(
        name="x",
        when={"event": "web.visit"},
        weight=1,
        half_life="7d",
        because="Visits the site",
    )
    assert trigger.half_life == 7 * DAY


def test_bands_must_rise_also_in_code() -> None:
    with pytest.raises(ValueError, match="must rise"):
        Bands(employees=[50, 20])


def test_all_problems_come_in_the_order_of_lines() -> None:
    broken = TEXT.replace("because:", "becuase:").replace("half_life: 7d", "half_life: 7 days or so")
    with pytest.raises(FileRefused) as refused:
        load_icp(broken)
    lines = [problem.line or 0 for problem in refused.value.problems]
    assert lines == sorted(lines)
    assert len(lines) > 40


def test_no_more_than_a_hundred_problems_are_listed() -> None:
    wrong = "".join(f"  - {{wrong{i}: 1}}\n" for i in range(200))
    with pytest.raises(FileRefused) as refused:
        load_icp(TEXT + "more:\n" + wrong + "".join(f"k{i}: 1\n" for i in range(200)))
    assert len(refused.value.problems) == 101
    assert refused.value.problems[-1].code == "more"


def loads_or_is_refused(text: str) -> None:
    problems: Sequence[Problem] = ()
    try:
        load_icp(text)
    except FileRefused as refused:
        str(refused).encode()  # no lone surrogates: it can be printed
        problems = refused.problems
        assert len(problems) > 0
    for problem in problems:
        assert problem.line is not None
        assert problem.line >= 1
        assert problem.column is not None
        assert problem.column >= 1


@given(st.text(max_size=300))
@example("? [a]: b")
@example("%YAML 9.9\n---\na: 1")
@example('"\\ud800": "\\ud800"')
@example("a: " + "9" * 5000)
@example("a: 1e999")
@example("[" * 5000)
@example("- " * 5000)
@example("&a [*a]")
@example("a: &x\nb: *x")
@example("!!python/object/apply:os.system ['true']")
@example("\x00")
@example("\ufeffname: x")
@example("a: |\n\tb")
@settings(max_examples=300, deadline=None)
def test_any_text_loads_or_is_refused(text: str) -> None:
    loads_or_is_refused(text)


YAML_SIGNS = st.text(alphabet="ab:-?[]{},&*!|>'\"%@`#\n\t ~<.0\\", max_size=60)


@given(YAML_SIGNS)
@settings(max_examples=500, deadline=None)
def test_any_yaml_like_text_loads_or_is_refused(text: str) -> None:
    loads_or_is_refused(text)


ODD = [
    "",
    "null",
    "[]",
    "{}",
    "-1",
    "1e9",
    "true",
    "[[]]",
    "{a: {b: c}}",
    "'7d'",
    ".nan",
    "2026-11-01",
    "- x",
    "[{}]",
]
SMALL = "\n".join(TEXT.split("  # ---")[0:2])


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_sample_with_odd_values_loads_or_is_refused(data: st.DataObject) -> None:
    lines = SMALL.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(lines) - 1))
        odd = data.draw(st.sampled_from(ODD) | YAML_SIGNS)
        head, colon, _ = lines[number].partition(":")
        lines[number] = data.draw(
            st.sampled_from([f"{head}{colon} {odd}", odd, lines[number] + odd, f"  {lines[number]}"])
        )
    loads_or_is_refused("\n".join(lines))
