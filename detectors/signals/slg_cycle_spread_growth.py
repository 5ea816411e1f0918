"""How the baseline of slg.cycle_spread grows while nothing changes.

The first baseline is as small as can be, so as to watch early: the outer parts of its deciles are a dozen deals each. So the
payment for them takes a good part of the evidence of a change, and one baseline in seven keeps its promise badly. Rules:
1. The baseline is taken anew from all deals that are known, each time that they are GROWTH times as many, until it has ENOUGH.
   Known are those older than the last decile of their band, so what has begun of late is not learned.
2. Only while nothing speaks for a change: the statistic is below QUIET_PART of its threshold, and the halves of the stretch
   spread alike in every band. With the first drift the baseline is for good.
3. The evidence is kept: each of its steps was judged by deciles that were known before. A deal of which something has been told
   by the old deciles is told no further, since the new ones can't take it up where the old ones left it.
"""

from __future__ import annotations

from detectors.signals.monitor import Promise
from detectors.signals.slg_cycle_spread_baseline import Stretch, stretch_of, unsteady
from detectors.signals.slg_cycle_spread_learning import take_deciles, watch_of
from detectors.signals.slg_cycle_spread_state import ENDED, SpreadState, SpreadWatch

ENOUGH = 1000
"""Deals: by calculation the average over the baselines that chance gives then keeps the promise (docs/detection.md)."""
GROWTH = 1.25
QUIET_PART = 1e-3
UNSTEADY = 0.05
"""On either side, in each band: a drift that begins slowly should rather stop the growth than be learned."""
MOST_PAST = 2 * ENOUGH
"""Deals that are kept while something speaks for a change; then growth is given up."""


def grown_watch(
    state: SpreadState, watch: SpreadWatch, statistic: float, at: float, promise: Promise
) -> SpreadWatch:
    """The watch against the larger baseline, where there is one at ``at`` (Unix seconds); else ``watch``."""
    bands = [band for band in state.bands.values() if band.edges]
    n, known = sum(band.n for band in bands), sum(len(band.past) for band in bands)
    if n >= ENOUGH or known > MOST_PAST:
        stop_growing(state, watch)
    if not watch.growing or known < GROWTH * n or statistic >= QUIET_PART * watch.threshold:
        return watch
    found: dict[str, Stretch] = {}
    for name, band in state.bands.items():
        stretch = stretch_of([*band.past, *band.deals], at) if band.edges else None
        if stretch is not None and unsteady(stretch, UNSTEADY) is None:
            found[name] = stretch
    if len(found) < len(bands) or sum(len(each.deals) for each in found.values()) < GROWTH * n:
        return watch
    for name, stretch in found.items():
        take_deciles(state.bands[name], stretch)
        for deal in state.bands[name].deals:
            if deal.beyond:
                deal.beyond = ENDED
    grown = watch_of(state, found, at, promise)
    grown.threshold, grown.detection = watch.threshold, watch.detection
    return grown


def stop_growing(state: SpreadState, watch: SpreadWatch) -> None:
    """The baseline is for good, and nothing more is kept for it."""
    watch.growing = False
    for band in state.bands.values():
        band.past = []
