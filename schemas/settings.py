"""How a deployment is configured: a YAML file, overridden by PLUMBLINE_* in the environment.

Secrets are SecretStr: they are never in a log line, an error, a page or a repr. They can be written into the file, or
better named there as ``env:NAME``, which streams/settings_file.py looks up.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from schemas.duration import DAY, HOUR, parse_duration
from schemas.events import Limits

Duration = Annotated[
    float, BeforeValidator(lambda written: parse_duration(written) if isinstance(written, str) else written)
]
Label = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]

AlertKind = Literal["trigger", "blocker_ended", "activation_missed", "drift", "notice"]
Quadrant = Literal["route", "nurture", "discover", "not_now"]


class Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Token(Written):
    """A bearer token. ``source`` is the CloudEvents source that it may write (a glob); ``read`` opens API and pages."""

    name: Label
    token: SecretStr
    source: str | None = None
    read: bool = False


class Endpoint(Written):
    """A webhook receiver. Every secret signs (Standard Webhooks), so that one can be rotated; write them whsec_..."""

    name: Label
    url: str
    secrets: Annotated[list[SecretStr], Field(min_length=1, max_length=5)]


class Subscription(Written):
    """Which alerts go to which endpoint. An empty list takes all; alerts older than ``max_age`` are not sent."""

    endpoint: Label
    kinds: list[AlertKind] = []
    variants: list[str] = []
    quadrants: list[Quadrant] = []
    signals: list[str] = []
    max_age: Duration = 7 * DAY


class Egress(Written):
    """Private networks that webhooks may reach nevertheless, by explicit decision of an operator."""

    allow_networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []


class DriftSettings(Written):
    false_alarms_per_year: Annotated[float, Field(gt=0, le=12)] = 1.0
    """For the whole installation, shared over signals and segments."""
    horizon: Duration = 60 * DAY
    """plg.conversion_gap: how long an activated account is given to convert."""
    activation_horizon: Duration = 30 * DAY
    min_baseline: Annotated[int, Field(ge=50)] = 300
    """Observations in a baseline, at least."""
    min_baseline_days: Annotated[float, Field(ge=7)] = 28
    max_segments: Annotated[int, Field(ge=1, le=50)] = 12
    """Segments watched for each signal; the others together are `other`."""


class Settings(Written):
    listen: str = "127.0.0.1:8460"
    data_dir: Path = Path("plumbline-data")
    icp: list[Path] = []
    clock: Literal["wall", "events"] = "wall"
    """wall: timers fire by the clock once the log is read to its end; events: by event time alone (back-fills, tests)."""
    late_after: Duration = 30 * DAY
    max_event_bytes: Annotated[int, Field(ge=256, le=10_000_000)] = 65_536
    max_event_depth: Annotated[int, Field(ge=3, le=64)] = 8
    future_tolerance: Duration = HOUR
    max_request_bytes: Annotated[int, Field(ge=1024)] = 10_000_000
    max_lag_events: Annotated[int, Field(ge=1)] = 1_000_000
    """The gateway answers 429 while more events than this wait to be processed."""
    tokens: list[Token] = []
    endpoints: list[Endpoint] = []
    subscriptions: list[Subscription] = []
    egress: Egress = Egress()
    drift: DriftSettings = DriftSettings()

    @property
    def limits(self) -> Limits:
        return Limits(
            max_bytes=self.max_event_bytes,
            max_depth=self.max_event_depth,
            future_tolerance_s=self.future_tolerance,
        )

    @model_validator(mode="after")
    def _endpoints_exist(self) -> Settings:
        names = [endpoint.name for endpoint in self.endpoints]
        if len(set(names)) != len(names):
            raise ValueError("two endpoints have the same name")
        for subscription in self.subscriptions:
            if subscription.endpoint not in names:
                raise ValueError(
                    f"a subscription names the endpoint {subscription.endpoint!r}, which is not among endpoints"
                )
        return self
