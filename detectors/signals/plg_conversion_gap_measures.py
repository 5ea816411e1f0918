"""What the two halves of plg.conversion_gap tell each other: the measures, and what their values can be."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.signals.measures import SHARE, Values

SIGNAL = "plg.conversion_gap"
PAID = "paid_given_activated"
ACTIVATED = "activated_given_signed_up"
SALES_LED = "sales_led"
SIGN_UP_SEEN = "sign_up_seen"
CONVERSION_SEEN = "conversion_seen"
ACTIVATION_SEEN = "activation_seen"
"""Told when it happens. ``began`` is the step before, and FOLLOWED its segment, where that was told; else ``at``. Value 1: the
account is at risk of the next step from now on."""
FOLLOWED = "followed_as"
"""A dimension of what is told at once: the source under which the account was told of at the step before."""

MEASURES: Mapping[str, Values] = dict.fromkeys(
    (PAID, ACTIVATED, SALES_LED, SIGN_UP_SEEN, CONVERSION_SEEN, ACTIVATION_SEEN), SHARE
)
