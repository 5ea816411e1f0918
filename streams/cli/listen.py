"""plumbline listen: receives webhooks on this machine, verifies and prints them."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
from collections.abc import Sequence

import click
import msgspec
from pydantic import SecretStr
from rich.console import Console

from schemas.errors import BadInput, PlumblineError
from schemas.settings_values import webhook_secret
from schemas.written import Misfit
from streams.alert_text import alert_text
from streams.delivery.receiver import Received, Receiver, Refused
from streams.delivery.signing import signer
from streams.terminal_text import printable


@click.command(name="listen")
@click.option(
    "--port", default=8470, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option(
    "--secret",
    "written",
    multiple=True,
    metavar="SECRET",
    help="whsec_... or, so that it is in no process list, env:NAME. Several while one is being replaced."
    " Without any, a new one is made and shown.",
)
@click.option(
    "--respond",
    default=200,
    show_default=True,
    type=click.IntRange(200, 599),
    help="Answer verified messages with this status, to see what the sender does.",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many different alerts.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(port: int, written: tuple[str, ...], respond: int, count: int | None, as_json: bool) -> None:
    """Receive webhooks at 127.0.0.1, verify their signatures, and print each alert once.

    A message that is not signed with the secret, or is more than five minutes old, is answered 401.
    """
    asyncio.run(_listen(port, _secrets(written), respond, count, as_json))


def _secrets(written: Sequence[str]) -> list[str]:
    if not written:
        made = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        click.echo(f"secret for the endpoint in your settings: {made}", err=True)
        return [made]
    return [_checked(_looked_up(each)) for each in written]


def _looked_up(written: str) -> str:
    if not written.startswith("env:"):
        return written
    name = written.removeprefix("env:")
    if not os.environ.get(name):
        raise PlumblineError(
            f"the environment variable {name} is not set", remedy="set it to whsec_... and start again"
        )
    return os.environ[name]


def _checked(secret: str) -> str:
    """With another secret every message would be refused, and nobody would look here for the reason."""
    try:
        webhook_secret(SecretStr(secret))
    except Misfit as misfit:
        raise BadInput(misfit.what, remedy=misfit.remedy) from None
    return secret


async def _listen(port: int, secrets_: Sequence[str], respond: int, count: int | None, as_json: bool) -> None:
    enough = asyncio.Event()
    different = 0

    def print_event(event: Received | Refused) -> None:
        nonlocal different
        click.echo(_as_json(event) if as_json else _as_text(event, Console().width))
        if isinstance(event, Received) and not event.again:
            different += 1
            if different == count:
                enough.set()

    receiver = Receiver([signer(secret) for secret in secrets_], print_event, respond=respond)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, enough.set)
    url = await receiver.start(port)
    try:
        click.echo(f"listening on {url} for webhooks (stop with Ctrl-C)", err=True)
        await enough.wait()
    finally:
        await receiver.stop()
    if count is not None and different < count:
        raise PlumblineError(
            f"stopped after {different} of {count} alerts",
            remedy="plumbline deliveries list shows what the sender knows of them",
        )


def _as_json(event: Received | Refused) -> bytes:
    if isinstance(event, Refused):
        return msgspec.json.encode({"refused": event.reason})
    message: object = msgspec.json.decode(event.body) if event.alert is not None else None
    return msgspec.json.encode({"webhook_id": event.webhook_id, "again": event.again, "message": message})


def _as_text(event: Received | Refused, width: int) -> str:
    if isinstance(event, Refused):
        return f"refused with 401: {event.reason}\n"
    if event.again:
        return f"again: {printable(event.webhook_id)}\n"
    if event.alert is None:
        return "a signed message that holds no alert this version can read\n"
    return alert_text(event.alert, width) + "\n"
