"""Where a deployment's data is read: in its data directory, or with Kafka in the settings in Redis."""

from __future__ import annotations

from pathlib import Path

from schemas.settings import Settings
from streams.serving.contract import Source
from streams.serving.sqlite import SqliteSource


def source_of(settings: Settings, data_dir: Path | None = None) -> Source:
    """``data_dir`` asks for an embedded service's directory, whatever the settings say. Nothing is opened yet."""
    if data_dir is not None or settings.kafka.bootstrap is None:
        return SqliteSource((data_dir or settings.data_dir) / "plumbline.db")
    from streams.serving.redis import RedisSource  # needs the packages of distributed mode

    kafka = settings.kafka
    return RedisSource(settings.redis, {"accounts": kafka.partitions, "drift": kafka.drift_partitions})
