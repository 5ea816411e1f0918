"""Both stages over one store: what the embedded service and replay run, batch by batch.

What the account stage observes in a batch the drift stage takes in at once, numbered on by offsets of its own, and both commit
together: a batch and all that follows from it is in, or nothing of it is.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

from detectors.account_state import AccountState
from detectors.accounts import AccountStage
from detectors.catalogue import signals
from detectors.drift import DriftStage, all_verdicts
from detectors.signals.contract import Signal, Verdict
from schemas.errors import EventRefused, Problem
from schemas.event_reader import EventReader
from schemas.icp import ICP
from schemas.observations import OBSERVATIONS, Observation, decode_observation
from schemas.settings import Settings
from streams.batch_result import BatchResult
from streams.batch_run import BatchRun
from streams.chosen_baselines import say_what_is_not_in_force
from streams.flood_limit import FloodLimit
from streams.processor import Body, Processor
from streams.stage import one_by_one
from streams.stores.contract import EmbeddedStore, Ledger

EVENTS = "events"
DRIFT_BATCH = 10_000
FIRST_OBSERVATION = 1


A_BATCH_OR_TWO = 100_000
A_HISTORY = 1_000_000
"""A replay ends: the few cycles that it makes can wait. Looking ten times as often takes 2 to 3 % of its time."""


def spare_the_collector(new_objects: int = A_BATCH_OR_TWO) -> None:
    """Asks Python's cycle collector to look seldom, after so many ``new_objects``: states are many, live long and have no
    cycles, so that looking at all of them takes time and finds nothing. For programs that do little else than run a pipeline."""
    gc.freeze()
    gc.set_threshold(new_objects, 50, 100)


class Pipeline:
    """``now`` gives the present in Unix seconds, for refusing events from the future; None takes any time.
    ``flood_limit``: how many dead letters are too many; None takes all."""

    def __init__(
        self,
        store: EmbeddedStore,
        icps: Sequence[ICP],
        settings: Settings,
        now: Callable[[], float] | None,
        *,
        cached_states: int = 50_000,
        flood_limit: FloodLimit | None = None,
    ) -> None:
        self.signals: Sequence[Signal] = signals(settings.drift)
        self.account_stage = AccountStage(icps, self.signals, settings.late_after)
        self.drift_stage = DriftStage.configured(self.signals, icps, settings.drift)
        self._store = store
        self._now = now
        self._limits = settings.limits
        self._accounts = Processor(
            store,
            self.account_stage,
            EventReader(settings.limits).read_all,
            late_after_s=settings.late_after,
            cached_states=cached_states,
            flood_limit=flood_limit,
            keep_observations=False,
        )
        self._drift = Processor(store, self.drift_stage, one_by_one(_read_observation))

    @property
    def ledger(self) -> Ledger:
        """Of the events; observations have their own, in the drift stage."""
        return self._accounts.ledger

    @property
    def watermark(self) -> float:
        return self._accounts.claim.watermark

    @property
    def next_offset(self) -> int:
        return self._accounts.next_offset(EVENTS)

    def next_due(self) -> float | None:
        return self._accounts.next_due()

    def process(self, records: Sequence[tuple[int, bytes]]) -> list[BatchResult]:
        """Takes events (offset, raw JSON) in; the first result is the account stage's, any others the drift stage's.
        Raises DeadLetterFlood when there are too many dead letters: then nothing of the batch is in."""
        # The present is taken once a batch, for no batch takes long.
        if self._now is not None:
            self._accounts.read_all = EventReader(self._limits, self._now()).read_all
        return self._with_drift(self._accounts.prepare(EVENTS, records))

    def fire_timers(self, until: float) -> list[BatchResult]:
        """Fires what is due by ``until`` (Unix seconds) without an event."""
        return self._with_drift(self._accounts.prepare_timers(until))

    def observe(self, observations: Sequence[bytes]) -> list[BatchResult]:
        """Takes encoded observations in that another account stage made, in their order."""
        return [self._prepare_drift(observations).commit()] if observations else []

    def _with_drift(self, run: BatchRun) -> list[BatchResult]:
        """Commits ``run`` of the account stage together with what the drift stage makes of its observations. The file is locked
        for the commits alone: others write to it, too."""
        if not run.effects.observations:
            return [run.commit()]
        drift = self._prepare_drift(run.effects.observations)
        with self._store.together():
            results = [run.commit(), drift.commit()]
            both_written = time.perf_counter()
        # What ends the transaction is counted with the last of the two.
        ending_s = time.perf_counter() - both_written
        results[-1].batch_s += ending_s
        results[-1].commit_s += ending_s
        return results

    def _prepare_drift(self, observations: Sequence[bytes] | Sequence[Observation]) -> BatchRun:
        begin = max(self._drift.next_offset(OBSERVATIONS), FIRST_OBSERVATION)
        return self._drift.prepare(OBSERVATIONS, list(enumerate(observations, begin)))

    def catch_up(self) -> list[BatchResult]:
        """Takes the observations in that an earlier version committed and did not come to take in."""
        results: list[BatchResult] = []
        while True:
            after = self._drift.next_offset(OBSERVATIONS) - 1
            rows = self._store.read_observations(max(after, 0), DRIFT_BATCH)
            if not rows:
                return results
            results.append(self._drift.process(OBSERVATIONS, rows))
            self._store.drop_observations(rows[-1][0])

    def begin(self) -> list[BatchResult]:
        """To be called once: says which chosen baselines are not in force, and catches up."""
        say_what_is_not_in_force(self.drift_stage, self._store, self._drift.claim)
        return self.catch_up()

    def verdicts(self) -> list[Verdict]:
        """All drift verdicts as they stand."""
        stage = self.drift_stage
        names = [stage.beside_key, *(signal.name for signal in self.signals)]
        loaded = self._store.load(self._drift.claim, names, None).states
        states = {name: stage.decode_state(name, stored.state) for name, stored in loaded.items()}
        return all_verdicts(stage, self.signals, states)

    def account(self, account: str) -> AccountState | None:
        """The stored state of one account."""
        stored = self._store.load(self._accounts.claim, [account], None).states.get(account)
        return None if stored is None else self.account_stage.decode_state(account, stored.state)


def _read_observation(raw: Body) -> tuple[str, float, Observation]:
    try:
        observation = raw if isinstance(raw, Observation) else decode_observation(raw)
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise EventRefused(
            Problem(
                code="not_an_observation", what=str(error), remedy="report this: Plumbline wrote it itself"
            )
        ) from None
    return observation.signal, observation.at, observation
