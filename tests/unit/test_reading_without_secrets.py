"""Commands that send no webhook need no webhook's secret; those that send do."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.settings import Settings
from streams.cli import plumbline
from streams.embedded import EmbeddedPipeline
from streams.icp_files import load_icps
from streams.kafka import topics
from tests.unit.simulated import ICP

SECRET = "WEBHOOK_SECRET_THAT_IS_NOT_SET"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a service that has run, on a machine where the secret is not."""
    monkeypatch.delenv(SECRET, raising=False)
    data = tmp_path / "data"
    data.mkdir()
    with closing(EmbeddedPipeline(Settings(data_dir=data), load_icps([ICP]))) as engine:
        engine.pipeline.catch_up()
    path = tmp_path / "plumbline.yaml"
    path.write_text(
        f"data_dir: data\nicp: [{ICP}]\nendpoints:\n"
        f'  - {{name: bot, url: "https://h.example/x", secrets: ["env:{SECRET}"]}}\n',
        encoding="utf-8",
    )
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(plumbline, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    "command",
    [
        "drift list",
        "drift explain plg.conversion_gap",
        "dlq list",
        "dlq resume",
        "deliveries list",
        "deliveries endpoints",
        "replay {events}",
        "topics describe",
    ],
)
def test_reading_needs_no_secret_of_a_webhook(
    command: str, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "describe", lambda _: [])
    events = settings.with_name("events.jsonl")
    events.touch()
    done = run(*command.format(events=events).split(), "--settings", settings)
    assert done.exit_code == 0, (done.output, done.exception)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("drift acknowledge plg.conversion_gap --reason known", "nothing drifts in this segment"),
        ("deliveries retry --endpoint bot --dead", "there is no endpoint with this name"),
        ("dlq redrive 7 --yes", "no dead letter lies at 7"),
    ],
)
def test_commands_that_the_service_carries_out_need_none_either(
    command: str, said: str, settings: Path
) -> None:
    assert said in str(run(*command.split(), "--settings", settings).exception)


@pytest.mark.parametrize("command", ["run --drain", "deliver", "gateway", "worker"])
def test_a_service_needs_all_secrets(command: str, settings: Path) -> None:
    refused = run(*command.split(), "--settings", settings)
    assert f"{SECRET} is not set" in str(refused.exception)
