"""A real Apache Kafka: one broker (KRaft, combined node) for all tests of a run, kept apart by topic prefix.

Two ways to get it, chosen by PLUMBLINE_TEST_SERVICES: `packages` (the default) starts a Java process from the jars that
`make services` keeps in the user's cache; `docker` starts the image apache/kafka by testcontainers.

Rules: everything listens on loopback; no topic is made by accident (no automatic creation); a broker that a test kills,
freezes or restarts is its own (``kafka_broker``), and it comes back on the same port with the same data; what a test
started ends with it, whatever happens in it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from tests.services.programs import free_port, missing, program, services_by
from tests.services.service_process import START_LIMIT_S, Service, ServiceContainer, ServiceProcess
from tests.services.waiting import until

VERSION = "4.2.0"
JARS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plumbline" / f"kafka-{VERSION}"
READY = "Kafka Server started"
LOGGING = """
rootLogger.level=WARN
rootLogger.appenderRef.stdout.ref=STDOUT
appender.stdout.type=Console
appender.stdout.name=STDOUT
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%d %p %c %m%n
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=INFO
"""
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Small and quick to start; the session of a dead consumer may be short, so that tests need not wait long.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "message.max.bytes": "20000000",
    "num.io.threads": "4",
    "num.network.threads": "2",
}


class Broker(Service, Protocol):
    bootstrap: str
    """host:port"""


class PackagedBroker(ServiceProcess):
    """A Java process over a folder of its own. ``settings`` are added to the broker's properties; ``listener`` is what
    clients connect to (PLAINTEXT, or what ``settings`` say of it: SSL, SASL_PLAINTEXT, SASL_SSL)."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, str] | None = None,
        *,
        listener: str = "PLAINTEXT",
        second_door: tuple[int, str] | None = None,
    ) -> None:
        self._java = program("java", package="default-jre-headless")
        if not JARS.is_dir():
            missing(f"Apache Kafka {VERSION} is not in {JARS}; get it by: make services")
        self._folder = folder
        port, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        properties = {
            **SETTINGS,
            "listeners": f"{listener}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"{listener}://127.0.0.1:{port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(folder / "data"),
            "inter.broker.listener.name": listener,
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,{listener}:{listener}",
            **(settings or {}),
        }
        if second_door is not None:
            behind, address = second_door
            properties["listeners"] += f",SECOND://127.0.0.1:{behind}"
            properties["advertised.listeners"] += f",SECOND://{address}"
            properties["listener.security.protocol.map"] += ",SECOND:PLAINTEXT"
        self._properties = folder / "server.properties"
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        (folder / "log4j2.properties").write_text(LOGGING)
        super().__init__(
            "Kafka",
            self._machine("kafka.Kafka", str(self._properties)),
            folder / "output.log",
            ready=READY,
        )
        cluster = secrets.token_urlsafe(16)  # base64 of 16 bytes, which may not begin with a dash
        formatted = subprocess.run(
            self._machine(
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id=A{cluster[1:]}",
                f"--config={self._properties}",
            ),
            capture_output=True,
            check=False,
            timeout=START_LIMIT_S,
        )
        if formatted.returncode:
            raise AssertionError(
                f"Kafka's folder could not be made:\n{formatted.stdout.decode()}{formatted.stderr.decode()}"
            )

    def _machine(self, main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}"
        # Server and tests share few cores: the quick compiler and one collector thread start soonest.
        machine = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return [self._java, *machine, logging, "-cp", f"{JARS}/*", main, *arguments]


class ContainerBroker(ServiceContainer):
    """The image apache/kafka, its port on loopback."""

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer  # asks for a Docker daemon when it is used

        port = free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        properties = {
            **SETTINGS,
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "controller.quorum.voters": "1@localhost:9093",
        }
        container = DockerContainer(f"apache/kafka:{VERSION}")
        container.ports["9092/tcp"] = ("127.0.0.1", port)  # its own method binds every interface
        for name, value in properties.items():
            container.with_env(f"KAFKA_{name.upper().replace('.', '_')}", value)
        super().__init__("Kafka", container, ready=READY)


@contextmanager
def running_broker() -> Iterator[Broker]:
    """A started broker, ended and removed at the end of the block."""
    if services_by() == "docker":
        container = ContainerBroker()
        try:
            container.start()
            yield container
        finally:
            container.remove()
        return
    with broker_of_own() as process:
        yield process


@contextmanager
def broker_of_own(*, second_door: tuple[int, str] | None = None) -> Iterator[PackagedBroker]:
    """A started broker process. ``second_door``: another port of the broker's, and the address (host:port) by which
    clients are to come to it, as behind a proxy."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-kafka-"))
    try:
        process = PackagedBroker(folder, second_door=second_door)
        try:
            process.start()
            yield process
        finally:
            process.kill()
    finally:
        shutil.rmtree(folder)


class Kafka:
    """What a test sees of the shared broker: topics whose names begin with ``prefix``, which is its own."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix

    async def create(self, *topics: str, partitions: int) -> None:
        """Makes topics; the prefix is put in front. Returns when the broker tells others of them."""
        names = [self.prefix + topic for topic in topics]
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, partitions, 1) for name in names])

            async def told() -> bool:
                return set(names) <= set(await admin.list_topics())

            await until(told, START_LIMIT_S)
        finally:
            await admin.close()

    async def grow(self, topic: str, *, partitions: int) -> None:
        """Gives a topic more partitions."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_partitions({self.prefix + topic: NewPartitions(partitions)})
        finally:
            await admin.close()

    async def produce(
        self,
        topic: str,
        records: Iterable[tuple[str, bytes]],
        *,
        timestamp_ms: Callable[[int], int] | None = None,
    ) -> None:
        """Writes (key, value) in order; returns when the broker has them. ``timestamp_ms`` of the n-th record."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5, acks="all")
        await producer.start()
        try:
            for number, (key, value) in enumerate(records):
                await producer.send(
                    self.prefix + topic,
                    value,
                    key=key.encode(),
                    timestamp_ms=None if timestamp_ms is None else timestamp_ms(number),
                )
        finally:
            await producer.stop()

    async def read(self, topic: str) -> list[Any]:
        """All records of a topic as of now: aiokafka's ConsumerRecord, partition by partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            name = self.prefix + topic
            partitions = [
                TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()
            ]
            if not partitions:  # not in the metadata of a consumer that follows no topic
                await consumer._client.add_topic(name)
                await consumer._client.force_metadata_update()
                partitions = [
                    TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()
                ]
            ends = {tp: end for tp, end in (await consumer.end_offsets(partitions)).items() if end}
            found: dict[TopicPartition, list[Any]] = {tp: [] for tp in partitions}
            consumer.assign(list(ends))
            if ends:
                await consumer.seek_to_beginning(*ends)
            while ends:
                for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[tp].extend(records)
                ends = {tp: end for tp, end in ends.items() if await consumer.position(tp) < end}
            return [record for tp in partitions for record in found[tp]]
        finally:
            await consumer.stop()


@pytest.fixture(scope="session")
def shared_kafka_broker() -> Iterator[Broker]:
    with running_broker() as broker:
        yield broker


@pytest.fixture
def kafka_broker() -> Iterator[Broker]:
    """A broker of the test's own, which it may kill, freeze and start again."""
    with running_broker() as broker:
        yield broker


@pytest.fixture
async def kafka(shared_kafka_broker: Broker) -> AsyncIterator[Kafka]:
    """The shared broker; the topics that the test made are removed after it."""
    mine = Kafka(shared_kafka_broker.bootstrap, f"t{secrets.token_hex(4)}.")
    yield mine
    admin = AIOKafkaAdminClient(bootstrap_servers=mine.bootstrap)
    await admin.start()
    try:
        topics = [name for name in await admin.list_topics() if name.startswith(mine.prefix)]
        if topics:
            await admin.delete_topics(topics)
    finally:
        await admin.close()
