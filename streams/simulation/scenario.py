"""What a scenario is: parameters of a company, and plants that change some of them from a moment on.

A plant pulls one lever, in one segment, by a factor, with a time profile. The factor acts at the moment that the lever
names (LEVERS), so that a cohort is changed as a whole or not at all.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from streams.simulation.happenings import Happening

Lever = Literal[
    "signups",
    "activated",
    "paid_given_activated",
    "conversion_lag",
    "onboarding_time",
    "churn",
    "leaving",
    "tickets",
    "support_need",
    "basic_questions",
    "feature_breadth",
    "poor_fits",
    "company_size",
    "hedged_notes",
    "cycle_spread",
    "cycle_clusters",
    "lingering",
    "late_wins",
    "release_complexity",
]

LEVERS: dict[str, str] = {
    "signups": "sign-ups a day, by the day of the sign-up",
    "activated": "share of sign-ups that activate, by the day of the sign-up",
    "paid_given_activated": "share of activated accounts that ever pay, by the day of the activation",
    "conversion_lag": "days from activation to paying, by the day of the activation",
    "onboarding_time": "days from activation to onboarded, by the day of the activation",
    "churn": "rate of leaving, by the day of the conversion",
    "leaving": "rate of leaving of all who are customers then, by the day itself",
    "tickets": "tickets a day, by the day of the sign-up",
    "support_need": "tickets a day, by the day of the ticket",
    "basic_questions": "odds that a ticket is a basic question, by the day of the ticket",
    "feature_breadth": "evenness of an account's use over features, by the day of the sign-up",
    "poor_fits": "odds that an account that sales finds is a poor fit, by the day when it is first heard of",
    "company_size": "employees of new accounts, by the day when they are first heard of",
    "hedged_notes": "share of opportunities with a hedged note, by the day of their creation",
    "cycle_spread": "sigma of the log cycle length, by the day of the opportunity's creation",
    "cycle_clusters": "cycle length of a slow cluster over that of a fast one, by the day of the creation",
    "lingering": "days that an opportunity stays open before it is lost, by the day of its creation",
    "late_wins": "share won of those that would be lost past the median cycle, by the day of their creation",
    "release_complexity": "complexity of releases, by the day of the release",
}

Segment = Literal["source", "fit", "circle", "rep"]
"""what a plant can be confined to; ``circle`` is elite (the devoted few whom a community listens to) or others"""

_SEGMENTS: dict[str, frozenset[str]] = {
    "signups": frozenset({"source"}),
    "release_complexity": frozenset(),
    "poor_fits": frozenset({"source"}),
    "company_size": frozenset({"source", "fit"}),
    "hedged_notes": frozenset({"source", "fit", "circle", "rep"}),
}
_USUAL_SEGMENTS = frozenset({"source", "fit", "circle"})
CIRCLES = ("others", "elite")


class Source(Struct, frozen=True, kw_only=True):
    """An acquisition source. ``share`` of sign-ups; ``activated`` of those; ``paid`` of the activated ones.

    ``sales_led`` is the share of its accounts that sales wins before they use anything. ``spellings`` are what
    people and tools write for it, the first one the most often.
    """

    name: str
    share: float
    activated: float
    paid: float
    sales_led: float = 0.0
    spellings: tuple[str, ...]
    referrer: str | None = None
    campaign: tuple[str, str] | None = None
    """(source, medium)"""


class Plant(Struct, frozen=True, kw_only=True):
    """One planted change. ``start`` and ``end`` are shares of the history's days; the ramp is linear."""

    lever: Lever
    factor: float
    segment: dict[Segment, str] = {}
    """which accounts: {"source": "content"}; empty for all"""
    start: float = 0.6
    ramp_days: float = 0.0
    end: float | None = None
    because: str

    def __post_init__(self) -> None:
        if not self.factor > 0:
            raise ValueError("a plant's factor is above 0")
        if not 0 <= self.start < 1 or (self.end is not None and self.end <= self.start):
            raise ValueError("a plant starts within the history and ends after its start")
        beyond = set(self.segment) - _SEGMENTS.get(self.lever, _USUAL_SEGMENTS)
        if beyond:
            raise ValueError(f"{self.lever} has no segment {', '.join(sorted(beyond))}")
        if self.lever == "leaving" and (self.ramp_days or self.end is not None):
            raise ValueError("a plant on leaving has neither a ramp nor an end")


class Noise(Struct, frozen=True, kw_only=True):
    """What happens to events between their happening and their arrival; shares of all events."""

    late: float = 0.004
    """arrive some days late: log-normal, median 2 days, 25 at most"""
    too_late: float = 0.0003
    """arrive 31 to 60 days late"""
    repeated: float = 0.004
    """sent twice, with the same source and id"""
    product_delay_s: float = 4.0
    """mean of the usual delay of product events and visits"""
    office_delay_s: float = 240.0
    """mean of the usual delay of CRM, help desk and profile events"""


class Scenario(Struct, frozen=True, kw_only=True):
    """The parameters of a company. Weekdays run from Monday; rates and medians are in days."""

    name: str
    about: str
    sources: tuple[Source, ...]
    plants: tuple[Plant, ...] = ()
    happenings: tuple[Happening, ...] = ()
    drifts: tuple[str, ...] = ()
    """the drift signals that have to find what is planted"""
    resembles: str = ""
    """the drift signal that has to stay silent although this looks like its drift"""
    ill: str = ""
    """the event type whose data fall ill: data.health has to tell, and no drift signal may"""
    noise: Noise = Noise()
    growth_a_year: float = 1.5
    """sign-ups at the end of a year, as a multiple of those at its beginning"""
    signup_weekdays: tuple[float, ...] = (1.15, 1.25, 1.2, 1.15, 1.0, 0.5, 0.5)
    usage_weekdays: tuple[float, ...] = (1.15, 1.25, 1.25, 1.2, 1.0, 0.2, 0.15)
    installed_base: float = 0.03
    """share of the accounts that were customers before the history begins"""
    activation_median: float = 1.5
    conversion_median: float = 14.0
    conversion_sigma: float = 0.8
    onboarding_median: float = 5.0
    fits: tuple[float, float, float] = (0.66, 0.24, 0.10)
    """shares of poor, fair and good fits among sign-ups"""
    fit_payers: tuple[float, float, float] = (0.70, 1.35, 2.14)
    """how much likelier they pay than the source's mean; scaled so that the mean holds"""
    sales_fits: tuple[float, float, float] = (0.20, 0.45, 0.35)
    """the same shares among the accounts that sales finds by itself"""
    elite: float = 0.03
    """share of accounts that are devoted: they use it much by seat, stay, and may sit on the advisory board"""
    annual_contracts: float = 0.3
    """share of customers who leave at a renewal, if at all"""
    support: float = 1.0
    """multiplies tickets a day"""
    anonymous: float = 0.35
    """share of accounts whose visits before the sign-up are under visitor:<id>"""
    hedged_notes: float = 0.08
    release_every: float = 21.0
    release_complexity: float = 4.0
    reps: int = 8

    def __post_init__(self) -> None:
        if abs(sum(source.share for source in self.sources) - 1) > 1e-9:
            raise ValueError("the sources' shares add up to 1")
        names = {source.name for source in self.sources}
        for plant in self.plants:
            if plant.segment.get("source", next(iter(names))) not in names:
                raise ValueError(f"a plant names the source {plant.segment['source']!r}, which there isn't")
            if plant.segment.get("fit", "good") not in FITS:
                raise ValueError(f"a plant names the fit {plant.segment['fit']!r}, which there isn't")
            if plant.segment.get("circle", "elite") not in CIRCLES:
                raise ValueError(f"a plant names the circle {plant.segment['circle']!r}, which there isn't")
            reps = {rep_name(number) for number in range(1, self.reps + 1)}
            if plant.segment.get("rep", rep_name(1)) not in reps:
                raise ValueError(f"a plant names the rep {plant.segment['rep']!r}, which there isn't")


FITS = ("poor", "fair", "good")


def rep_name(number: int) -> str:
    """The ``owner_id`` of a sales rep, counted from 1."""
    return f"rep-{number:02d}"
