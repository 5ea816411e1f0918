"""Whose an event is, by its subject: an account's, but for three prefixes that belong to types of event of their own.

- ``product:<name>``: product.released, always;
- ``signal:<name>``: drift.acknowledged and drift.announced, always; the name of a drift signal, like ``signal:plg.conversion_gap``;
- ``visitor:<id>``: a web.visit whose account is not known yet.
"""

from __future__ import annotations

from schemas.errors import Problem

PRODUCT_PREFIX = "product:"
SIGNAL_PREFIX = "signal:"
VISITOR_PREFIX = "visitor:"

OWNERS = {
    PRODUCT_PREFIX: ("product.released",),
    SIGNAL_PREFIX: ("drift.acknowledged", "drift.announced"),
    VISITOR_PREFIX: ("web.visit",),
}
"""prefix -> the types of event that it belongs to"""
NEEDED = {
    "product.released": (PRODUCT_PREFIX, "a release belongs to a product, not to an account"),
    "drift.acknowledged": (SIGNAL_PREFIX, "an acknowledgement belongs to a drift signal, not to an account"),
    "drift.announced": (SIGNAL_PREFIX, "an announcement belongs to a drift signal, not to an account"),
}
"""type of event -> the prefix that its subject must have, and why"""


def belongs(prefix: str) -> str:
    """To which events a subject with this prefix belongs, in words."""
    return f"a subject {prefix}... belongs to {' and '.join(OWNERS[prefix])}"


def wrong_subject(event_type: str, subject: str) -> Problem | None:
    """What is wrong with ``subject`` on an event of this type; None where nothing is."""
    for prefix, owners in OWNERS.items():
        if subject.startswith(prefix) and event_type not in owners:
            return _problem(belongs(prefix), "give the account's id as the subject")
        if subject == prefix:
            return _problem("nothing stands behind the colon", f"write the subject as {prefix}<name>")
    prefix, why = NEEDED.get(event_type, ("", ""))
    if not subject.startswith(prefix):
        return _problem(why, f"write the subject as {prefix}<name>")
    return None


def _problem(what: str, remedy: str) -> Problem:
    return Problem(code="wrong_subject", what=what, where="$.subject", remedy=remedy)
