"""The compose files do what they are for: events posted to the gateway come out at the listener, and Prometheus sees all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.services.compose import Stack, compose_up
from tests.services.docker import Docker

ACCOUNTS = [f"acct-{number}" for number in range(12)]
"""Enough for every worker to own some."""
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
    return {account for account in ACCOUNTS if f"{account} " in printed or f"{account}\n" in printed}


def up(stack: Stack) -> dict[str, str]:
    """Prometheus' targets: address to health."""
    answer = stack.get("/api/v1/targets", port=stack.prometheus_port) or {"data": {"activeTargets": []}}
    return {target["scrapeUrl"]: target["health"] for target in answer["data"]["activeTargets"]}


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
        stack.wait("Prometheus' target", lambda: list(up(stack).values()) == ["up"])
        no_secret_is_told(stack)
