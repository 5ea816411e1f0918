"""The rules of the ICP file that concern several values at once, judged on what was written.

Each function gets one part of the file as plain data and yields what is wrong with it. What is not well formed is
skipped: that has been said already. "Can never happen" is only said where it is proven.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Literal

from schemas.condition_fields import PROFILE, fields_of, find
from schemas.conditions import AllOf, Condition, ConditionRefused, Test, read_condition
from schemas.file_positions import show_key
from schemas.icp_reach import (
    entries_of,
    fit_that_is_never_high,
    number_of,
    score_that_is_never_reached,
    seconds_of,
)
from schemas.written import Misfit

TicketKind = Literal[
    "basic_comprehension", "advanced_how_to", "integration", "bug", "billing", "request", "other"
]

HedgeAbout = Literal["fit", "timing", "price", "not_hedging"]

FADINGS = ("half_life", "linear", "steps", "lasts")

AMOUNT = re.compile(r"^(\d{1,15}(?:\.\d{1,2})?) ([A-Z]{3})$")


def amount(written: Any) -> str:
    """An amount as ``10000 EUR``. Raises Misfit."""
    if isinstance(written, str) and AMOUNT.fullmatch(written):
        return written
    remedy = "write it like 10000 EUR, without a thousands separator"
    if isinstance(written, int | float) and not isinstance(written, bool):
        remedy = f"say in which currency, like {written:g} EUR"
    raise Misfit("this is not an amount with its currency", remedy, code="amount")


def hedge_phrase(written: Any) -> str:
    """A phrase of hedged language: words that can be looked for, and nothing about a person. Raises Misfit."""
    if not isinstance(written, str):
        raise Misfit("a phrase is a text", 'write it in quotes, like "outside our sandbox"', code="phrase")
    if "@" in written or any(map(str.isdigit, written)):
        raise Misfit(
            "a phrase with a digit or an @ can't be used as evidence",
            "write the words alone",
            code="phrase",
        )
    if not all(sign in " -'’" or "LATIN" in unicodedata.name(sign, "") for sign in written):
        raise Misfit(
            "a phrase has Latin letters, spaces, hyphens and apostrophes",
            "leave punctuation out; phrases in another script can't be looked for",
            code="phrase",
        )
    if not 1 <= len(_words(written)) <= 8:
        raise Misfit("a phrase has 1 to 8 words", "write the few words that hedge", code="phrase")
    return written


def _words(phrase: str) -> list[str]:
    """As they are looked for: a hyphen and an apostrophe part words too."""
    return [word for word in re.split(r"[\s'’-]+", phrase.casefold()) if word]


def screen_rule(written: Mapping[str, Any]) -> Iterator[Misfit]:
    given = [key for key in ("keep", "drop") if written.get(key) is not None]
    if len(given) == 2:
        yield Misfit(
            "a screen rule has `keep` or `drop`, not both",
            "make two rules of it",
            ("drop",),
            code="screen",
            on_key=True,
        )
    elif not {"keep", "drop"} & set(written):
        yield Misfit(
            "a screen rule needs `keep` or `drop`",
            "add keep: (who may come in) or drop: (who may not)",
            code="screen",
            absent=("keep", "drop"),
        )


def trigger(written: Mapping[str, Any]) -> Iterator[Misfit]:
    yield from _fading(written)
    yield from _steps(written.get("steps"))
    yield from _count(written)
    weight, cap = number_of(written.get("weight")), number_of(written.get("daily_cap"))
    if weight is not None and cap is not None and 0 < cap < abs(weight):
        yield Misfit(
            f"the daily cap of {cap:g} is smaller than one event's weight of {weight:g}",
            f"write a cap of at least {abs(weight):g}, or a smaller weight",
            ("daily_cap",),
            code="daily_cap",
        )


def _fading(written: Mapping[str, Any]) -> Iterator[Misfit]:
    given = [key for key in written if key in FADINGS]
    if not given:
        yield Misfit(
            "the trigger does not say how it fades",
            "add one of half_life: 7d, linear: 30d, lasts: 14d, or steps: [{until: 7d, share: 1}]",
            code="fading",
            absent=FADINGS,
        )
    elif len(given) > 1:
        yield Misfit(
            f"the trigger fades in {len(given)} ways: " + ", ".join(given),
            "keep one of them",
            (given[1],),
            code="fading",
            on_key=True,
        )


def _steps(steps: Any) -> Iterator[Misfit]:
    if not isinstance(steps, list):
        return
    before: tuple[float | None, float | None] = (None, None)
    for number, step in enumerate(steps):
        if not isinstance(step, Mapping):
            continue
        until, share = seconds_of(step.get("until")), number_of(step.get("share"))
        if until is not None and before[0] is not None and until <= before[0]:
            yield Misfit(
                "a step must end later than the one before it",
                "put the steps in the order of `until`",
                ("steps", number, "until"),
                code="steps",
            )
        if share is not None and before[1] is not None and share >= before[1]:
            yield Misfit(
                "a step must have a smaller share than the one before it",
                "points only get fewer with age: lower this share, or leave the step out",
                ("steps", number, "share"),
                code="steps",
            )
        before = (until, share)


def _count(written: Mapping[str, Any]) -> Iterator[Misfit]:
    at_least, within = written.get("at_least"), written.get("within")
    if at_least is not None and within is None:
        yield Misfit(
            "`at_least` needs `within`",
            "say in which time, like within: 7d",
            ("at_least",),
            code="count",
            on_key=True,
            absent=("within",),
        )
    if within is not None and at_least is None:
        yield Misfit(
            "`within` needs `at_least`",
            "say how many events, like at_least: 3, or take `within` out",
            ("within",),
            code="count",
            on_key=True,
            absent=("at_least",),
        )
    condition = _condition(written.get("when"))
    if condition is None or condition.event is None or not isinstance(at_least, Mapping):
        return
    field, count = at_least.get("distinct"), at_least.get("count")
    if not isinstance(field, str):
        return
    path = ("at_least", "distinct")
    if condition.event != PROFILE and find(fields_of(condition.event), field, strict=True) is None:
        yield Misfit(
            f"{condition.event} has no field `{show_key(field)}`",
            "use one of " + ", ".join(sorted(fields_of(condition.event))),
            path,
            code="unknown_field",
        )
        return
    values = _possible_values(condition, field)
    if values is not None and isinstance(count, int) and values < count:
        yield Misfit(
            f"`when` allows only {values} value{'s' if values > 1 else ''} of `{show_key(field)}`, "
            f"so {count} different ones never come together",
            "count another field, like user_id, or lower the count",
            path,
            code="never",
        )


def _possible_values(condition: Condition, field: str) -> int | None:
    """How many values of the field the condition lets through; None where it does not say."""
    node = condition.of_event
    for test in node.of if isinstance(node, AllOf) else (node,):
        if isinstance(test, Test) and test.field == field:
            if test.operator == "equals":
                return 1
            if test.operator == "in":
                return len(set(test.operand))
    return None


def alert_rules(written: Mapping[str, Any]) -> Iterator[Misfit]:
    threshold = number_of(written.get("trigger_at_least", 40))
    rearm = number_of(written.get("rearm_below", 25))
    if threshold is not None and rearm is not None and rearm >= threshold:
        stands = "rearm_below" in written
        yield Misfit(
            f"`rearm_below` ({rearm:g}{'' if stands else ', unless you say otherwise'}) must be less than "
            f"`trigger_at_least` ({threshold:g})",
            f"write rearm_below: {threshold * 0.6:g} or so",
            ("rearm_below" if stands else "trigger_at_least",),
            code="rearm",
        )


def variant(written: Mapping[str, Any]) -> Iterator[Misfit]:
    for part, key in (
        ("disqualifiers", "name"),
        ("blockers", "name"),
        ("fit", "name"),
        ("triggers", "name"),
        ("activation", "milestone"),
    ):
        yield from _twice(written, part, key)
    alert = written.get("alert", {})
    rules = alert if isinstance(alert, Mapping) else None
    yield from fit_that_is_never_high(written, rules)
    yield from score_that_is_never_reached(written, rules)


def bands(written: Mapping[str, Any]) -> Iterator[Misfit]:
    amounts = written.get("amount")
    if isinstance(amounts, list):
        read = [AMOUNT.fullmatch(one) if isinstance(one, str) else None for one in amounts]
        currencies = {match[2] for match in read if match}
        if len(currencies) > 1:
            yield Misfit(
                "the amounts are in several currencies: " + ", ".join(sorted(currencies)),
                "write all of them in one currency",
                ("amount",),
                code="bands",
                on_key=True,
            )
        yield from _rising("amount", [float(match[1]) if match else None for match in read])
    employees = written.get("employees")
    if isinstance(employees, list):
        yield from _rising("employees", [number_of(one) for one in employees])


def _rising(key: str, numbers: list[float | None]) -> Iterator[Misfit]:
    for place, (before, this) in enumerate(pairwise(numbers), 1):
        if before is not None and this is not None and this <= before:
            yield Misfit(
                f"the bounds of `{key}` must rise", "put the smaller one first", (key, place), code="bands"
            )


def icp(written: Mapping[str, Any]) -> Iterator[Misfit]:
    yield from _twice(written, "variants", "name")
    yield from _spelt_twice(written, "sources")
    yield from _spelt_twice(written, "tickets")
    yield from _spelt_twice(written, "hedging", lambda phrase: " ".join(_words(phrase)))
    lifecycle = written.get("lifecycle", {})
    if not isinstance(lifecycle, Mapping):
        return
    for number, one in entries_of(written, "variants"):
        for place, goal in entries_of(one, "activation"):
            milestone = goal.get("milestone")
            for needed in dict.fromkeys((milestone, "signed_up")):
                if needed in ("activated", "onboarded", "converted", "signed_up") and needed not in lifecycle:
                    yield Misfit(
                        f"this goal needs the milestone `{needed}`, which `lifecycle` does not define",
                        f"say under lifecycle which event it is, like {needed}: {{event: product.event, name: ...}}",
                        ("variants", number, "activation", place, "milestone"),
                        code="milestone",
                    )


def _normal(spelling: str) -> str:
    return spelling.strip().casefold()


def _spelt_twice(
    written: Mapping[str, Any], part: str, normal_form: Callable[[str], str] = _normal
) -> Iterator[Misfit]:
    """Spellings are compared as they are matched: without regard to case and spaces around them."""
    table = written.get(part)
    if not isinstance(table, Mapping):
        return
    seen: dict[str, str] = {}
    for key, spellings in table.items():
        for number, spelling in enumerate(spellings if isinstance(spellings, list) else ()):
            if not isinstance(spelling, str):
                continue
            normal = normal_form(spelling)
            if normal in seen:
                yield Misfit(
                    f"this spelling stands under `{show_key(seen[normal])}` already",
                    "keep it in one place",
                    (part, key, number),
                    code="spelling",
                )
            seen.setdefault(normal, str(key))


def _twice(written: Mapping[str, Any], part: str, key: str) -> Iterator[Misfit]:
    seen: dict[str, int] = {}
    for number, one in entries_of(written, part):
        name = one.get(key)
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Misfit(
                f"`{show_key(name)}` stands twice in `{part}` (entry {seen[name] + 1} has it too)",
                "give each its own name" if key == "name" else "keep one of them",
                (part, number, key),
                code="duplicate_name",
            )
        seen.setdefault(name, number)


def _condition(written: Any) -> Condition | None:
    if isinstance(written, Condition):
        return written
    try:
        return read_condition(written)
    except ConditionRefused:
        return None
