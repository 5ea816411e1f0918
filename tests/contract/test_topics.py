"""Topics on a real broker: made once, the same ever after, refused when partition counts differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.kafka_settings import KafkaSettings
from schemas.settings import Settings
from streams.cli.topics import command
from streams.kafka import topics
from tests.services.kafka import Kafka
from tests.services.programs import free_port


def settings_of(kafka: Kafka, **written: object) -> Settings:
    return Settings(
        kafka=KafkaSettings(
            bootstrap=kafka.bootstrap,
            topic_prefix=kafka.prefix,
            **{"partitions": 3, "replication": 1, **written},  # type: ignore[arg-type]
        )
    )


async def test_made_once_and_then_left_alone(kafka: Kafka) -> None:
    settings = settings_of(kafka)
    first = topics.create(settings)
    assert all(report.made and not report.problems for report in first)
    counts = {report.name.removeprefix(kafka.prefix): report.partitions for report in first}
    assert counts == {
        **dict.fromkeys(topics.EVENT_TOPICS, 3),
        "observations": 1,
        "alerts": 1,
        "dead-letters": 1,
    }
    again = topics.create(settings)
    assert [report.made for report in again] == [False] * len(again)
    assert topics.describe(settings) == again
    topics.check_counts(settings.kafka, topics.read_counts(settings.kafka))


async def test_another_partition_count_is_refused_before_anything_is_made(kafka: Kafka) -> None:
    await kafka.create("web.visits", partitions=2)
    settings = settings_of(kafka)
    with pytest.raises(topics.TopicsRefused, match="has 2 instead of 3"):
        topics.create(settings)
    assert [report.partitions for report in topics.describe(settings)].count(0) == 8
    with pytest.raises(topics.TopicsRefused, match="there is no topic"):
        topics.check_counts(settings.kafka, topics.read_counts(settings.kafka))


async def test_too_few_servers_for_the_copies_asked_for(kafka: Kafka) -> None:
    with pytest.raises(topics.TopicsRefused, match="3 copies"):
        topics.create(settings_of(kafka, replication=3))
    assert not topics.read_counts(settings_of(kafka).kafka)


def test_no_broker_is_said_in_one_sentence(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = subprocess.run(
        [sys.executable, "-m", "streams", "topics", "describe"],
        env={**os.environ, "PLUMBLINE_KAFKA__BOOTSTRAP": address},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert f"plumbline: Kafka at {address}" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_the_command(kafka: Kafka, tmp_path: Path) -> None:
    file = tmp_path / "plumbline.yaml"
    file.write_text(
        f"kafka:\n  bootstrap: {kafka.bootstrap}\n  topic_prefix: {kafka.prefix}\n  partitions: 2\n  replication: 1\n"
    )
    run = CliRunner().invoke
    described = run(command, ["describe", "--settings", str(file), "--json"])
    assert described.exit_code == 1
    assert {report["partitions"] for report in json.loads(described.output)["topics"]} == {0}
    created = run(command, ["create", "--settings", str(file)])
    assert created.exit_code == 0, created.output
    assert created.output.count("made") == 9
    assert run(command, ["describe", "--settings", str(file)]).exit_code == 0
