"""What is shown of the state: the shapes that the JSON API answers with, and that pages are made from.

Times are aware datetimes (RFC 3339 in JSON). Scores are not rounded; parts add up to the score they explain.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from detectors.scoring import Quadrant, Reason
from detectors.signals.contract import Quantity, VerdictState
from schemas.alerts import Interval

Order = Literal["trigger", "fit"]


class TopReason(Struct, kw_only=True):
    """The trigger that adds most."""

    name: str
    contribution: float
    because: str


class ListedAccount(Struct, kw_only=True):
    """One line of a list. ``screened_out`` says why the screen puts the account out, or is None; ``standing`` whether an
    alert is on, or what stands in its way; ``last_signal`` is the time of the newest event that fed a trigger."""

    account: str
    name: str
    fit: float
    trigger: float
    quadrant: Quadrant
    standing: Reason
    screened_out: str | None
    top_reason: TopReason | None
    last_signal: datetime | None


class AccountList(Struct, kw_only=True):
    """``next``: the cursor of the page that follows, or None."""

    variant: str
    order: Order
    icp_version: str
    as_of: datetime
    accounts: list[ListedAccount]
    next: str | None


class ScreenCheck(Struct, kw_only=True):
    """One rule of the screen: ``keep`` must hold, ``drop`` must not; ``passed`` says whether the account gets by."""

    rule: Literal["keep", "drop"]
    condition: str
    because: str
    passed: bool


class FitCheck(Struct, kw_only=True):
    """One fit rule; it adds ``weight`` points if it ``holds``."""

    name: str
    condition: str
    weight: float
    because: str
    holds: bool


class FitView(Struct, kw_only=True):
    score: float
    needed: float
    """what an alert calls high"""
    rules: list[FitCheck]
    screen: list[ScreenCheck]
    screened_out: str | None


class EvidenceView(Struct, kw_only=True):
    event_id: str
    at: datetime
    contribution: float


class PartView(Struct, kw_only=True):
    """One summand of the trigger score, with its newest events."""

    name: str
    contribution: float
    because: str
    fades: str
    evidence: list[EvidenceView]


class TriggerView(Struct, kw_only=True):
    score: float
    alert_at: float
    rearm_below: float
    parts: list[PartView]


class BlockerView(Struct, kw_only=True):
    name: str
    until: datetime
    active: bool
    because: str
    then: str


class Disqualification(Struct, kw_only=True):
    name: str
    because: str


class DecisionView(Struct, kw_only=True):
    """Why there is no new alert: a named reason, and the same in words. ``not_before``: the earliest time of the next
    one if nothing happens meanwhile, where that is known."""

    reason: Reason
    words: str
    not_before: datetime | None


class VariantView(Struct, kw_only=True):
    variant: str
    job: str | None
    icp_version: str
    fit: FitView
    trigger: TriggerView
    quadrant: Quadrant
    play: str
    disqualified: Disqualification | None
    blockers: list[BlockerView]
    decision: DecisionView
    alerts: int
    last_alert: datetime | None


class AttributeView(Struct, kw_only=True):
    """``at``: time of the event that set it."""

    name: str
    value: Any
    at: datetime


class MilestoneView(Struct, kw_only=True):
    name: str
    at: datetime


class TimerView(Struct, kw_only=True):
    what: str
    due: datetime


class Fed(Struct, kw_only=True):
    """A trigger that an event fed, and what is left of its contribution."""

    variant: str
    trigger: str
    contribution: float


class TimelineEntry(Struct, kw_only=True, omit_defaults=True):
    """``what`` is the entry in words; ``feeds`` only on events, ``alert_id`` only on alerts."""

    at: datetime
    kind: Literal["milestone", "event", "alert", "blocker_began", "blocker_ends"]
    what: str
    event_id: str = ""
    feeds: list[Fed] = []
    alert_id: str = ""


class AccountView(Struct, kw_only=True):
    """All that is known of one account, as of ``as_of``. ``last_change``: its newest event or timer."""

    account: str
    name: str
    as_of: datetime
    last_change: datetime
    events: int
    source: str
    source_fixed: bool
    """whether the acquisition source was fixed at sign-up"""
    attributes: list[AttributeView]
    milestones: list[MilestoneView]
    timers: list[TimerView]
    variants: list[VariantView]
    timeline: list[TimelineEntry]


class AlertPage(Struct, kw_only=True):
    """Alerts newest first, each word for word as it was sent."""

    alerts: list[msgspec.Raw]
    next: str | None


class PointView(Struct, kw_only=True):
    """One bucket of a chart: how many observations, their sum, and the statistic at the bucket's end."""

    at: datetime
    n: int
    total: float
    statistic: float


class WeighedView(Struct, kw_only=True):
    """An observation that weighs much; ``phrases``: the few words that it rests on."""

    account: str
    at: datetime
    phrases: list[str]


class DecidedView(Struct, kw_only=True):
    """What a person decided, and the state that the verdict had; ``since`` of the drift that was on."""

    at: datetime
    kind: Literal["acknowledged", "baseline_retaken", "announced"]
    by: str
    reason: str
    state: VerdictState
    since: datetime | None


class AnnouncedView(Struct, kw_only=True):
    """A change that a person announced ``at`` some time: from which day ``on``, of which segment (null: of all of the
    signal's). ``current``: a drift that begins with what is observed now may still be explained by it."""

    at: datetime
    on: date
    segment: str | None
    by: str
    reason: str
    current: bool


class MovedView(Struct, kw_only=True):
    """A segment of another signal that drifts at the same time: they may have one cause, though each is judged by itself."""

    signal: str
    segment: str
    state: VerdictState
    since: datetime | None


class OpinionView(Struct, kw_only=True):
    """River's ``detector`` beside the signal: how many observations it has read, and when it last found a change."""

    detector: str
    n: int
    found_at: datetime | None


class CurveView(Struct, kw_only=True):
    """Of ``n`` accounts that began from ``since`` on, the share that had got there by the end of each day, that of the start
    first, with its 95 % interval; as far as enough of them were followed."""

    since: datetime
    n: int
    share: list[float]
    low: list[float]
    high: list[float]


class CurvesView(Struct, kw_only=True):
    before: CurveView
    now: CurveView


class BesideView(Struct, kw_only=True):
    """Another segment in the same weeks; null where it had no observation in them."""

    segment: str
    before: Interval | None
    now: Interval | None


class BaselineView(Struct, kw_only=True):
    """From when on the baseline is learned, where the operator chose it: what the state began with, and what the ``settings`` say
    now; null: from the first. Where they differ, the settings are not in force."""

    learned_from: datetime | None
    settings: datetime | None


class VerdictView(Struct, kw_only=True):
    """What is known of one signal in one segment (detectors/signals/contract.py). ``unit`` is that of ``before`` and ``now``;
    ``false_alarms_per_year``: how often the threshold is passed by mistake here, its share of the installation's budget."""

    signal: str
    title: str
    segment: str
    state: VerdictState
    at: datetime | None
    since: datetime | None
    since_margin_days: float | None
    before: Interval | None
    now: Interval | None
    statistic: float
    threshold: float
    n: int
    missing: str
    finding: str
    counted_out: dict[str, int]
    history: list[PointView]
    unit: Quantity = "share"
    false_alarms_per_year: float = 0.0
    suspended: str = ""
    evidence: list[WeighedView] = []
    decisions: list[DecidedView] = []
    announcements: list[AnnouncedView] = []
    moved_too: list[MovedView] = []
    """of a drift: what else drifts"""
    second_opinion: OpinionView | None = None
    """of ``all``, where the settings ask for one"""
    curves: CurvesView | UnsetType = UNSET
    """how soon accounts get there, where a signal follows them day by day and has a baseline"""
    beside: BesideView | UnsetType = UNSET
    """what the segment may be compared with"""
    baseline: BaselineView | UnsetType = UNSET
    """where the operator chose one"""


class LedgerView(Struct, kw_only=True):
    """received = applied + duplicate + late + dead_lettered. ``watermark``: the newest event time applied."""

    received: int
    applied: int
    duplicate: int
    late: int
    dead_lettered: int
    balanced: bool
    watermark: datetime | None


class DeadLetterView(Struct, kw_only=True):
    """An event that could not be used; its content is shown by ``plumbline dlq show`` only."""

    seq: int
    topic: str
    offset: int
    reason: str
    detail: str


class EndpointView(Struct, kw_only=True):
    """Deliveries to one webhook receiver, by state."""

    endpoint: str
    delivered: int
    waiting: int
    retrying: int
    dead: int
    skipped: int
    disabled_because: str


class BooksView(Struct, kw_only=True):
    """The ledger with what it led to."""

    ledger: LedgerView
    accounts: int
    alerts: dict[str, int]
    """by kind"""
    dead_letters: dict[str, int]
    """by reason"""
    deliveries: list[EndpointView]
