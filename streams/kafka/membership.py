"""One membership in the workers' group: a Faust app, built in code, from joining to leaving.

Rules:
1. Faust has no web server, tables, agents, leader topic or producer here, and writes nothing to disk.
2. Partitions of topics with equal counts stay together, and shares differ by one at most: EvenAssignor.
3. An app is used once. When it ends by itself, the worker makes a new one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

import faust
from aiokafka.errors import KafkaError
from faust.assignor import PartitionAssignor
from faust.types import TP, AppT

from schemas.errors import PlumblineError
from schemas.kafka_settings import KafkaSettings
from streams.kafka.connection import bootstrap_of, tls_context
from streams.kafka.transport import Consumer, Intake

HEARTBEATS = 3
"""in one session timeout"""
REQUEST_TIMEOUT_S = 40.0
METADATA_MAX_AGE_MS = 10_000
"""So soon a topic that has grown is seen."""
NEVER_S = 30 * 86_400.0
"""Partitions may all be paused for long, while the store is away, without the group thinking that nobody reads."""
FETCH_BYTES = 1_048_576
END_WITHIN_S = 20.0

# Faust and mode log each service's steps; what matters of them the worker says itself.
for name in ("faust", "mode"):
    logging.getLogger(name).setLevel(logging.CRITICAL)


class Member(Intake, Protocol):
    async def revoked(self) -> None:
        """The group shares its partitions out anew."""
        ...

    def fail(self, error: BaseException) -> None:
        """Something that no waiting can mend."""
        ...


class _App(faust.App):
    intake: Intake

    def _create_directories(self) -> None:
        """Nothing is kept on disk."""


class _Guarded:
    """The worker as the app's intake: what it refuses ends the worker, not only this membership."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.fetched = member.fetched
        self.interrupted = member.interrupted

    async def assigned(self, partitions: set[TP]) -> None:
        try:
            await self._member.assigned(partitions)
        except PlumblineError as error:
            self._member.fail(error)


class EvenAssignor(PartitionAssignor):
    """Faust's own, without standbys. With them it fills the members one after the other up to the rounded-up share: a third
    member would get none of four partitions."""

    def __init__(self, app: AppT, replicas: int = 0) -> None:
        super().__init__(app, replicas=0)


class Membership:
    """``topics``: all that the group reads. ``hold``, then ``end``."""

    def __init__(self, settings: KafkaSettings, member: Member, topics: Sequence[str]) -> None:
        self._member = member
        self._app = _App(
            settings.topic_prefix + settings.group,
            broker=[f"plumbline://{server}" for server in bootstrap_of(settings)],
            broker_credentials=_credentials(settings),
            broker_session_timeout=settings.session_timeout,
            broker_heartbeat_interval=settings.session_timeout / HEARTBEATS,
            broker_request_timeout=max(REQUEST_TIMEOUT_S, 2 * settings.session_timeout),
            broker_max_poll_interval=NEVER_S,
            consumer_auto_offset_reset="none",
            consumer_max_fetch_size=FETCH_BYTES,
            consumer_metadata_max_age_ms=METADATA_MAX_AGE_MS,
            stream_recovery_delay=0.0,
            PartitionAssignor=EvenAssignor,
            table_standby_replicas=1,  # else Faust takes an assignor that parts what belongs together
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            autodiscover=False,
        )
        self._app.intake = _Guarded(member)
        self._app.boot_strategy.enable_kafka_producer = False
        self._app.boot_strategy.enable_web = False
        for topic in topics:
            self._app.topics.add(self._app.topic(topic, acks=False))
        self._app.on_partitions_revoked.connect(self._revoked)
        self._app.on_partitions_assigned.connect(self._assigned)

    @property
    def consumer(self) -> Consumer:
        return cast(Consumer, self._app.consumer)

    async def hold(self, stopping: asyncio.Event) -> str:
        """A member until ``stopping`` is set, or until it ends by itself: then returns why."""
        try:
            await self._app.start()
            stop = asyncio.ensure_future(stopping.wait())
            ended = asyncio.ensure_future(self._app.wait_until_stopped())
            await asyncio.wait([stop, ended], return_when=asyncio.FIRST_COMPLETED)
            for task in (stop, ended):
                task.cancel()
            await asyncio.gather(stop, ended, return_exceptions=True)
        except (KafkaError, OSError, TimeoutError) as error:
            return type(error).__name__
        reason = self._app.crash_reason
        return "" if reason is None else type(reason).__name__

    async def end(self) -> None:
        """Leaves the group."""
        with suppress(KafkaError, OSError, TimeoutError):
            await asyncio.wait_for(self._app.stop(), END_WITHIN_S)

    async def _revoked(self, *_: Any, **__: Any) -> None:
        await self._member.revoked()

    async def _assigned(self, *arguments: Any, **_: Any) -> None:
        # Where there is nothing to seek, Faust does not ask the consumer: who was given nothing, as a spare one is, would
        # never know that it has joined, and who lost all would keep what it had.
        if not arguments[-1]:
            await self._app.intake.assigned(set())


def _credentials(settings: KafkaSettings) -> Any:
    if settings.security_protocol == "PLAINTEXT":
        return None
    context = tls_context(settings)
    if settings.security_protocol == "SSL":
        return faust.SSLCredentials(context=context)
    return faust.SASLCredentials(
        username=settings.username,
        password=None if settings.password is None else settings.password.get_secret_value(),
        mechanism=settings.sasl_mechanism,
        ssl_context=context,
    )
