"""TLS and SASL for real: a broker that takes nobody without a password, over TLS with a certificate of its own authority."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.kafka import PackagedBroker
from tests.services.programs import program
from tests.services.redis import RedisSpace
from tests.services.waiting import wait_until
from tests.services.workers import WorkerProcess

PASSWORD = "correct-horse"
LIMIT_S = 90


def openssl(*arguments: str) -> None:
    subprocess.run(
        [program("openssl", package="openssl"), *arguments], check=True, capture_output=True, timeout=LIMIT_S
    )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and server.pem with the key in front."""
    folder = tmp_path_factory.mktemp("certificates")
    ca, key, asked, signed = (str(folder / name) for name in ("ca.pem", "key.pem", "asked.pem", "signed.pem"))
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl(*new, "-x509", "-subj", "/CN=authority", "-keyout", str(folder / "ca.key"), "-out", ca)
    openssl(*new, "-subj", "/CN=broker", "-keyout", key, "-out", asked)
    extensions = folder / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    authority = ("-CA", ca, "-CAkey", str(folder / "ca.key"), "-CAcreateserial")
    openssl(
        "x509", "-req", "-in", asked, *authority, "-days", "2", "-extfile", str(extensions), "-out", signed
    )
    (folder / "server.pem").write_text(Path(key).read_text() + Path(signed).read_text())
    return folder


@pytest.fixture(scope="module")
def broker(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackagedBroker]:
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    guarded = PackagedBroker(
        tmp_path_factory.mktemp("broker"),
        {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(certificates / "server.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(certificates / "ca.pem"),
            "sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                f'{login} username="broker" password="{PASSWORD}"'
                f' user_broker="{PASSWORD}" user_worker="{PASSWORD}";'
            ),
        },
        listener="SASL_SSL",
    )
    try:
        guarded.start()
        yield guarded
    finally:
        guarded.kill()


def settings_of(folder: Path, broker: PackagedBroker, certificates: Path, redis: RedisSpace) -> Path:
    path = folder / "plumbline.yaml"
    icp = Path(__file__).parents[2] / "examples" / "acme" / "icp.yaml"
    path.write_text(
        f"icp: [{icp}]\nkafka:\n  bootstrap: {broker.bootstrap}\n  partitions: 1\n  replication: 1\n"
        "  security_protocol: SASL_SSL\n  sasl_mechanism: PLAIN\n  username: worker\n"
        f"  password: env:KAFKA_PASSWORD\n  ca: {certificates / 'ca.pem'}\n"
        f"redis:\n  url: {redis.settings.url}\n  key_prefix: {redis.settings.key_prefix}\n"
    )
    return path


def topics(settings: Path, password: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", "topics", "create", "--settings", str(settings)],
        env={**os.environ, "KAFKA_PASSWORD": password},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_topics_and_a_worker_over_tls_with_a_password(
    tmp_path: Path, broker: PackagedBroker, certificates: Path, redis: RedisSpace
) -> None:
    settings = settings_of(tmp_path, broker, certificates, redis)
    made = topics(settings, PASSWORD)
    assert made.returncode == 0, made.stdout + made.stderr
    worker = WorkerProcess(settings, tmp_path / "log", {"KAFKA_PASSWORD": PASSWORD}, None)
    try:
        worker.wait_for("partitions_assigned")
        # The relay's mark on the observations topic comes back to the drift stage: its producer is let in too.
        drift = f"{redis.settings.key_prefix}:1:{{drift:0}}:head"
        wait_until(lambda: redis.client.hget(drift, "offsets") is not None)
        assert worker.stop() == 0, worker.text()
    finally:
        worker.kill()
    assert PASSWORD not in worker.text()


def test_a_wrong_password_is_refused_and_never_shown(
    tmp_path: Path, broker: PackagedBroker, certificates: Path, redis: RedisSpace
) -> None:
    refused = topics(settings_of(tmp_path, broker, certificates, redis), "not-the-password")
    assert refused.returncode == 1
    assert f"Kafka at {broker.bootstrap}" in refused.stderr
    assert "not-the-password" not in refused.stdout + refused.stderr
