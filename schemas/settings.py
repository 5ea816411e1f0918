"""How a deployment is configured: a YAML file, overridden by PLUMBLINE_* in the environment.

Rules:
1. Secrets are SecretStr: they are never in a log line, an error, a page or a repr. They can be written into the file,
   or better named there as ``env:NAME``, which streams/settings_file.py looks up. A webhook's URL can hold a secret
   too, so it is in no repr and no error.
2. Whoever binds an address that others can reach needs a token that may read, or the settings are refused.

docs/settings.md explains every setting.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from schemas.alerts import ALERT_CLASSES
from schemas.duration import DAY, HOUR, write_duration
from schemas.events import Limits
from schemas.file_positions import show_key
from schemas.kafka_settings import KafkaSettings
from schemas.redis_settings import RedisSettings
from schemas.settings_values import (
    BearerToken,
    CurrencyCode,
    Duration,
    EndpointUrl,
    Glob,
    Label,
    Listen,
    Network,
    Number,
    WebhookSecret,
    Whole,
)
from schemas.written import Misfit, Written
from schemas.written_values import AwareTime

MIN_EXPOSED_TOKEN = 16
"""Characters of a token, at least, where others can reach the service."""
MAX_ENTRIES = 200

_ASKED_OF = {"variants": "variant", "quadrants": "quadrant", "signals": "signal"}
"""List of a subscription -> field of an alert."""

AlertKind = Literal["trigger", "blocker_ended", "activation_missed", "drift", "notice", "data_health"]
Quadrant = Literal["route", "nurture", "discover", "not_now"]
RiverDetectorName = Literal["adwin", "page_hinkley", "kswin", "hddm_a"]


class Token(Written):
    """A bearer token. It opens what it says and no more."""

    name: Annotated[Label, Field(examples=["crm"])]
    """A short name for log lines, like crm."""
    token: Annotated[BearerToken, Field(examples=["env:PLUMBLINE_CRM_TOKEN"])]
    """The token itself, or env:NAME to take it from the environment."""
    source: Annotated[Glob | None, Field(examples=['"https://crm.example/*"'])] = None
    """Which CloudEvents source it may write: a pattern with * and ?."""
    read: bool = False
    """Opens the API, the pages and the metrics."""
    acknowledge: bool = False
    """May acknowledge drifts and have baselines taken anew, and announce changes: events drift.acknowledged and
    drift.announced, whatever their source."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        opens = (written.get("source"), written.get("read"), written.get("acknowledge"))
        if all(each in (None, False) for each in opens):
            yield Misfit(
                "this token opens nothing",
                "add source: (what it may write), read: true, or acknowledge: true",
                code="useless_token",
                absent=("source", "read", "acknowledge"),
            )


class Endpoint(Written):
    """A webhook receiver."""

    name: Annotated[Label, Field(examples=["sdr-bot"])]
    """A short name for log lines and metrics, like sdr-bot."""
    url: Annotated[EndpointUrl, Field(repr=False, examples=["https://hooks.example/plumbline"])]
    """Where alerts are posted, http or https."""
    secrets: Annotated[
        list[WebhookSecret],
        Field(min_length=1, max_length=5, examples=["[env:PLUMBLINE_SDR_SECRET]"]),
    ]
    """Every one of them signs (Standard Webhooks), so that one can be rotated: whsec_..., or env:NAME."""


class Subscription(Written):
    """Which alerts go to which endpoint. An empty list takes all."""

    endpoint: Annotated[Label, Field(examples=["sdr-bot"])]
    """The endpoint's name."""
    kinds: list[AlertKind] = Field(default_factory=list, max_length=MAX_ENTRIES)
    """Kinds of alerts."""
    variants: list[str] = Field(default_factory=list, max_length=MAX_ENTRIES)
    """Names of the ICP file's variants."""
    quadrants: list[Quadrant] = Field(default_factory=list, max_length=MAX_ENTRIES)
    """route (fit and trigger high), nurture (fit), discover (trigger), not_now."""
    signals: list[str] = Field(default_factory=list, max_length=MAX_ENTRIES)
    """Drift signals, like plg.conversion_gap."""
    max_age: Duration = 7 * DAY
    """Alerts older than this are not sent: what comes out of a history is no news."""

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        kinds = written.get("kinds") or list(ALERT_CLASSES)
        asked = {name: field for name, field in _ASKED_OF.items() if written.get(name)}
        taken = [
            ALERT_CLASSES[kind]
            for kind in (kinds if isinstance(kinds, list) else ())
            if isinstance(kind, str) and kind in ALERT_CLASSES
        ]
        if asked and taken and not any(set(asked.values()) <= set(each.__struct_fields__) for each in taken):
            has = " and ".join(f"a {field}" for field in asked.values())
            yield Misfit(
                f"no alert of {'these kinds' if written.get('kinds') else 'any kind'} has {has}: nothing would be sent",
                "write a subscription for each kind of alert",
                (next(iter(asked)),),
                code="never_matches",
            )


class Egress(Written):
    """Where webhooks may go."""

    allow_networks: list[Network] = Field(default_factory=list, max_length=MAX_ENTRIES)
    """Private networks that webhooks may reach nevertheless, by an operator's decision, like 10.2.3.0/24."""


class DriftSettings(Written):
    """How drift is judged."""

    false_alarms_per_year: Annotated[Number, Field(gt=0, le=12)] = 1.0
    """For the whole installation, shared over signals and segments."""
    horizon: Duration = 60 * DAY
    """plg.conversion_gap: how long an activated account is given to convert."""
    activation_horizon: Duration = 30 * DAY
    """plg.conversion_gap: how long a new account is given to activate."""
    min_baseline: Annotated[Whole, Field(ge=50)] = 300
    """Observations in a baseline, at least."""
    min_baseline_days: Annotated[Number, Field(ge=7)] = 28
    """Days that a baseline covers, at least."""
    max_segments: Annotated[Whole, Field(ge=1, le=50)] = 12
    """Segments watched for each signal; the others together are `other`."""
    burst_gap: Duration = DAY
    """What one account does again within this time of the last is one observation, a burst."""
    burst_longest: Duration = 7 * DAY
    """A burst lasts this long at most; what goes on longer is the next one."""
    opportunity_settling: Duration = 14 * DAY
    """slg.hedged_language: how long after its creation an opportunity's notes are read; closing ends it earlier."""
    onboarding_horizon: Duration = 60 * DAY
    """clg.roadmap_onboarding: how long a new account is given to be onboarded."""
    profile_settling: Duration = 7 * DAY
    """slg.off_profile_pipeline: how long after an opportunity's creation the profile may settle before it is judged."""
    support_exposure: Literal["seats", "usage"] = "seats"
    """clg.support_burden: whether customers weigh by their seats or by their product events over 90 days."""
    currency_rates: dict[CurrencyCode, Annotated[Number, Field(gt=0, le=1e9)]] = Field(
        default_factory=dict, max_length=MAX_ENTRIES, examples=["{USD: 0.92, GBP: 1.17}"]
    )
    """What one unit of a currency is worth in that of the ICP file's bands: amount. Deals in others are a band of their own."""
    second_opinion: dict[str, RiverDetectorName] = Field(
        default_factory=dict, max_length=MAX_ENTRIES, examples=["{plg.ticket_comprehension: adwin}"]
    )
    """Signals with one of river's detectors beside them, whose finds are notices: adwin, page_hinkley, kswin or hddm_a."""
    baseline_from: dict[str, AwareTime] = Field(
        default_factory=dict, max_length=MAX_ENTRIES, examples=["{plg.conversion_gap: 2026-01-01T00:00:00Z}"]
    )
    """Signals whose baseline is learned from a time on: what began before is counted out. Holds for states that begin with it."""


class DeadLetterSettings(Written):
    """When a partition stops because too many of its events can't be used: after a bad deploy, say."""

    window: Annotated[Whole, Field(ge=10, le=1_000_000)] = 1000
    """How many of the newest events are looked at; all since the start while those are fewer."""
    share: Annotated[Number, Field(gt=0, le=1)] = 0.5
    """The partition stops when more than this share of them would be dead letters. 1 never stops it."""
    min_count: Annotated[Whole, Field(ge=1, le=1_000_000)] = 100
    """Fewer dead letters than this never stop it."""


class Settings(Written):
    """One deployment."""

    listen: Annotated[Listen, Field(examples=["127.0.0.1:8460"])] = "127.0.0.1:8460"
    """Address and port of the service."""
    data_dir: Path = Path("plumbline-data")
    """The folder that holds log, state and outbox."""
    icp: list[Path] = Field(default_factory=list, max_length=MAX_ENTRIES, examples=["[icp.yaml]"])
    """The ICP files; each version counts from its effective_from on."""
    clock: Literal["wall", "events"] = "wall"
    """wall: timers fire by the clock once the log is read to its end; events: by event time alone (back-fills, tests)."""
    late_after: Duration = 30 * DAY
    """Events older than this at the watermark are late: counted, and not applied."""
    max_event_bytes: Annotated[Whole, Field(ge=256, le=10_000_000)] = 65_536
    """Larger events are refused."""
    max_event_depth: Annotated[Whole, Field(ge=3, le=64)] = 8
    """Events nested deeper than this are refused."""
    future_tolerance: Duration = HOUR
    """Events further in the future than this are refused."""
    max_request_bytes: Annotated[Whole, Field(ge=1024, le=1_000_000_000)] = 10_000_000
    """Larger requests are refused, also when they were compressed."""
    max_lag_events: Annotated[Whole, Field(ge=1)] = 1_000_000
    """The gateway answers 429 while more events than this wait to be processed."""
    keep_log: Duration | None = None
    """How long processed events stay in the event log, by whole segments. Without it they stay for good, to be replayed."""
    batch_events: Annotated[Whole, Field(ge=1, le=1_000_000)] = 50_000
    """Events that go into one commit, at most: fewer use less memory, more go faster."""
    tokens: list[Token] = Field(default_factory=list, max_length=MAX_ENTRIES)
    """Who may write and read. Without any, only this machine can."""
    endpoints: list[Endpoint] = Field(default_factory=list, max_length=MAX_ENTRIES)
    """Webhook receivers."""
    subscriptions: list[Subscription] = Field(default_factory=list, max_length=MAX_ENTRIES)
    """Which alerts go to which endpoint; an endpoint without one gets nothing."""
    egress: Egress = Egress()
    """Where webhooks may go."""
    drift: DriftSettings = DriftSettings()
    """How drift is judged."""
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    """When a partition stops because too many of its events can't be used."""

    kafka: KafkaSettings = KafkaSettings()
    """Where events are kept in distributed mode."""
    redis: RedisSettings = RedisSettings()
    """Where state is kept in distributed mode."""

    @property
    def limits(self) -> Limits:
        """What is refused before it is read."""
        return Limits(
            max_bytes=self.max_event_bytes,
            max_depth=self.max_event_depth,
            future_tolerance_s=self.future_tolerance,
        )

    @property
    def host(self) -> str:
        """The address to bind, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to bind; 0 takes a free one."""
        return int(self.listen.rpartition(":")[2])

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service. A host name other than localhost counts as reachable."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @model_validator(mode="after")
    def _horizons_outlast_late_events(self) -> Self:
        for name in ("horizon", "activation_horizon", "onboarding_horizon"):
            if getattr(self.drift, name) < self.late_after:
                raise Misfit(
                    "a cohort would be judged while events that belong to it are still taken in",
                    f"make it at least as long as late_after, {write_duration(self.late_after)}",
                    ("drift", name),
                    code="horizon",
                )
        return self

    @model_validator(mode="after")
    def _not_open_to_all(self) -> Self:
        if self.on_loopback:
            return self
        if not any(token.read for token in self.tokens):
            raise Misfit(
                "others can reach this address, and no token guards what can be read there",
                "add a token with read: true, or listen on 127.0.0.1",
                ("listen",),
                code="open_to_all",
            )
        for number, token in enumerate(self.tokens):
            if len(token.token.get_secret_value()) < MIN_EXPOSED_TOKEN:
                raise Misfit(
                    f"others can reach the service, and this token has fewer than {MIN_EXPOSED_TOKEN} characters",
                    "make one with: openssl rand -hex 24",
                    ("tokens", number, "token"),
                    code="token",
                )
        return self

    @classmethod
    def misfits(cls, written: Mapping[str, Any]) -> Iterable[Misfit]:
        names = {part: list(_values(written, part, "name")) for part in ("tokens", "endpoints")}
        for part, found in names.items():
            yield from _twice(found, part, "name", "give each its own name")
        yield from _twice(
            list(_values(written, "tokens", "token")), "tokens", "token", "give each its own token"
        )
        known = {name for _, name in names["endpoints"]}
        for number, endpoint in _values(written, "subscriptions", "endpoint"):
            if endpoint not in known:
                yield Misfit(
                    f"there is no endpoint `{show_key(endpoint)}`",
                    "use one of " + ", ".join(map(show_key, sorted(known)))
                    if known
                    else "add it to endpoints",
                    ("subscriptions", number, "endpoint"),
                    code="unknown_endpoint",
                )


def _values(written: Mapping[str, Any], part: str, key: str) -> Iterator[tuple[int, str]]:
    """The texts under ``key`` in the list ``part``, be they from a file or from code."""
    entries = written.get(part)
    for number, entry in enumerate(entries if isinstance(entries, list | tuple) else ()):
        value = entry.get(key) if isinstance(entry, Mapping) else getattr(entry, key, None)
        value = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(value, str):
            yield number, value


def _twice(found: list[tuple[int, str]], part: str, key: str, remedy: str) -> Iterator[Misfit]:
    seen: dict[str, int] = {}
    for number, value in found:
        if value in seen:
            yield Misfit(
                f"entry {seen[value] + 1} of `{part}` has the same {key}",
                remedy,
                (part, number, key),
                code="duplicate_name",
            )
        seen.setdefault(value, number)
