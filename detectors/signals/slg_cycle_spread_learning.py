"""How a segment of slg.cycle_spread learns: which bands are ready, which lose their older half, and what is frozen."""

from __future__ import annotations

from detectors.sequential.decile_cohorts import StartsState
from detectors.signals.monitor import Change, Promise
from detectors.signals.slg_cycle_spread_baseline import (
    Stretch,
    dispersion_of,
    outer_by_week,
    spread,
    stretch_of,
    unsteady,
)
from detectors.signals.slg_cycle_spread_state import (
    MOST_KNOWN,
    Band,
    SpreadState,
    SpreadWatch,
    UnsteadySpread,
    standardised,
    thinned,
)


def stretches(state: SpreadState, at: float) -> dict[str, Stretch]:
    """Of the bands without deciles, those that a baseline could be made of at ``at`` (Unix seconds)."""
    found = {}
    for name, band in state.bands.items():
        stretch = stretch_of(band.deals, at) if not band.edges else None
        if stretch is not None:
            found[name] = stretch
    return found


def measure(state: SpreadState, found: dict[str, Stretch]) -> None:
    """Writes down how much there is for a baseline."""
    state.mature = sum(len(each.deals) * state.bands[name].stride for name, each in found.items())
    state.days = max((each.days for each in found.values()), default=0.0)


def drop_unsteady(state: SpreadState, found: dict[str, Stretch]) -> list[Change]:
    """Bands whose halves differ lose the older one, and are not ``found`` any more. What became narrower needs no word."""
    changes: list[Change] = []
    for name, stretch in list(found.items()):
        newer = unsteady(stretch)
        if newer is None:
            continue
        del found[name]
        band, since = state.bands[name], stretch.deals[newer].began
        band.deals = [deal for deal in band.deals if deal.began >= since]
        before, after = spread(stretch.deals[:newer]), spread(stretch.deals[newer:])
        if after > before:
            changes.append(Change("noticed", "unsteady baseline", UnsteadySpread(name, before, after, since)))
    return changes


def freeze_band(band: Band, stretch: Stretch, *, growing: bool) -> None:
    take_deciles(band, stretch)
    band.past = stretch.deals if growing else []
    band.deals = [deal for deal in band.deals if deal.began >= stretch.until]


def take_deciles(band: Band, stretch: Stretch) -> None:
    band.edges, band.n = stretch.edges, len(stretch.deals)


def watch_of(state: SpreadState, found: dict[str, Stretch], at: float, promise: Promise) -> SpreadWatch:
    """Of bands that have the deciles of what was ``found``; the detector's state is not in it yet."""
    weeks, sample = [], []
    for name, stretch in found.items():
        band = state.bands[name]
        weeks.append(outer_by_week(band, stretch.deals))
        sample += [standardised(band, deal, at) for deal in stretch.deals]
    n = sum(len(stretch.deals) for stretch in found.values())
    flow = sum(len(each.deals) * state.bands[name].stride / each.days for name, each in found.items())
    return SpreadWatch(
        n=n,
        ones=sum(ones for band_weeks in weeks for _, ones in band_weeks.values()),
        dispersion=dispersion_of(weeks),
        paid_for=float(n),
        threshold=promise.threshold(flow),
        detection=StartsState([]),
        sample=thinned(sample, MOST_KNOWN),
    )
