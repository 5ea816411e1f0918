"""What settings name that stands elsewhere: a misspelt signal or variant would send nothing, so it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.errors import BadInput, FileRefused, Problem
from schemas.icp import load_icp
from schemas.settings import Settings
from streams.cli.check import command as check
from streams.cli.drift import command as drift
from streams.cli.gateway import command as gateway
from streams.cli.run import command as run
from streams.cli.worker import command as worker
from streams.settings_file import check_settings
from streams.settings_names import refuse_unknown_names
from tests.unit.serving_world import World

ICP_TEXT = (Path(__file__).parents[2] / "examples" / "acme" / "icp.yaml").read_text(encoding="utf-8")
SECRET = "whsec_" + "QUJD" * 10


def settings_text(subscription: str) -> str:
    return f"""
icp: [icp.yaml]
endpoints:
  - {{name: bot, url: https://h.example/, secrets: [{SECRET}]}}
subscriptions:
  - {{endpoint: bot}}
  - {{endpoint: bot, {subscription}}}
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "icp.yaml").write_text(ICP_TEXT, encoding="utf-8")
    return tmp_path / "settings.yaml"


def refusals(path: Path, subscription: str) -> list[tuple[str, str]]:
    with pytest.raises(FileRefused) as refused:
        check_settings(settings_text(subscription), str(path))
    return [
        (problem.code, problem.where.partition(" (")[2].rstrip(")")) for problem in refused.value.problems
    ]


def called(command: object, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)  # type: ignore[arg-type]


def test_names_that_are_there(path: Path) -> None:
    check_settings(settings_text("signals: [plg.conversion_gap, data.health]"), str(path))
    check_settings(settings_text("variants: [reverse-etl], kinds: [trigger]"), str(path))


def test_a_signal_that_is_not_there(path: Path) -> None:
    assert refusals(path, "signals: [plg.conversion_gap, plg.conversion_gab]") == [
        ("unknown_signal", "subscriptions[1].signals[1]")
    ]


def test_a_variant_that_is_not_there(path: Path) -> None:
    assert refusals(path, "variants: [reverse-elt]") == [("unknown_variant", "subscriptions[1].variants[0]")]


def only_problem(written: str, path: Path) -> Problem:
    with pytest.raises(FileRefused) as refused:
        check_settings(written, str(path))
    (problem,) = refused.value.problems
    return problem


@pytest.mark.parametrize(
    ("opinions", "code", "remedy"),
    [
        ("plg.conversion_gab: adwin", "unknown_signal", "use one of plg.adoption_breadth, slg.aged_win_rate"),
        ("data.health: adwin", "unknown_signal", "use one of plg.adoption_breadth"),
        ("slg.cycle_spread: hddm_a", "bad_value", "use adwin, page_hinkley or kswin"),
        ("slg.cycle_spread: adwim", "bad_value", "kswin"),
    ],
)
def test_a_second_opinion_that_is_not_there(path: Path, opinions: str, code: str, remedy: str) -> None:
    written = f"drift: {{second_opinion: {{plg.conversion_gap: hddm_a, {opinions}}}}}\n"
    problem = only_problem(written, path)
    assert problem.code == code
    assert problem.where.endswith(f"(drift.second_opinion.{opinions.partition(':')[0]})")
    assert remedy in f"{problem.what} {problem.remedy}"


@pytest.mark.parametrize(
    ("chosen", "code", "remedy"),
    [
        ("plg.conversion_gab: 2026-01-01T00:00:00Z", "unknown_signal", "use one of plg.adoption_breadth"),
        ("data.health: 2026-01-01T00:00:00Z", "unknown_signal", "use one of plg.adoption_breadth"),
        ("plg.conversion_gap: 2026-01-01", "time", "write 2026-01-01T00:00:00Z"),
        ("plg.conversion_gap: 2026-01-01T00:00:00", "time", "write 2026-01-01T00:00:00Z for UTC"),
        ("plg.conversion_gap: 1026-01-01T00:00:00Z", "time", "a year between 1990 and 2200"),
        ("plg.conversion_gap: 20260101", "time", "write it like 2026-11-01T00:00:00Z"),
    ],
)
def test_a_baseline_that_cannot_be_chosen(path: Path, chosen: str, code: str, remedy: str) -> None:
    written = f"drift: {{baseline_from: {{slg.cycle_spread: 2026-01-01T00:00:00+01:00, {chosen}}}}}\n"
    problem = only_problem(written, path)
    assert problem.code == code
    assert problem.where.endswith(f"(drift.baseline_from.{chosen.partition(':')[0]})")
    assert remedy in problem.remedy


def test_check_says_how_many_baselines_are_chosen(path: Path) -> None:
    path.write_text("drift: {baseline_from: {slg.cycle_spread: 2026-01-01T00:00:00Z}}\n", encoding="utf-8")
    assert "0 tokens, 1 chosen baseline\n" in called(check, str(path)).output


@pytest.mark.parametrize("started", [run, worker, gateway])
def test_nothing_starts_with_it(path: Path, started: object) -> None:
    path.write_text(
        "icp: [icp.yaml]\nkafka: {bootstrap: 127.0.0.1:1}\ndrift: {second_opinion: {plg.nothing: adwin}}\n",
        encoding="utf-8",
    )
    result = called(started, "--settings", str(path))
    assert isinstance(result.exception, BadInput)
    assert "drift.second_opinion.plg.nothing: there is no signal" in result.exception.what


@pytest.mark.parametrize("asked", ["plg.nothing: adwin", "slg.cycle_spread: hddm_a"])
def test_nothing_is_shown_with_it(path: Path, asked: str) -> None:
    World(path.parent).close()
    path.write_text(f"data_dir: .\ndrift: {{second_opinion: {{{asked}}}}}\n", encoding="utf-8")
    result = called(drift, "list", "--settings", str(path))
    assert isinstance(result.exception, BadInput)


def test_an_icp_file_that_is_not_right(path: Path) -> None:
    path.with_name("icp.yaml").write_text("name: x\n", encoding="utf-8")
    path.write_text(settings_text("variants: [reverse-etl]"), encoding="utf-8")
    result = called(check, str(path))
    assert result.exit_code == 2
    assert f"see plumbline check {path.with_name('icp.yaml')}" in result.output


def test_an_icp_file_that_is_not_there_is_said(path: Path) -> None:
    path.with_name("icp.yaml").unlink()
    path.write_text(settings_text("variants: [of-that-file]"), encoding="utf-8")
    result = called(check, str(path))
    assert result.exit_code == 0
    assert f"not there: {path.with_name('icp.yaml')}" in result.output


@pytest.mark.parametrize("subscription", ["signals: [plg.nothing]", "variants: [nobody]"])
def test_the_service_does_not_start_with_them(path: Path, subscription: str) -> None:
    path.write_text(settings_text(subscription), encoding="utf-8")
    result = called(run, "--settings", str(path))
    assert isinstance(result.exception, BadInput)
    assert "subscriptions[1]." in result.exception.what


def test_where_no_icp_file_is_known_signals_alone_are_judged() -> None:
    endpoint = {"name": "bot", "url": "https://h.example/", "secrets": [SECRET]}

    def settings(**lists: list[str]) -> Settings:
        return Settings.model_validate(
            {"endpoints": [endpoint], "subscriptions": [{"endpoint": "bot", **lists}]}
        )

    refuse_unknown_names(settings(variants=["nobody"]), None)
    with pytest.raises(BadInput, match="there is no signal"):
        refuse_unknown_names(settings(signals=["plg.nothing"]), None)
    with pytest.raises(BadInput, match="there is no variant"):
        refuse_unknown_names(settings(variants=["nobody"]), [load_icp(ICP_TEXT, "icp.yaml")])
