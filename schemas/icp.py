"""The ICP file: what RevOps writes to say who the ideal customers are and what makes now the time to call them.

Everything a person can get wrong is refused with its place and what to write instead; schemas/yaml_file.py turns the
places into lines and columns.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from schemas.conditions import Condition, read_condition
from schemas.duration import parse_duration

MAX_VARIANTS = 20
MAX_TRIGGERS = 100

Duration = Annotated[
    float,
    BeforeValidator(lambda written: parse_duration(written)),
    Field(json_schema_extra={"type": "string", "examples": ["7d", "36h"]}),
]
"""Seconds, written as 7d or 36h."""

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Sentence = Annotated[str, Field(min_length=3, max_length=500)]


def _condition(written: Any) -> Condition:
    return written if isinstance(written, Condition) else read_condition(written)


When = Annotated[Condition, BeforeValidator(_condition)]


class Written(BaseModel):
    """What all parts of the file share: no unknown keys, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ScreenRule(Written):
    """One rule of the bouncer at the door: ``keep`` must hold, ``drop`` must not."""

    keep: When | None = None
    drop: When | None = None
    because: Sentence


class Disqualifier(Written):
    name: Slug
    when: When
    because: Sentence


class Blocker(Written):
    name: Slug
    when: When
    for_: Duration = Field(alias="for")
    because: Sentence
    then: Sentence


class FitRule(Written):
    name: Slug
    when: When
    weight: Annotated[float, Field(gt=0, le=100)]
    because: Sentence
    falsified_if: Sentence | None = None


class DistinctCount(Written):
    distinct: str
    count: Annotated[int, Field(ge=2, le=50)]


class DecayStep(Written):
    until: Duration
    share: Annotated[float, Field(ge=0, le=1)]


class Trigger(Written):
    """Exactly one of half_life, linear, steps, lasts says how it fades."""

    name: Slug
    when: When
    weight: Annotated[float, Field(ge=-1000, le=1000)]
    half_life: Duration | None = None
    linear: Duration | None = None
    steps: list[DecayStep] | None = None
    lasts: Duration | None = None
    at_least: Annotated[int, Field(ge=2, le=50)] | DistinctCount | None = None
    within: Duration | None = None
    daily_cap: Annotated[float, Field(gt=0)] | None = None
    because: Sentence


class CommitteeRole(Written):
    role: Annotated[str, Field(min_length=1, max_length=200)]
    titles: Annotated[list[str], Field(min_length=1, max_length=50)]


class Objection(Written):
    says: Sentence
    when: When | None = None
    answer: Sentence


class ActivationGoal(Written):
    milestone: Literal["activated", "onboarded", "converted"]
    within: Duration


class AlertRules(Written):
    fit_at_least: Annotated[float, Field(ge=0, le=100)] = 60
    trigger_at_least: Annotated[float, Field(gt=0)] = 40
    rearm_below: Annotated[float, Field(ge=0)] = 25
    cooldown: Duration = 7 * 86400.0


class Plays(Written):
    route: Sentence = "Call today; open with the trigger"
    nurture: Sentence = "Content and a light touch until the timing is right"
    discover: Sentence = "Fifteen minutes of discovery; leave politely if the use is off"


class Variant(Written):
    name: Slug
    job: Sentence | None = None
    screen: list[ScreenRule] = []
    disqualifiers: list[Disqualifier] = []
    blockers: list[Blocker] = []
    fit: Annotated[list[FitRule], Field(min_length=1)]
    triggers: Annotated[list[Trigger], Field(min_length=1, max_length=MAX_TRIGGERS)]
    committee: list[CommitteeRole] = []
    objections: list[Objection] = []
    activation: list[ActivationGoal] = []
    alert: AlertRules = AlertRules()
    plays: Plays = Plays()


class Lifecycle(Written):
    """Which event means which milestone; a milestone counts once an account."""

    signed_up: When | None = None
    activated: When | None = None
    onboarded: When | None = None
    converted: When | None = None
    churned: When | None = None


class Bands(Written):
    """Upper bounds of the size bands: amounts like ``10000 EUR``, employees as numbers."""

    amount: list[str] = []
    employees: list[float] = []


class ICP(Written):
    """One version of the ICP file."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    version: Annotated[str, Field(min_length=1, max_length=64)]
    effective_from: datetime
    owner: str
    review_every: Duration | None = None
    lifecycle: Lifecycle = Lifecycle()
    sources: dict[str, list[str]] = {}
    bands: Bands = Bands()
    tickets: dict[str, list[str]] = {}
    variants: Annotated[list[Variant], Field(min_length=1, max_length=MAX_VARIANTS)]
