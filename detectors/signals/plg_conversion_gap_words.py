"""What plg.conversion_gap says to a person: what moved, what it means, what to check, what would prove it wrong."""

from __future__ import annotations

from msgspec import Struct

from detectors.signals.contract import ALL
from detectors.signals.mix import MixSplit
from detectors.signals.segmented_words import where
from detectors.signals.words import count, day, days, listed, per_hundred, per_hundred_interval, percent
from schemas.alerts import Interval
from schemas.duration import DAY

MOSTLY = 2 / 3
"""A part of the change from which on it is said to be the cause."""
SURE_RATE = -3.0
"""Standard errors by which the sources' own rates must have fallen to be blamed. Not 2: the stretch since the change was
searched for, which makes any fall in it look stronger."""
WORTH_SAYING = 0.10
"""A growth of sign-ups below this is not mentioned."""


class Finding(Struct, frozen=True, kw_only=True):
    """All that the sentences need. Times in Unix seconds; ``newest``: when the newest cohort began; ``growth``: sign-ups a day since then over
    those before; ``early``: found among cohorts younger than the horizon, which ``now`` counts as far as they have come."""

    segment: str
    since: float
    margin_days: float
    newest: float
    before: Interval
    now: Interval
    early: bool
    horizon_days: float
    activated_before: Interval | None
    activated_now: Interval | None
    growth: float | None
    split: MixSplit | None
    market_wide: bool


def what_drifting(f: Finding) -> str:
    young = ", to judge by those who have not had as long yet" if f.early else ""
    sentences = [
        f"Of 100 accounts{where(f.segment)} that activate, {per_hundred(f.now.estimate)} now become paying within "
        f"{days(f.horizon_days)}{young} (95 %: {per_hundred_interval(f.now)}); until {day(f.since)} "
        f"(±{days(f.margin_days)}) it was {per_hundred(f.before.estimate)} ({per_hundred_interval(f.before)})."
    ]
    if f.growth is not None and f.growth >= 1 + WORTH_SAYING:
        hid = f.growth * f.now.estimate >= f.before.estimate
        sentences.append(
            f"Sign-ups grew by {percent(f.growth - 1)} meanwhile, which {'hid it' if hid else 'hides a part of it'}."
        )
    if f.split is not None and f.split.mix_share is not None:
        sentences.append(_mix(f.split.mix_share, f.split.rate_z <= SURE_RATE))
    return " ".join(sentences)


def _mix(share: float, rate_sure: bool) -> str:
    if share <= 0.02:
        return "None of the fall is mix: the same sources convert less than before."
    if share >= 0.98:
        return "All of the fall is mix: each source converts as before, but more comes from those that convert less."
    rest = (
        "is rate (the same sources convert less)"
        if rate_sure
        else "may be chance (no source surely converts less)"
    )
    return f"About {percent(share)} of the fall is mix (more comes from sources that convert less), {percent(1 - share)} {rest}."


def _is_mix(split: MixSplit | None) -> bool:
    if split is None or split.mix_share is None or split.mix >= 0:
        return False
    return split.mix_share >= MOSTLY or split.rate_z > SURE_RATE


def means_drifting(f: Finding) -> str:
    if _is_mix(f.split):
        meaning = "Other people are drawn than before: each source still brings what it brought, in other proportions."
    elif f.market_wide:
        meaning = (
            "Nearly all sources fell alike, so the cause is likely outside of any one of them (price, product, market): "
            "test before you rewrite your ICP."
        )
    else:
        meaning = "This is what silent drift looks like: the product attracts the curious, who match the profile but not the need."
    return f"{meaning} {_activation(f)}"


def _activation(f: Finding) -> str:
    if f.activated_before is None or f.activated_now is None:
        return "Activation has no baseline yet, so a fall of the whole funnel is not ruled out."
    return (
        f"Activation holds: {per_hundred(f.activated_now.estimate)} of 100 sign-ups, "
        f"{per_hundred(f.activated_before.estimate)} before."
    )


def check_drifting(f: Finding) -> str:
    since, split = day(f.since), f.split
    if split is None or split.mix_share is None:
        return f"Check first what drew {_these(f.segment)} since {since}, and what they ask in their first tickets."
    if _is_mix(split):
        growth = {part: after - before for part, (before, after) in split.weights.items()}
        grown = sorted((part for part in growth if growth[part] > 0), key=lambda part: -growth[part])[:2]
        parts = [
            f"{_source(part)} ({percent(split.weights[part][0])} to {percent(split.weights[part][1])})"
            for part in grown
        ]
        return f"Check first why the share of these sources grew since {since}: {listed(parts)}."
    fell = sorted((part for part in split.rates if split.rates[part] < 0), key=lambda part: split.rates[part])
    most = listed([_source(part) for part in fell[:2]])
    return f"Check first what changed since {since} for those who pull the whole down most: {most}."


def wrong_if_drifting(f: Finding) -> str:
    if f.early:
        return (
            "It would be wrong if they paid later instead: so far those of every age pay less often, which is not what a slower "
            f"decision looks like. By {day(f.since + (f.horizon_days + 28) * DAY)} the first four weeks of these cohorts will "
            f"have had their {days(f.horizon_days)}."
        )
    longer = f.horizon_days * 1.5
    return (
        f"It would be wrong if conversion were only slower: cohorts are compared after {days(f.horizon_days)} here, and by "
        f"{day(f.newest + longer * DAY)} all of these will have had {days(longer)}."
    )


def promise(false_alarms_per_year: float) -> str:
    return f"False-alarm promise: {count(false_alarms_per_year)} a year for all signals together."


def what_resolved(f: Finding, *, retaken: bool) -> str:
    if retaken:
        return f"The baseline{where(f.segment)} is taken anew by a person's decision; the drift since {day(f.since)} is closed."
    return (
        f"Of 100 accounts{where(f.segment)} that activate, {per_hundred(f.now.estimate)} now become paying within "
        f"{days(f.horizon_days)} (95 %: {per_hundred_interval(f.now)}), as before the fall: "
        f"{per_hundred(f.before.estimate)} ({per_hundred_interval(f.before)}). It has been back since {day(f.since)}."
    )


def means_resolved(*, retaken: bool) -> str:
    return (
        "What is normal is learned again; until then a fall in this segment is not found."
        if retaken
        else "The fall is over; the segment is watched again against the same baseline."
    )


CHECK_RESOLVED = "Write down what ended it: it is what to do the next time."
WRONG_IF_RESOLVED = "It would be wrong if the share fell again: a new alert would say so."


def what_whole_funnel(f: Finding) -> str:
    activated = (
        f"; activation {per_hundred(f.activated_before.estimate)} to {per_hundred(f.activated_now.estimate)} of 100 sign-ups"
        if f.activated_before is not None and f.activated_now is not None
        else ""
    )
    return (
        f"Both fell{where(f.segment)} since {day(f.since)} (±{days(f.margin_days)}): paying within {days(f.horizon_days)} "
        f"{per_hundred(f.before.estimate)} to {per_hundred(f.now.estimate)} of 100 that activate{activated}."
    )


MEANS_WHOLE_FUNNEL = (
    "The whole funnel fell, which is not silent drift: look for what all of it has in common (the product, its price, the "
    "quality of sign-ups, tracking) before you doubt the profile."
)


def what_slower(segment: str, horizon_days: float) -> str:
    return (
        f"Accounts{where(segment)} that activate pay later than in the baseline: the young cohorts are behind, and those that are "
        f"older catch up. As far as {days(horizon_days)} show, as many pay in the end."
    )


MEANS_SLOWER = (
    "Slower is not fewer: a longer trial, a budget that has to be asked for, holidays. Revenue comes later, the profile holds. If "
    "it is to stay so, lengthen the horizon or take the baseline anew: against the old one the early watch can't tell more."
)


def what_market_wide(f: Finding) -> str:
    return (
        f"Nearly all sources convert less alike since {day(f.since)} (±{days(f.margin_days)}): "
        f"{per_hundred(f.before.estimate)} to {per_hundred(f.now.estimate)} of 100 accounts that activate."
    )


MEANS_MARKET_WIDE = "The cause is likely outside of any one source: test before you rewrite your ICP."


def what_unsteady(segment: str, before: Interval, after: Interval, since: float) -> str:
    return (
        f"While the baseline{where(segment)} was being learned, the share of activated accounts that pay fell from "
        f"{per_hundred(before.estimate)} to {per_hundred(after.estimate)} of 100 around {day(since)}."
    )


MEANS_UNSTEADY = (
    "A stretch with two different rates is no baseline: the older part is left out, and learning goes on with the newer. "
    "If the older rate was the healthy one, the fall has already happened and won't be reported as drift."
)


def _these(segment: str) -> str:
    return "these accounts" if segment == ALL else f"the accounts{where(segment)}"


def _source(part: str) -> str:
    return part.partition(":")[2]
