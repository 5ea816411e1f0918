"""What the YAML parser says, in the words of somebody who never programmed."""

from __future__ import annotations

import re

_WORDS: tuple[tuple[str, str, str], ...] = (
    # (found in the parser's own words, what is wrong, what to do)
    (
        r"found character '\\t'",
        "there is a tab here",
        "indent with spaces; most editors can turn tabs into spaces",
    ),
    (
        r"mapping values are not allowed here",
        "there is a colon here that YAML does not expect",
        'put a text that holds ": " in quotes, and check that this line is indented like its neighbours',
    ),
    (
        r"could not find expected ':'",
        "there is no colon after this",
        "write every entry as `key: value`, and long texts in quotes",
    ),
    (
        r"while scanning a quoted scalar.*unexpected end",
        "a quotation mark is opened and never closed",
        "close it, and put a mark inside a text twice ('') or after a backslash (\\\")",
    ),
    (
        r"while parsing a flow (sequence|mapping)",
        "a bracket is opened and not closed, or a comma is missing",
        "write lists as [a, b] and mappings as {key: value}",
    ),
    (
        r"found character '[@`%]'",
        "a text can't begin with this sign",
        "put the text in quotes",
    ),
    (
        r"unknown escape character",
        "a backslash in double quotes has a meaning of its own",
        "use single quotes, '...', for a text with backslashes",
    ),
    (
        r"expected <block end>",
        "this line is not indented like its neighbours",
        "give all entries of one list or mapping the same indentation",
    ),
    (
        r"scanning an alias|scanning an anchor",
        "a text can't begin with * or &",
        "put the text in quotes",
    ),
    (
        r"(?:parsing|scanning) a tag|tag handle",
        "a text can't begin with an exclamation mark",
        "put the text in quotes",
    ),
    (r"directive", "a line can't begin with a percent sign", "put the text in quotes"),
    (
        r"block scalar",
        "a text after | or > begins on the next line",
        "write | or > alone on its line, or put the text in quotes",
    ),
)


def in_plain_words(context: str | None, problem: str | None) -> tuple[str, str]:
    """What is wrong and what to do, for a parser's error."""
    said = f"{context or ''} {problem or ''}"
    for pattern, what, remedy in _WORDS:
        if re.search(pattern, said, re.DOTALL):
            return what, remedy
    return "this can't be read as YAML", "check the indentation, colons, brackets and quotation marks here"
