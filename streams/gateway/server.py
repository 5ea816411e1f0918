"""How the application is served: settings of aiohttp's server that the gateway's rules rely on."""

from __future__ import annotations

from aiohttp import web

from streams.server_log import SERVER_LOG

IDLE_S = 75.0
"""A connection that sends no complete request head for so long is closed."""
LINGER_S = 2.0
"""How long a refused sender's body is still read and thrown away, so that it sees the answer."""


def make_runner(app: web.Application, *, idle_s: float = IDLE_S) -> web.AppRunner:
    """A runner for ``app``.

    Bodies are handed on as they came, so that the gateway can bound what they inflate to and see whether they are
    complete. There is no access log, since paths hold account ids, and the bytes of what is no HTTP are not logged.
    """
    return web.AppRunner(
        app,
        auto_decompress=False,
        access_log=None,
        logger=SERVER_LOG,
        keepalive_timeout=idle_s,
        lingering_time=LINGER_S,
    )
