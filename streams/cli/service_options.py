"""How a running service is named on the command line: its address, and the variable that holds the token."""

from __future__ import annotations

import os

import click
from yarl import URL


def service_address(ctx: click.Context, param: click.Parameter, value: str) -> URL:
    """A click callback."""
    try:
        url = URL(value)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or url.user or url.password or url.query_string:
        raise click.BadParameter("write it like http://127.0.0.1:8460, without a name, password or query")
    if url.path.rstrip("/").endswith("/v1/events"):
        raise click.BadParameter("leave /v1/events out: it is added to the service's address")
    return url


def bearer_token(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A click callback: the token itself, from ``env:NAME``."""
    if value is None:
        return None
    kind, _, name = value.partition(":")
    if kind != "env" or not name:
        # On a command line everybody on the machine could read it.
        raise click.BadParameter("write env:NAME, with the token in that environment variable")
    if not os.environ.get(name):
        raise click.BadParameter(f"the environment variable {name} is not set")
    return os.environ[name].strip()
