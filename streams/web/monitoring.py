"""/healthz, /readyz and /metrics on a port of their own, for processes that serve nothing else over HTTP.

The rules of access are the service's (streams/gateway/auth.py): without tokens a loopback address only; with tokens
/metrics needs one with ``read: true``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from pydantic import ValidationError

from schemas.errors import PlumblineError
from schemas.settings import Settings
from streams.gateway.auth import protect
from streams.gateway.problem import RequestRefused
from streams.gateway.server import make_runner
from streams.listening import listen
from streams.metrics import CONTENT_TYPE
from streams.web.api import Ready


def monitoring_routes(ready: Ready, expose: Callable[[], bytes]) -> list[web.RouteDef]:
    """``expose`` gives the text of /metrics; it may block, and is called in a thread."""

    async def healthz(_: web.Request) -> web.Response:
        return _json({"status": "up"})

    async def readyz(_: web.Request) -> web.Response:
        is_ready, reason = ready()
        if not is_ready:
            raise RequestRefused(
                503, "not_ready", reason, remedy="wait for it to get ready, or look into its log"
            )
        return _json({"status": "ready"})

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(expose), headers={"Content-Type": CONTENT_TYPE})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]


@asynccontextmanager
async def monitoring(
    address: str | None, settings: Settings, ready: Ready, expose: Callable[[], bytes]
) -> AsyncIterator[str]:
    """Serves at ``address`` (host:port; port 0 takes a free one) while the block runs, and gives the URL; None: nothing
    is served. Raises PlumblineError when it can't be, or would be open to others without a token."""
    if address is None:
        yield ""
        return
    try:
        mine = Settings.model_validate({**dict(settings), "listen": address})
    except ValidationError as error:
        raise PlumblineError(
            f"metrics can't be served at {address}: {error.errors(include_input=False)[0]['msg']}",
            remedy="write 127.0.0.1:PORT, or add a token with read: true to the settings",
        ) from None
    app = web.Application(client_max_size=1024)
    protect(app, mine)
    app.add_routes(monitoring_routes(ready, expose))
    runner = make_runner(app)
    await runner.setup()
    try:
        yield await listen(runner, mine)
    finally:
        await runner.cleanup()


def _json(answer: dict[str, str]) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
