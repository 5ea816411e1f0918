"""A small company in a real store, for the tests of what is shown: its ICP file, its events, its drift."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL

from detectors.catalogue import signals
from detectors.signals.plg_conversion_gap import ConversionGap
from schemas.icp import ICP, load_icp
from schemas.observations import Observation, encode_observation
from schemas.settings import DriftSettings, Settings
from streams.gateway.auth import protect
from streams.pipeline import Pipeline
from streams.serving import Serving
from streams.stores.sqlite import SqliteStore
from streams.web.api import api_routes
from streams.web.pages import page_routes
from tests.unit.conversion_gap_world import company, observe

NOW = datetime(2026, 10, 31, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0
DAY = 86400.0

ICP_TEXT = """
name: Test company
version: "{version}"
effective_from: {effective_from}
owner: revops@test.example
lifecycle:
  signed_up: {{event: product.event, name: signed_up}}
  activated: {{event: product.event, name: activated}}
variants:
  - name: analytics
    screen:
      - {{keep: {{employees: {{at_least: 10}}}}, because: "Too small to need it"}}
      - {{drop: {{industry: {{in: [gambling]}}}}, because: "Payment partners refuse them"}}
    disqualifiers:
      - {{name: on-premises, when: {{deployment: on_premises}}, because: "We run in the cloud only"}}
    blockers:
      - name: frozen
        when: {{event: crm.stage_changed, note: {{contains: "budget freeze"}}}}
        for: 30d
        because: "No budget before the freeze ends"
        then: "Ask for the new budget"
    fit:
      - {{name: warehouse, when: {{technologies: {{any: [snowflake]}}}}, weight: 60, because: "Closes twice as often"}}
      - {{name: reps, when: {{sales_reps: {{between: [20, 200]}}}}, weight: {reps}, because: "Reps ask daily"}}
    triggers:
      - {{name: pricing, when: {{event: web.visit, path: {{glob: "/pricing*"}}}}, weight: {pricing}, half_life: 7d, because: "They look at prices"}}
      - {{name: invites, when: {{event: product.event, name: invited}}, weight: 10, half_life: 14d, because: "The team grows"}}
      - {{name: export, when: {{event: product.event, name: export}}, weight: 8, linear: 21d, because: "They move data"}}
      - {{name: complaint, when: {{event: support.ticket, subject: {{contains: cancel}}}}, weight: -25, half_life: 5d, because: "Not the week to sell"}}
    activation:
      - {{milestone: activated, within: 20d}}
    alert: {{fit_at_least: 50, trigger_at_least: 40, rearm_below: 25, cooldown: 7d}}
  - name: embedded
    fit:
      - {{name: software, when: {{industry: software}}, weight: 100, because: "They build it in"}}
    triggers:
      - {{name: docs, when: {{event: web.visit, path: {{glob: "/docs*"}}}}, weight: 12, half_life: 30d, because: "They read how"}}
"""


def icp(
    *, version: str = "1", effective_from: str = "2025-01-01T00:00:00Z", pricing: int = 25, reps: int = 30
) -> ICP:
    text = ICP_TEXT.format(version=version, effective_from=effective_from, pricing=pricing, reps=reps)
    return load_icp(text)


class Events:
    """Makes events with ids of their own."""

    def __init__(self) -> None:
        self._number = 0

    def make(self, account: str, at: float, kind: str, data: dict[str, Any]) -> bytes:
        self._number += 1
        event = {
            "specversion": "1.0",
            "id": f"e{self._number}",
            "source": "test",
            "type": kind,
            "subject": account,
            "time": datetime.fromtimestamp(at, UTC),
            "data": data,
        }
        return msgspec.json.encode(event)

    def visit(self, account: str, at: float, path: str = "/pricing") -> bytes:
        url = f"https://test.example{path}"
        return self.make(account, at, "web.visit", {"visitor_id": "v", "url": url, "path": path})

    def product(self, account: str, at: float, name: str) -> bytes:
        return self.make(account, at, "product.event", {"name": name})

    def profile(self, account: str, at: float, **attributes: Any) -> bytes:
        return self.make(account, at, "account.profile", {"attributes": attributes})

    def ticket(self, account: str, at: float, subject: str) -> bytes:
        return self.make(account, at, "support.ticket", {"ticket_id": f"t{self._number}", "subject": subject})

    def note(self, account: str, at: float, note: str) -> bytes:
        data = {"opportunity_id": "o", "to_stage": "talking", "note": note}
        return self.make(account, at, "crm.stage_changed", data)


GOOD = {"employees": 100, "industry": "software", "technologies": ["snowflake"], "sales_reps": 50}


def drifting(settings: Settings, days: int = 420) -> list[Observation]:
    """Conversion of activated accounts from ``content`` falls to a quarter in the middle; the last observation is from
    the day before NOW."""
    signal = next(each for each in signals(settings.drift) if isinstance(each, ConversionGap))
    accounts = company(
        days=days,
        per_day=lambda source, day: 6.0,
        sources=("content", "referral"),
        activates=lambda source, day: 0.6,
        converts=lambda source, day: 0.08 if source == "content" and day > days / 2 else 0.32,
        seed=1,
    )
    told = observe(signal, accounts)
    earlier = told[-1].at - NOW + DAY
    for each in told:
        each.at -= earlier
        each.began -= earlier
    return told


class World:
    """A store in ``folder`` that events and observations are put into, and Serving over it as of NOW."""

    def __init__(
        self,
        folder: Path,
        icps: Sequence[ICP] | None = None,
        now: float = NOW,
        drift: DriftSettings | None = None,
    ) -> None:
        self.path = folder / "plumbline.db"
        self.settings = Settings(data_dir=folder, drift=drift or DriftSettings())
        self.icps = list(icps or [icp()])
        self.now = now
        self.events = Events()
        self.store = SqliteStore(self.path)
        self.pipeline = Pipeline(self.store, self.icps, self.settings, None)
        self.serving = Serving(self.path, self.icps, self.settings, lambda: self.now)

    def put(self, events: Iterable[bytes]) -> None:
        begin = self.pipeline.next_offset
        self.pipeline.process(list(enumerate(events, begin)))

    def change_icp(self, *icps: ICP) -> None:
        """Starts anew with another ICP file, as a restart of the service does."""
        self.close()
        self.icps = list(icps)
        self.store = SqliteStore(self.path)
        self.pipeline = Pipeline(self.store, self.icps, self.settings, None)
        self.serving = Serving(self.path, self.icps, self.settings, lambda: self.now)

    def drift(self, days: int = 420) -> None:
        self.observe(drifting(self.settings, days))

    def observe(self, observations: Sequence[Observation]) -> None:
        self.pipeline.observe([encode_observation(each) for each in observations])

    def close(self) -> None:
        self.serving.close()
        self.store.close()


@asynccontextmanager
async def served(
    world: World, *, ready: tuple[bool, str] = (True, ""), settings: Settings | None = None
) -> AsyncIterator[str]:
    """The API and pages of ``world`` on a loopback port, behind the service's own access rules; the URL."""
    app = web.Application()
    protect(app, settings or world.settings)
    app.add_routes(api_routes(world.serving, lambda: ready))
    app.add_routes(page_routes(world.serving))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Answer:
    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


async def get(url: str, path: str, *, method: str = "GET", **headers: str) -> Answer:
    """``path`` is sent as it stands."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(url + path, encoded=True), headers=headers) as answer,
    ):
        return Answer(answer.status, answer.headers, await answer.read())
