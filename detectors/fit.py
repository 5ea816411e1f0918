"""Fit: how well an account's profile matches a variant, and what puts it out.

The screen is the bouncer at the door: all ``keep`` rules must hold and no ``drop`` rule may. Fit is the sum of the
weights of the rules that hold, 0 to 100, each with its ``because``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from detectors.matching import Predicate, compile_node
from schemas.icp import FitRule, ScreenRule, Variant


class Fit(Struct, frozen=True):
    """``out`` says why the screen puts the account out (the rule's ``because``), or is None."""

    score: float
    rules: tuple[FitRule, ...]
    out: str | None


class CompiledFit:
    """A variant's screen and fit rules, ready to run."""

    def __init__(self, variant: Variant) -> None:
        self._screen = [_compile_rule(rule) for rule in variant.screen]
        self._rules = [(compile_node(rule.when.of_account), rule) for rule in variant.fit]

    def judge(self, attributes: Mapping[str, Any]) -> Fit:
        out = None
        for predicate, keep, because in self._screen:
            if predicate(attributes) is not keep:
                out = because
                break
        held = tuple(rule for predicate, rule in self._rules if predicate(attributes))
        return Fit(score=sum((rule.weight for rule in held), 0.0), rules=held, out=out)


def top_reasons(rules: Sequence[FitRule], count: int) -> list[FitRule]:
    """The weightiest rules that hold, the file's order where weights are equal."""
    return sorted(rules, key=lambda rule: -rule.weight)[:count]


def _compile_rule(rule: ScreenRule) -> tuple[Predicate, bool, str]:
    if rule.keep is not None:
        return compile_node(rule.keep.of_account), True, rule.because
    if rule.drop is not None:
        return compile_node(rule.drop.of_account), False, rule.because
    raise ValueError("a screen rule has neither keep nor drop")
