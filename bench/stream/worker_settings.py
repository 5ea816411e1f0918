"""The settings file that Plumbline's processes get: the sample ICP, and as little else as a deployment could do with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.stream.job import ICP
from bench.stream.services import Services


def write_settings(
    folder: Path, services: Services, prefix: str, partitions: int, run: str, **more: Any
) -> Path:
    """Writes the file and returns its path. ``run`` keeps the run's group and keys apart; ``more`` are top-level keys.

    The events are of the past, so timers fire by event time alone (``clock: events``) unless ``more`` says otherwise.
    """
    settings = {
        "data_dir": str(folder / "data"),
        "icp": [str(ICP)],
        "clock": "events",
        "kafka": {
            "bootstrap": services.bootstrap,
            "topic_prefix": prefix,
            "group": run,
            "partitions": partitions,
            "replication": 1,
        },
        "redis": {"url": services.redis, "key_prefix": run},
        **more,
    }
    path = folder / "plumbline.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    return path
