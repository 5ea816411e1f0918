"""A webhook receiver as a receiver should be: verifies before it reads, drops repeats, bounds what it takes.

``plumbline listen`` and ``plumbline demo`` run it; docs/webhooks.md holds it up as the example to follow.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web
from msgspec import Struct
from standardwebhooks.webhooks import Webhook

from schemas.alerts import Alert, decode_alert
from schemas.errors import PlumblineError
from streams.delivery.signing import fault
from streams.server_log import SERVER_LOG

MAX_BODY_BYTES = 1_000_000
REMEMBERED_IDS = 10_000


class Received(Struct, frozen=True, kw_only=True):
    """A message whose signature is right. ``alert`` is None if this version can't read it; ``again``: a repeat."""

    webhook_id: str
    again: bool
    alert: Alert | None
    body: bytes


class Refused(Struct, frozen=True, kw_only=True):
    """A request that was answered 401; ``reason`` in words."""

    reason: str


class _Message(Struct):
    data: msgspec.Raw


_message = msgspec.json.Decoder(_Message)


class Receiver:
    """Listens on loopback. ``on_event`` is called on the event loop's thread, before the answer goes out."""

    def __init__(
        self,
        signed_by: Sequence[Webhook],
        on_event: Callable[[Received | Refused], None],
        *,
        respond: int = 200,
    ) -> None:
        """``respond``: the status that verified messages are answered with, to try out a sender's retries."""
        self._signed_by = signed_by
        self._on_event = on_event
        self._respond = respond
        self._seen: OrderedDict[str, None] = OrderedDict()
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, logger=SERVER_LOG, shutdown_timeout=1)

    async def start(self, port: int) -> str:
        """The URL that it listens at; port 0 takes a free one. Raises PlumblineError when the port is taken."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise PlumblineError(
                f"port {port} of 127.0.0.1 can't be listened on", remedy="choose another with --port"
            ) from error
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        reason = fault(self._signed_by, request.headers, body)
        if reason is not None:
            self._on_event(Refused(reason=reason))
            return web.Response(status=401, text=f"{reason}\n")
        webhook_id = request.headers["webhook-id"]
        again = webhook_id in self._seen
        self._seen[webhook_id] = None
        if len(self._seen) > REMEMBERED_IDS:
            self._seen.popitem(last=False)
        self._on_event(Received(webhook_id=webhook_id, again=again, alert=_alert(body), body=body))
        return web.Response(status=self._respond)


def _alert(body: bytes) -> Alert | None:
    try:
        return decode_alert(bytes(_message.decode(body).data))
    except msgspec.DecodeError:
        return None
