"""plumbline listen and plumbline deliveries as a person runs them: real processes, a real file, real requests."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner, Result
from standardwebhooks.webhooks import Webhook

from schemas.alerts import Alert, encode_alert
from schemas.errors import BadInput, PlumblineError
from schemas.settings import Settings
from streams.cli.deliveries import command as deliveries
from streams.cli.listen import command as listen
from streams.delivery.dispatcher import Dispatcher
from streams.delivery.policy import Answer, EndpointGone, GiveUp, TryAgain
from streams.delivery.policy import Result as Outcome
from streams.delivery.queue import Queue
from streams.delivery.schema import connect
from streams.delivery.signing import headers, payload
from streams.delivery.subscriptions import Route, Routed
from tests.unit.delivery_alerts import AT, drift, notice, trigger

SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
NOW = AT.timestamp()


@asynccontextmanager
async def listening(*options: str) -> AsyncIterator[tuple[Process, str]]:
    """``plumbline listen`` at a free port, and its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from streams.cli import main; main()", "listen", "--port", "0", *options),
        stdout=PIPE,
        stderr=PIPE,
        env={"WEBHOOK_SECRET": SECRET, "COLUMNS": "100", "PYTHONUTF8": "1"},
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            while not (line := (await process.stderr.readline()).decode()).startswith("listening on "):
                assert line, "it ended before it listened"
        yield process, line.split()[2]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.communicate()


async def post(url: str, alert: Alert, *, at: float | None = None, secret: str = SECRET) -> int:
    body = payload(encode_alert(alert))
    signed = headers([Webhook(secret)], alert.id, time.time() if at is None else at, body)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/any/path", data=body, headers=signed, allow_redirects=False) as response,
    ):
        return response.status


async def printed(process: Process) -> str:
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    return out.decode()


async def test_listen_prints_each_alert_once_and_refuses_what_is_not_signed() -> None:
    async with listening("--secret", "env:WEBHOOK_SECRET", "--count", "2") as (process, url):
        assert await post(url, trigger()) == 200
        assert await post(url, trigger()) == 200
        assert await post(url, drift(), secret="whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB") == 401
        assert await post(url, drift(), at=time.time() - 600) == 401
        assert await post(url, drift()) == 200
        text = await printed(process)
    assert text.count("CALL TODAY · Northwind Traders") == 1
    assert f"again: {trigger().id}" in text
    assert "refused with 401: no matching signature found" in text
    assert "refused with 401: message timestamp too old" in text
    assert text.count("DRIFTING · plg.conversion_gap") == 1
    assert SECRET not in text
    assert process.returncode == 0


async def test_listen_in_json_and_with_another_answer() -> None:
    async with listening("--secret", SECRET, "--respond", "503", "--json", "--count", "1") as (process, url):
        assert await post(url, notice(), at=0) == 401
        assert await post(url, notice()) == 503
        refused, message = map(json.loads, (await printed(process)).splitlines())
    assert refused == {"refused": "message timestamp too old"}
    assert (message["webhook_id"], message["again"]) == (notice().id, False)
    assert message["message"]["data"]["finding"] == "whole funnel"


async def test_listen_cannot_be_made_to_command_the_terminal() -> None:
    async with listening("--secret", SECRET, "--count", "1") as (process, url):
        assert await post(url, trigger(account_name="\x1b]0;owned\x07\x1b[2J")) == 200
        assert "\x1b" not in await printed(process)


@pytest.mark.parametrize("secret", ["swordfish", "whsec_AAAA", SECRET.removeprefix("whsec_"), f" {SECRET}"])
@pytest.mark.parametrize("named", [True, False])
def test_listen_refuses_what_can_sign_nothing(
    secret: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", secret)
    result = CliRunner().invoke(
        listen, ["--port", "0", "--secret", "env:WEBHOOK_SECRET" if named else secret]
    )
    assert isinstance(result.exception, BadInput)
    assert "this is not a webhook secret" in str(result.exception)
    assert secret not in str(result.exception)


async def test_listen_that_is_stopped_before_its_count_says_so() -> None:
    async with listening("--secret", SECRET, "--count", "5") as (process, url):
        assert await post(url, trigger()) == 200
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            _, error = await process.communicate()
    assert process.returncode == 1
    assert "1 of 5" in error.decode()


async def test_what_the_service_sends_listen_verifies(tmp_path: Path) -> None:
    path = tmp_path / "plumbline.db"
    put(path, trigger(1, at=datetime.now(UTC)), trigger(2, at=datetime.now(UTC)))
    async with listening("--secret", SECRET, "--count", "2") as (process, url):
        settings = Settings.model_validate(
            {
                "endpoints": [{"name": "sdr", "url": f"{url}/hook", "secrets": [SECRET]}],
                "subscriptions": [{"endpoint": "sdr"}],
                "egress": {"allow_networks": ["127.0.0.1/32"]},
            }
        )
        dispatcher = Dispatcher(
            path, settings, now=time.time, rng=random.Random(1), on_result=lambda *_: None, poll_s=0.02
        )
        sending = asyncio.create_task(dispatcher.run())
        text = await printed(process)
        await dispatcher.stop()
        await sending
    assert text.count("CALL TODAY") == 2


def put(path: Path, *alerts: Alert) -> None:
    with closing(connect(path, create=True)) as db:
        db.executemany(
            "INSERT INTO outbox(id, kind, at, body) VALUES (?, ?, ?, ?)",
            [(a.id, a.__struct_config__.tag, a.at.timestamp(), encode_alert(a)) for a in alerts],
        )


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with a dead, a retrying, a delivered and a skipped delivery, and one endpoint that is gone."""
    path = tmp_path / "plumbline.db"
    put(path, trigger(1), trigger(2), drift(), notice())
    with closing(Queue.open(path)) as queue:
        queue.start(["sdr", "vp"], NOW)
        sent = iter([Route.SEND, Route.SEND, Route.SEND, Route.TOO_OLD])
        queue.fan_out(lambda _: [Routed("sdr", next(sent))], ["sdr"], NOW)
        one, two, three = (queue.take("sdr", NOW) for _ in range(3))
        assert one is not None
        assert two is not None
        assert three is not None
        queue.settle(one, "sdr", Answer(status=500), GiveUp(result=Outcome.SERVER_ERROR), NOW)
        egress = Answer(failure=Outcome.EGRESS_REFUSED, detail="loopback")
        queue.settle(two, "sdr", egress, TryAgain(result=Outcome.EGRESS_REFUSED, at=NOW + 60), NOW)
        queue.settle(three, "vp", Answer(status=410), EndpointGone(), NOW)
    return tmp_path


def run(data_dir: Path, *words: str) -> Result:
    return CliRunner().invoke(
        deliveries, [*words, "--data-dir", str(data_dir)], env={"COLUMNS": "200"}, catch_exceptions=True
    )


def test_list_and_its_filters(data_dir: Path) -> None:
    everything = run(data_dir, "list")
    assert everything.exit_code == 0
    for word in ("dead", "retrying", "skipped", "server_error (500)", "egress_refused (loopback)", "too_old"):
        assert word in everything.output
    rows = [
        json.loads(line) for line in run(data_dir, "list", "--json", "--state", "dead").output.splitlines()
    ]
    assert [(r["alert_id"], r["state"], r["status"]) for r in rows] == [(trigger(1).id, "dead", 500)]
    assert rows[0]["alert_at"] == "2026-11-04T09:30:00Z"
    assert run(data_dir, "list", "--json", "--endpoint", "vp").output == ""
    assert run(data_dir, "list", "--state", "unheard-of").exit_code == 2


def test_show(data_dir: Path) -> None:
    shown = run(data_dir, "show", trigger(1).id[:8])
    assert shown.exit_code == 0
    assert "CALL TODAY · Northwind Traders" in shown.output
    assert trigger(1).id in shown.output
    assert "server_error (500)" in shown.output
    as_json = json.loads(run(data_dir, "show", drift().id, "--json").output)
    assert as_json["alert"]["signal"] == "plg.conversion_gap"
    assert [d["endpoint"] for d in as_json["deliveries"]] == ["sdr"]
    assert isinstance(run(data_dir, "show", "ffffffff").exception, PlumblineError)


def test_retry(data_dir: Path) -> None:
    assert "1 delivery due now" in run(data_dir, "retry", trigger(1).id[:8]).output
    again = run(data_dir, "retry", trigger(1).id[:8])
    assert isinstance(again.exception, PlumblineError), "it waits already"
    assert json.loads(run(data_dir, "retry", "--endpoint", "sdr", "--dead", "--json").output) == {
        "retried": 0
    }
    assert json.loads(run(data_dir, "retry", notice().id, "--json").output) == {"retried": 1}, (
        "skipped, and wanted"
    )
    for wrong in (["retry"], ["retry", "--dead"], ["retry", "abcd", "--dead", "--endpoint", "sdr"]):
        assert run(data_dir, *wrong).exit_code == 2
    assert isinstance(run(data_dir, "retry", "--endpoint", "nobody", "--dead").exception, PlumblineError)


def test_endpoints_enable_and_disable(data_dir: Path) -> None:
    assert "answered 410 Gone" in run(data_dir, "endpoints").output
    assert run(data_dir, "enable", "vp").output == "vp is enabled\n"
    assert run(data_dir, "enable", "vp").output == "vp was enabled already\n"
    assert run(data_dir, "disable", "sdr", "--because", "moving house").output == "sdr is disabled\n"
    sdr, vp = (json.loads(line) for line in run(data_dir, "endpoints", "--json").output.splitlines())
    assert (sdr["state"], sdr["disabled_because"], vp["state"]) == ("disabled", "moving house", "enabled")
    assert sdr["counts"]["dead"] == 1
    assert isinstance(run(data_dir, "disable", "nobody").exception, PlumblineError)


def test_neither_secret_nor_path_nor_query_is_shown(data_dir: Path) -> None:
    settings = data_dir / "plumbline.yaml"
    settings.write_text(
        f"data_dir: {data_dir}\n"
        "endpoints:\n"
        "  - name: sdr\n"
        "    url: https://hooks.example.com/services/T0KEN/p4th?key=qu3ry\n"
        f"    secrets: [{SECRET}]\n"
        "subscriptions: [{endpoint: sdr}]\n"
    )
    for words in (["endpoints"], ["endpoints", "--json"], ["list"], ["show", drift().id]):
        result = CliRunner().invoke(deliveries, [*words, "--settings", str(settings)], env={"COLUMNS": "200"})
        assert result.exit_code == 0
        if words[0] == "endpoints":
            assert "https://hooks.example.com" in result.output
        for hidden in (SECRET, "T0KEN", "p4th", "qu3ry"):
            assert hidden not in result.output


def test_a_directory_without_a_service_says_what_to_do(tmp_path: Path) -> None:
    result = run(tmp_path, "list")
    assert isinstance(result.exception, PlumblineError)
    assert "--data-dir" in result.exception.remedy
    assert not (tmp_path / "plumbline.db").exists()


def test_the_file_can_be_looked_at_while_the_service_writes(data_dir: Path) -> None:
    with closing(sqlite3.connect(data_dir / "plumbline.db", isolation_level=None)) as writing:
        writing.execute("BEGIN IMMEDIATE")
        assert run(data_dir, "list").exit_code == 0
        assert run(data_dir, "endpoints").exit_code == 0
        writing.execute("ROLLBACK")
