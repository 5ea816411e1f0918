"""A real, headless Chromium, driven by selenium: what a page is to the person who opens it.

Rules: every test gets a browser with an empty profile; no name but localhost resolves, so that a page which wants
something from elsewhere is seen to fail; the driver's calls block, so an async test makes them by asyncio.to_thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.services.programs import program

ARGUMENTS = (
    "--headless=new",
    "--window-size=1280,900",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chrome]:
    """The driver of a fresh browser; ``driver.get_log("browser")`` has the page's console."""
    options = ChromeOptions()
    options.binary_location = program("chromium", "chromium-browser", package="chromium")
    driver_path = program("chromedriver", package="chromium-driver")
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path / 'chromium-profile'}")
    if os.geteuid() == 0:  # Chromium's own sandbox refuses to run as root
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(executable_path=driver_path))
    try:
        driver.set_page_load_timeout(60)
        yield driver
    finally:
        driver.quit()
