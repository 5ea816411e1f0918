"""Writes Grafana's dashboards: `python -m deploy.grafana.build`, or make dashboards.

The JSON is committed, so that who runs Grafana needs none of this; a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.drift import drift
from deploy.grafana.operations import operations
from deploy.grafana.triggers import triggers

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS: Mapping[str, Callable[[], Dashboard]] = {
    "drift.json": drift,
    "triggers.json": triggers,
    "operations.json": operations,
}
"""file in FOLDER -> what builds it"""


def written(dashboard: Dashboard) -> str:
    """The JSON model, as Grafana reads it. Panels are numbered, so that a link to one of them leads there tomorrow too."""
    model = dashboard.build()
    for number, panel in enumerate(model.panels or [], start=1):
        panel.id_val = number
    return json.dumps(model, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file, built in DASHBOARDS.items():
        (FOLDER / file).write_text(written(built()))
