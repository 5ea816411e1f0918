"""Listening at an address; where that can't be, what to do about it."""

from __future__ import annotations

import errno
import os

from aiohttp import web

from schemas.errors import PlumblineError
from schemas.settings import Settings

_REMEDIES = {
    errno.EADDRINUSE: "end what uses the port, or choose another",
    errno.EACCES: "choose a port from 1024 on, or let the service use lower ones",
    errno.EADDRNOTAVAIL: "this machine has no such address: name one that it has, like 127.0.0.1",
}


async def listen(runner: web.AppRunner, settings: Settings, *, choose: str = "") -> str:
    """Takes requests at ``settings.listen`` (port 0 takes a free one), and gives the URL.

    ``choose`` says how another address is named. Raises PlumblineError when it can't be listened on.
    """
    try:
        await web.TCPSite(runner, settings.host or None, settings.port).start()
    except OSError as error:
        raise not_listened_on(settings.listen, error, choose=choose) from None
    return f"http://{settings.listen.rpartition(':')[0]}:{runner.addresses[0][1]}"


def not_listened_on(address: str, error: OSError, *, choose: str = "") -> PlumblineError:
    """``error`` is what came of binding ``address``; only some of them are about the address."""
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return PlumblineError(f"{address} can't be listened on: {error.strerror or error}")
    # What asyncio says of these repeats the address in its own way.
    reason = os.strerror(error.errno or 0)
    return PlumblineError(f"{address} can't be listened on: {reason}", remedy=remedy + choose)
