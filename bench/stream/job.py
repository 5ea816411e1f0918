"""What an arm is told, as one JSON argument of its process."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from streams.kafka.topics import EVENT_TOPICS

ROOT = Path(__file__).resolve().parents[2]
ICP = ROOT / "examples" / "acme" / "icp.yaml"
ONE_TOPIC = "events"
"""For the peers: the same events in one topic, so that they need not bring topics into order."""


class Job(Struct, kw_only=True):
    """One process of one arm."""

    arm: str
    bootstrap: str
    """host:port of the broker"""
    prefix: str
    """of the topics' names"""
    partitions: int
    total: int
    """events that the arm's processes apply together"""
    passes: int = 1
    """how often they read the topics, which hold ``total / passes`` events"""
    run: str
    """names this run: consumer group, state"""
    scratch: str = ""
    """a folder of the process, removed after the run; given by run_arm"""
    pipe: int = -1
    """the descriptor that the marks go to; given by run_arm"""
    settings: str = ""
    """Plumbline's settings file, for its worker"""

    @property
    def topics(self) -> list[str]:
        return [self.prefix + topic for topic in EVENT_TOPICS]
