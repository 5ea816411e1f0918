"""The kinds of values in the settings file: addresses, tokens, webhook secrets, URLs, networks, numbers.

No error here quotes what was written: it could be a secret. Numbers may come as texts, since the environment has
nothing else.
"""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema

from schemas.written import FROM_FILE, Misfit
from schemas.written_values import DURATION_SCHEMA, read_duration

MIN_SECRET_BYTES = 24
"""Standard Webhooks: a secret has 24 to 64 bytes."""
MAX_SECRET_BYTES = 64


def _duration(written: Any, info: ValidationInfo) -> float:
    """Code may give seconds; a file must give a unit, or 30 would be taken for days and mean seconds."""
    if isinstance(written, str) or (info.context and info.context.get(FROM_FILE)):
        return read_duration(written)
    if isinstance(written, int | float) and not isinstance(written, bool) and written > 0:
        return float(written)
    raise Misfit("a duration is a positive number of seconds, or a text like 7d", "", code="duration")


def _not_truth(written: Any) -> Any:
    if isinstance(written, bool):
        raise Misfit("this must be a number, not true or false", "write a number", code="wrong_type")
    return written


_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253}):(?P<port>[0-9]{1,5})", re.ASCII)


def _listen(written: str) -> str:
    match = _LISTEN.fullmatch(written)
    if match is None or int(match["port"]) > 65_535:
        raise Misfit(
            "this is not an address and a port",
            "write it like 127.0.0.1:8460, or [::1]:8460",
            code="listen",
        )
    return written


def _token(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]{1,500}", secret.get_secret_value()):
        raise Misfit(
            "a token is 1 to 500 letters, digits and signs, without spaces",
            "make one with: openssl rand -hex 24",
            code="token",
        )
    return secret


def _password(secret: SecretStr) -> SecretStr:
    written = secret.get_secret_value()
    if not 1 <= len(written) <= 1000 or not written.isprintable():
        raise Misfit(
            "a password is 1 to 1,000 characters in one line",
            "write it, or env:NAME to take it from the environment",
            code="password",
        )
    return secret


def webhook_secret(secret: SecretStr) -> SecretStr:
    """The secret as it is. Raises Misfit unless it has the form of Standard Webhooks."""
    prefix, _, encoded = secret.get_secret_value().partition("whsec_")
    try:
        size = len(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if prefix or not MIN_SECRET_BYTES <= size <= MAX_SECRET_BYTES:
        raise Misfit(
            f"this is not a webhook secret: whsec_ and {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes in base64",
            'make one with: echo "whsec_$(openssl rand -base64 32)"; env:NAME takes it from the environment',
            code="webhook_secret",
        )
    return secret


def _endpoint_url(url: str) -> str:
    """The text of the URL is in no error: it can hold a secret."""
    if len(url) > 2000 or not re.fullmatch(r"[\x21-\x7e]+", url):
        raise Misfit(
            "a URL has at most 2,000 characters, and no spaces", "write it in percent encoding", code="url"
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise Misfit("this is not a web address", "write it like https://hooks.example/plumbline", code="url")
    if "@" in parts.netloc:
        raise Misfit(
            "a URL must not hold a user name or password",
            "take them out; alerts are signed with the endpoint's secrets",
            code="url",
        )
    if parts.fragment or "\\" in url:
        raise Misfit("a URL must not hold # or a backslash", "take it out", code="url")
    return url


def _network(written: Any) -> IPv4Network | IPv6Network:
    if isinstance(written, IPv4Network | IPv6Network):
        network = written
    else:
        try:
            network = ip_network(written if isinstance(written, str) else "")
        except ValueError:
            raise Misfit(
                "this is not a network: an address, a slash and the bits of the network",
                "write it like 10.2.3.0/24; what is after the network's bits must be 0",
                code="network",
            ) from None
    if network.prefixlen < 8:
        raise Misfit(
            "this network is so wide that the egress guard would guard nothing",
            "name the very network of the receiver, like 10.2.3.0/24",
            code="network",
        )
    return network


Duration = Annotated[float, BeforeValidator(_duration), WithJsonSchema(DURATION_SCHEMA)]
Label = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Whole = Annotated[int, BeforeValidator(_not_truth)]
Number = Annotated[float, BeforeValidator(_not_truth)]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""ISO 4217, like EUR."""
Glob = Annotated[str, Field(min_length=1, max_length=512)]

Listen = Annotated[str, AfterValidator(_listen)]
BearerToken = Annotated[SecretStr, AfterValidator(_token)]
Password = Annotated[SecretStr, AfterValidator(_password)]
WebhookSecret = Annotated[SecretStr, AfterValidator(webhook_secret)]
EndpointUrl = Annotated[str, AfterValidator(_endpoint_url)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network), WithJsonSchema({"type": "string"})]
