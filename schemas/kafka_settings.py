"""How Kafka is reached in distributed mode, and how its topics are made: the section ``kafka`` of the settings.

Rules:
1. What Kafka calls a thing, it is called here: security protocol, SASL mechanism, session timeout.
2. With TLS the server's certificate is always checked, and a password goes over an open line only where the protocol
   named says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from schemas.duration import DAY
from schemas.settings_values import Duration, Label, Password, Whole
from schemas.written import Misfit, Written

MAX_PARTITIONS = 1000
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):(?P<port>[0-9]{1,5})", re.ASCII)


def _bootstrap(written: str) -> str:
    servers = [server.strip() for server in written.split(",")]
    for server in servers:
        match = _SERVER.fullmatch(server)
        if match is None or not 0 < int(match["port"]) < 65_536:
            raise Misfit(
                "this is not a list of Kafka servers",
                "write host and port, with commas between: kafka-1:9092,kafka-2:9092",
                code="bootstrap",
            )
    return ",".join(servers)


Bootstrap = Annotated[str, AfterValidator(_bootstrap)]
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class KafkaSettings(Written):
    """Where events are kept in distributed mode."""

    bootstrap: Annotated[Bootstrap | None, Field(examples=["127.0.0.1:9092"])] = None
    """Servers to begin with, host:port, with commas between; the others are found through them."""
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""
    """Put in front of every topic's name: two deployments can share a cluster."""
    group: Label = "plumbline"
    """Name of the workers' consumer group, behind topic_prefix."""
    partitions: Annotated[Whole, Field(ge=1, le=MAX_PARTITIONS)] = 8
    """Of each event topic: so many workers can share the accounts. It can't be changed later."""
    drift_partitions: Annotated[Whole, Field(ge=1, le=MAX_PARTITIONS)] = 1
    """Of the topic observations: so many workers can share the drift signals. It can't be changed later."""
    replication: Annotated[Whole, Field(ge=1, le=10)] = 3
    """Copies of each record, on as many servers. 1 where there is one server."""
    retention: Duration = 30 * DAY
    """How long Kafka keeps events, to be read again."""
    security_protocol: Protocol = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL: what the servers' listener speaks."""
    sasl_mechanism: Mechanism = "SCRAM-SHA-512"
    """With SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    username: Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] = None
    """With SASL: who this is."""
    password: Annotated[Password | None, Field(examples=["env:PLUMBLINE_KAFKA_PASSWORD"])] = None
    """With SASL: the password, or env:NAME to take it from the environment."""
    ca: Path | None = None
    """File with the certificates (PEM) that the servers' must be signed by; without it, those of the system."""
    certificate: Path | None = None
    """File with this client's own certificate (PEM), where the servers ask for one."""
    key: Path | None = None
    """File with the private key (PEM) of certificate."""
    session_timeout: Annotated[Duration, Field(ge=1, le=300)] = 6.0
    """A worker that is silent for so long is taken for dead, and others get its partitions."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        protocol = written.get("security_protocol") or "PLAINTEXT"
        with_sasl = str(protocol).startswith("SASL_")
        with_tls = str(protocol).endswith("SSL")
        for name in ("username", "password"):
            if with_sasl and written.get(name) is None:
                yield Misfit(
                    f"{protocol} needs `{name}`", f"add {name}:", ("security_protocol",), absent=(name,)
                )
            if not with_sasl and written.get(name) is not None:
                yield Misfit(
                    f"`{name}` is for SASL, and the protocol is {protocol}",
                    "set security_protocol to SASL_SSL",
                    (name,),
                )
        for name in ("ca", "certificate", "key"):
            if not with_tls and written.get(name) is not None:
                yield Misfit(
                    f"`{name}` is for TLS, and the protocol is {protocol}",
                    "set security_protocol to SSL or SASL_SSL",
                    (name,),
                )
        for one, other in (("certificate", "key"), ("key", "certificate")):
            if written.get(one) is not None and written.get(other) is None:
                yield Misfit(
                    f"`{one}` needs `{other}`",
                    f"add {other}: with the path of its file",
                    (one,),
                    absent=(other,),
                )
