"""Settings: what is refused, and that nothing ever shows a secret."""

from __future__ import annotations

import base64
import pickle
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook

from schemas.errors import FileRefused
from schemas.settings import Settings
from schemas.yaml_file import validate

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
TOKEN = "correct-horse-battery"


def refusals(text: str) -> list[tuple[str, str]]:
    """(code, path) of all problems."""
    with pytest.raises(FileRefused) as refused:
        validate(Settings, text, "plumbline.yaml")
    return [(problem.code, problem.where.partition("(")[2].rstrip(")")) for problem in refused.value.problems]


def endpoint(**changes: Any) -> dict[str, Any]:
    return {"endpoints": [{"name": "a", "url": "https://hooks.example/", "secrets": [SECRET], **changes}]}


def test_defaults_bind_loopback_only() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.on_loopback) == ("127.0.0.1", 8460, True)
    assert settings.limits.max_bytes == 65_536


@pytest.mark.parametrize(
    ("listen", "host", "port", "loopback"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0, True),
        ("127.9.9.9:80", "127.9.9.9", 80, True),
        ("[::1]:8460", "::1", 8460, True),
        ("localhost:1", "localhost", 1, True),
        ("0.0.0.0:8460", "0.0.0.0", 8460, False),  # noqa: S104
        ("[::]:8460", "::", 8460, False),
        ("192.168.1.5:8460", "192.168.1.5", 8460, False),
        ("[::ffff:127.0.0.1]:8460", "::ffff:127.0.0.1", 8460, False),
        ("localhost.example:8460", "localhost.example", 8460, False),
    ],
)
def test_binding_elsewhere_needs_a_token_that_reads(
    listen: str, host: str, port: int, loopback: bool
) -> None:
    writer = {"name": "w", "token": TOKEN, "source": "*"}
    reader = {"name": "r", "token": TOKEN + "2", "read": True}
    settings = Settings(listen=listen, tokens=[writer, reader])
    assert (settings.host, settings.port, settings.on_loopback) == (host, port, loopback)
    if loopback:
        assert Settings(listen=listen).tokens == []
    else:
        for tokens in ([], [writer]):
            with pytest.raises(ValidationError, match="others can reach"):
                Settings(listen=listen, tokens=tokens)


def test_tokens_that_others_can_try_are_long() -> None:
    text = "listen: 0.0.0.0:80\ntokens:\n  - {name: r, token: short, read: true}\n"
    assert refusals(text) == [("token", "tokens[0].token")]


@pytest.mark.parametrize(
    "listen", ["8460", "127.0.0.1", "127.0.0.1:99999", "http://x:1", "::1:80", "a b:80", ":80"]
)
def test_addresses_that_are_none(listen: str) -> None:
    assert refusals(f"listen: '{listen}'") == [("listen", "listen")]


@pytest.mark.parametrize(
    "url",
    [
        "receiver.example",
        "ftp://receiver.example/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user:hunter2@receiver.example/",
        "https://user@receiver.example/",
        "https://@receiver.example/",
        "https://receiver.example:99999/",
        "https://receiver.example:x/",
        "https://[::1/",
        "https://receiver.example/ x",
        "https://receiver.example/#hunter2",
        "https://evil.example\\@receiver.example/",
        "https://receiver.example/" + "x" * 2000,
        "javascript:alert(1)",
        "https://höst.example/",
    ],
)
def test_urls_that_are_refused_and_never_shown(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**endpoint(url=url))
    assert "receiver.example" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://h.example", "http://127.0.0.1:8470/", "https://[2001:db8::1]/x?key=1"]
)
def test_urls_that_are_taken(url: str) -> None:
    assert Settings(**endpoint(url=url)).endpoints[0].url == url


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "hunter2",
        "whsec_hunter2!",
        base64.b64encode(b"x" * 32).decode(),
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "x" + SECRET,
        SECRET + "\n",
    ],
)
def test_secrets_that_are_none(secret: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**endpoint(secrets=[secret]))
    assert "hunter2" not in str(refused.value)


def test_secrets_that_are_taken_can_sign() -> None:
    for secret in (SECRET, "whsec_" + "Ab0" * 12, SECRET.rstrip("=")):
        (taken,) = Settings(**endpoint(secrets=[secret])).endpoints[0].secrets
        assert Webhook(taken.get_secret_value())


def test_nothing_shows_a_secret() -> None:
    url = "https://hooks.example/services/T0/hunter2"
    settings = Settings(
        listen="0.0.0.0:8460", tokens=[{"name": "r", "token": TOKEN, "read": True}], **endpoint(url=url)
    )
    shown = [
        repr(settings),
        str(settings),
        f"{settings}",
        repr(settings.endpoints),
        repr(settings.tokens[0]),
        str(settings.model_dump()["tokens"]),
        settings.model_dump_json(include={"tokens": True, "endpoints": {"__all__": {"secrets"}}}),
    ]
    for text in shown:
        assert TOKEN not in text
        assert SECRET not in text
        assert "hunter2" not in text
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own


def test_no_error_shows_a_secret() -> None:
    text = f"""
tokens:
  - {{name: a, token: "{TOKEN} hunter2", read: true}}
  - {{name: b, token: {TOKEN}, raed: true}}
  - {{name: c, token: {TOKEN}, read: [{TOKEN}]}}
  - {{name: d, token: 12345678, read: true}}
endpoints:
  - {{name: a, url: "{SECRET}", secrets: ["hunter2", 12345678], secret: {SECRET}}}
  - {SECRET}
{TOKEN}: {SECRET}
"""
    with pytest.raises(FileRefused) as refused:
        validate(Settings, text, "plumbline.yaml")
    assert len(refused.value.problems) >= 9
    # A key is shown, for it is never taken for a secret; a value never is.
    said = [f"{p.what} {p.remedy}" for p in refused.value.problems if p.code != "unknown_key"]
    for secret in (TOKEN, SECRET, "hunter2", "12345678"):
        assert secret not in " ".join(said)


def test_names_and_tokens_are_unique() -> None:
    text = f"""
tokens:
  - {{name: a, token: {TOKEN}, read: true}}
  - {{name: a, token: {TOKEN}, source: "*"}}
endpoints:
  - {{name: e, url: https://h.example/, secrets: [{SECRET}]}}
  - {{name: e, url: https://h.example/, secrets: [{SECRET}]}}
subscriptions:
  - {{endpoint: e}}
  - {{endpoint: f}}
"""
    assert refusals(text) == [
        ("duplicate_name", "tokens[1].name"),
        ("duplicate_name", "tokens[1].token"),
        ("duplicate_name", "endpoints[1].name"),
        ("unknown_endpoint", "subscriptions[1].endpoint"),
    ]


@pytest.mark.parametrize(
    ("lists", "place"),
    [
        ("kinds: [drift], variants: [a]", "variants"),
        ("kinds: [drift, notice], quadrants: [route]", "quadrants"),
        ("kinds: [trigger], signals: [plg.conversion_gap]", "signals"),
        ("kinds: [activation_missed], quadrants: [route]", "quadrants"),
        ("variants: [a], signals: [plg.conversion_gap]", "variants"),
    ],
)
def test_a_subscription_that_can_never_match(lists: str, place: str) -> None:
    text = f"""
endpoints: [{{name: e, url: https://h.example/, secrets: [{SECRET}]}}]
subscriptions:
  - {{endpoint: e, kinds: [trigger, drift], variants: [a]}}
  - {{endpoint: e, {lists}}}
"""
    assert refusals(text) == [("never_matches", f"subscriptions[1].{place}")]


@pytest.mark.parametrize("kinds", ["drift", "{drift: 1}", "[[drift]]", "[5]", "[dirft]"])
def test_kinds_of_another_shape_are_refused_for_that(kinds: str) -> None:
    text = f"""
endpoints: [{{name: e, url: https://h.example/, secrets: [{SECRET}]}}]
subscriptions: [{{endpoint: e, kinds: {kinds}, variants: [a]}}]
"""
    ((code, place),) = refusals(text)
    assert code != "never_matches"
    assert place.startswith("subscriptions[0].kinds")


def test_a_token_that_opens_nothing() -> None:
    assert refusals(f"tokens: [{{name: a, token: {TOKEN}}}]") == [("useless_token", "tokens[0]")]


@pytest.mark.parametrize(
    "network", ["0.0.0.0/0", "::/0", "128.0.0.0/1", "10.0.0.1/8", "10.0.0.0/33", "all", "5"]
)
def test_networks_that_are_refused(network: str) -> None:
    assert refusals(f"egress: {{allow_networks: [{network}]}}") == [("network", "egress.allow_networks[0]")]


def test_a_duration_in_a_file_has_its_unit_and_code_may_give_seconds() -> None:
    assert refusals("late_after: 30") == [("duration", "late_after")]
    assert Settings(late_after=30).late_after == 30.0
    with pytest.raises(ValidationError):
        Settings(late_after=-1)


def test_numbers_are_no_truth_values() -> None:
    assert refusals("drift: {max_segments: true}") == [("wrong_type", "drift.max_segments")]
