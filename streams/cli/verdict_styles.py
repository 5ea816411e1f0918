"""How a verdict's state looks in a terminal: the same in every command."""

from __future__ import annotations

from detectors.signals.contract import VerdictState

STYLES: dict[VerdictState, str] = {
    "ill": "bold red",
    "drifting": "bold red",
    "acknowledged": "yellow",
    "suspended": "magenta",
    "resolved": "green",
    "watching": "default",
    "learning": "dim",
}
