"""PromQL over the states of drift segments and sources, which two dashboards show.

Rule: several processes may serve a series of the same name, so each is taken by ``max`` over them.
"""

from __future__ import annotations

from deploy.grafana.panels import BLUE, GREEN, GREY, ORANGE, RED, YELLOW

COLOURS = {
    "learning": GREY,
    "watching": GREEN,
    "drifting": RED,
    "acknowledged": ORANGE,
    "resolved": BLUE,
    "suspended": YELLOW,
    "ill": "dark-red",
}
"""state -> colour, in the order of their numbers"""


def in_state(series: str, states: str, *, by: str) -> str:
    """1 for each series that is in one of ``states`` (a regular expression). ``series``: label matchers."""
    return f'max by ({by}) (plumbline_drift_state{{{series}, state=~"{states}"}}) == 1'


def state_number(series: str, *, by: str) -> str:
    """The place of each series' state in COLOURS, from 1 on."""
    each = (
        f'max by ({by}) (plumbline_drift_state{{{series}, state="{state}"}} == 1) * {place}'
        for place, state in enumerate(COLOURS, start=1)
    )
    return "\n  or ".join(each)


def strength(series: str, *, by: str) -> str:
    """The statistic as a multiple of its threshold: it alarms at 1. Nothing where there is no threshold yet."""
    return (
        f"max by ({by}) (plumbline_drift_statistic{{{series}}})"
        f"\n  / (max by ({by}) (plumbline_drift_threshold{{{series}}}) > 0)"
    )
