"""Why observations are not counted, in words: each reason that a signal gives has its sentence here."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from streams.web.wording import count, words

REASONS = {
    "left_truncated": "began before this was recorded at all, or at an unknown time",
    "settling": "of the first four weeks of a recording, which is seldom complete",
    "before_baseline": "began before the time from which on the baseline was chosen to be learned",
    "sales_led": "paid before it used the product: not product-led",
    "told": "told before, under the same opportunity or ticket",
    "too_many_open": "of an account with more opportunities open at a time than are followed",
    "too_many_tickets": "of an account with more tickets than are followed",
    "closed_at_once": "opportunities that were entered when they were closed already",
    "same_burst": "of one account and burst, which counts once",
    "new_customer": "of an account that is not a customer for long enough",
    "no_customer": "of an account that is no customer",
    "no_profile": "of an account without a profile: not to be judged",
    "kind_unsure": "its kind could not be told with enough certainty",
    "feature_launched": "asks about a feature that was just released",
    "hedged_timing": "hedges about timing, not about fit",
    "hedged_price": "hedges about price, not about fit",
    "no_elite": "at a time without an elite to compare with",
    "outage": "in a burst of tickets of everybody",
    "not_a_month": "customers at risk for less than a month",
    "elite_unknown": "it is not known whether the customer is of the elite",
    "data_health": "from a time in which a source of events was ill",
}


class CountedOut(Struct, frozen=True):
    number: str
    reason: str
    why: str
    """empty where the reason speaks for itself"""


def counted_out_words(counted: Mapping[str, int]) -> list[CountedOut]:
    return [
        CountedOut(count(number), words(reason), REASONS.get(reason, ""))
        for reason, number in counted.items()
    ]
