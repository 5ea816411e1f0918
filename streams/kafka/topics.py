"""The topics: their names, how they are made, and whether they are as they must be. By kafka-python.

Rules:
1. All event topics have one and the same partition count: partition i of all of them shares one state. The topic
   ``observations`` has a count of its own. Counts that differ from the settings are refused, never mended: with another
   count, keys that have a state go to other partitions.
2. No topic is compacted: a later record of an account does not make an earlier one needless.
3. Timestamps are the sender's (CreateTime): the gateway gives them in order of arrival, and workers merge by them.
4. Making topics again changes nothing, and a topic that is there is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError
from msgspec import Struct

from schemas.errors import PlumblineError
from schemas.kafka_settings import KafkaSettings
from schemas.observations import OBSERVATIONS
from schemas.settings import Settings
from streams.kafka.connection import client_options

EVENT_TOPICS = (
    "crm.accounts",
    "crm.stage-changes",
    "product.events",
    "support.tickets",
    "alert.outcomes",
    "web.visits",
)
"""In the order in which workers take records of one and the same millisecond."""
ALERTS = "alerts"
DEAD_LETTERS = "dead-letters"

SMALLEST_MESSAGE_LIMIT = 1_048_588
"""Kafka's own default of max.message.bytes"""
SHOWN = (
    "cleanup.policy",
    "retention.ms",
    "min.insync.replicas",
    "message.timestamp.type",
    "max.message.bytes",
)


class TopicsRefused(PlumblineError):
    """The topics are not as the settings, the store or each other say: nothing may be read from or written to them."""

    exit_code = 4


class TopicPlan(Struct, frozen=True, kw_only=True):
    """``name`` as on the broker, prefix included."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


class TopicReport(Struct, frozen=True, kw_only=True):
    """One topic as it is. ``partitions`` is 0 for one that is not there; ``problems`` say what must be mended."""

    name: str
    made: bool = False
    partitions: int = 0
    replication: int = 0
    config: dict[str, str] = {}
    problems: list[str] = []


def event_topics(settings: KafkaSettings) -> list[str]:
    """Names on the broker, in the order of merging."""
    return [settings.topic_prefix + topic for topic in EVENT_TOPICS]


def plans(settings: Settings) -> list[TopicPlan]:
    """All topics as they have to be."""
    kafka = settings.kafka
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(int(kafka.retention * 1000)),
        "message.timestamp.type": "CreateTime",
        "max.message.bytes": str(max(SMALLEST_MESSAGE_LIMIT, 2 * settings.max_event_bytes)),
        # One server may fail without stopping the senders, and never without a copy on another one.
        "min.insync.replicas": str(max(1, kafka.replication - 1)),
    }
    counts = dict.fromkeys(EVENT_TOPICS, kafka.partitions)
    counts |= {OBSERVATIONS: kafka.drift_partitions, ALERTS: 1, DEAD_LETTERS: 1}
    return [
        TopicPlan(
            name=kafka.topic_prefix + topic, partitions=count, replication=kafka.replication, config=config
        )
        for topic, count in counts.items()
    ]


def check_counts(settings: KafkaSettings, counts: Mapping[str, int]) -> None:
    """``counts``: partitions by name on the broker, 0 or absent for a topic that is not there. Raises TopicsRefused
    unless all event topics, and the observations topic, are there with the counts of the settings."""
    expected = dict.fromkeys(event_topics(settings), settings.partitions)
    expected[settings.topic_prefix + OBSERVATIONS] = settings.drift_partitions
    missing = [name for name in expected if not counts.get(name)]
    if missing:
        raise TopicsRefused(
            f"there is no topic {', '.join(missing)}", remedy="make the topics: plumbline topics create"
        )
    others = [f"{name} has {counts[name]}" for name in expected if counts[name] != expected[name]]
    if others:
        raise TopicsRefused(
            f"event topics must have {settings.partitions} partitions and {OBSERVATIONS} {settings.drift_partitions},"
            f" but {', '.join(others)}",
            remedy="a partition count can't be changed once there are events: set kafka.partitions and"
            " kafka.drift_partitions to what was meant, or begin anew under another kafka.topic_prefix",
        )


def create(settings: Settings) -> list[TopicReport]:
    """Makes the topics that are not there. Raises TopicsRefused when one that is there has another partition count, or
    when the servers can't do what is asked; then nothing was made."""
    wanted = plans(settings)
    with _admin(settings.kafka) as admin:
        counts = _partitions(admin, [plan.name for plan in wanted])
        _check_existing(wanted, counts)
        new = [plan for plan in wanted if plan.name not in counts]
        if new:
            _make(admin, new)
        return _reports(admin, wanted, {plan.name for plan in new})


def describe(settings: Settings) -> list[TopicReport]:
    """All topics as they are, with what is wrong with them."""
    with _admin(settings.kafka) as admin:
        return _reports(admin, plans(settings), set())


def read_counts(settings: KafkaSettings) -> dict[str, int]:
    """Partitions of the topics that workers read, by name; those that are not there are left out."""
    names = [*event_topics(settings), settings.topic_prefix + OBSERVATIONS]
    with _admin(settings) as admin:
        return {name: len(found) for name, found in _partitions(admin, names).items()}


def _check_existing(wanted: Sequence[TopicPlan], counts: Mapping[str, Mapping[int, int]]) -> None:
    others = [
        f"{plan.name} has {len(counts[plan.name])} instead of {plan.partitions}"
        for plan in wanted
        if plan.name in counts and len(counts[plan.name]) != plan.partitions
    ]
    if others:
        raise TopicsRefused(
            f"topics are there with another partition count: {', '.join(others)}",
            remedy="set kafka.partitions and kafka.drift_partitions to what is there, or begin anew under another"
            " kafka.topic_prefix",
        )


def _make(admin: KafkaAdminClient, new: Sequence[TopicPlan]) -> None:
    topics = {
        plan.name: {
            "num_partitions": plan.partitions,
            "replication_factor": plan.replication,
            "configs": plan.config,
        }
        for plan in new
    }
    try:
        with suppress(TopicAlreadyExistsError):
            admin.create_topics(topics, validate_only=True)
    except InvalidReplicationFactorError:
        raise TopicsRefused(
            f"there are not enough servers to keep {new[0].replication} copies of each record",
            remedy="start more, or set kafka.replication to how many there are",
        ) from None
    for name, topic in topics.items():
        with suppress(TopicAlreadyExistsError):  # somebody else makes them at this moment
            admin.create_topics({name: topic})
    admin.wait_for_topics(list(topics))
    _check_existing(new, _partitions(admin, list(topics)))


def _reports(admin: KafkaAdminClient, wanted: Sequence[TopicPlan], made: set[str]) -> list[TopicReport]:
    found = _partitions(admin, [plan.name for plan in wanted])
    configs: dict[str, dict[str, dict[str, str]]] = (
        admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in found], config_filter="all"
        )["topic"]
        if found
        else {}
    )
    reports = []
    for plan in wanted:
        partitions = found.get(plan.name, {})
        config = {
            name: str(configs[plan.name][name]["value"])
            for name in SHOWN
            if name in configs.get(plan.name, {})
        }
        reports.append(
            TopicReport(
                name=plan.name,
                made=plan.name in made,
                partitions=len(partitions),
                replication=min(partitions.values(), default=0),
                config=config,
                problems=list(_problems(plan, partitions, config)),
            )
        )
    return reports


def _problems(plan: TopicPlan, partitions: Mapping[int, int], config: Mapping[str, str]) -> Iterator[str]:
    if not partitions:
        yield "it is not there"
        return
    if len(partitions) != plan.partitions:
        yield f"it has {len(partitions)} partitions instead of {plan.partitions}"
    if min(partitions.values()) < plan.replication:
        yield f"some partition has {min(partitions.values())} copies instead of {plan.replication}"
    if config.get("cleanup.policy") != "delete":
        yield "it is compacted, which drops records that count"
    if config.get("message.timestamp.type") != "CreateTime":
        yield "its timestamps are not the sender's, so that the order of arrival is lost"


def _partitions(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, dict[int, int]]:
    """topic -> partition -> copies, for the topics that are there."""
    there = set(admin.list_topics())
    wanted = [name for name in names if name in there]
    return {
        topic["name"]: {
            partition["partition_index"]: len(partition["replica_nodes"]) for partition in topic["partitions"]
        }
        for topic in (admin.describe_topics(wanted) if wanted else ())
    }


@contextmanager
def _admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    options = client_options(settings)
    admin = None
    try:
        admin = KafkaAdminClient(**options, request_timeout_ms=15_000, bootstrap_timeout_ms=10_000)
        yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        raise PlumblineError(
            f"Kafka at {settings.bootstrap} does not do what was asked: {type(error).__name__}",
            remedy="see that it runs there, and that kafka: in the settings says how to reach it and who this is",
        ) from error
    finally:
        if admin is not None:
            admin.close()
