"""The first page and an account's page in a real browser, as a person meets them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.unit.health_world import DESK, around_the_clock, hours, source
from tests.unit.serving_world import DAY, GOOD, HOUR, NOW, World, served

EVIL = "<script>alert(1)</script>"
WIDTHS = (1400, 390)
SCHEMES = ("light", "dark")
PAGES = ("/", "/accounts/acct-1", "/drift/plg.conversion_gap", "/drift/slg.hedged_language")

CONTRAST = """
const luminance = ([r, g, b]) => {
  const part = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const numbers = text => text.match(/[\\d.]+/g).map(Number);
const ground = element => {
  for (let each = element; each; each = each.parentElement) {
    const colour = numbers(getComputedStyle(each).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const found = [];
for (const element of document.querySelectorAll('body *')) {
  const text = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (!text || !element.checkVisibility() || element.closest('svg')) continue;
  const [a, b] = [luminance(numbers(getComputedStyle(element).color)), luminance(ground(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) found.push([element.textContent.trim().slice(0, 40), ratio]);
}
return found;
"""

SPILLED = """
return [...document.querySelectorAll("td, th")].filter(cell => cell.scrollWidth > cell.clientWidth + 1 && cell.checkVisibility())
  .filter(cell => getComputedStyle(cell.closest("tr").parentElement).clipPath === "none")
  .map(cell => cell.textContent.trim().slice(0, 40));
"""
"""Cells whose text runs into the next one."""


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A service with accounts that alert, one whose name is markup, a dead letter, a drift, and a help desk that fell silent."""
    folder = tmp_path / "data"
    folder.mkdir()
    world = World(folder)
    world.drift()
    world.observe(list(hours(40, 0, source(DESK, around_the_clock(150)))))
    make = world.events
    for number, name in enumerate([EVIL, "Northwind Traders", "Fenlund Care"]):
        account, at = f"acct-{number}", NOW - number * HOUR
        world.put([make.profile(account, at - 60, **GOOD, name=name)])
        world.put([make.visit(account, at - 1), make.visit(account, at)])
    world.put([make.product("acct-2", NOW - DAY, "signed_up"), b"nonsense"])
    async with served(world) as url:
        yield url
    world.close()


def one(browser: Chrome | WebElement, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def every(browser: Chrome | WebElement, selector: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, selector)


def set_screen(browser: Chrome, width: int, scheme: str) -> None:
    screen = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


async def test_a_newcomer_sees_whom_to_call_and_why(chromium: Chrome, url: str) -> None:
    await asyncio.to_thread(_see_whom_to_call, chromium, url)


def _see_whom_to_call(browser: Chrome, url: str) -> None:
    browser.get(url)
    names = [row.text for row in every(browser, "#accounts tbody th a")]
    assert names == [EVIL, "Northwind Traders", "Fenlund Care"]
    assert len(every(browser, "script")) == 0

    alert = every(browser, "#alerts details")[0]
    why = one(alert, ".why")
    assert not why.is_displayed()
    one(alert, "summary").click()
    assert why.is_displayed()
    assert "They look at prices" in why.text
    assert "Call today; open with the trigger" in why.text

    drift = {
        row.find_element(By.TAG_NAME, "th").text.split()[0]: row.text
        for row in every(browser, "#drift tbody tr")
    }
    assert "drifting" in drift["source:content"]
    assert "watching" in drift["source:referral"]
    assert every(browser, "#drift svg.spark polyline")

    numbers = [int(text.replace(",", "")) for text in re.findall(r"[\d,]+", one(browser, ".equation").text)]
    assert numbers[0] == 11
    assert numbers[0] == sum(numbers[1:])

    every(browser, "#accounts tbody th a")[0].click()
    assert one(browser, "h1").text == EVIL
    figures = [
        each.text
        for each in every(browser, ".variant")[0].find_elements(
            By.CSS_SELECTOR, ".columns > div:last-child .figure"
        )
    ]
    parts = [float(text.replace("−", "-")) for text in figures]
    assert sum(parts[:-1]) == pytest.approx(parts[-1], abs=0.05 * len(parts))
    browser.back()
    assert one(browser, "#ledger").is_displayed()
    assert browser.get_log("browser") == []


async def test_it_can_be_read_on_any_screen(chromium: Chrome, url: str) -> None:
    await asyncio.to_thread(_read_on_any_screen, chromium, url)


def _read_on_any_screen(browser: Chrome, url: str) -> None:
    for path in PAGES:
        for width in WIDTHS:
            for scheme in SCHEMES:
                set_screen(browser, width, scheme)
                browser.get(url + path)
                for details in every(browser, "details"):
                    browser.execute_script("arguments[0].open = true", details)
                wide = browser.execute_script("return document.documentElement.scrollWidth")
                assert wide <= width, (path, width, wide)
                assert browser.execute_script(SPILLED) == [], (path, width)
                assert browser.execute_script(CONTRAST) == [], (path, width, scheme)
    assert browser.get_log("browser") == []


async def test_structure_for_those_who_do_not_see_it(chromium: Chrome, url: str) -> None:
    await asyncio.to_thread(_check_structure, chromium, url)


def _check_structure(browser: Chrome, url: str) -> None:
    for path in PAGES:
        browser.get(url + path)
        assert one(browser, "html").get_attribute("lang") == "en"
        assert [len(every(browser, tag)) for tag in ("main", "h1", "body > header", "body > footer")] == [
            1,
            1,
            1,
            1,
        ]
        for section in every(browser, "section"):
            assert section.accessible_name
        for table in every(browser, "table"):
            assert table.accessible_name
            assert all(cell.get_attribute("scope") for cell in every(table, "th"))
        for image in every(browser, "svg"):
            assert image.get_attribute("aria-hidden") == "true" or image.get_attribute("aria-label")
