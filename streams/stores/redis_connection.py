"""How Redis is reached: one server or a cluster, password, TLS, timeouts; and what its errors mean.

Rules:
1. Nothing is tried again in here: after an error it is not known whether a command was carried out, and only the caller
   knows what to do about that. The connection itself heals: the next call makes a new one.
2. Every error of the server or the network becomes StoreUnavailable. Its text has the address and Redis' own word for
   what is wrong (NOAUTH, LOADING, ...), never its sentence: that can quote what was sent. Keys that somebody else wrote
   are the exception: StateRefused.
3. A script is sent by its digest; a server that doesn't know it yet (NOSCRIPT: nothing was run) gets its text.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, cast
from urllib.parse import urlsplit

from redis import Redis, RedisCluster
from redis import exceptions as errors
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry

from schemas.errors import StateRefused, StoreUnavailable
from schemas.redis_settings import RedisSettings

Client = Redis | RedisCluster
MIN_VERSION = (7, 0)
"""Oldest Redis: from this one on, a script that has begun to write is never refused a write for want of memory or disk."""
DEFAULT_PORT = 6379

_CODE = re.compile(r"[A-Z]{3,20}")
_CODES: dict[type[Exception], str] = {
    errors.OutOfMemoryError: "OOM",
    errors.BusyLoadingError: "LOADING",
    errors.ReadOnlyError: "READONLY",
    errors.NoPermissionError: "NOPERM",
    errors.AuthenticationError: "NOAUTH",
    errors.ClusterDownError: "CLUSTERDOWN",
    errors.TryAgainError: "TRYAGAIN",
    errors.ClusterError: "TRYAGAIN",  # the client has been sent about between the nodes for too long
}
_REMEDIES = {
    "OOM": "its memory is full: give it more (maxmemory); nothing of this call was written",
    "LOADING": "it is reading its data from disk: wait until it is done",
    "BUSY": "a script has been running for long: wait, or look at what else uses this server",
    "MISCONF": "it can't write to its disk: look at its log",
    "NOREPLICAS": "it has fewer replicas than min-replicas-to-write asks for: look at them",
    "READONLY": "this server is a replica: name the primary in the settings",
    "CLUSTERDOWN": "not all slots of the cluster have a node: look at `CLUSTER INFO`",
    "TRYAGAIN": "the slot is being moved to another node: it will work when that is done",
    "NOAUTH": "set redis.password (and redis.username) in the settings, or correct them",
    "NOPERM": "the user may not do what is needed: docs/redis.md lists the commands",
}


def connect(settings: RedisSettings) -> Client:
    """A client that may be used by several threads at the same time.

    One server is not asked anything yet; a cluster tells its nodes. Raises StoreUnavailable; StateRefused for a file of
    certificates that can't be read.
    """
    options: dict[str, Any] = {
        "username": settings.username,
        "password": None if settings.password is None else settings.password.get_secret_value(),
        "socket_connect_timeout": settings.connect_timeout,
        "socket_timeout": settings.timeout,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "client_name": "plumbline",
    }
    if (settings.cluster or [settings.url])[0].startswith("rediss:"):
        _check_files(settings)
        options |= {
            "ssl": True,
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_min_version": ssl.TLSVersion.TLSv1_2,
            "ssl_ca_certs": settings.ca and str(settings.ca),
            "ssl_certfile": settings.certificate and str(settings.certificate),
            "ssl_keyfile": settings.key and str(settings.key),
        }
    if settings.cluster:
        nodes = [ClusterNode(*_host_and_port(url)) for url in settings.cluster]  # type: ignore[no-untyped-call]
        with reaching(address_of(settings)):
            return RedisCluster(startup_nodes=nodes, **options)
    host, port = _host_and_port(settings.url)
    return Redis(host=host, port=port, db=int(urlsplit(settings.url).path.strip("/") or 0), **options)


def address_of(settings: RedisSettings) -> str:
    """For errors and log lines: without password."""
    return ", ".join(settings.cluster) if settings.cluster else settings.url


def check_server(client: Client, address: str) -> None:
    """Raises StateRefused if the server is too old, or would throw keys away when its memory is full."""
    with reaching(address):
        if isinstance(client, RedisCluster):
            nodes = list(client.info(target_nodes=RedisCluster.PRIMARIES).values())
            facts = nodes if nodes and isinstance(nodes[0], dict) else [client.info()]
        else:
            facts = [client.info()]
    for fact in facts:
        version = str(fact.get("redis_version", "0"))
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < MIN_VERSION:
            raise StateRefused(
                f"the Redis server at {address} has version {version}",
                remedy="run Redis 7.0 or newer",
            )
        policy = fact.get("maxmemory_policy")
        if policy != "noeviction":
            raise StateRefused(
                f"the Redis server at {address} throws keys away when its memory is full (maxmemory-policy {policy})",
                remedy="set maxmemory-policy to noeviction: state that is thrown away is lost",
            )


class Script:
    """One Lua script from the file ``name``.lua beside this module. All its keys lie in one slot."""

    def __init__(self, name: str) -> None:
        self._text = (files(__package__) / f"{name}.lua").read_text(encoding="utf-8")
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: Client, keys: Sequence[str], values: Sequence[str | bytes | int | float]) -> Any:
        arguments = cast(list[str], [*keys, *values])  # the client takes bytes and numbers as well
        try:
            return client.evalsha(self._digest, len(keys), *arguments)
        except errors.NoScriptError:
            return client.eval(self._text, len(keys), *arguments)


@contextmanager
def reaching(address: str) -> Iterator[None]:
    """Makes StoreUnavailable of what goes wrong between here and Redis, or StateRefused (rule 2)."""
    try:
        yield
    except (errors.RedisError, errors.RedisClusterException) as error:
        raise _meaning(address, error) from None


def _meaning(address: str, error: Exception) -> StoreUnavailable | StateRefused:
    found = _CODE.match(str(error))
    code = found[0] if found else ""
    for kind, its_code in _CODES.items():  # the client cuts the code off where it has a class for it
        if isinstance(error, kind):
            code = its_code
            break
    if code in ("FOREIGN", "WRONGTYPE"):
        return StateRefused(
            f"keys in Redis at {address} are not what this program wrote",
            remedy="give Plumbline a redis.key_prefix or a server of its own, and replay",
        )
    if code in _REMEDIES:
        return StoreUnavailable(f"Redis at {address} refuses ({code})", remedy=_REMEDIES[code])
    if isinstance(error, errors.TimeoutError):
        return StoreUnavailable(
            f"Redis at {address} does not answer in time",
            remedy="look whether it runs and what it is busy with; redis.timeout says how long to wait",
        )
    if _certificate_is_wrong(error):
        return StoreUnavailable(
            f"the certificate of Redis at {address} can't be trusted",
            remedy="name the file of the certificates that it is signed by in redis.ca; the address must be one that it is for",
        )
    if isinstance(error, errors.ResponseError):
        return StoreUnavailable(
            f"Redis at {address} refuses{f' ({code})' if code else ''}",
            remedy="look at its log; if this program's version is new, report this",
        )
    return StoreUnavailable(
        f"Redis at {address} can't be reached",
        remedy="look whether it runs, and whether redis.url (or redis.cluster) is right",
    )


def _certificate_is_wrong(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _check_files(settings: RedisSettings) -> None:
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.certificate is not None:
            # A key with a passphrase would be asked for at the terminal.
            context.load_cert_chain(settings.certificate, settings.key, password="")
    except OSError as error:  # ssl.SSLError is one
        raise StateRefused(
            f"the files for TLS to Redis can't be used ({type(error).__name__})",
            remedy="redis.ca, redis.certificate and redis.key name files in PEM that this user may read",
        ) from None


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or DEFAULT_PORT
