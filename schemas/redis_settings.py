"""How Redis is reached in distributed mode, and what is kept there: the section ``redis`` of the settings.

Rules:
1. A password is a setting of its own, never part of an address: addresses are in log lines and errors.
2. TLS is asked for by the address (rediss://), and the server's certificate is always checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from schemas.duration import DAY
from schemas.settings_values import Duration, Password
from schemas.written import Misfit, Written

MAX_NODES = 100
_PATH = re.compile(r"/?|/[0-9]{1,4}", re.ASCII)


def _redis_url(url: str) -> str:
    """The text is in no error: somebody may have written a password into it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("redis", "rediss") or not host or not re.fullmatch(r"[\x21-\x7e]{1,500}", url):
        raise Misfit(
            "this is not the address of a Redis server",
            "write it like redis://127.0.0.1:6379, or rediss://... for TLS",
            code="url",
        )
    if "@" in parts.netloc:
        raise Misfit(
            "an address must not hold a user name or password",
            "write them into username and password",
            code="url",
        )
    if parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
        raise Misfit(
            "after the port there can only be the number of a database", "write it like /0", code="url"
        )
    return url


RedisUrl = Annotated[str, AfterValidator(_redis_url)]


class RedisSettings(Written):
    """Where state is kept in distributed mode."""

    url: Annotated[RedisUrl, Field(examples=["redis://127.0.0.1:6379"])] = "redis://127.0.0.1:6379"
    """Address of the server: redis://host:port, or rediss:// for TLS; /2 behind it takes database 2."""
    cluster: Annotated[list[RedisUrl], Field(examples=['["redis://10.2.3.4:6379"]'])] = Field(
        default_factory=list, max_length=MAX_NODES
    )
    """Some nodes of a Redis Cluster, instead of url; the others are found through them."""
    username: Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] = None
    """Name of the ACL user; without it the password is that of the default user."""
    password: Annotated[Password | None, Field(examples=["env:PLUMBLINE_REDIS_PASSWORD"])] = None
    """The password, or env:NAME to take it from the environment."""
    ca: Path | None = None
    """File with the certificates (PEM) that the server's must be signed by; without it, those of the system."""
    certificate: Path | None = None
    """File with this client's own certificate (PEM), where the server asks for one."""
    key: Path | None = None
    """File with the private key (PEM) of certificate."""
    connect_timeout: Duration = 2.0
    """A server that takes longer to connect to counts as away."""
    timeout: Duration = 10.0
    """A server that takes longer to answer counts as away."""
    key_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "plumbline"
    """All keys begin with it: two deployments can share a server."""
    keep_alerts: Duration = 365 * DAY
    """How long alerts can be looked up, by the time of the newest event."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        nodes = written.get("cluster")
        nodes = [node for node in nodes if isinstance(node, str)] if isinstance(nodes, list | tuple) else []
        url = written.get("url")
        if nodes and url is not None:
            yield Misfit("both a server and a cluster are named", "take one of them out", ("url",))
        if len({node.partition(":")[0] for node in nodes}) > 1:
            yield Misfit(
                "some nodes are reached by TLS and some are not",
                "begin all of them with rediss",
                ("cluster",),
            )
        if any(urlsplit(node).path.strip("/0") for node in nodes if _well_formed(node)):
            yield Misfit("a cluster has one database only", "take the number out", ("cluster",))
        for one, other in (("certificate", "key"), ("key", "certificate")):
            if written.get(one) is not None and written.get(other) is None:
                yield Misfit(
                    f"`{one}` needs `{other}`",
                    f"add {other}: with the path of its file",
                    (one,),
                    absent=(other,),
                )
        tls = any(isinstance(address, str) and address.startswith("rediss:") for address in (url, *nodes))
        for name in ("ca", "certificate", "key"):
            if written.get(name) is not None and not tls:
                yield Misfit(
                    f"`{name}` is for TLS, and the address asks for none",
                    "begin the address with rediss",
                    (name,),
                )


def _well_formed(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True
