"""Every scenario by name. A new one is one file here and one line in SCENARIOS."""

from __future__ import annotations

from streams.simulation.scenario import Scenario
from streams.simulation.scenarios.healthy import HEALTHY
from streams.simulation.scenarios.plg_silent_drift import PLG_SILENT_DRIFT

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in (HEALTHY, PLG_SILENT_DRIFT)}
