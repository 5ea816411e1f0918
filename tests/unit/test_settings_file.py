"""Settings from file, environment and options: what goes before what, secrets by name, and paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import FileRefused
from schemas.settings import Settings
from streams.settings_file import check_settings, load_settings

SECRET = "whsec_" + "QUJD" * 10
FILE = """
listen: 127.0.0.1:9000
data_dir: state
icp: [icp.yaml, /abs/icp.yaml]
late_after: 10d
drift: {horizon: 30d, min_baseline: 100}
tokens:
  - {name: crm, token: "env:CRM_TOKEN", source: "*"}
endpoints:
  - {name: bot, url: https://h.example/, secrets: ["env:BOT_SECRET"]}
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRM_TOKEN", "from-the-environment")
    monkeypatch.setenv("BOT_SECRET", SECRET)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = folder / "plumbline.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def refusal(path: Path | None, options: dict[str, object] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(FileRefused) as refused:
        load_settings(path, options)
    return [(problem.code, problem.where) for problem in refused.value.problems]


def test_file(file: Path) -> None:
    settings = load_settings(file)
    assert settings.listen == "127.0.0.1:9000"
    assert settings.late_after == 10 * 86400
    assert settings.tokens[0].token.get_secret_value() == "from-the-environment"
    assert settings.endpoints[0].secrets[0].get_secret_value() == SECRET


def test_paths_are_relative_to_the_file(file: Path) -> None:
    settings = load_settings(file)
    assert settings.data_dir == file.parent / "state"
    assert settings.icp == [file.parent / "icp.yaml", Path("/abs/icp.yaml")]
    file.write_text("listen: 127.0.0.1:1", encoding="utf-8")
    assert load_settings(file).data_dir == file.parent / "plumbline-data"


def test_the_environment_goes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_LISTEN", "127.0.0.1:9001")
    monkeypatch.setenv("PLUMBLINE_DATA_DIR", "here")
    monkeypatch.setenv("PLUMBLINE_ICP", "a.yaml, b.yaml")
    monkeypatch.setenv("PLUMBLINE_DRIFT__HORIZON", "45d")
    monkeypatch.setenv("PLUMBLINE_MAX_EVENT_BYTES", "1000")
    settings = load_settings(file)
    assert settings.listen == "127.0.0.1:9001"
    assert settings.data_dir == Path("here")
    assert settings.icp == [Path("a.yaml"), Path("b.yaml")]
    assert settings.drift.horizon == 45 * 86400
    assert settings.drift.min_baseline == 100
    assert settings.max_event_bytes == 1000


def test_options_go_before_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_LISTEN", "127.0.0.1:9001")
    settings = load_settings(file, {"listen": "127.0.0.1:9002", "data_dir": Path("there")})
    assert (settings.listen, settings.data_dir) == ("127.0.0.1:9002", Path("there"))


def test_lists_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_TOKENS", '[{"name": "r", "token": "env:CRM_TOKEN", "read": true}]')
    assert load_settings().tokens[0].token.get_secret_value() == "from-the-environment"
    monkeypatch.setenv("PLUMBLINE_TOKENS", "hunter2")
    with pytest.raises(FileRefused) as refused:
        load_settings()
    assert "PLUMBLINE_TOKENS" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_other_variables_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_FAILPOINT", "x:1")
    assert load_settings().listen == "127.0.0.1:8460"


def test_where_a_wrong_value_came_from(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_DRIFT__HORIZON", "soon")
    monkeypatch.setenv("PLUMBLINE_MAX_EVENT_BYTES", "many")
    file.write_text(FILE.replace("10d", "ten days"), encoding="utf-8")
    assert sorted(refusal(file, {"listen": "nowhere"})) == [
        ("duration", "environment variable PLUMBLINE_DRIFT__HORIZON"),
        ("duration", "line 5, column 13 (late_after)"),
        ("listen", "option --listen"),
        ("wrong_type", "environment variable PLUMBLINE_MAX_EVENT_BYTES"),
    ]


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_secret_is_named_with_its_place(
    file: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("BOT_SECRET") if value is None else monkeypatch.setenv("BOT_SECRET", value)
    with pytest.raises(FileRefused) as refused:
        load_settings(file)
    (problem,) = refused.value.problems
    assert (problem.code, problem.line, problem.column) == ("environment", 10, 52)
    assert "BOT_SECRET" in problem.what
    assert "BOT_SECRET" in problem.remedy


def test_missing_secrets_hide_no_other_problem(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOT_SECRET")
    monkeypatch.delenv("CRM_TOKEN")
    file.write_text(FILE + "clock: sundial\n", encoding="utf-8")
    assert [code for code, _ in refusal(file)] == ["environment", "environment", "bad_value"]


def test_a_wrong_secret_of_the_environment_is_not_shown(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_SECRET", "hunter2")
    with pytest.raises(FileRefused) as refused:
        load_settings(file)
    assert [problem.code for problem in refused.value.problems] == ["webhook_secret"]
    assert "hunter2" not in str(refused.value)


def test_an_open_bind_from_the_environment_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_LISTEN", "0.0.0.0:8460")
    assert refusal(file) == [("open_to_all", "environment variable PLUMBLINE_LISTEN")]


def test_the_file_in_the_current_folder_is_found(tmp_path: Path) -> None:
    assert load_settings().listen == "127.0.0.1:8460"
    (tmp_path / "plumbline.yaml").write_text("listen: 127.0.0.1:7", encoding="utf-8")
    assert load_settings().listen == "127.0.0.1:7"


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing set yet\n", encoding="utf-8")
    assert load_settings(path).listen == "127.0.0.1:8460"


@pytest.mark.parametrize("content", ["- a\n", "text", "listen: [", "listen: 1\nlisten: 2"])
def test_files_that_are_no_settings(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(content, encoding="utf-8")
    assert refusal(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == [("unreadable", "")]


def test_who_needs_no_secret_of_a_part_reads_without_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOT_SECRET")
    file.write_text(FILE + 'redis: {password: "env:STORE_PASSWORD"}\n', encoding="utf-8")
    with pytest.raises(FileRefused, match="STORE_PASSWORD") as refused:
        load_settings(file, needs={"redis"})
    assert len(refused.value.problems) == 1
    settings = load_settings(file, needs=())
    assert settings.endpoints[0].name == "bot"
    assert settings.tokens[0].token.get_secret_value() == "from-the-environment"
    file.write_text(FILE + "clock: sundial\n", encoding="utf-8")
    with pytest.raises(FileRefused, match="clock"):
        load_settings(file, needs=())


def test_checking_needs_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOT_SECRET")
    settings, missing = check_settings(FILE, "plumbline.yaml")
    assert settings.listen == "127.0.0.1:9000"
    assert missing == ["BOT_SECRET"]


def test_checking_heeds_what_the_environment_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_LISTEN", "127.0.0.1:9001")
    assert (
        check_settings(FILE, "plumbline.yaml")[0].listen == load_settings_of(FILE).listen == "127.0.0.1:9001"
    )
    monkeypatch.setenv("PLUMBLINE_LISTEN", "0.0.0.0:1")
    with pytest.raises(FileRefused, match="PLUMBLINE_LISTEN"):
        check_settings(FILE, "plumbline.yaml")


def load_settings_of(text: str) -> Settings:
    path = Path("of-text.yaml")
    path.write_text(text, encoding="utf-8")
    return load_settings(path)
