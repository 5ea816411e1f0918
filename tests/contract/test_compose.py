"""The compose files do what they are for: events posted to the gateway come out at the listener, and Prometheus sees all."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.services.compose import Stack, compose_up
from tests.services.docker import ROOT, Docker

pytestmark = pytest.mark.timeout(900)  # the first run on a machine builds every image

ACCOUNTS = [f"acct-{number}" for number in range(12)]
"""Enough for every worker to own some."""
LATER = [f"later-{number}" for number in range(12)]
PROFILE = {
    "employees": 300,
    "industry": "software",
    "technologies": ["snowflake", "dbt"],
    "sales_reps": 60,
    "compliance": ["soc2"],
    "open_roles": {"data_engineer": 3},
}


def buying(account: str) -> list[dict[str, Any]]:
    """Events by which the sample ICP says: call them now."""
    now = datetime.now(UTC) - timedelta(minutes=10)

    def event(number: int, type_: str, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": f"{account}-{number}",
            "source": "test.example",
            "type": type_,
            "subject": account,
            "time": (now + timedelta(minutes=number)).isoformat(),
            "data": data,
        }

    visit = {"visitor_id": f"v-{account}", "url": "https://acme.example/pricing", "path": "/pricing"}
    return [
        event(0, "account.profile", {"attributes": PROFILE}),
        *(event(number, "web.visit", visit) for number in range(1, 5)),
    ]


def alerted(stack: Stack) -> set[str]:
    """Accounts whose alert the listener has printed."""
    printed = stack.logs("listener")
    return {account for account in (*ACCOUNTS, *LATER) if re.search(rf"\b{account}\b", printed)}


def up(stack: Stack) -> dict[str, str]:
    """Prometheus' targets: address to health."""
    answer = stack.get("/api/v1/targets", port=stack.prometheus_port) or {"data": {"activeTargets": []}}
    return {target["scrapeUrl"]: target["health"] for target in answer["data"]["activeTargets"]}


def all_up(stack: Stack, count: int) -> dict[str, str]:
    """The targets once there are ``count`` of them, each healthy; else none."""
    targets = up(stack)
    return targets if len(targets) == count and set(targets.values()) == {"up"} else {}


def alertmanagers(stack: Stack) -> list[str]:
    """Where Prometheus sends alerts to."""
    answer = stack.get("/api/v1/alertmanagers", port=stack.prometheus_port)
    return [each["url"] for each in answer["data"]["activeAlertmanagers"]]


def hardened(stack: Stack) -> None:
    """What the daemon really gave the containers."""
    for service in stack.services:
        for container in stack.containers(service):
            host = container["HostConfig"]
            assert host["CapDrop"] == ["ALL"], service
            assert host["ReadonlyRootfs"] or service == "kafka", service
            assert "no-new-privileges:true" in host["SecurityOpt"], service
            assert container["Config"]["User"] not in ("", "root", "0"), service
            bound = [port for ports in (host["PortBindings"] or {}).values() for port in ports]
            assert {port["HostIp"] for port in bound} <= {"127.0.0.1"}, service


def no_secret_is_told(stack: Stack) -> None:
    printed = stack.logs()
    assert not [name for name, secret in stack.secrets.items() if secret in printed]


def test_embedded(docker: Docker):
    events = [event for account in ACCOUNTS for event in buying(account)]
    with compose_up(docker, "docker-compose.embedded.yml") as stack:
        stack.wait("the service", lambda: stack.get("/v1/accounts"))
        hardened(stack)
        assert stack.post(events) == {"accepted": len(events)}
        stack.wait("an alert for each at the listener", lambda: alerted(stack) == set(ACCOUNTS))
        stack.wait("Prometheus' target", lambda: all_up(stack, 1))
        no_secret_is_told(stack)


def test_distributed(docker: Docker):
    events = [event for account in ACCOUNTS for event in buying(account)]
    with compose_up(docker, "docker-compose.yml") as stack:
        stack.wait("the gateway", lambda: stack.get("/readyz"))
        hardened(stack)
        assert stack.post(events) == {"accepted": len(events)}
        stack.wait("an alert for each at the listener", lambda: alerted(stack) == set(ACCOUNTS))
        targets = stack.wait("all targets of Prometheus", lambda: all_up(stack, 4))
        assert len(targets) == 4  # two workers, gateway, deliver
        stack.wait("Alertmanager", lambda: alertmanagers(stack) == ["http://alertmanager:9093/api/v2/alerts"])
        assert stack.containers("topics")[0]["State"]["ExitCode"] == 0

        # The commands of docs/deploy.md reach Kafka from within.
        command = "run --rm topics plumbline dlq list --settings distributed.yaml"
        assert command in " ".join((ROOT / "docs/deploy.md").read_text().split())
        stack.run(*command.split())

        # A worker less: the other takes its partitions over, and what was counted stays counted.
        first = stack.containers("worker")[0]["Id"]
        docker.run("kill", first)
        more = [event for account in LATER for event in buying(account)]
        assert stack.post(more + events) == {"accepted": len(more + events)}
        stack.wait("alerts by the worker that is left", lambda: alerted(stack) == {*ACCOUNTS, *LATER})
        no_secret_is_told(stack)
