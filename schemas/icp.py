"""The ICP file: what RevOps writes to say who the ideal customers are and what makes now the time to call them.

Everything a person can get wrong is refused with its place and what to write instead: what concerns one value here,
what concerns several in icp_checks.py. ``load_icp`` is the way in; docs/icp.md is the reference for authors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from schemas import icp_checks
from schemas.icp_checks import HedgeAbout, TicketKind
from schemas.written import Misfit, Written
from schemas.written_values import (
    AwareTime,
    Duration,
    Number,
    Sentence,
    Slug,
    Title,
    Weight,
    When,
    WhenAccount,
    WhenEvent,
    Whole,
)
from schemas.yaml_file import validate

MAX_VARIANTS = 20
MAX_TRIGGERS = 100
MAX_RULES = 100
MAX_SPELLINGS = 500

Amount = Annotated[str, BeforeValidator(icp_checks.amount), Field(pattern=icp_checks.AMOUNT.pattern)]
Spellings = Annotated[list[Title], Field(max_length=MAX_SPELLINGS)]
HedgePhrase = Annotated[
    str,
    BeforeValidator(icp_checks.hedge_phrase),
    Field(max_length=80, pattern=r"^\s*[^\s@0-9]+(\s+[^\s@0-9]+){0,7}\s*$"),
]
HedgePhrases = Annotated[list[HedgePhrase], Field(max_length=MAX_SPELLINGS)]
Because = Annotated[Sentence, Field(examples=['"Closes at twice the base rate"'])]


class ScreenRule(Written):
    """One rule of the bouncer at the door: ``keep`` must hold, ``drop`` must not."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["keep"]}, {"required": ["drop"]}]})

    keep: Annotated[WhenAccount | None, Field(examples=["{employees: {between: [50, 2000]}}"])] = None
    """Only accounts for which this holds come in."""
    drop: Annotated[WhenAccount | None, Field(examples=["{industry: {in: [gambling]}}"])] = None
    """Accounts for which this holds stay out."""
    because: Because
    """Why: the SDR reads it when an account is screened out."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        return icp_checks.screen_rule(written)


class Disqualifier(Written):
    """Puts an account out for good."""

    name: Slug
    """A short name in small letters, like on-premises-only."""
    when: Annotated[When, Field(examples=["{deployment: on_premises}"])]
    """On the account's profile, or on an event."""
    because: Because
    """Why this account can never become a customer."""


class Blocker(Written):
    """Puts an account out for a time; when it ends, a follow-up alert says so."""

    name: Slug
    """A short name in small letters, like treasury-centralised."""
    when: Annotated[When, Field(examples=["{deployment: on_premises}"])]
    """On the account's profile, or on an event."""
    for_: Annotated[Duration, Field(alias="for", examples=["120d"])]
    """How long, like 120d."""
    because: Because
    """Why not now."""
    then: Annotated[Sentence, Field(examples=['"Ask how the new system settles in"'])]
    """What to do when it is over."""


class FitRule(Written):
    """One thing that makes an account a good customer."""

    name: Annotated[Slug, Field(examples=["has-warehouse"])]
    """A short name in small letters, like has-warehouse."""
    when: Annotated[WhenAccount, Field(examples=["{technologies: {any: [snowflake]}}"])]
    """On the account's profile."""
    weight: Annotated[Number, Field(gt=0, le=100, examples=["25"])]
    """Points of fit, more than 0; a variant's weights add up to at most 100."""
    because: Because
    """Why this tells a good customer: the SDR reads it in the alert."""
    falsified_if: Annotated[Sentence | None, Field(examples=['"retention is below the base rate"'])] = None
    """What would prove the rule wrong."""


class DistinctCount(Written):
    """So many different values of a field."""

    distinct: Annotated[Title, Field(examples=["user_id"])]
    """The field whose different values are counted, like user_id."""
    count: Annotated[Whole, Field(ge=2, le=50, examples=["3"])]
    """How many different values, 2 to 50."""


class DecayStep(Written):
    """What is left of the weight up to an age."""

    until: Annotated[Duration, Field(examples=["7d"])]
    """Up to which age of the event, like 7d."""
    share: Annotated[Number, Field(ge=0, le=1, examples=["0.5"])]
    """What share of the weight still counts, 0 to 1."""


def _counts_distinct(written: Any) -> str:
    return _DISTINCT if isinstance(written, Mapping | DistinctCount) else _EVENTS


_EVENTS, _DISTINCT = "events", "different values"

Count = Annotated[
    Annotated[Whole, Field(ge=2, le=50), Tag(_EVENTS)] | Annotated[DistinctCount, Tag(_DISTINCT)],
    Discriminator(_counts_distinct),
]
"""So many events, or so many different values of a field."""


class Trigger(Written):
    """Something that happened and makes now the time to call; exactly one of half_life, linear, steps, lasts says how
    it fades."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [fading]} for fading in icp_checks.FADINGS],
            "dependentRequired": {"at_least": ["within"], "within": ["at_least"]},
        }
    )

    name: Annotated[Slug, Field(examples=["pricing-interest"])]
    """A short name in small letters, like pricing-interest."""
    when: Annotated[WhenEvent, Field(examples=['{event: web.visit, path: {glob: "/pricing*"}}'])]
    """On an event; `account:` inside adds a condition on the account's profile."""
    weight: Annotated[Weight, Field(examples=["25"])]
    """Points that each event adds; negative when it speaks against calling."""
    half_life: Annotated[Duration | None, Field(examples=["7d"])] = None
    """Half of the points are left after this time, a quarter after twice this time, and so on."""
    linear: Annotated[Duration | None, Field(examples=["30d"])] = None
    """The points fall evenly to nothing over this time."""
    steps: Annotated[
        list[DecayStep] | None,
        Field(min_length=1, max_length=10, examples=["[{until: 7d, share: 1}, {until: 30d, share: 0.5}]"]),
    ] = None
    """The points fall in steps, to nothing after the last one."""
    lasts: Annotated[Duration | None, Field(examples=["14d"])] = None
    """The points count in full for this time, and then no more."""
    at_least: Annotated[Count | None, Field(examples=["3"])] = None
    """Each event counts from this many within `within` on; or different values: {distinct: user_id, count: 3}."""
    within: Annotated[Duration | None, Field(examples=["7d"])] = None
    """The time in which `at_least` is counted, like 7d."""
    daily_cap: Annotated[Number | None, Field(gt=0, examples=["50"])] = None
    """All events of one day (UTC) together add at most so many points."""
    because: Because
    """Why this makes now the time: the SDR reads it in the alert."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        return icp_checks.trigger(written)


class CommitteeRole(Written):
    """A part in the buying decision, and who plays it."""

    role: Annotated[Title, Field(examples=["owns the budget"])]
    """What part they have, like: owns the budget."""
    titles: Annotated[list[Title], Field(min_length=1, max_length=50, examples=['["VP Data", "CFO"]'])]
    """Job titles that have this part."""


class Objection(Written):
    """What they are likely to say, and what to answer."""

    says: Annotated[Sentence, Field(examples=['"Where does our data live?"'])]
    """What the prospect says."""
    when: Annotated[WhenAccount | None, Field(examples=["{industry: {in: [health, finance]}}"])] = None
    """Which accounts say it; all, when left out."""
    answer: Annotated[Sentence, Field(examples=['"EU or US region of your choice"'])]
    """What to answer."""


class ActivationGoal(Written):
    """A milestone that an account should reach in time; if it does not, an alert says so."""

    milestone: Annotated[Literal["activated", "onboarded", "converted"], Field(examples=["activated"])]
    """Which milestone of the lifecycle."""
    within: Annotated[Duration, Field(examples=["30d"])]
    """How long after signing up, like 30d."""


class AlertRules(Written):
    """When an alert goes out."""

    fit_at_least: Annotated[Number, Field(ge=0, le=100, examples=["60"])] = 60
    """Fit from here on is high (0 to 100)."""
    trigger_at_least: Annotated[Number, Field(gt=0, le=100_000, examples=["40"])] = 40
    """An alert goes out when the trigger score rises to this."""
    rearm_below: Annotated[Number, Field(gt=0, examples=["25"])] = 25
    """The next alert needs the score to have fallen below this first; above 0, which a fading score never quite reaches."""
    cooldown: Annotated[Duration, Field(examples=["7d"])] = 7 * 86400.0
    """No second alert for the account within this time."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        return icp_checks.alert_rules(written)


class Plays(Written):
    """What to do next, for each combination of fit and trigger that is worth something."""

    route: Sentence = "Call today; open with the trigger"
    """Fit and trigger are high."""
    nurture: Sentence = "Content and a light touch until the timing is right"
    """Fit is high, the trigger is not."""
    discover: Sentence = "Fifteen minutes of discovery; leave politely if the use is off"
    """The trigger is high, fit is not."""


class Variant(Written):
    """One ideal customer profile. An account can match several."""

    name: Annotated[Slug, Field(examples=["analytics-engineering"])]
    """A short name in small letters, like analytics-engineering."""
    job: Sentence | None = None
    """What these customers hire the product for."""
    screen: list[ScreenRule] = Field(default_factory=list, max_length=MAX_RULES)
    """The bouncer at the door: all rules must hold."""
    disqualifiers: list[Disqualifier] = Field(default_factory=list, max_length=MAX_RULES)
    """What puts an account out for good."""
    blockers: list[Blocker] = Field(default_factory=list, max_length=MAX_RULES)
    """What puts an account out for a time."""
    fit: Annotated[list[FitRule], Field(min_length=1, max_length=MAX_RULES)]
    """Who: weights that add up to at most 100."""
    triggers: Annotated[list[Trigger], Field(min_length=1, max_length=MAX_TRIGGERS)]
    """When: what happened, and how it fades."""
    committee: list[CommitteeRole] = Field(default_factory=list, max_length=MAX_RULES)
    """Whom to reach."""
    objections: list[Objection] = Field(default_factory=list, max_length=MAX_RULES)
    """What they are likely to say, the likeliest first."""
    activation: list[ActivationGoal] = Field(default_factory=list, max_length=3)
    """Which milestones to reach in which time after signing up."""
    alert: AlertRules = AlertRules()
    """When an alert goes out."""
    plays: Plays = Plays()
    """What the alert advises."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        return icp_checks.variant(written)


class Lifecycle(Written):
    """Which event means which milestone; a milestone counts once an account."""

    signed_up: Annotated[WhenEvent | None, Field(examples=["{event: product.event, name: signed_up}"])] = None
    """The account began."""
    activated: WhenEvent | None = None
    """It got the value that it came for."""
    onboarded: WhenEvent | None = None
    """It is set up."""
    converted: WhenEvent | None = None
    """It pays."""
    churned: WhenEvent | None = None
    """It left."""


class Bands(Written):
    """Upper bounds of the size bands; what is above the last one is a band too."""

    amount: list[Amount] = Field(default_factory=list, max_length=20, examples=["[10000 EUR, 50000 EUR]"])
    """Deal sizes with their currency, rising, like [10000 EUR, 50000 EUR]."""
    employees: list[Annotated[Number, Field(gt=0)]] = Field(
        default_factory=list, max_length=20, examples=["[50, 500, 2000]"]
    )
    """Numbers of employees, rising, like [50, 500, 2000]."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        return icp_checks.bands(written)


class ICP(Written):
    """One version of the ICP file."""

    name: Annotated[Title, Field(examples=["Acme Analytics"])]
    """Whose ICP this is."""
    version: Annotated[str, Field(min_length=1, max_length=64, examples=['"2026-11-01"'])]
    """What this version is called; every alert names it."""
    effective_from: Annotated[AwareTime, Field(examples=["2026-11-01T00:00:00Z"])]
    """From when on this version counts, with an offset from UTC."""
    owner: Annotated[Title, Field(examples=["revops@acme.example"])]
    """Who answers for it."""
    review_every: Annotated[Duration | None, Field(examples=["90d"])] = None
    """How often it should be looked at again."""
    lifecycle: Lifecycle = Lifecycle()
    """Which events mean signed up, activated, onboarded, converted, churned."""
    sources: dict[Slug, Spellings] = Field(default_factory=dict, max_length=50)
    """Acquisition sources: spellings beyond the built-in table."""
    bands: Bands = Field(default_factory=Bands)
    """Size bands, for comparing like with like."""
    community_since: Annotated[AwareTime | None, Field(examples=["2026-03-01T00:00:00Z"])] = None
    """When the community began to lead growth; customers acquired 6 to 12 months later are looked at most closely."""
    tickets: dict[TicketKind, Spellings] = Field(default_factory=dict)
    """The help desk's categories, by what kind of question they hold."""
    hedging: dict[HedgeAbout, HedgePhrases] = Field(default_factory=dict)
    """Phrases of hedged language in notes beyond the built-in lexicon, by what they are about."""
    variants: Annotated[list[Variant], Field(min_length=1, max_length=MAX_VARIANTS)]
    """One for each kind of ideal customer."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        return icp_checks.icp(written)


def load_icp(text: str, name: str = "icp.yaml") -> ICP:
    """The ICP file in ``text``. Raises FileRefused with all problems, by line."""
    return validate(ICP, text, name)
