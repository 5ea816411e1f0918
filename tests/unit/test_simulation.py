"""What is in a simulated file: every event is good, rates are the truth's, and the same seed gives the same bytes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.errors import EventRefused
from schemas.event_reader import decode_event
from schemas.events import AccountProfile, ProductEvent, StageChanged, WebVisit, encode_event
from streams.simulation.company import Order, simulate
from streams.simulation.scenarios import SCENARIOS
from streams.simulation.truth import MATURE_DAYS, Truth

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 365
PAID_IN_TIME = 0.966
"""share of the conversions that come within 60 days: log-normal, median 14, sigma 0.8"""


def quiet(stage: str, done: int, total: int) -> None:
    """No progress bar in tests."""


def order(name: str, **changes: object) -> Order:
    asked: dict[str, object] = {
        "scenario": SCENARIOS[name],
        "accounts": 4000,
        "days": DAYS,
        "seed": 11,
        "until": UNTIL,
        "activity": 0.02,
    }
    return Order(**(asked | changes))  # type: ignore[arg-type]


@dataclass
class History:
    """A file, read once."""

    path: Path
    truth: Truth
    lines: list[bytes] = field(default_factory=list)
    by_type: Counter[str] = field(default_factory=Counter)
    ids: Counter[tuple[str, str]] = field(default_factory=Counter)
    source: dict[str, str] = field(default_factory=dict)
    signed_up: dict[str, datetime] = field(default_factory=dict)
    activated: dict[str, datetime] = field(default_factory=dict)
    paid: dict[str, datetime] = field(default_factory=dict)
    too_late: int = 0
    visitors: int = 0
    newest: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    def read(self) -> History:
        spelled = {
            spelling: source for source, spellings in self.truth.spellings.items() for spelling in spellings
        }
        for raw in self.path.read_bytes().splitlines():
            event = decode_event(raw, now=UNTIL.timestamp())
            assert encode_event(event) == raw
            self.lines.append(raw)
            self.by_type[str(type(event).__struct_config__.tag)] += 1
            self.ids[event.source, event.id] += 1
            self.too_late += event.time < self.newest - timedelta(days=30)
            self.newest = max(self.newest, event.time)
            subject = event.subject
            match event:
                case ProductEvent(data=data) if data.name == "signed_up":
                    self.signed_up[subject] = event.time
                case ProductEvent(data=data) if data.name == "first_report_shared":
                    self.activated[subject] = event.time
                case StageChanged(data=data) if data.outcome == "won":
                    self.paid[subject] = min(event.time, self.paid.get(subject, event.time))
                case AccountProfile(data=data) if "acquisition_source" in data.attributes:
                    self.source[subject] = spelled[data.attributes["acquisition_source"]]
                case WebVisit() if subject.startswith("visitor:"):
                    self.visitors += 1
                case _:
                    pass
        return self


@pytest.fixture(scope="module")
def drifting(tmp_path_factory: pytest.TempPathFactory) -> History:
    path = tmp_path_factory.mktemp("drifting") / "events.jsonl"
    return History(path, simulate(order("plg-silent-drift"), path, quiet)).read()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> History:
    path = tmp_path_factory.mktemp("healthy") / "events.jsonl"
    return History(path, simulate(order("healthy"), path, quiet)).read()


def within(count: int, of: int, rate: float) -> bool:
    """Four standard deviations of the binomial, and one account that a late event may hide."""
    return abs(count - of * rate) <= 4 * math.sqrt(of * rate * (1 - rate)) + 1


def test_the_truth_counts_what_is_in_the_file(drifting: History) -> None:
    truth = drifting.truth
    assert truth.lines == truth.events == len(drifting.lines)
    assert truth.events_by_type == dict(drifting.by_type)
    assert set(truth.events_by_type) == {
        "account.profile",
        "crm.stage_changed",
        "product.event",
        "product.released",
        "support.ticket",
        "web.visit",
    }
    assert drifting.visitors > 100


def test_repeats_have_the_same_source_and_id_and_the_same_bytes(drifting: History) -> None:
    repeats = sum(count - 1 for count in drifting.ids.values())
    assert repeats == drifting.truth.repeated > 0
    assert len(drifting.lines) - len(set(drifting.lines)) == repeats


def test_late_events_are_as_many_as_the_truth_says(drifting: History) -> None:
    assert drifting.too_late == drifting.truth.too_late > 0
    noise = SCENARIOS["healthy"].noise
    assert within(drifting.truth.late, len(drifting.lines), noise.late)
    assert within(drifting.truth.repeated, len(drifting.lines), noise.repeated)


def test_nothing_is_newer_than_the_end(drifting: History) -> None:
    assert UNTIL - timedelta(hours=6) < drifting.newest < UNTIL


@pytest.mark.parametrize("stretch", ["before", "after"])
def test_rates_by_source_are_the_planted_ones(drifting: History, stretch: str) -> None:
    truth = drifting.truth
    change = datetime.fromisoformat(truth.plants[0].starts)
    mature = UNTIL - timedelta(days=MATURE_DAYS)
    activated: Counter[str] = Counter()
    paid: Counter[str] = Counter()
    for account, at in drifting.activated.items():
        won = drifting.paid.get(account)
        source = drifting.source.get(account)
        # Sales-led accounts pay first; a few say nothing of their source.
        if source is None or at > mature or (at < change) != (stretch == "before") or (won and won < at):
            continue
        activated[source] += 1
        paid[source] += won is not None and won <= at + timedelta(days=MATURE_DAYS)
    assert set(activated) == set(truth.sources)
    for source, stretches in truth.sources.items():
        cohort = stretches[stretch]
        rate = cohort.planned_paid_given_activated * PAID_IN_TIME
        assert within(paid[source], activated[source], rate), source
        assert within(cohort.paid_mature, cohort.activated_mature, rate), source
        assert within(cohort.activated, cohort.signed_up, cohort.planned_activated), source
        assert within(cohort.paid, cohort.activated, cohort.planned_paid_given_activated), source


def test_what_was_planted_is_seen_in_content_alone(drifting: History, healthy: History) -> None:
    fallen = drifting.truth.sources["content"]
    assert fallen["before"].planned_paid_given_activated == pytest.approx(0.18)
    assert fallen["after"].planned_paid_given_activated == pytest.approx(0.09)
    assert fallen["after"].planned_activated == fallen["before"].planned_activated
    assert drifting.truth.accounts["brought_by_plants"] > 200
    assert healthy.truth.plants == []
    assert healthy.truth.accounts["brought_by_plants"] == 0

    # Whatever is not of an account from content is the same in both files, byte for byte.
    def others(history: History) -> set[bytes]:
        content = {account for account, source in history.source.items() if source == "content"}
        silent = {account for account in history.signed_up if account not in history.source}
        marks = content | silent
        return {
            line
            for line in history.lines
            if not (decoded := decode_event(line)).subject.startswith("visitor:")
            and decoded.subject not in marks
        }

    assert others(drifting) == others(healthy)
    # And the plant takes conversions away; it does not deal them anew.
    first = set(healthy.source)
    assert {account for account in drifting.paid if account in first} < set(healthy.paid)


def test_signups_grow_and_rest_at_weekends(healthy: History) -> None:
    begin = UNTIL - timedelta(days=DAYS)
    days = [(at - begin) / timedelta(days=1) for at in healthy.signed_up.values()]
    quarter = Counter(int(day / DAYS * 4) for day in days)
    growth = SCENARIOS["healthy"].growth_a_year ** 0.75
    assert quarter[3] / quarter[0] == pytest.approx(growth, rel=0.15)
    weekday = Counter(at.weekday() for at in healthy.signed_up.values())
    weekend = (weekday[5] + weekday[6]) / 2
    assert 0.3 < weekend / (sum(weekday[day] for day in range(5)) / 5) < 0.55


def test_conversion_takes_a_fortnight_in_the_median(healthy: History) -> None:
    mature = UNTIL - timedelta(days=120)
    lags = sorted(
        (won - healthy.activated[account]) / timedelta(days=1)
        for account, won in healthy.paid.items()
        if account in healthy.activated and healthy.activated[account] < min(won, mature)
    )
    assert 12 < lags[len(lags) // 2] < 16


def test_activity_is_heavy_tailed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    truth = simulate(order("healthy", accounts=400, days=200, activity=1.0), path, quiet)
    events: Counter[str] = Counter()
    features: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for raw in path.read_bytes().splitlines():
        event = decode_event(raw)
        events[event.subject] += 1
        if isinstance(event, ProductEvent) and event.data.feature:
            features[event.subject][event.data.feature] += 1
    busiest = [count for _, count in events.most_common(len(events) // 10)]
    assert sum(busiest) > 0.5 * truth.lines
    favourites = {uses.most_common(1)[0][0] for uses in features.values() if uses.total() > 100}
    assert len(favourites) >= 3


def test_malformed_lines_are_refused_for_the_reason_told(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    clean = tmp_path / "clean.jsonl"
    truth = simulate(order("healthy", accounts=60, days=90, malformed=43), path, quiet)
    simulate(order("healthy", accounts=60, days=90), clean, quiet)
    refused: Counter[str] = Counter()
    good = []
    for raw in path.read_bytes().split(b"\n")[:-1]:
        try:
            decode_event(raw)
            good.append(raw)
        except EventRefused as error:
            refused[error.problem.code] += 1
    assert dict(refused) == truth.malformed
    assert refused.total() == 43
    assert truth.lines == truth.events + 43
    assert good == clean.read_bytes().split(b"\n")[:-1]


def test_the_same_seed_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    made = []
    for hash_seed, seed in (("0", "5"), ("4242", "5"), ("0", "6")):
        path = tmp_path / hash_seed / seed / "events.jsonl"
        path.parent.mkdir(parents=True)
        subprocess.run(
            [
                *(sys.executable, "-c", "from streams.cli import main; main()", "simulate"),
                *("--scenario", "plg-silent-drift", "--accounts", "120", "--days", "120"),
                *("--seed", seed, "--malformed", "7", "-o", str(path), "--json"),
            ],
            check=True,
            capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        )
        made.append((path.read_bytes(), path.with_name("truth.json").read_bytes()))
    assert made[0] == made[1]
    assert made[0][0] != made[2][0]
