"""Writes the SVG picture of an alert, as plumbline listen prints it, with colours added. The alert comes in as JSON, as
``plumbline deliveries show ID --json`` prints it:

    .venv/bin/plumbline deliveries show ID --json --settings .plumbline-demo/plumbline.yaml |
        .venv/bin/python setup/alert_picture.py trigger-alert > docs/pictures/trigger-alert.svg

The picture brings nothing from elsewhere, neither fonts nor pictures, and its style names begin with the given name, so that two
can stand on one page.
"""

from __future__ import annotations

import re
import sys
from io import StringIO

import msgspec
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from schemas.alerts import Alert, DataHealthAlert, DriftAlert, Notice
from streams.alert_text import alert_text

COLUMNS = 98
RED, GREEN, CYAN, YELLOW, GREY, WHITE = "#ff7b72", "#3fb950", "#39c5cf", "#d29922", "#92999f", "#e6edf3"
HEADLINES = {DriftAlert: RED, DataHealthAlert: RED, Notice: YELLOW}
"""Colour of the first line; all others' is green."""
FIELD = r"^(Why them|Why now|Blocked|Expect|Reach|Next)(?= {2,}|:)"
DARK = TerminalTheme((22, 27, 34), (230, 237, 243), [(0, 0, 0)] * 8)
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace;
        font-size: {char_height}px;
        white-space: pre;
    }}
    .{unique_id}-title {{
        font-size: 18px;
        font-weight: bold;
        font-family: arial;
    }}
    {styles}
    </style>
    {chrome}
    <g class="{unique_id}-matrix" transform="translate({terminal_x}, {terminal_y})">
    {matrix}
    </g>
</svg>
"""


def picture(alert: Alert, name: str) -> str:
    """The SVG. ``name`` goes before its styles' names."""
    text = Text(alert_text(alert, COLUMNS), style=WHITE)
    text.highlight_regex(r"\A.*", f"bold {HEADLINES.get(type(alert), GREEN)}")
    text.highlight_regex(r"(?<=\n)fit .* crossed .*", "bold")
    text.highlight_regex(re.compile(FIELD, re.MULTILINE), f"bold {CYAN}")
    text.highlight_regex(r"\([+-]\d+\)?", f"bold {YELLOW}")
    text.highlight_regex(r"\(id [0-9a-f]+\)", GREY)
    console = Console(
        width=COLUMNS, record=True, file=StringIO(), color_system="truecolor", force_terminal=True
    )
    console.print(text, highlight=False, soft_wrap=True)
    svg = console.export_svg(title="plumbline listen", code_format=SVG, unique_id=name, theme=DARK)
    return re.sub(r' clip-path="[^"]*"', "", svg)


class _Shown(msgspec.Struct):
    alert: Alert


if __name__ == "__main__":
    if len(sys.argv) != 2 or not re.fullmatch(r"[a-z][a-z-]*", sys.argv[1]):
        sys.exit(
            "usage: plumbline deliveries show ID --json | setup/alert_picture.py NAME   (NAME: small letters and -)"
        )
    sys.stdout.write(picture(msgspec.json.decode(sys.stdin.buffer.read(), type=_Shown).alert, sys.argv[1]))
