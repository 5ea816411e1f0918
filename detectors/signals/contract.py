"""What a drift signal is. One signal is one file here and one line in detectors/catalogue.py.

A signal has two halves, which never meet in one process's memory:

- the *account half* runs inside the account stage. It sees milestones and events of one account and its own timers, may
  keep a small memory of that account, and emits observations, each a mature fact;
- the *drift half* runs in the drift stage, keyed by the signal's name. It sees the observations of all accounts in the
  order of their maturing, and keeps verdicts by segment.

Both are pure: event time only; the same observations give the same verdicts, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

from schemas.alerts import DriftAlert, Interval, Notice
from schemas.events import Envelope
from schemas.icp import ICP
from schemas.icp_checks import TicketKind
from schemas.observations import Observation
from schemas.settings import DriftSettings

Milestone = Literal["signed_up", "activated", "onboarded", "converted", "churned"]
VerdictState = Literal["learning", "watching", "drifting", "acknowledged", "resolved", "suspended", "ill"]
"""``suspended``: a source that the signal feeds on is ill (detectors/suspension.py); ``ill``: a source, of data.health.
``acknowledged``: a drift that is on, and of which a person has said that it is known (detectors/decisions.py)"""
Quantity = Literal["share", "days", "ratio", "features", "events_a_day"]
"""what the numbers of a verdict are; ``features``: different ones in ten uses (plg.adoption_breadth); ``events_a_day``: of a source, and their ``n`` are hours (data.health)"""
ALL = "all"
"""The segment that holds everything."""
PERSONS = frozenset({"rep"})
"""Dimensions whose values are people: their segments are in no metric's label, where ``other`` stands for them."""
BASELINE_RETAKEN = "baseline_retaken"
ACKNOWLEDGED = "acknowledged"
ANNOUNCED = "announced"
"""The measures by which a person's decision is told, so that a replay repeats it: ``segments`` = {"segment": its name, "by":
who}, ``phrases`` = [why]. An announcement names a segment only if it is about one; its ``value`` is when the announced day
begins. A signal is told of the first only; detectors/decisions.py and detectors/announcements.py keep them."""
BEFORE_BASELINE = "before_baseline"
"""Counted out: it began before the time from which on the operator wants the baseline."""


def names_a_person(segment: str) -> bool:
    """Whether a segment is named after a person (``rep:anna``)."""
    return segment.partition(":")[0] in PERSONS


class AccountFacts(Protocol):
    """What a signal may read of an account. It is lent for one call: nothing of it may be kept."""

    @property
    def account(self) -> str: ...

    @property
    def source(self) -> str:
        """Acquisition source, one of the built-in table's names or the ICP file's; ``unknown`` without one."""
        ...

    @property
    def milestones(self) -> Mapping[str, float]:
        """milestone -> Unix seconds of its earliest event"""
        ...

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The profile as it is now; removed attributes are not in it."""
        ...

    @property
    def now(self) -> float:
        """The account's own time, Unix seconds: its newest event or timer."""
        ...

    @property
    def told_until(self) -> float:
        """How far the time of the account's partition has come, Unix seconds: what was due by then has been told."""
        ...

    @property
    def used(self) -> int:
        """How many product events were heard of, ever, late ones too: a signal that asks how much the account uses the
        product needs to hear none of them."""
        ...

    @property
    def memory(self) -> Any:
        """What this signal remembers of the account: an instance of its ``memory``, to be changed in place."""
        ...

    def icp(self, at: float) -> ICP:
        """The version of the ICP file in force at ``at`` (Unix seconds)."""
        ...

    def ticket_kind(self, category: str | None, at: float) -> TicketKind | None:
        """The kind that the version in force at ``at`` lists for a help desk's ``category``; None where it lists none."""
        ...

    def fits(self, at: float) -> Mapping[str, float | None]:
        """variant -> fit (0 to 100) of the profile as it is now, under the version in force at ``at``; None where the
        screen puts the account out."""
        ...

    @property
    def tenure_began(self) -> float | None:
        """Signing up, else the profile's ``customer_since``, Unix seconds, be it ahead; None where neither is known
        (left-truncated)."""
        ...

    def tenure_s(self, at: float) -> float | None:
        """Seconds from ``tenure_began`` to ``at``; None where that is not known, and before."""
        ...


class AccountOutput(Protocol):
    """Where the account half puts what it finds. Timer names are the signal's own; setting one again moves it."""

    def observe(
        self,
        measure: str,
        *,
        at: float,
        began: float,
        value: float,
        segments: Mapping[str, str],
        stratum: str = "",
        exposure: float = 1.0,
        phrases: Sequence[str] = (),
        tokens: Sequence[int] = (),
    ) -> None:
        """See schemas/observations.py for what each of them means."""
        ...

    def recorded(self, measure: str, at: float) -> None:
        """Something that ``measure`` stands for was recorded at ``at`` (Unix seconds). Told (as an observation at ``at``) where
        no account of the partition had one as old, and once a week: so that the drift half knows since when there are any."""
        ...

    def set_timer(self, name: str, due: float) -> None: ...

    def drop_timer(self, name: str) -> None:
        """Does nothing where there is no such timer."""
        ...

    def rest(self, until: float) -> None:
        """Until then (Unix seconds) the account's events are none of this signal's business. It need not be told of those
        that come in order and are older, until a milestone is reached or the profile changes; it may be, and must do
        nothing then: rests are not kept with the account's state."""
        ...


class Point(Struct, array_like=True, gc=False):
    """One step of a chart: a bucket of time with its count and sum, and the statistic at its end."""

    at: float
    n: int
    total: float
    statistic: float


class Evidence(Struct, array_like=True, gc=False):
    """One observation that weighs much: of whom, when it became mature (Unix seconds), and the few words it rests on."""

    account: str
    at: float
    weight: float
    phrases: list[str] = []


class Decision(Struct, array_like=True, gc=False):
    """What a person decided about a segment, and how it stood then. Unix seconds; ``since``: of the drift, if one was on."""

    at: float
    kind: Literal["acknowledged", "baseline_retaken", "announced"]
    """``announced``: the drift is known since its cause was announced"""
    by: str
    reason: str
    state: VerdictState
    since: float | None = None


class Announcement(Struct, array_like=True, gc=False):
    """What a person announced: when it was said, and from when ``on`` a change is to be expected (Unix seconds; the day begins
    then). Without a ``segment`` it is about all of them."""

    at: float
    on: float
    by: str
    reason: str
    segment: str | None = None


class Reading(Struct, frozen=True):
    """What a second opinion (second_opinion.py) reads of a signal: the values of these measures. ``of``: what their mean is, in
    words; ``unit``: theirs, and those of a share are 0 and 1."""

    measures: frozenset[str]
    of: str
    unit: Quantity = "share"


class Opinion(Struct, array_like=True, gc=False):
    """What a second opinion has come to: river's ``detector``, how many observations it has read (``n``), and when it last found
    a change (Unix seconds)."""

    detector: str
    n: int
    found_at: float | None


class Followed(Struct, array_like=True, gc=False):
    """Accounts day by day from their start, the first of which was at ``since`` (Unix seconds): how many got there on each day
    (``came``), and how many could have (``risked``)."""

    since: float
    came: list[int]
    risked: list[int]


class Beside(Struct, array_like=True, frozen=True):
    """Another segment in the same weeks: in those of the baseline, and in those of now."""

    segment: str
    before: Interval
    now: Interval


class Chosen(Struct, frozen=True):
    """From when on (Unix seconds) a baseline is learned: by what the state began with, and by the settings now; None: from the
    first. Where they differ, what the settings say is not in force: what was counted out, or in, can't be taken back."""

    begun_with: float | None
    asked: float | None

    @property
    def in_force(self) -> bool:
        return self.begun_with == self.asked


class Verdict(Struct, kw_only=True):
    """What is known of one signal in one segment. ``missing`` says in words what learning still needs."""

    signal: str
    segment: str
    state: VerdictState
    at: float
    since: float | None
    since_margin_days: float | None
    before: Interval | None
    now: Interval | None
    statistic: float
    threshold: float
    n: int
    missing: str
    finding: str = ""
    """a named finding that holds now beside the state (``whole funnel``), or nothing"""
    counted_out: dict[str, int]
    """what is not in ``n``, by reason (left_truncated, settling, sales_led)"""
    history: list[Point]
    unit: Quantity = "share"
    """of ``before`` and ``now``"""
    evidence: list[Evidence] = []
    """what weighs most, the strongest first"""
    suspended: str = ""
    """why, while ``state`` says so"""
    decisions: list[Decision] = []
    """what people decided, the newest first; put in by the drift stage"""
    announcements: list[Announcement] = []
    """what was announced for this segment or for all, the newest first; put in by the drift stage"""
    second_opinion: Opinion | None = None
    """in ``all``, where the settings ask for one; put in by the drift stage"""
    followed: tuple[Followed, Followed] | None = None
    """before and now, where accounts are followed day by day"""
    beside: Beside | None = None
    """what the segment may be compared with"""
    chosen: Chosen | None = None
    """where the operator chose from when on the baseline is learned, or chooses now; put in by the drift stage"""


class Signal(Protocol):
    name: str
    title: str
    """in words, for alerts and pages"""
    needs: Mapping[str, frozenset[str]]
    """event type -> fields of its ``data`` without which the signal can't be judged (``attributes.x`` of a profile)"""
    listens: frozenset[str]
    """milestones that the account half wants to hear of"""
    hears: frozenset[type[Envelope]]
    """event classes that the account half wants to see"""
    memory: type[Struct] | None
    """what the account half remembers of one account: a Struct with defaults, array_like, bounded; None: nothing"""
    reading: Reading
    """what a second opinion reads"""

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        """``monitors``: how many monitors, over all signals and segments of the installation, share the budget of false
        alarms."""
        ...

    def healthy_example(self) -> Sequence[Observation]:
        """What a company tells this signal while nothing changes, evenly spaced and long enough to leave learning; for
        the conformance checks (detectors/checks.py)."""
        ...

    def on_milestone(self, facts: AccountFacts, milestone: str, output: AccountOutput) -> None:
        """Called when ``milestone`` is reached, and again if a late event moves it to an earlier time."""
        ...

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:
        """Called for each event of a class in ``hears``, once, after what it means for milestones and the profile was
        taken in. ``at`` (Unix seconds) may be older than ``facts.now``: late events come like others. A release has the
        product as its account."""
        ...

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None: ...

    def new_state(self, counted_from: float | None = None) -> Any:
        """What began before ``counted_from`` (Unix seconds) is counted out as BEFORE_BASELINE. A state keeps it for good, and
        shows it as ``counted_from``."""
        ...

    def encode_state(self, state: Any) -> bytes:
        """Explicit and versioned (no pickle)."""
        ...

    def decode_state(self, raw: bytes) -> Any:
        """Raises StateRefused when ``raw`` has a version that can't be read."""
        ...

    def step(self, state: Any, observation: Observation) -> Sequence[DriftAlert | Notice]:
        """Takes the observation in (changes ``state``) and returns the alerts that it set off. What it counted in ``all``, as the
        monitor was told, is in ``state.told`` until the next step: no part of what is stored, and for a second opinion to read.

        Raises EventRefused, and leaves ``state`` as it was, for an observation that the signal can't have made.
        """
        ...

    def interrupted(self, state: Any, until: float) -> None:
        """A source that the signal feeds on was ill until ``until`` (Unix seconds). Observations that touch that time are kept
        from it (detectors/suspension.py); a signal that follows what is open over many observations forgets it here, for
        it may have missed how it ended."""
        ...

    def verdicts(self, state: Any) -> Sequence[Verdict]:
        """One for each segment, ``all`` first, then by name."""
        ...
