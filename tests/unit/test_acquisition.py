"""Where an account came from: spellings, look-alikes, hostile addresses, and that order of arrival changes nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.acquisition import (
    MAX_STATEMENTS,
    SPELLINGS,
    UNKNOWN,
    Acquisition,
    Statement,
    remember_statement,
    source_at_sign_up,
)
from schemas.events import Campaign, Event, WebVisitData
from tests.unit.account_world import DAY, HOUR, T0, Account, icp, product, profile, time_of, visit

TABLE = Acquisition({})
SIGNAL_SOURCES = {
    "direct", "organic_search", "paid_search", "social", "paid_social", "referral",
    "email", "content", "partner", "outbound", "unknown",
}  # fmt: skip
"""as SIGNALS' list of acquisition sources has them"""


def seen(
    referrer: str | None = None, url: str = "https://ours.example/pricing", **campaign: str
) -> WebVisitData:
    return WebVisitData(
        visitor_id="v",
        url=url,
        path="/pricing",
        referrer=referrer,
        campaign=Campaign(**campaign) if campaign else None,
    )


def test_the_table_has_all_sources() -> None:
    assert set(SPELLINGS) == SIGNAL_SOURCES


@pytest.mark.parametrize(
    ("source", "spelling"), [(source, each) for source, spellings in SPELLINGS.items() for each in spellings]
)
def test_every_spelling_of_the_table(source: str, spelling: str) -> None:
    for written in (spelling, spelling.upper(), f"  {spelling.title()} ", spelling.replace("_", " ")):
        assert TABLE.source(written.replace("*", "anything")) == source


def test_no_spelling_stands_under_two_sources() -> None:
    spellings = [each for of_source in SPELLINGS.values() for each in of_source]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("Google/CPC", "paid_search"),
        ("linkedin/cpc", "paid_social"),
        ("Trade Show", "trade_show"),
        ("x" * 500, "x" * 64),
        ("*", "*"),
        ("paid*", "paid*"),
    ],
)
def test_what_people_write(written: str, source: str) -> None:
    assert TABLE.source(written) == source


def test_the_icp_files_own_spellings_go_first_patterns_too() -> None:
    table = Acquisition({"events": ["webinar", "goo*/organic", "*/email"], "field-sales": []})
    assert table.source("webinar") == "events"
    assert table.source("google/organic") == "events"
    assert table.source("list/email") == "events"
    assert table.source("email") == "email"
    assert table.source("Field-Sales") == "field-sales"
    assert table.source("bing/organic") == "organic_search"


def test_a_pattern_has_star_and_question_mark_and_nothing_else() -> None:
    table = Acquisition({"odd": ["news[1]*", "a?c"]})
    assert table.source("news[1]-may") == "odd"
    assert table.source("news1-may") == "news1-may"
    assert table.source("abc") == "odd"


@pytest.mark.parametrize(
    ("campaign", "source"),
    [
        ({"source": "google", "medium": "cpc"}, "paid_search"),
        ({"source": "facebook", "medium": "cpc"}, "paid_social"),
        ({"source": "google", "medium": "organic"}, "organic_search"),
        ({"medium": "email", "source": "linkedin"}, "email"),  # medium, then source
        ({"source": "linkedin"}, "social"),
        ({"medium": "Newsletter"}, "email"),
        ({"source": "(direct)", "medium": "(none)"}, "direct"),
        ({"source": "linkedin", "medium": "(not set)"}, "social"),
        ({"source": "linkedin", "medium": "banner_7"}, "social"),  # a word that no table knows says less
        ({"source": "partnerstack", "medium": "banner_7"}, "banner_7"),
        ({"source": "s" * 70, "medium": "affiliate"}, "partner"),
        ({"source": "s" * 70, "medium": "banner"}, "banner"),
        ({"source": "", "medium": " "}, None),
        ({"name": "spring"}, None),
        ({"source": "other", "medium": "unknown"}, None),
    ],
)
def test_campaigns(campaign: dict[str, str], source: str | None) -> None:
    assert TABLE.of_visit(seen(**campaign)) == source


def test_a_campaign_goes_before_the_referrer_unless_it_says_nothing() -> None:
    assert TABLE.of_visit(seen("https://www.google.com/", medium="email")) == "email"
    assert TABLE.of_visit(seen("https://www.google.com/", medium="(not set)")) == "organic_search"


REFERRERS: dict[str, str | None] = {
    "https://www.google.com/search?q=x": "organic_search",
    "https://google.co.uk/": "organic_search",
    "https://news.google.de": "organic_search",
    "https://GOOGLE.COM:443/": "organic_search",
    "https://www.google.com./": "organic_search",
    "https://duckduckgo.com/": "organic_search",
    "https://www.ecosia.org/search": "organic_search",
    "https://yandex.com.tr/": "organic_search",
    "https://search.yahoo.co.jp/": "organic_search",
    "https://www.linkedin.com/feed": "social",
    "https://de.linkedin.com/": "social",
    "https://t.co/abc": "social",
    "https://x.com/someone": "social",
    "https://old.reddit.com/r/x": "social",
    "https://lnkd.in/abc": "social",
    # who only looks like one of them
    "https://notgoogle.com/": "referral",
    "https://notgoogle.com.evil.example/": "referral",
    "https://google.com.evil.example/": "referral",
    "https://linkedin.com.evil.example/": "referral",
    "https://google.evil.example/": "referral",
    "https://www.google.com@evil.example/": "referral",
    "https://evil.example/google.com": "referral",
    "https://evil.example?https://www.google.com/": "referral",
    "https://evil.example#google.com": "referral",
    "https://google.zip/": "referral",
    "https://google/": "referral",
    "https://at.co/": "referral",
    "https://pinterest.com/": "referral",
    "https://netflix.com/": "referral",
    "https://t.co.evil.example/": "referral",
    "https://xn--ggle-55da.com/": "referral",
    "https://g\u043e\u043egle.com/": "referral",
    "https://203.0.113.7/": "referral",
    "https://[2001:db8::1]/": "referral",
    # our own site says nothing of where they came from
    "https://ours.example/": None,
    "https://www.ours.example/blog": None,
    "https://docs.ours.example/": None,
    # no web address
    "": None,
    "google": None,
    "about:blank": None,
    "javascript:alert(1)": None,
    "file:///etc/passwd": None,
    "android-app://com.google.android.gm/": None,
    "https://": None,
    "http:///path": None,
    # urlsplit raises on these
    "http://[::1": None,
    "http://[": None,
    "https://]x[/": None,
    "https://[zz]/": None,
    "https://\u2100.example/": None,
}


@pytest.mark.parametrize(("referrer", "source"), REFERRERS.items(), ids=ascii)
def test_referrers(referrer: str, source: str | None) -> None:
    assert TABLE.of_visit(seen(referrer)) == source


def test_a_site_whose_name_only_ends_like_ours_is_not_ours() -> None:
    assert TABLE.of_visit(seen("https://notours.example/")) == "referral"
    assert TABLE.of_visit(seen("https://evil.example/", url="not a url")) == "referral"


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_address_raises(referrer: str, url: str) -> None:
    for prefix in ("", "http://", "https://[", "https://"):
        assert TABLE.of_visit(seen(prefix + referrer, url=url)) in {
            None,
            "referral",
            "social",
            "organic_search",
        }


# Statements and the sign-up

STATEMENTS = st.lists(
    st.tuples(st.integers(0, 12).map(float), st.sampled_from(["email", "content", UNKNOWN])),
    max_size=MAX_STATEMENTS,
)


@given(statements=STATEMENTS, order=st.randoms(use_true_random=False), signed_up=st.floats(-1, 13))
def test_the_source_follows_from_the_set_of_statements(
    statements: list[Statement], order: random.Random, signed_up: float
) -> None:
    shuffled = list(statements)
    order.shuffle(shuffled)
    one: list[Statement] = []
    other: list[Statement] = []
    for each in statements:
        remember_statement(one, *each)
    for each in shuffled:
        remember_statement(other, *each)
    assert one == other == sorted(set(statements))
    assert source_at_sign_up(signed_up, one, None) == source_at_sign_up(signed_up, other, None)


@pytest.mark.parametrize(
    ("statements", "visit_at", "source"),
    [
        ([], None, ""),
        ([(5.0, "email")], None, "email"),
        ([(5.0, "email"), (9.0, "content")], None, "content"),  # the newest that was known
        ([(5.0, "email"), (11.0, "content")], None, "email"),  # it is fixed
        ([(10.0, "email")], None, "email"),  # at the very moment is in time
        ([(5.0, "email"), (6.0, UNKNOWN)], 1.0, "social"),  # removed before the sign-up
        ([(5.0, "email")], 1.0, "email"),  # the profile goes first
        ([(11.0, "email")], 1.0, "social"),  # what was known then
        ([(11.0, UNKNOWN), (12.0, "email")], None, "email"),  # as soon as it is known
        ([(12.0, "email")], 11.0, "social"),
        ([(11.0, "email")], 12.0, "email"),
        ([(11.0, "email")], 11.0, "email"),
        ([], 20.0, "social"),
    ],
)
def test_what_was_known_at_the_sign_up(
    statements: list[Statement], visit_at: float | None, source: str
) -> None:
    first_visit = None if visit_at is None else (visit_at, "social")
    assert source_at_sign_up(10.0, statements, first_visit) == source
    assert source_at_sign_up(None, statements, first_visit) == ""


def test_many_statements_are_bounded_and_keep_what_decides() -> None:
    statements: list[Statement] = []
    remember_statement(statements, 0.0, "email")
    for at in range(1, 1000):
        remember_statement(statements, float(at), "content")
    remember_statement(statements, 1000.0, "email")
    assert len(statements) <= MAX_STATEMENTS
    assert source_at_sign_up(0.5, statements, None) == "email"
    assert source_at_sign_up(999.5, statements, None) == "content"
    assert source_at_sign_up(1001.0, statements, None) == "email"


# In the account stage

SIGN_UP = {"name": "signed_up"}


def source_of(*events: Event) -> str:
    account = Account()
    account.take(*events)
    return account.state.source


def test_it_is_fixed_at_sign_up() -> None:
    account = Account()
    account.take(visit(T0, referrer="https://www.google.com/"), product(T0 + HOUR, "signed_up"))
    assert account.state.source == "organic_search"
    account.take(profile(T0 + DAY, acquisition_source="email"), visit(T0 + DAY, campaign={"medium": "cpc"}))
    assert account.state.source == "organic_search"


def test_the_first_page_view_without_a_referrer_does_not_make_the_second_a_referral() -> None:
    ours = "https://www.ours.example/"
    assert source_of(visit(T0), visit(T0 + 60, referrer=ours), product(T0 + 120, "signed_up")) == ""


def test_a_late_visit_of_before_counts() -> None:
    account = Account()
    account.take(visit(T0 + 2 * HOUR, campaign={"medium": "cpc"}), product(T0 + DAY, "signed_up"))
    assert account.state.source == "paid_search"
    account.take(visit(T0, referrer="https://t.co/x"))
    assert account.state.source == "social"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_visits_in_one_moment_the_same_one_is_the_first_whichever_came_first(
    order: tuple[int, int],
) -> None:
    both = [visit(T0, campaign={"medium": "cpc"}), visit(T0, campaign={"medium": "email"})]
    assert source_of(*(both[i] for i in order), product(T0 + 1, "signed_up")) == "email"


def test_the_icp_files_spellings_hold_for_accounts() -> None:
    account = Account(icp(more="sources: {field-sales: [roadshow]}\n"))
    account.take(profile(T0, acquisition_source="Roadshow"), product(T0 + 1, "signed_up"))
    assert account.state.source == "field-sales"


@pytest.mark.parametrize("value", [None, 7, ["email"], {"a": 1}, True])
def test_a_source_that_is_no_text_is_none(value: Any) -> None:
    assert TABLE.of_profile(value) == UNKNOWN
    assert TABLE.of_account(value, (T0, "social")) == "social"
    assert TABLE.of_account(value, None) == UNKNOWN


def test_before_the_sign_up_it_is_as_it_stands() -> None:
    assert TABLE.of_account("CPC", (T0, "social")) == "paid_search"
    assert TABLE.of_account("other", (T0, "social")) == "social"


HISTORY = st.lists(
    st.one_of(
        st.builds(
            lambda hour, medium: visit(T0 + hour * HOUR, campaign={"medium": medium}),
            st.integers(0, 9),
            st.sampled_from(["cpc", "email", "other"]),
        ),
        st.builds(
            lambda hour, source: profile(T0 + hour * HOUR, acquisition_source=source),
            st.integers(0, 9),
            st.sampled_from(["partner", "content", "unknown"]),
        ),
        st.builds(lambda hour: product(T0 + hour * HOUR, "signed_up"), st.integers(0, 9)),
    ),
    max_size=8,
)


@given(history=HISTORY, order=st.randoms(use_true_random=False))
def test_order_of_arrival_changes_no_source(history: list[Event], order: random.Random) -> None:
    shuffled = list(history)
    order.shuffle(shuffled)
    assert source_of(*shuffled) == source_of(*sorted(history, key=time_of))
