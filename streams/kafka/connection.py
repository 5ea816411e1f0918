"""What a client needs to reach Kafka, by the settings: addresses, TLS, who it is.

aiokafka and kafka-python take the same options by the same names. Faust wants them in its own shape
(streams/kafka/transport.py). No option is in a log line or an error: one of them is a password.
"""

from __future__ import annotations

import ssl
from typing import Any

from schemas.errors import PlumblineError
from schemas.kafka_settings import KafkaSettings

CLIENT_ID = "plumbline"
COMPRESSION = "lz4"
"""of what is written, as it travels and as it lies in Kafka: ten events together take a third"""


def bootstrap_of(settings: KafkaSettings) -> list[str]:
    """The servers to begin with. Raises PlumblineError when the settings name none."""
    if settings.bootstrap is None:
        raise PlumblineError(
            "the settings name no Kafka", remedy="add kafka: with bootstrap: host:port to the settings file"
        )
    return settings.bootstrap.split(",")


def tls_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """None where the protocol is not over TLS. Raises PlumblineError when a file can't be used."""
    if not settings.security_protocol.endswith("SSL"):
        return None
    try:
        context = ssl.create_default_context(cafile=None if settings.ca is None else str(settings.ca))
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise PlumblineError(
            f"a file for TLS with Kafka can't be used: {type(error).__name__}",
            remedy="see that ca, certificate and key of kafka: name PEM files that this user may read,"
            " that the key belongs to the certificate, and that it has no passphrase",
        ) from None
    return context


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options of every client of aiokafka and kafka-python. Raises PlumblineError."""
    options: dict[str, Any] = {
        "bootstrap_servers": bootstrap_of(settings),
        "client_id": CLIENT_ID,
        "security_protocol": settings.security_protocol,
        "ssl_context": tls_context(settings),
    }
    if settings.security_protocol.startswith("SASL_"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.username
        options["sasl_plain_password"] = (
            None if settings.password is None else settings.password.get_secret_value()
        )
    return options


def _no_password() -> str:
    """Without it, OpenSSL would ask for a passphrase on the terminal."""
    return ""
