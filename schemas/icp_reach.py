"""What an ICP file's numbers can reach: fit above 100, a fit that is never high, a score that no trigger can bring.

"Never" is only said where it is proven; what is not well formed is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.duration import DAY
from schemas.written import Misfit
from schemas.written_values import read_duration

_ROUNDING = 1e-9


def fit_that_is_never_high(written: Mapping[str, Any], rules: Mapping[str, Any] | None) -> Iterator[Misfit]:
    """Weights of fit above 100 in all, or too few for ``fit_at_least``; ``rules`` are those under ``alert``."""
    weights = [number_of(rule.get("weight")) for _, rule in entries_of(written, "fit")]
    known = [weight for weight in weights if weight is not None and weight > 0]
    total = math.fsum(known)
    if total > 100 + _ROUNDING:
        yield Misfit(
            f"the weights of `fit` add up to {total:g}, which is more than 100",
            f"lower them by {total - 100:g} in all",
            ("fit",),
            code="fit_total",
            on_key=True,
        )
    needed = number_of(rules.get("fit_at_least", 60)) if rules is not None else None
    complete = bool(known) and len(known) == len(written.get("fit", ()))
    if complete and needed is not None and total < needed - _ROUNDING:
        stands = rules is not None and "fit_at_least" in rules
        yield Misfit(
            f"`fit_at_least` is {needed:g}{'' if stands else ' unless you say otherwise'}, but all weights of `fit` "
            f"add up to only {total:g}: fit is never high",
            f"write fit_at_least: {total:g} or less under alert, or raise the weights",
            ("alert", "fit_at_least") if stands else ("fit",),
            code="never",
            on_key=not stands,
        )


def score_that_is_never_reached(
    written: Mapping[str, Any], rules: Mapping[str, Any] | None
) -> Iterator[Misfit]:
    """No score can be higher than all positive triggers at their daily caps, each for as long as it lasts."""
    threshold = number_of(rules.get("trigger_at_least", 40)) if rules is not None else None
    triggers = written.get("triggers")
    if threshold is None or not isinstance(triggers, list) or not triggers:
        return
    most = 0.0
    for one in triggers:
        weight = number_of(one.get("weight")) if isinstance(one, Mapping) else None
        if not weight or not isinstance(one, Mapping):
            return
        if weight > 0:
            most += _most_points(one)
    if most >= threshold:
        return
    if most == 0.0:
        what = "all triggers have negative weights, so no alert can ever go out"
        remedy = "add a trigger that speaks for calling"
    else:
        what = f"with their daily caps the triggers never add up to {threshold:g} (at most {most:.0f})"
        remedy = "raise the daily caps, or lower trigger_at_least"
    yield Misfit(what, remedy, ("triggers",), code="never", on_key=True)


def _most_points(written: Mapping[str, Any]) -> float:
    """An upper bound of one trigger's contribution, in points; infinite without a daily cap.

    Two capped days can touch (the end of one, the beginning of the next); from then on each day adds one cap to what
    is left of those before.
    """
    cap = number_of(written.get("daily_cap"))
    if cap is None:
        return math.inf
    half_life = seconds_of(written.get("half_life"))
    if half_life is not None:
        kept = 2.0 ** (-DAY / half_life)
        return cap * (1.0 + 1.0 / (1.0 - kept)) if kept < 1.0 else math.inf
    steps = written.get("steps")
    last = (
        steps[-1].get("until")
        if isinstance(steps, list) and steps and isinstance(steps[-1], Mapping)
        else None
    )
    lifetimes = [seconds_of(one) for one in (written.get("linear"), written.get("lasts"), last)]
    days = max((seconds / DAY for seconds in lifetimes if seconds is not None), default=math.inf)
    return cap * (math.floor(days) + 2.0) if math.isfinite(days) else math.inf


def entries_of(written: Mapping[str, Any], part: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    entries = written.get(part)
    for number, one in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(one, Mapping):
            yield number, one


def number_of(written: Any) -> float | None:
    return float(written) if isinstance(written, int | float) and not isinstance(written, bool) else None


def seconds_of(written: Any) -> float | None:
    try:
        return read_duration(written)
    except Misfit:
        return None
