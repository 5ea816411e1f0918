"""docs/scores.md computes as it says; docs/alerts.md has the alerts and the fields that the program sends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from msgspec import Struct
from ruamel.yaml import YAML

from detectors.account_state import MAX_SEEN
from detectors.acquisition import MAX_STATEMENTS
from detectors.decay import BUCKETS
from detectors.scoring import Reason
from detectors.triggers import MAX_EVIDENCE, MIN_WINDOW
from schemas.alerts import ALERT_CLASSES, Alert, encode_alert
from schemas.duration import parse_duration
from schemas.events import MAX_ATTRIBUTES
from streams.alert_text import alert_text
from tests.unit.account_world import T0, Account, icp, product
from tests.unit.delivery_alerts import data_health, drift, notice
from tests.unit.test_accounts_explanations import WIDTH, alerts_of, rounded
from tests.unit.test_accounts_invariants import STATED_BYTES

DOCS = Path(__file__).parents[2] / "docs"
SCORES = (DOCS / "scores.md").read_text(encoding="utf-8")
ALERTS = (DOCS / "alerts.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


EXAMPLES = [YAML(typ="safe", pure=True).load(block) for block in blocks(SCORES, "yaml")]


def seconds(written: str) -> float:
    return 0.0 if written in ("0d", "0h") else parse_duration(written)


def told(example: dict[str, Any]) -> Account:
    written = {
        "name": "it",
        "when": {"event": "product.event", "name": "invited"},
        "because": "It says so",
        **example["trigger"],
    }
    positive = {
        "name": "other",
        "when": {"event": "web.visit"},
        "weight": 50,
        "half_life": "7d",
        "because": "It says so",
    }
    variant = {
        "name": "main",
        "fit": [{"name": "any", "when": {"sales_reps": 1}, "weight": 100, "because": "All of them"}],
        "triggers": [written, positive],
        "alert": {"trigger_at_least": 40, "rearm_below": 25, "cooldown": "7d"},
    }
    return Account(icp("  " + json.dumps([variant])))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["trigger"]))
def test_scores_are_as_the_page_says(example: dict[str, Any]) -> None:
    account = told(example)
    waiting = []
    for entry in example["events"]:
        ((when, user),) = entry.items() if isinstance(entry, dict) else [(entry, None)]
        waiting.append(product(T0 + seconds(when), **({"user_id": user} if user else {})))
    for written, points in example["points"].items():
        now = T0 + seconds(written)
        while waiting and waiting[0].time.timestamp() <= now:
            account.take(waiting.pop(0))
        account.wait(now)
        lifespan = account.stage.in_force(now).by_name["main"].triggers[0].decay.lifespan_s
        slack = 0.0006 if lifespan == float("inf") else abs(example["trigger"]["weight"]) / BUCKETS
        assert account.part("it", now) == pytest.approx(points, abs=slack), written
    account.take(*waiting)
    if "alerts" in example:
        found = [(alert.at.timestamp() - T0) for alert in account.effects.alerts]
        assert found == [seconds(when) for when in example["alerts"]]


def test_the_page_has_examples_of_everything() -> None:
    used = {key for example in EXAMPLES for key in example["trigger"]}
    assert used == {"weight", "half_life", "linear", "steps", "lasts", "at_least", "within", "daily_cap"}
    assert any("alerts" in example for example in EXAMPLES)
    assert any(example["trigger"]["weight"] < 0 for example in EXAMPLES)


def test_the_page_names_every_reason_and_the_bounds_as_they_are() -> None:
    named = set(re.findall(r"^\| `(\w+)` \| (?:the|a) ", SCORES, re.M))
    assert named == set(get_args(Reason)) - {"fire"}
    for said in (
        f"the {MIN_WINDOW} newest events, or twice",
        f"the newest {MAX_SEEN * 3 // 4} to {MAX_SEEN} events",
        f"{MAX_STATEMENTS} statements",
        f"the {MAX_EVIDENCE} newest events",
        f"at most {MAX_ATTRIBUTES}\nattributes",
        f"{BUCKETS} stretches",
        f"{STATED_BYTES:,} bytes",
        f"{30 * 24 * 60 / BUCKETS // 60:.0f} hours and {30 * 24 * 60 / BUCKETS % 60:.0f} minutes",
    ):
        assert said in SCORES, said


# docs/alerts.md


SHOWN: dict[str, Alert] = {
    "trigger": alerts_of("call-today")[0],
    "blocker_ended": alerts_of("blocked")[0],
    "activation_missed": alerts_of("not-activated")[0],
    "drift": drift(),
    "notice": notice(),
    "data_health": data_health(),
}


def sections() -> dict[str, str]:
    parts = re.split(r"^## (\w+)$", ALERTS, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_one_alert_of_each_kind_is_shown() -> None:
    assert set(sections()) == set(ALERT_CLASSES)


@pytest.mark.parametrize("kind", ALERT_CLASSES)
def test_the_alert_shown_is_what_is_sent(kind: str) -> None:
    (block,) = blocks(sections()[kind], "json")
    assert json.loads(block) == rounded(msgspec.json.decode(encode_alert(SHOWN[kind])))


def test_the_text_shown_is_what_people_get() -> None:
    (block,) = blocks(sections()["trigger"], "text")
    assert block.rstrip("\n") == alert_text(SHOWN["trigger"], WIDTH)


def structs(cls: type[Struct]) -> dict[str, type[Struct]]:
    """The structs below an alert, by the field that holds them; the first field stands for others of the same type."""
    found: dict[str, type[Struct]] = {}
    for name, annotation in get_type_hints(cls).items():
        for inner in (annotation, *get_args(annotation)):
            if isinstance(inner, type) and issubclass(inner, Struct) and inner not in found.values():
                found[name] = inner
                found.update(structs(inner))
    return found


@pytest.mark.parametrize("kind", ALERT_CLASSES)
def test_the_fields_explained_are_those_that_there_are(kind: str) -> None:
    cls = ALERT_CLASSES[kind]
    tables = dict(
        re.findall(
            r"^\| field(?: of `(\w+)`)? \| meaning \|\n\|---\|---\|\n((?:\|.*\n?)+)", sections()[kind], re.M
        )
    )
    explained = {of: re.findall(r"^\| `(\w+)` \| \S", rows, re.M) for of, rows in tables.items()}
    expected = {of: list(struct.__struct_fields__) for of, struct in structs(cls).items()}
    assert explained == {"": ["kind", *cls.__struct_fields__], **expected}
