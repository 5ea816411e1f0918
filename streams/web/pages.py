"""The pages: the first one, one for each account, and one for each drift signal. Made on the server, without scripts.

Rules:
1. Jinja2 escapes everything; what comes from outside is never marked safe, and never becomes part of an attribute without
   quotes or of a URL without percent-encoding. Nor does it turn the text beside it around: what controls the direction of
   writing, and all other control characters, are shown as U+FFFD.
2. Pages bring nothing from elsewhere and no inline styles or scripts: they work under the strictest content policy.
3. They show what the API shows, from the same shapes (streams/serving/views.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import wraps
from importlib.resources import files
from typing import Any, Literal, cast

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from detectors.signals.contract import ALL
from schemas.alerts import moment as moment_of
from streams.gateway.problem import RequestRefused
from streams.serving import Serving, Wanted
from streams.serving.timeline import MAX_ALERTS
from streams.serving.views import VerdictView
from streams.web import wording
from streams.web.alert_cards import Card, card
from streams.web.api import ORDERS, OUT, Handler, answering
from streams.web.curves import TITLE
from streams.web.drift_page import segment_cards, signal_path, told_of
from streams.web.drift_rows import drift_rows
from streams.web.parameters import Parameters

ACCOUNTS = 20
ALERTS = 12
DEAD_LETTERS = 5
EVERY_ALERT = Wanted()
SECTIONS = ("accounts", "alerts", "drift", "ledger")
"""The ids of the first page's parts."""

STYLE = files("streams.web").joinpath("static/plumbline.css").read_bytes()
ICON = files("streams.web").joinpath("static/plumbline.svg").read_bytes()
_VERSION = hashlib.blake2b(STYLE, digest_size=6).hexdigest()
_FILTERS = (
    wording.number,
    wording.score,
    wording.signed,
    wording.count,
    wording.day,
    wording.moment,
    wording.ago,
    wording.words,
    wording.heading,
    wording.sentence,
    wording.attribute,
    wording.account_path,
    signal_path,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def page_routes(serving: Serving) -> list[web.RouteDef]:
    pages = _Pages(serving)
    return [
        web.get("/", pages.shown(pages.first)),
        web.get("/accounts/{account:.+}", pages.shown(pages.account)),
        web.get("/drift/{signal}", pages.shown(pages.signal)),
        *[web.get(f"/{section}", _section(section)) for section in SECTIONS],
        web.get("/static/plumbline.css", _file(STYLE, "text/css")),
        web.get("/static/plumbline.svg", _file(ICON, "image/svg+xml")),
    ]


def _without_controls(value: object) -> object:
    """Of all that a template shows; what it has made itself is markup, and text in it has been here before."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value) if type(value) is str else value


class _Pages:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._environment = Environment(
            loader=PackageLoader("streams.web", "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_without_controls,
        )
        self._environment.filters.update({each.__name__: each for each in _FILTERS})
        self._environment.globals.update(
            version=_VERSION,
            quadrants=wording.QUADRANTS,
            standings=wording.STANDINGS,
            sections=SECTIONS,
        )

    def shown(self, handler: Handler) -> Handler:
        """``handler`` with what it refuses shown as a page: a person asked, not a program."""
        answered = answering(handler)

        @wraps(handler)
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await answered(request)
            except RequestRefused as refused:
                facts = {"status": refused.status, "what": refused.what, "remedy": refused.remedy}
                return self._page("refused.html", facts, status=refused.status, headers=refused.headers)

        return handle

    async def first(self, request: web.Request) -> web.Response:
        parameters = Parameters(request, ("variant", "order", "out", "cursor", "learning"))
        variant = parameters.text("variant")
        order = cast(Literal["trigger", "fit"], parameters.choice("order", ORDERS, "trigger"))
        cursor = parameters.text("cursor")
        with_out = parameters.choice("out", OUT, "hide") == "show"
        with_learning = parameters.choice("learning", OUT, "hide") == "show"
        return await asyncio.to_thread(
            self._first, variant, order, cursor, with_out, with_learning, request.path_qs
        )

    async def account(self, request: web.Request) -> web.Response:
        Parameters(request, ())
        account = request.match_info["account"]
        return await asyncio.to_thread(self._account, account, request.raw_path)

    async def signal(self, request: web.Request) -> web.Response:
        Parameters(request, ())
        return await asyncio.to_thread(self._signal, request.match_info["signal"], request.raw_path)

    def _first(
        self,
        variant: str | None,
        order: Literal["trigger", "fit"],
        cursor: str | None,
        with_out: bool,
        with_learning: bool,
        here: str,
    ) -> web.Response:
        serving = self._serving
        accounts = serving.accounts(variant, order, ACCOUNTS, cursor, with_out=with_out)
        books = serving.books()
        verdicts = serving.drift()
        states = [verdict.state for verdict in verdicts]
        shown = [
            each for each in verdicts if with_learning or each.state != "learning" or each.segment == ALL
        ]
        facts = {
            "here": here,
            "as_of": accounts.as_of,
            "accounts": accounts,
            "further": cursor is not None,
            "with_out": with_out,
            "variants": serving.variants(),
            "orders": ORDERS,
            "rules": serving.alert_rules(accounts.variant),
            "alerts": [card(alert) for alert in serving.newest_alerts(EVERY_ALERT, ALERTS)],
            "books": books,
            "alert_count": sum(books.alerts.values()),
            "rows": drift_rows(shown),
            "rows_left_out": len(verdicts) - len(shown),
            "drift_words": self._drift_words(verdicts),
            "drifting": states.count("drifting"),
            "acknowledged": states.count("acknowledged"),
            "suspended": states.count("suspended"),
            "watching": states.count("watching") + states.count("resolved"),
            "learning": states.count("learning"),
            "dead_letters": serving.dead_letters(DEAD_LETTERS),
        }
        return self._page("first.html", facts)

    def _drift_words(self, verdicts: Sequence[VerdictView]) -> list[Card]:
        """What was said of the drifts that are on, newest first: the alert, or the notice of an announced change."""
        found = []
        for verdict in verdicts:
            if verdict.state in ("drifting", "acknowledged"):
                found += told_of(self._serving, verdict)
        return [card(alert) for alert in sorted(found, key=lambda alert: alert.at, reverse=True)]

    def _account(self, account: str, here: str) -> web.Response:
        found = self._serving.account(account)
        if found is None:
            facts = {
                "status": 404,
                "what": "nothing is known of this account",
                "remedy": "its id is the subject of its events; an account is known from its first event on",
            }
            return self._page("refused.html", facts, status=404)
        alerts = self._serving.newest_alerts(Wanted(account=account), MAX_ALERTS)
        facts = {
            "here": here,
            "as_of": found.as_of,
            "account": found,
            "alerts": [card(alert) for alert in alerts],
        }
        return self._page("account.html", facts)

    def _signal(self, signal: str, here: str) -> web.Response:
        cards = segment_cards(self._serving, signal)
        if not cards:
            facts = {
                "status": 404,
                "what": "there is no such drift signal",
                "remedy": "the first page lists those there are",
            }
            return self._page("refused.html", facts, status=404)
        return self._page(
            "drift.html", {"here": here, "signal": signal, "cards": cards, "curve_title": TITLE}
        )

    def _page(
        self,
        template: str,
        facts: Mapping[str, Any],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        now = moment_of(self._serving.now())
        text = self._environment.get_template(template).render({"as_of": now, "here": "", **facts})
        return web.Response(text=text, content_type="text/html", status=status, headers=headers)


def _section(section: str) -> Handler:
    """Who types the address of a part of the first page, or shortens that of an account or a signal, gets there."""

    async def handle(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"/#{section}")

    return handle


def _file(body: bytes, content_type: str) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(
            body=body, content_type=content_type, headers={"Cache-Control": "private, max-age=86400"}
        )

    return handle
