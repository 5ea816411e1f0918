"""A replay on several cores: accounts are shared out over processes, and what comes out is the same byte for byte.

Every process reads the whole history, steps through the events of its own accounts, and keeps them in a store of its own.
What one process alone would know of all accounts is exchanged:
1. Time. After each chunk the processes tell each other the times of the events that they could read, so that the
   watermark moves for all of them at the same record, and timers fire and events are late as in one process.
2. Observations. Those of a batch are merged by (known, number of the record in the batch): the order in which one process
   would have made them. The drift stage runs once, in the process that asked for the replay.

An event on which a step fails (a bug) makes a batch be taken again, for which the processes would have to agree: NotShared
is raised instead, and the caller takes the history again in one process.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from operator import itemgetter
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any, Self

import msgspec
import numpy as np
from msgspec import Struct

from detectors.accounts import AccountStage
from detectors.catalogue import signals
from detectors.effects import BY_TIMER
from schemas.errors import PlumblineError
from schemas.event_reader import EventReader
from schemas.icp import ICP
from schemas.observations import encode_observation
from schemas.settings import Settings
from streams.batch_run import TimerFailed
from streams.history import Progress, batches, sample
from streams.pipeline import A_HISTORY, EVENTS, spare_the_collector
from streams.processor import Processor, StepFailed
from streams.replay_shares import bucket_of, shared_out
from streams.stage import Decoded
from streams.stores.contract import Ledger
from streams.stores.sqlite import SqliteStore

Observe = Callable[[Sequence[bytes]], object]
Times = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.intp]]

CHUNK = 8192
"""records between two exchanges of times"""
SAMPLED_PLACES, SAMPLED_LINES = 256, 64
"""of each file, to share its accounts out by"""


_number = itemgetter(0)
_time = itemgetter(2)


class NotShared(Exception):
    """A step failed: only one process alone can say what then comes out."""


class Told(Struct, array_like=True, gc=False):
    """An observation with what orders it."""

    known: float
    position: int
    account: str
    body: bytes


class BatchDone(Struct, array_like=True, tag=True):
    """What one process has to say of a batch. ``read`` bytes of the files, all accounts' events counted."""

    read: int
    received: int
    reasons: dict[str, int]
    told: list[Told]


class ShardDone(Struct, array_like=True, tag=True):
    ledger: Ledger
    watermark: float
    accounts: int


class Failed(Struct, array_like=True, tag=True):
    """``again``: one process alone may still do it."""

    again: bool
    what: str = ""
    remedy: str = ""


class _Times:
    """The exchange: event times of a chunk, -inf where a record can't be read. There are two boards by turns, so that a
    fast process can write the next chunk's while a slow one still reads."""

    def __init__(self, shared: Any, barrier: threading.Barrier) -> None:
        self._boards = np.frombuffer(shared, dtype=np.float64).reshape(2, CHUNK)
        self._barrier = barrier
        self._turn = 0

    def board(self) -> Times:
        """Where to write the times of one's own records."""
        board: Times = self._boards[self._turn]
        return board

    def exchanged(self, records: int) -> Times:
        """The times of all records of the chunk, when all processes have written theirs."""
        self._barrier.wait()
        times = self._boards[self._turn, :records]
        self._turn = 1 - self._turn
        return times


class _ShardProcessor(Processor):
    """Steps through the records of its own share of the accounts."""

    chunk = CHUNK

    def share(self, number: int, owners: Sequence[int], times: _Times) -> None:
        """Says which share is its own."""
        self._number, self._owners = number, owners
        self._times = times

    def process_own(self, records: Sequence[tuple[int, bytes]]) -> BatchDone:
        """Takes the own records of a batch in. Raises StepFailed or TimerFailed."""
        offsets = [offset for offset, _ in records]
        self._own = 0
        result = self._process(
            [body for _, body in records],
            lambda index: (EVENTS, offsets[index]),
            {EVENTS: offsets[-1] + 1} if offsets else {},
            set(),
        ).commit()
        effects = result.effects
        return BatchDone(
            read=0,
            received=self._own,
            reasons=dict(Counter(letter.reason for letter in result.dead_letters)),
            told=[
                Told(each.known, position, each.account, encode_observation(each))
                for each, position in zip(effects.observations, effects.positions, strict=True)
            ],
        )

    def _received(self, bodies: Sequence[bytes]) -> int:
        return self._own

    def _decode_all(
        self, run: Any, bodies: Sequence[bytes], place: Any, first: int, failed: set[int]
    ) -> tuple[list[Decoded], float]:
        own = self._own_of(bodies, first)
        self._own += len(own)
        decoded, refused = self.read_all(own, [bodies[index - first] for index in own])
        board = self._times.board()
        for index, error in refused:
            run.reject(index, *place(index), error.problem.code, str(error.problem), bodies[index - first])
            board[index - first] = -inf
        places = np.fromiter(map(_number, decoded), np.intp, len(decoded)) - first
        times = np.fromiter(map(_time, decoded), np.float64, len(decoded))
        board[places] = times
        reached = np.maximum.accumulate(np.append(run.watermark, self._times.exchanged(len(bodies))))
        ticks = _ticks(places, times, reached, first)
        return sorted([*decoded, *ticks], key=_number) if ticks else decoded, float(reached[-1])

    def _own_of(self, bodies: Sequence[bytes], first: int) -> list[int]:
        """The numbers of the own records, the first of ``bodies`` being number ``first``."""
        number, owners = self._number, self._owners
        return [index for index, body in enumerate(bodies, first) if owners[bucket_of(body)] == number]


def _ticks(places: Places, times: Times, reached: Times, first: int) -> list[Decoded]:
    """What moves the watermark on for own records where they don't do it themselves: where others' records have brought it past
    the next own one, and at the end. ``places`` and ``times`` are those of the own records in the chunk; ``reached`` is the
    watermark before each record of the chunk, and after the last."""
    own_before = np.maximum.accumulate(np.append(reached[0], times))
    before = reached[places]
    told_before = np.maximum.accumulate(np.append(-inf, np.where(before > times, before, -inf)))[:-1]
    moved = (before > times) & (before > own_before[:-1]) & (before > told_before)
    ticks: list[Decoded] = [
        (first + place - 1, "", time, None)
        for place, time in zip(places[moved].tolist(), before[moved].tolist(), strict=True)
    ]
    if reached[-1] > max(own_before[-1], ticks[-1][2] if ticks else -inf):
        ticks.append((first + len(reached) - 2, "", float(reached[-1]), None))
    return ticks


def _run_shard(
    number: int,
    owners: Sequence[int],
    paths: Sequence[Path],
    icps: Sequence[ICP],
    settings: Settings,
    now: float,
    folder: Path,
    shared: Any,
    barrier: threading.Barrier,
    answers: Connection,
) -> None:
    """What one process does."""
    encode = msgspec.msgpack.encode
    spare_the_collector(A_HISTORY)
    store = SqliteStore(_store(folder, number))
    try:
        stage = AccountStage(icps, signals(settings.drift), settings.late_after)
        read_all = EventReader(settings.limits, now).read_all
        processor = _ShardProcessor(
            store, stage, read_all, late_after_s=settings.late_after, keep_observations=False
        )
        processor.share(number, owners, _Times(shared, barrier))
        for batch, size in batches(paths, settings.batch_events):
            done = processor.process_own(batch)
            done.read = size
            answers.send_bytes(encode(done))
        claim = processor.claim
        answers.send_bytes(encode(ShardDone(claim.ledger, claim.watermark, store.account_count())))
    except (StepFailed, TimerFailed):
        answers.send_bytes(encode(Failed(again=True)))
        barrier.abort()
    except BrokenBarrierError:
        pass  # another one failed, and says why
    except PlumblineError as error:
        answers.send_bytes(encode(Failed(again=False, what=error.what, remedy=error.remedy)))
        barrier.abort()
    finally:
        store.close()
        answers.close()


_answer = msgspec.msgpack.Decoder(BatchDone | ShardDone | Failed)


class Shared(Struct):
    """What all processes found together. ``stores``: their data files, in ``folder``."""

    ledger: Ledger
    watermark: float
    accounts: int
    reasons: dict[str, int]
    stores: list[Path]


def replay_shared(
    paths: Sequence[Path],
    icps: Sequence[ICP],
    settings: Settings,
    *,
    processes: int,
    now: float,
    folder: Path,
    observe: Observe,
    progress: Progress,
) -> Shared:
    """Runs the events in ``paths`` through ``processes`` processes. ``observe`` gets the encoded observations, batch by
    batch, in order; ``progress`` is called with (bytes read, events received).

    Raises NotShared, and PlumblineError when a file can't be read.
    """
    reasons: Counter[str] = Counter()
    read = received = 0
    with _Shards(paths, icps, settings, processes, now, folder) as shards:
        while True:
            answers = shards.answers()
            ended = [answer for answer in answers if isinstance(answer, ShardDone)]
            if ended:
                break
            done = [answer for answer in answers if isinstance(answer, BatchDone)]
            observe([each.body for each in sorted((t for one in done for t in one.told), key=_order)])
            for one in done:
                reasons.update(one.reasons)
                received += one.received
            read += done[0].read
            progress(read, received)
    return Shared(
        ledger=_sum([one.ledger for one in ended]),
        watermark=ended[0].watermark,
        accounts=sum(one.accounts for one in ended),
        reasons=dict(reasons),
        stores=shards.stores,
    )


class _Shards:
    """The processes while they run; leaving ends them."""

    def __init__(
        self,
        paths: Sequence[Path],
        icps: Sequence[ICP],
        settings: Settings,
        processes: int,
        now: float,
        folder: Path,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        shared = context.RawArray("d", 2 * CHUNK)
        self._barrier = context.Barrier(processes)
        owners = shared_out(sample(paths, SAMPLED_PLACES, SAMPLED_LINES), processes)
        self._connections: list[Connection] = []
        self._processes: list[SpawnProcess] = []
        for number in range(processes):
            here, there = context.Pipe(duplex=False)
            given = (number, owners, paths, icps, settings, now, folder, shared, self._barrier, there)
            process = context.Process(target=_run_shard, args=given, daemon=True)
            process.start()
            there.close()  # so that a process which dies is noticed
            self._connections.append(here)
            self._processes.append(process)
        self.stores = [_store(folder, number) for number in range(processes)]

    def answers(self) -> list[BatchDone | ShardDone]:
        """What each says of the next batch."""
        found: list[BatchDone | ShardDone] = []
        for connection in self._connections:
            try:
                answer = _answer.decode(connection.recv_bytes())
            except EOFError:
                self._barrier.abort()
                continue
            if isinstance(answer, Failed):
                if answer.again:
                    raise NotShared
                raise PlumblineError(answer.what, remedy=answer.remedy)
            found.append(answer)
        if len(found) < len(self._connections):
            raise NotShared
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for process in self._processes:
                process.terminate()
        for process, connection in zip(self._processes, self._connections, strict=True):
            process.join()
            connection.close()


def _order(told: Told) -> tuple[float, int, str]:
    """What timers make comes before what the record makes that let them fire, and is ordered by account among itself."""
    return told.known, told.position, told.account if told.position == BY_TIMER else ""


def _sum(ledgers: Sequence[Ledger]) -> Ledger:
    return Ledger(
        received=sum(ledger.received for ledger in ledgers),
        applied=sum(ledger.applied for ledger in ledgers),
        duplicate=sum(ledger.duplicate for ledger in ledgers),
        late=sum(ledger.late for ledger in ledgers),
        dead_lettered=sum(ledger.dead_lettered for ledger in ledgers),
    )


def _store(folder: Path, number: int) -> Path:
    return folder / f"shard-{number}.db"
