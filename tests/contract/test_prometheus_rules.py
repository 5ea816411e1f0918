"""The Prometheus rules: their cases run in the real promtool, and they name only what the service serves."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from streams.metrics import Metrics
from tests.services.programs import program

FOLDER = Path(__file__).parents[2] / "deploy/prometheus"


def rules() -> list[dict[str, object]]:
    documents = [YAML(typ="safe", pure=True).load(path) for path in sorted(FOLDER.glob("*.rules.yml"))]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


def promtool(*arguments: str) -> None:
    binary = program("promtool", package="prometheus")
    done = subprocess.run(
        [binary, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "--lint-fatal", "plumbline.rules.yml", "distributed.rules.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "config", "--syntax-only", "distributed.yml"),
        ("test", "rules", "plumbline.rules.test.yml", "distributed.rules.test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments):
    promtool(*arguments)


def test_rules_name_only_what_the_service_serves():
    families = text_string_to_metric_families(Metrics().expose().decode())
    served = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    named = {name for rule in rules() for name in re.findall(r"\bplumbline_[a-z0-9_]+", f"{rule}")}
    assert named
    assert named <= served


def test_every_alert_has_a_case_and_a_known_severity():
    cases = "\n".join(path.read_text() for path in sorted(FOLDER.glob("*.rules.test.yml")))
    alerts = [rule for rule in rules() if "alert" in rule]
    assert {rule["labels"]["severity"] for rule in alerts} == {"page", "ticket"}
    for rule in alerts:
        assert {"summary", "description"} == set(rule["annotations"])
        firing = rf"alertname: {rule['alert']}\n\s+exp_alerts:\n"
        silent = rf"alertname: {rule['alert']}, exp_alerts: \[\]"
        assert re.search(firing, cases), f"no case in which {rule['alert']} fires"
        assert re.search(silent, cases), f"no case in which {rule['alert']} is silent"
