"""Real `plumbline worker` processes over a real Kafka and a real Redis, and what is in the store when they are done.

Rules: every deployment has its own topic prefix, group and key prefix; a process ends with the test; conditions are waited
for with a deadline; an assertion that fails in the block of ``deployment`` says where the workers stand.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

import msgspec
from redis import Redis
from redis.exceptions import ConnectionError as RedisGone

from schemas.events import EVENT_CLASSES
from streams.stores.contract import Ledger, OutgoingKind
from streams.stores.redis_keys import PartitionKeys
from tests.services.kafka import Kafka
from tests.services.standing import standing
from tests.services.waiting import LIMIT_S, wait_until

PARTITIONS = 4
ICP = Path(__file__).parents[2] / "examples" / "acme" / "icp.yaml"
_TOPICS = {event_type: event_class.topic for event_type, event_class in EVENT_CLASSES.items()}


class WorkerProcess:
    """One `plumbline worker`. ``log`` has its lines so far, as they were written (JSON each)."""

    def __init__(
        self, settings: Path, log: Path, environment: Mapping[str, str], metrics: str | None
    ) -> None:
        self._log = log
        command = [sys.executable, "-m", "streams", "worker", "--settings", str(settings), "--json-logs"]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, *([] if metrics is None else ["--metrics", metrics])],
                env={**os.environ, "PYTHONFAULTHANDLER": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        lines = self._log.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line.get("event") == name]

    def text(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, name: str, count: int = 1, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """The ``count``-th log line of an event, when it is there."""
        wait_until(lambda: len(self.events(name)) >= count or self.ended, limit_s)
        found = self.events(name)
        assert len(found) >= count, f"the worker ended without {name}:\n{self.text()}"
        return found[count - 1]

    def wait_for_all(self, name: str) -> list[dict[str, Any]]:
        """All log lines of an event so far, when there is one."""
        self.wait_for(name)
        return self.events(name)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def exit_code(self, limit_s: float = LIMIT_S) -> int:
        """Waits for its end."""
        return self._process.wait(limit_s)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.exit_code()

    def kill(self) -> None:
        if not self.ended:
            self.send(signal.SIGKILL)
            self.exit_code()


class Deployment:
    """Topics and keys of its own on a broker and a Redis server."""

    def __init__(
        self,
        folder: Path,
        kafka: Kafka,
        redis_url: str,
        name: str,
        *,
        partitions: int = PARTITIONS,
        drift_partitions: int = 1,
        batch_events: int = 500,
        session_timeout: str = "6s",
        bootstrap: str | None = None,
        workers_redis_url: str | None = None,
        redis_timeout: str = "2s",
        extra: str = "",
    ) -> None:
        """``bootstrap`` and ``workers_redis_url``: where the workers find the broker and the store, if not where the test
        does. ``extra`` is added to the settings file."""
        self.kafka = Kafka(kafka.bootstrap, f"{kafka.prefix}{name}.")
        self.partitions = partitions
        self.key_prefix = f"{kafka.prefix}{name}"
        self.redis_url = redis_url
        self._redis = Redis.from_url(redis_url)
        self._folder = folder / name
        self._folder.mkdir()
        self._workers: list[WorkerProcess] = []
        self._logs: list[Path] = []
        self.settings = self._folder / "plumbline.yaml"
        self.settings.write_text(
            f"icp: [{ICP}]\nclock: events\nbatch_events: {batch_events}\n"
            "dead_letters: {share: 1}\n"
            f"kafka:\n  bootstrap: {bootstrap or kafka.bootstrap}\n  topic_prefix: {self.kafka.prefix}\n"
            f"  partitions: {partitions}\n  drift_partitions: {drift_partitions}\n  replication: 1\n  session_timeout: {session_timeout}\n"
            f"redis:\n  url: {workers_redis_url or redis_url}\n  key_prefix: {self.key_prefix}\n"
            f"  timeout: {redis_timeout}\n{extra}"
        )

    def create_topics(self) -> None:
        made = subprocess.run(
            [sys.executable, "-m", "streams", "topics", "create", "--settings", str(self.settings)],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr

    async def produce(self, lines: list[bytes], first_ms: int) -> None:
        """Writes events to their topics, in order: the n-th has the timestamp ``first_ms`` + n. What is no event goes to
        the first topic."""
        by_topic: dict[str, list[tuple[str, bytes, int]]] = {}
        for number, line in enumerate(lines):
            topic, key = place(line)
            by_topic.setdefault(topic, []).append((key, line, first_ms + number))
        for topic, records in by_topic.items():
            times = [at for _, _, at in records]
            await self.kafka.produce(
                topic, [(key, line) for key, line, _ in records], timestamp_ms=times.__getitem__
            )

    def start_worker(self, *, failpoint: str | None = None, metrics: str | None = None) -> WorkerProcess:
        environment = {} if failpoint is None else {"PLUMBLINE_FAILPOINT": failpoint}
        log = self._folder / f"worker-{len(self._workers)}.log"
        worker = WorkerProcess(self.settings, log, environment, metrics)
        self._workers.append(worker)
        self._logs.append(log)
        return worker

    def ledger(self) -> Ledger:
        """Of all account partitions together."""
        total = Ledger()
        for number in range(self.partitions):
            mine = self.ledger_of("accounts", number)
            for field in Ledger.__struct_fields__:
                setattr(total, field, getattr(total, field) + getattr(mine, field))
        return total

    def drift_ledger(self) -> Ledger:
        """Of the first partition of the drift stage."""
        return self.ledger_of("drift", 0)

    def ledger_of(self, stage: str, partition: int) -> Ledger:
        """All zeros where there is no commit yet, or nobody answers."""
        raw: Any = None
        with suppress(RedisGone):
            raw = self._redis.hget(PartitionKeys(self.key_prefix, stage, partition).head, "ledger")
        return Ledger() if raw is None else msgspec.json.decode(raw, type=Ledger)

    def offset_of(self, stage: str, partition: int, topic: str) -> int:
        """How far the store is: the offset of the next record to be read."""
        raw: Any = self._redis.hget(PartitionKeys(self.key_prefix, stage, partition).head, "offsets")
        return int(msgspec.json.decode(raw or b"{}").get(topic, 0))

    def waiting_to_be_published(self) -> int:
        """Entries of all outgoing lists of both stages."""
        stages = [("accounts", number) for number in range(self.partitions)] + [("drift", 0)]
        keys = [PartitionKeys(self.key_prefix, *stage) for stage in stages]
        lists = [key.outgoing(kind) for key in keys for kind in get_args(OutgoingKind)]
        return sum(int(self._redis.llen(name)) for name in lists)  # type: ignore[arg-type]

    def outcome(self) -> dict[str, Any]:
        """States and alerts of all account partitions."""
        found: dict[str, Any] = {}
        for number in range(self.partitions):
            for kind in ("states", "alerts"):
                key = f"{self.key_prefix}:1:{{accounts:{number}}}:{kind}"
                found[f"{kind} {number}"] = self._redis.hgetall(key)
        return found

    def standing(self) -> str:
        """Where it stands, to be read by whoever looks for what went wrong."""
        return standing(self._redis, self.key_prefix, self.partitions, self._logs)

    def wait_until_received(self, count: int, limit_s: float = LIMIT_S) -> None:
        wait_until(lambda: self.ledger().received >= count, limit_s)

    def wait_for_an_end(self, workers: Sequence[WorkerProcess]) -> WorkerProcess:
        """The first of ``workers`` that ends."""
        wait_until(lambda: any(worker.ended for worker in workers))
        return next(worker for worker in workers if worker.ended)

    def end(self) -> None:
        for worker in self._workers:
            worker.kill()
        self._redis.close()


@contextmanager
def deployment(*arguments: Any, **options: Any) -> Iterator[Deployment]:
    """A Deployment with its topics made; its workers end with the block."""
    mine = Deployment(*arguments, **options)
    try:
        mine.create_topics()
        yield mine
    except AssertionError as error:
        error.add_note(mine.standing())
        raise
    finally:
        mine.end()


def place(line: bytes) -> tuple[str, str]:
    """(topic, key) of a line, as a careful sender would choose them."""
    try:
        event = msgspec.json.decode(line)
        return _TOPICS[event["type"]], str(event["subject"])
    except (ValueError, KeyError, TypeError):
        return "crm.accounts", "unknown"
