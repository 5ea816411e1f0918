"""The section kafka of the settings, and what clients get of it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from schemas.errors import FileRefused, PlumblineError
from schemas.kafka_settings import KafkaSettings
from schemas.settings import Settings
from streams.kafka.connection import bootstrap_of, client_options
from streams.settings_file import load_settings


def written(folder: Path, text: str) -> Settings:
    file = folder / "plumbline.yaml"
    file.write_text(text)
    return load_settings(file)


def test_several_servers_and_a_password_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SECRET", "s3cret")
    settings = written(
        tmp_path,
        "kafka:\n  bootstrap: a:9092, b:9093\n  security_protocol: SASL_SSL\n  username: worker\n"
        "  password: env:KAFKA_SECRET\n",
    ).kafka
    options = client_options(settings)
    assert options["bootstrap_servers"] == ["a:9092", "b:9093"]
    assert options["sasl_plain_password"] == "s3cret"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["ssl_context"].verify_mode == ssl.CERT_REQUIRED
    assert "s3cret" not in repr(settings)


def test_a_plain_line_has_no_tls_and_no_sasl() -> None:
    options = client_options(KafkaSettings(bootstrap="127.0.0.1:9092"))
    assert options["ssl_context"] is None
    assert "sasl_mechanism" not in options


def test_without_a_server_it_says_what_to_add() -> None:
    with pytest.raises(PlumblineError, match="bootstrap"):
        bootstrap_of(KafkaSettings())


def test_files_are_found_beside_the_settings(tmp_path: Path) -> None:
    settings = written(
        tmp_path, "kafka:\n  bootstrap: a:9092\n  security_protocol: SSL\n  ca: ca.pem\n"
    ).kafka
    assert settings.ca == tmp_path / "ca.pem"
    with pytest.raises(PlumblineError, match="TLS with Kafka"):
        client_options(settings)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("bootstrap: a", "not a list of Kafka servers"),
        ("bootstrap: a:0", "not a list of Kafka servers"),
        ("bootstrap: a:9092,", "not a list of Kafka servers"),
        ("bootstrap: worker:pw@a:9092", "not a list of Kafka servers"),
        ("security_protocol: SASL_SSL", "needs `username`"),
        ("username: me", "is for SASL"),
        ("ca: x.pem", "is for TLS"),
        ("security_protocol: SSL\n  certificate: x.pem", "needs `key`"),
        ("partitions: 0", "partitions"),
        ("session_timeout: 100ms", "session_timeout"),
        ("topic_prefix: a/b", "topic_prefix"),
    ],
)
def test_what_can_not_be_meant_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(FileRefused, match=problem):
        written(tmp_path, f"kafka:\n  {text}\n")
