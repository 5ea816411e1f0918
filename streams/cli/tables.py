"""Where commands print their tables, so that no word of them is lost: what does not fit is broken, never cut.

In a terminal a table is as wide as that. What is piped or goes to a file has no width, so a row stays one line there;
COLUMNS gives it one.
"""

from __future__ import annotations

import os

from rich.console import Console

PIPED = 400
"""columns without a terminal: more than any row needs"""


def table_console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=PIPED)
    return console
