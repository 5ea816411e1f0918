"""The webhook's body and headers, as Standard Webhooks (spec v1) has them, made and verified.

Rules: the id is the alert's, on every try, so that receivers can drop repeats; the timestamp is the try's; every secret
signs, so that one can be replaced while the other still works. A secret is in no error. Making is pure; verifying takes
the clock from the library.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from pydantic import SecretStr
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from schemas.alerts import decode_alert
from schemas.errors import PlumblineError


class _Payload(msgspec.Struct):
    type: str
    timestamp: datetime
    data: msgspec.Raw


class UnreadableAlert(PlumblineError):
    """A row of the outbox is not an alert that this program knows."""

    def __init__(self) -> None:
        super().__init__(
            "an alert in the outbox can't be read",
            remedy="it was written by another version of Plumbline; send it again with that version",
        )


def payload(body: bytes) -> bytes:
    """The request body for ``body``, an encoded alert, which travels byte for byte as ``data``. Raises UnreadableAlert."""
    try:
        alert = decode_alert(body)
    except msgspec.DecodeError as error:
        raise UnreadableAlert from error
    kind = alert.__struct_config__.tag
    return msgspec.json.encode(_Payload(f"plumbline.alert.{kind}", alert.at, msgspec.Raw(body)))


def signer(secret: str) -> Webhook:
    """Raises PlumblineError when ``secret`` is not base64 after its whsec_."""
    try:
        return Webhook(secret)
    except (binascii.Error, ValueError, EmptyWebhookSecretError):
        # Without the cause: its traceback would show the secret.
        raise PlumblineError(
            "a webhook secret is not valid",
            remedy="write whsec_ followed by 24 to 64 random bytes in base64",
        ) from None


def signers(secrets: Sequence[SecretStr]) -> tuple[Webhook, ...]:
    return tuple(signer(secret.get_secret_value()) for secret in secrets)


def headers(signed_by: Sequence[Webhook], alert_id: str, at: float, body: bytes) -> dict[str, str]:
    """Headers for a try at ``at`` (Unix seconds, wall clock: receivers refuse what is over five minutes off)."""
    moment = datetime.fromtimestamp(int(at), UTC)
    text = body.decode()
    return {
        "webhook-id": alert_id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": " ".join(webhook.sign(alert_id, moment, text) for webhook in signed_by),
    }


def fault(signed_by: Sequence[Webhook], received: Mapping[str, str], body: bytes) -> str | None:
    """None if any of ``signed_by`` verifies what was received, else what is wrong, in words.

    Timestamps may be five minutes off the system's clock (the library's bound).
    """
    reason = "no secret to verify with"
    for webhook in signed_by:
        try:
            webhook.verify(body, dict(received), json_parse=False)
        except WebhookVerificationError as error:
            reason = str(error)
        except ValueError:  # neither base64 nor UTF-8, or no version before the signature
            reason = "Invalid Signature Headers"
        else:
            return None
    return reason.lower()
