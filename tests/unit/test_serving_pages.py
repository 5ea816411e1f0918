"""The pages: what they show, that nothing from outside becomes markup, and that they need no scripts or inline styles."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from schemas.alerts import moment
from streams.web.wording import ago, attribute, number, score, sentence, signed
from tests.unit.serving_world import DAY, GOOD, HOUR, NOW, World, get, served

EVIL = "<script>alert(1)</script>\" onmouseover='x' {{7*7}} & javascript:alert(1)"
VOID = {"meta", "link", "br", "img", "input", "hr"}
SVG_LEAF = {"path", "rect", "circle", "polyline"}


class Page(HTMLParser):
    """Text, attributes and tags; fails on what a strict content policy would refuse, and on tags that don't match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == [], f"not closed: {self.open}"
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "style", "iframe", "object", "form")
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name != "style"
            if name in ("href", "src"):
                assert value is not None
                assert value.startswith(("/", "#")), value
                assert not value.startswith("//")
                self.links.append(value)
            if name == "id" and value is not None:
                self.ids.append(value)
        if tag not in VOID and tag not in SVG_LEAF:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_LEAF

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    async with served(world) as url:
        yield url


async def page(url: str, path: str = "/", status: int = 200) -> Page:
    answer = await get(url, path)
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    found = Page(answer.text)
    assert len(found.ids) == len(set(found.ids)), "an id is there twice"
    for link in found.links:
        if link.startswith("#"):
            assert link[1:] in found.ids, link
    return found


def alerting(world: World, account: str, at: float = NOW, **attributes: object) -> None:
    make = world.events
    world.put([make.profile(account, at - 60, **{**GOOD, **attributes})])
    world.put([make.visit(account, at - 1), make.visit(account, at)])


async def test_empty_it_says_what_to_do_next(url: str) -> None:
    text = (await page(url)).text
    for words in (
        "No events yet",
        "plumbline post events.jsonl",
        "No alert has gone out",
        "0 received",
        "0 of 300",
    ):
        assert words in text, words


async def test_the_first_page_shows_accounts_alerts_drift_and_books(world: World, url: str) -> None:
    alerting(world, "a", name="Nord", employees=40)
    world.put([b"{}", world.events.product("b", NOW, "invited")])
    world.drift()
    text = (await page(url)).text
    assert re.search(r"Nord a 50\.0 90 Route now alert on pricing \+50\.0 They look at prices", text)
    assert "analytics · trigger 50.0 · fit 90 · pricing" in text
    assert "Closes twice as often" in text
    assert "5 received = 4 applied + 0 duplicate + 0 late + 1 dead-lettered" in text
    assert re.search(r"content plg.conversion_gap drifting \d+ \w+ 2026", text)
    assert "Missing field" in text
    assert "No receiver is set up" in text


async def test_lists_by_fit_for_another_variant_and_page_by_page(world: World, url: str) -> None:
    for n in range(25):
        alerting(world, f"a{n:02}", NOW - n * HOUR)
    first = await page(url, "/?variant=analytics&order=trigger")
    assert "a19" in first.text
    assert "/accounts/a20" not in first.links
    (following,) = [link for link in first.links if "cursor=" in link]
    second = await page(url, following)
    assert "/accounts/a20" in second.links
    assert "/accounts/a19" not in second.links
    other = await page(url, "/?variant=embedded&order=fit")
    assert "Who fits best" in other.text
    assert next(link for link in other.links if link.startswith("/accounts/")) == "/accounts/a00"


async def test_whom_the_screen_puts_out_is_shown_on_demand(world: World, url: str) -> None:
    alerting(world, "tiny", employees=2)
    assert "/accounts/tiny" not in (await page(url)).links
    shown = await page(url, "/?out=show")
    assert "/accounts/tiny" in shown.links
    assert "Screened out Too small to need it" in shown.text


async def test_segments_that_still_learn_are_shown_on_demand(world: World, url: str) -> None:
    world.drift(days=30)
    left_out = await page(url)
    assert "all accounts plg.conversion_gap learning" in left_out.text
    assert "content plg.conversion_gap" not in left_out.text
    assert "2 segments are still learning and not shown" in left_out.text
    (link,) = [link for link in left_out.links if "learning=show" in link]
    shown = await page(url, link)
    assert "content plg.conversion_gap learning" in shown.text
    assert "not shown" not in shown.text


@pytest.mark.parametrize("section", ["accounts", "alerts", "drift", "ledger"])
async def test_the_address_of_a_part_leads_to_it(url: str, section: str) -> None:
    answer = await get(url, f"/{section}")
    assert answer.status == 200
    assert f"/#{section}" in Page(answer.text).links
    assert section in Page(answer.text).ids


async def test_what_comes_from_outside_stays_text(world: World, url: str) -> None:
    alerting(world, EVIL, name=EVIL, hobby={"x": [EVIL]}, contacts=[{"title": EVIL}])
    first = await page(url)
    assert EVIL in first.text
    (link,) = {link for link in first.links if link.startswith("/accounts/")}
    assert link == "/accounts/" + quote(EVIL, safe="")
    account = await page(url, link)
    assert account.text.count(EVIL) >= 3
    refused = await page(url, "/?variant=" + quote(EVIL, safe=""), 400)
    assert "alert(1)" not in refused.text
    await page(url, "/?" + quote(EVIL, safe="=&"), 400)


@pytest.mark.parametrize(
    "control", ["\N{RIGHT-TO-LEFT OVERRIDE}", "\N{RIGHT-TO-LEFT ISOLATE}", "\x1b", "\x9b", "\x00"]
)
async def test_a_name_does_not_turn_the_text_beside_it_around(world: World, url: str, control: str) -> None:
    named = f"Nord{control}gro"
    alerting(world, "a", name=named, acquisition_source=named, hobby={"x": [named]})
    for path in ("/", "/accounts/a"):
        html = (await get(url, path)).text
        assert control not in html
        assert "Nord\N{REPLACEMENT CHARACTER}gro" in html


async def test_an_account_page_explains_itself(world: World, url: str) -> None:
    make = world.events
    alerting(world, "a", name="Nord", sales_reps=5)
    world.put([make.ticket("a", NOW, "cancel"), make.note("a", NOW, "budget freeze")])
    world.put([make.product("a", NOW, "signed_up")])
    text = (await page(url, "/accounts/a")).text
    for words in (
        "Nord",
        "The trigger score is 25.0; an alert goes out at 40.",
        "+50.0 pricing They look at prices; fades by half in 7 days",
        "−25.0 complaint",
        "25.0 Trigger score",
        "60 Fit of 100",
        "needs: sales reps is 20 to 200 (+30)",
        "Only if employees is at least 10",
        "Blocked until 30 Nov 2026: frozen.",
        "Signed up",
        "Alert for analytics: trigger 50.0, fit 60",
        "should be activated (20d after signing up)",
    ):
        assert words in text, words


async def test_names_of_the_icp_file_keep_their_spelling(world: World, url: str) -> None:
    """A capital would spoil an acronym, and who looks for a variant in the file finds it."""
    alerting(world, "a", sso_logins=5)
    for path in ("/", "/accounts/a"):
        text = (await page(url, path)).text
        assert "analytics" in text
        assert "Analytics" not in text
        assert "pricing" in text
        assert "Pricing" not in text
    assert "sso logins 5" in text


async def test_an_unknown_account_is_a_page_too(url: str) -> None:
    found = await page(url, "/accounts/somebody%40acme.example", 404)
    assert "Nothing is known of this account" in found.text
    assert "somebody" not in found.text


async def test_a_parameter_that_a_page_does_not_take_is_refused_with_what_it_takes(url: str) -> None:
    signal = await page(url, "/drift/plg.conversion_gap?segment=content", 400)
    assert "takes none: leave it out" in signal.text
    assert "cursor, learning, order, out, variant" in (await page(url, "/?sort=fit", 400)).text


async def test_without_a_store_the_page_says_what_to_do(world: World, url: str) -> None:
    world.close()
    for path in world.path.parent.glob("plumbline.db*"):
        path.unlink()
    assert "plumbline run" in (await page(url, "/", 503)).text


async def test_the_style_sheet_brings_nothing_from_elsewhere(url: str) -> None:
    answer = await get(url, "/static/plumbline.css")
    assert answer.headers["Content-Type"].startswith("text/css")
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    icon = await get(url, "/static/plumbline.svg")
    assert icon.headers["Content-Type"].startswith("image/svg+xml")


def test_numbers_and_times_in_words() -> None:
    assert [number(x) for x in (0.0, 1.0, 1.25, -3, 12345.6)] == ["0", "1", "1.2", "−3", "12,346"]
    assert [score(x) for x in (-0.01, 61.27)] == ["0.0", "61.3"]
    assert [signed(x) for x in (38.1, -4.0, 0.001)] == ["+38.1", "−4.0", "0.0"]
    now = moment(NOW)
    assert [ago(moment(NOW - s), now) for s in (5, 300, 3 * HOUR, 9 * DAY, -3 * DAY)] == [
        "just now",
        "5 min ago",
        "3 h ago",
        "9 d ago",
        "in 3 d",
    ]
    assert attribute({"amount": 25800.0, "currency": "EUR"}) == "25,800 EUR"
    assert attribute([{"title": "CFO"}, {"title": "CISO"}]) == "CFO, CISO"
    assert attribute({"a": {"b": [True, 2]}}) == "a: b: yes, 2"
    assert len(attribute("x" * 1000)) == 300
    assert [sentence(text) for text in ("", "a", "a?")] == ["", "a.", "a?"]
