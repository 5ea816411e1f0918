"""Companies of three growth motions, each as it should be: nothing drifts.

HEALTHY (healthy.py) grows by its product. SALES_LED lives from opportunities, which a short history of HEALTHY has too
few of; COMMUNITY_LED has customers who stay for years, an elite among them, and much support.
"""

from __future__ import annotations

import msgspec

from streams.simulation.scenario import Scenario, Source
from streams.simulation.scenarios.healthy import HEALTHY


def _sized(source: Source, share: float, sales_led: float) -> Source:
    return msgspec.structs.replace(source, share=share, sales_led=sales_led)


_BY_NAME = {source.name: source for source in HEALTHY.sources}

SALES_LED: Scenario = msgspec.structs.replace(
    HEALTHY,
    name="healthy-sales-led",
    about="Most accounts come by outbound and partners and are won by reps; no drift.",
    sources=(
        _sized(_BY_NAME["outbound"], 0.60, 0.95),
        _sized(_BY_NAME["partner"], 0.25, 0.90),
        _sized(_BY_NAME["direct"], 0.10, 0.60),
        _sized(_BY_NAME["referral"], 0.05, 0.60),
    ),
    growth_a_year=1.2,
    elite=0.02,
    sales_fits=(0.10, 0.15, 0.75),
)

COMMUNITY_LED: Scenario = msgspec.structs.replace(
    HEALTHY,
    name="healthy-community-led",
    about="A large installed base, an elite that uses the product most, frequent releases and support; no drift.",
    sources=tuple(
        msgspec.structs.replace(source, activated=0.75, paid=min(0.9, 0.45 + source.paid))
        for source in HEALTHY.sources
    ),
    installed_base=0.35,
    elite=0.08,
    support=0.5,
    release_every=9.0,
    growth_a_year=1.2,
)

COMPANIES: tuple[Scenario, ...] = (SALES_LED, COMMUNITY_LED)
