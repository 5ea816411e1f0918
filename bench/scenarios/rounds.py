"""One run: a scenario and a seed, simulated and replayed in memory; what was said, and what the signals were told."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from bench.scenarios.sizes import company_of, size_of
from detectors.catalogue import SIGNALS
from detectors.signals.clg_support_burden import CUSTOMER, LEFT, TICKET, SupportBurden
from schemas.icp import ICP, load_icp
from schemas.observations import Observation
from schemas.settings import DriftSettings, Settings
from streams.history import batches
from streams.pipeline import Pipeline
from streams.simulation.calendar import DAY_S, Calendar
from streams.simulation.company import Order, simulate
from streams.simulation.happenings import Happenings
from streams.simulation.levers import Levers
from streams.simulation.scenario import Scenario
from streams.simulation.scenarios import SCENARIOS
from streams.stores.memory import MemoryStore

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "examples" / "acme" / "icp.yaml"
SETTINGS = Settings(drift=DriftSettings(currency_rates={"USD": 0.92, "GBP": 1.16}))
"""The defaults, and rates: the simulated company sells in three currencies, the sample's amount bands are in EUR."""
ICP_CHANGES = "slg-icp-file-changed"
"""the scenario that is replayed with a stricter version of the ICP file from the change on"""
_BATCH = 200_000
"""events; states are stored between batches, which changes nothing and takes time"""


class Said(Struct):
    """An alert or notice. ``kind`` is the alert's; ``what`` a state or a finding; ``segment`` of data.health: the source's type;
    ``day`` counts from the change."""

    kind: str
    signal: str
    segment: str
    what: str
    day: float


class Told(Struct, array_like=True):
    """An observation; ``day`` when it became mature and ``began`` count from the change."""

    signal: str
    measure: str
    stratum: str
    exposure: float
    value: float
    began: float
    day: float
    inside: bool
    """of the segment in which it was planted, as far as the observation tells"""


class Run(Struct):
    """``missing``: what a signal that has to find something still has to learn at the end, by signal."""

    scenario: str
    seed: int
    said: list[Said]
    told: list[Told]
    missing: dict[str, str]
    ramp_days: float
    events: int
    seconds: float
    """of processor time"""


def run(name: str, seed: int) -> Run:
    """Raises SystemExit where the ledger is not balanced."""
    began = time.process_time()
    scenario, size = company_of(SCENARIOS[name]), size_of(SCENARIOS[name])
    calendar = Calendar(int(UNTIL.timestamp()), size.days)
    change = change_of(scenario, calendar)
    pipeline = Pipeline(MemoryStore(), icps(name, calendar.start, change), SETTINGS, None)
    judged = frozenset(scenario.drifts) & frozenset(SIGNALS)
    inside = {
        str(dimension): value for plant in scenario.plants for dimension, value in plant.segment.items()
    }
    told: list[Told] = []
    said: list[Said] = []
    readings = Readings()
    with tempfile.TemporaryDirectory(prefix="plumbline-scenario-") as folder:
        path = Path(folder) / "events.jsonl"
        order = Order(
            scenario=scenario,
            accounts=size.accounts,
            days=size.days,
            seed=seed,
            until=UNTIL,
            activity=size.activity,
        )
        simulate(order, path, lambda stage, done, total: None)
        for batch, _ in batches([path], _BATCH):
            for result in pipeline.process(batch):
                said += [_said(alert, change) for alert in result.effects.alerts]
                told += [
                    _told(reading, change, inside)
                    for each in result.effects.observations
                    if each.signal in judged
                    for reading in readings.of(each)
                ]
    if not pipeline.ledger.balanced:
        raise SystemExit("the ledger is not balanced: the measurement is worth nothing")
    missing = {
        verdict.signal: verdict.missing
        for verdict in pipeline.verdicts()
        if verdict.segment == "all" and verdict.missing
    }
    return Run(
        scenario=name,
        seed=seed,
        said=[each for each in said if each.kind in ("drift", "notice", "data_health")],
        told=told,
        missing=missing,
        ramp_days=max((plant.ramp_days for plant in scenario.plants), default=0.0),
        events=pipeline.ledger.received,
        seconds=time.process_time() - began,
    )


class Readings:
    """Whether a ticket is the elite's, and of what share of the seats, is known only where all accounts are: observations of
    clg.support_burden are told as its monitor is told them, all others as they are."""

    def __init__(self) -> None:
        self._signal = SupportBurden.configured(SETTINGS.drift, 1)
        self._state = self._signal.new_state()

    def of(self, observation: Observation) -> Sequence[Observation]:
        if observation.signal != self._signal.name or observation.measure not in (TICKET, CUSTOMER, LEFT):
            return (observation,)
        found = self._signal.read(self._state, observation)
        return () if isinstance(found, str) else found


def change_of(scenario: Scenario, calendar: Calendar) -> float:
    """When what is planted begins, Unix seconds; where nothing is, the middle of the history."""
    levers, happenings = Levers(scenario.plants, calendar), Happenings(scenario.happenings, calendar)
    starts = [
        *(levers.starts(each) for each in scenario.plants),
        *map(happenings.starts, scenario.happenings),
    ]
    return float(min(starts, default=calendar.at_share(0.5)))


def icps(name: str, begin: float, change: float) -> list[ICP]:
    """The sample file, in force from before the history on; where a scenario asks for it a stricter one follows."""
    text = SAMPLE.read_text(encoding="utf-8")
    first = text.replace("2025-01-01T00:00:00Z", _written(begin - DAY_S))
    found = [load_icp(first)]
    if name == ICP_CHANGES:
        stricter = text.replace("2025-01-01T00:00:00Z", _written(change)).replace(
            '"2025-01-01"', '"stricter"'
        )
        for points in (55, 60):
            stricter = stricter.replace(f"fit_at_least: {points}", f"fit_at_least: {points + 20}")
        found.append(load_icp(stricter))
    return found


def _written(second: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(second))).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def _said(alert: object, change: float) -> Said:
    kind = str(type(alert).__struct_config__.tag)  # type: ignore[attr-defined]
    at: datetime = alert.at  # type: ignore[attr-defined]
    what = getattr(alert, "state", None) or getattr(alert, "finding", None) or ""
    return Said(
        kind=kind,
        signal=getattr(alert, "signal", ""),
        segment=getattr(alert, "segment", "") or getattr(alert, "type", ""),
        what=str(what),
        day=(at.timestamp() - change) / DAY_S,
    )


def _told(observation: Observation, change: float, inside: dict[str, str]) -> Told:
    return Told(
        signal=observation.signal,
        measure=observation.measure,
        stratum=observation.stratum,
        exposure=observation.exposure,
        value=observation.value,
        began=round((observation.began - change) / DAY_S, 4),
        day=round((observation.at - change) / DAY_S, 4),
        inside=all(observation.segments.get(name, value) == value for name, value in inside.items()),
    )
