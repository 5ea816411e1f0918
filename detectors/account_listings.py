"""Where accounts stand in the lists by trigger and by fit, after a batch: once for each account and variant that moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from detectors.account_looks import Moved
from detectors.account_state import present
from detectors.compiled_icp import CompiledICP
from detectors.effects import Listing
from detectors.scoring import total_of
from detectors.triggers import bound


def listings(
    moved: Mapping[tuple[str, str], Moved], in_force: Callable[[float], CompiledICP]
) -> Iterator[Listing]:
    """``moved``: by variant and account. ``in_force``: the ICP version at a time (Unix seconds)."""
    for (name, account), each in moved.items():
        state, at = each.state, each.at
        variant = in_force(at).by_name.get(name)
        if variant is None:
            continue
        attributes = present(state) if each.fit_changed or variant.gated else {}
        parts = variant.trigger_parts(state, attributes, at)
        fit = None
        if each.fit_changed:
            judged = variant.fit.judge(attributes)
            fit = judged.score if judged.out is None else -1.0
        yield Listing(name, account, fit, total_of(parts), at, bound(parts), variant.envelope_s)
