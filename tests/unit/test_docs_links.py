"""Every link on our pages leads somewhere: to a file that is there, to a heading that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(
            page
            for folder in ("docs", "examples", "deploy", "setup")
            for page in (ROOT / folder).rglob("*.md")
        ),
    ]
)


def tokens(page: Path) -> Iterator[Token]:
    for block in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        yield block
        yield from block.children or ()


def links(page: Path) -> list[str]:
    found = [
        token.attrGet("href") if token.type == "link_open" else token.attrGet("src")
        for token in tokens(page)
        if token.type in ("link_open", "image")
    ]
    return [str(link) for link in found]


def anchors(page: Path) -> set[str]:
    """The headings of a page as the anchors that code hosts make of them."""
    found: set[str] = set()
    blocks = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    for opening, inline in pairwise(blocks):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            number = 1
            unique = slug
            while unique in found:
                unique = f"{slug}-{number}"
                number += 1
            found.add(unique)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme in ("http", "https", "mailto"):
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not target.is_relative_to(ROOT) or not target.exists():
            broken.append(f"{link}: no such file")
        elif parts.fragment and target.suffix == ".md" and parts.fragment not in anchors(target):
            broken.append(f"{link}: no such heading")
    assert not broken


def test_the_pages_are_found():
    assert {"README.md", "CONTRIBUTING.md", "docs/metrics.md"} <= {
        str(page.relative_to(ROOT)) for page in PAGES
    }
