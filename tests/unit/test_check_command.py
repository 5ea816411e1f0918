"""``plumbline check``, as people call it: as a program, on files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli.check import command

ROOT = Path(__file__).parents[2]
ACME = ROOT / "examples" / "acme"


def check(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_sample_files_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLUMBLINE_WEBHOOK_SECRET", raising=False)
    result = check(ACME / "icp.yaml", ACME / "plumbline.yaml", ROOT / "examples" / "olist" / "mapping.yaml")
    assert result.exit_code == 0, result.output
    assert "ok: 3 variants, 12 triggers" in result.output
    assert "listens on 127.0.0.1:8460" in result.output
    assert "not set here: PLUMBLINE_WEBHOOK_SECRET" in result.output
    assert "2 files" in result.output


def test_a_mapping_says_how_many_events_a_row_makes_at_most() -> None:
    result = check(ROOT / "examples" / "import" / "hubspot" / "mapping.yaml")
    assert "2 files, 3 events made of each row at most" in result.output


def test_problems_are_shown_as_compilers_do(tmp_path: Path) -> None:
    path = tmp_path / "icp.yaml"
    text = (ACME / "icp.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("half_life: 7d", "half_live: 7d", 1), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-c", "from streams.cli import main; main()", "check", path.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    line = text[: text.index("half_life: 7d")].count("\n") + 1
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"icp.yaml:{line}:9: there is no key `half_live` here [unknown_key]",
        "    did you mean `half_life`?",
        f"{line:>5} |         half_live: 7d",
        "      |         ^",
        "icp.yaml: 1 problem",
    ]


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "icp.yaml"
    path.write_text("name: x\nvariants: [1]\n", encoding="utf-8")
    result = check("--json", path, ACME / "icp.yaml")
    assert result.exit_code == 2
    answer = json.loads(result.output)
    assert answer["ok"] is False
    broken, right = answer["files"]
    assert (right["ok"], right["kind"], right["problems"]) == (True, "icp", [])
    assert {problem["code"] for problem in broken["problems"]} == {"missing_key", "wrong_type"}
    assert all(problem["line"] and problem["remedy"] for problem in broken["problems"])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"colour: blue\n", "unknown_kind"),
        (b"", "unknown_kind"),
        (b"name: M\xfcller\nvariants: []\n", "not_utf8"),
        (b"variants: [\n", "yaml"),
        (b"x" * 2_000_000, "unknown_kind"),
    ],
)
def test_files_that_are_none_of_ours(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    result = check("--json", path)
    assert result.exit_code == 2
    assert [problem["code"] for problem in json.loads(result.output)["files"][0]["problems"]] == [code]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = check(tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "can't be read" in result.output


def test_the_kind_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("{}", encoding="utf-8")
    assert check(path).exit_code == 2
    assert check("--as", "settings", path).exit_code == 0


def test_lines_of_settings_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "plumbline.yaml"
    path.write_text(
        "tokens: [{name: crm, token: hunter2hunter2, raed: true}]\nendpoints:\n"
        "  - {name: a, url: 'https://u:hunter2@x.example', secrets: [hunter2]}\n",
        encoding="utf-8",
    )
    for arguments in (["--json", path], [path]):
        result = check(*arguments)
        assert result.exit_code == 2
        assert "hunter2" not in result.output
        assert "webhook_secret" in result.output


@pytest.mark.parametrize(
    ("url", "allowed", "words"),
    [
        ("https://2130706433/", "", "odd address"),
        ("https://[::ffff:127.0.0.1]/", "", "loopback"),
        ("http://10.0.0.7/hook", "", "private"),
        ("http://10.0.0.7/hook", "10.0.0.0/8", "ok"),
        ("https://hooks.example/hook", "", "ok"),
    ],
)
def test_an_endpoint_with_which_the_service_would_not_start(
    tmp_path: Path, url: str, allowed: str, words: str
) -> None:
    path = tmp_path / "plumbline.yaml"
    path.write_text(
        f"egress: {{allow_networks: [{allowed}]}}\nendpoints:\n"
        f"  - {{name: a, secrets: ['whsec_{'A' * 32}'], url: '{url}'}}\n",
        encoding="utf-8",
    )
    result = check(path)
    assert words in result.output
    if words == "ok":
        assert result.exit_code == 0
    else:
        assert result.exit_code == 2
        assert f"{path}:3:" in result.output
        assert url not in result.output


def test_networks_that_the_environment_allows_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they do for the service."""
    path = tmp_path / "plumbline.yaml"
    path.write_text(
        f"endpoints: [{{name: a, secrets: ['whsec_{'A' * 32}'], url: 'http://10.0.0.7/hook'}}]\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PLUMBLINE_EGRESS__ALLOW_NETWORKS", '["10.0.0.0/8"]')
    assert check(path).exit_code == 0
    monkeypatch.setenv("PLUMBLINE_EGRESS__ALLOW_NETWORKS", '["192.168.0.0/16"]')
    assert "private" in check(path).output
    monkeypatch.setenv("PLUMBLINE_EGRESS__ALLOW_NETWORKS", '["everything"]')
    refused = check(path)
    assert refused.exit_code == 2
    assert "environment variable PLUMBLINE_EGRESS__ALLOW_NETWORKS: " in refused.output


def test_lines_of_settings_that_are_no_yaml_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "plumbline.yaml"
    path.write_text("tokens:\n  - {name: crm, token: hunter2: x}\n", encoding="utf-8")
    result = check(path)
    assert result.exit_code == 2
    assert "hunter2" not in result.output


def test_control_characters_of_a_file_are_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "icp.yaml"
    path.write_text("name: \x1b[31mred\nvariants: []\n", encoding="utf-8")
    result = check(path)
    assert result.exit_code == 2
    assert "\x1b" not in result.output


def test_the_caret_of_a_long_line_stays_in_sight(tmp_path: Path) -> None:
    path = tmp_path / "icp.yaml"
    path.write_text("variants: [" + "{}, " * 200 + "5]\n", encoding="utf-8")
    result = check(path)
    assert max(map(len, result.output.splitlines())) < 240
