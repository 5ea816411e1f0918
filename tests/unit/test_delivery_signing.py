from __future__ import annotations

import base64
import time
import traceback

import msgspec
import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from schemas.alerts import Alert, encode_alert
from schemas.errors import PlumblineError
from streams.delivery.signing import UnreadableAlert, fault, headers, payload, signer, signers
from tests.unit.delivery_alerts import activation_missed, blocker_ended, drift, notice, trigger

OLD = "whsec_" + base64.b64encode(b"old secret of 24 bytes...").decode()
NEW = "whsec_" + base64.b64encode(b"new secret of 24 bytes...").decode()


@pytest.mark.parametrize("alert", [trigger(), drift(), notice(), blocker_ended(), activation_missed()])
def test_the_payload_is_standard_and_carries_the_alert_byte_for_byte(alert: Alert) -> None:
    body = payload(encode_alert(alert))
    read = msgspec.json.decode(body)
    assert read["type"] == f"plumbline.alert.{alert.__struct_config__.tag}"
    assert read["timestamp"] == "2026-11-04T09:30:00Z"
    assert read["data"]["id"] == alert.id
    assert encode_alert(alert) in body


def test_what_a_later_version_added_travels_too() -> None:
    body = encode_alert(notice())[:-1] + b',"new_field":"kept"}'
    assert msgspec.json.decode(payload(body))["data"]["new_field"] == "kept"


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"kind":"unheard_of","id":"x"}'])
def test_what_is_no_alert_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableAlert):
        payload(body)


def test_every_secret_signs_and_the_library_verifies_each() -> None:
    body = payload(encode_alert(trigger(account_name="Müller & Söhne")))
    signed = headers(signers([SecretStr(OLD), SecretStr(NEW)]), "id1", time.time(), body)
    assert len(signed["webhook-signature"].split(" ")) == 2
    for secret in (OLD, NEW):
        Webhook(secret).verify(body, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"another").decode()).verify(body, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body.replace(b"80.0", b"99.0"), signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body, signed | {"webhook-id": "id2"})


@pytest.mark.parametrize("secret", ["whsec_", "", "whsec_a", "whsec_ä"])
def test_a_bad_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(PlumblineError) as refused:
        signer(secret)
    shown = "".join(traceback.format_exception(refused.value))
    assert "base64" in shown
    assert "binascii" not in shown


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, None),
        ({"webhook-timestamp": "yesterday"}, "invalid"),
        ({"webhook-timestamp": "nan"}, "invalid"),
        ({"webhook-timestamp": "1e400"}, "invalid"),
        ({"webhook-id": "another"}, "no matching signature"),
        ({"webhook-id": ""}, "missing"),
        ({"webhook-signature": "v1"}, "invalid"),
        ({"webhook-signature": "v1,a,b"}, "invalid"),
        ({"webhook-signature": "v1,#"}, "no matching signature"),
        ({"webhook-signature": "v1,ä"}, "invalid"),
        ({"webhook-signature": "v1a,AAAA"}, "no matching signature"),
    ],
)
def test_what_is_wrong_with_a_signature(changed: dict[str, str], says: str | None) -> None:
    body = b"{}"
    signed = headers(signers([SecretStr(NEW)]), "id1", time.time(), body) | changed
    # The first secret is the wrong one: the second is tried as well.
    found = fault([signer(OLD), signer(NEW)], signed, body)
    assert found is None if says is None else says in (found or "")


@pytest.mark.parametrize(("seconds", "says"), [(-301, "too old"), (400, "too new")])
def test_a_message_of_another_time_is_refused(seconds: int, says: str) -> None:
    signed = headers(signers([SecretStr(NEW)]), "id1", time.time() + seconds, b"{}")
    assert says in (fault([signer(NEW)], signed, b"{}") or "")


def test_a_body_that_is_not_utf_8_is_no_match() -> None:
    signed = headers(signers([SecretStr(NEW)]), "id1", time.time(), b"{}")
    assert fault([signer(NEW)], signed, b"\xff\xfe")
    assert fault([], signed, b"{}")
