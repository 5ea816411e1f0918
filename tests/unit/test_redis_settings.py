"""The section `redis` of the settings: what is refused, where secrets and files are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import FileRefused
from streams.settings_file import check_settings, load_settings

SECRET = "not-to-be-seen"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("url: http://127.0.0.1:6379", "not the address of a Redis server"),
        ("url: redis://", "not the address of a Redis server"),
        ("url: redis://127.0.0.1:port", "not the address of a Redis server"),
        (f"url: redis://user:{SECRET}@127.0.0.1", "must not hold a user name or password"),
        (f"url: redis://127.0.0.1?password={SECRET}", "only be the number of a database"),
        ("url: redis://127.0.0.1/name", "only be the number of a database"),
        ("{url: redis://a, cluster: [redis://b]}", "both a server and a cluster"),
        ("cluster: [redis://a, rediss://b]", "some nodes are reached by TLS"),
        ("cluster: [redis://a/3]", "a cluster has one database only"),
        ("{url: rediss://a, certificate: c.pem}", "`certificate` needs `key`"),
        ("{url: rediss://a, key: c.pem}", "`key` needs `certificate`"),
        ("{url: redis://a, ca: c.pem}", "`ca` is for TLS"),
        ('password: "two\\nlines"', "a password is"),
        ("key_prefix: '{tag}'", "key_prefix"),
        ("timeout: 0s", "timeout"),
    ],
)
def test_what_can_not_be_right_is_refused(written: str, said: str) -> None:
    body = written if written.startswith("{") else f"{{{written}}}"
    with pytest.raises(FileRefused) as refused:
        check_settings(f"redis: {body}", "plumbline.yaml")
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "written",
    ["{}", "{url: 'rediss://[::1]:7000/2', ca: c.pem}", "{cluster: [rediss://a:1, rediss://b:2/0]}"],
)
def test_what_is_right_is_taken(written: str) -> None:
    check_settings(f"redis: {written}", "plumbline.yaml")


def test_password_and_files_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plumbline.yaml"
    file.write_text(
        "redis: {url: rediss://a, password: env:OUR_REDIS, ca: tls/ca.pem, certificate: /c.pem, key: /k.pem}"
    )
    monkeypatch.setenv("OUR_REDIS", SECRET)
    redis = load_settings(file).redis
    assert redis.password is not None
    assert redis.password.get_secret_value() == SECRET
    assert SECRET not in repr(redis)
    assert (redis.ca, redis.certificate) == (tmp_path / "tls/ca.pem", Path("/c.pem"))


def test_a_password_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUR_REDIS", raising=False)
    text = "redis: {password: env:OUR_REDIS}"
    assert check_settings(text, "x")[1] == ["OUR_REDIS"]
    (tmp_path / "plumbline.yaml").write_text(text)
    with pytest.raises(FileRefused, match="OUR_REDIS is not set"):
        load_settings(tmp_path / "plumbline.yaml")


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plumbline.yaml").write_text("redis: {url: redis://file, timeout: 3s}")
    wanted: dict[str, Any] = {
        "PLUMBLINE_REDIS__URL": "redis://environment",
        "PLUMBLINE_REDIS__PASSWORD": SECRET,
    }
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    redis = load_settings(tmp_path / "plumbline.yaml").redis
    assert redis.password is not None
    assert (redis.url, redis.timeout, redis.password.get_secret_value()) == (
        "redis://environment",
        3.0,
        SECRET,
    )
