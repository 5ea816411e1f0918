"""An alert in words for people: what ``plumbline listen`` prints, and pages and other commands show.

Rules: the same alert gives the same text (no clock: times are written out); everything that came from outside is made
safe to print; a shortened list says that it is one, so that the numbers add up.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime

from schemas.alerts import (
    ActivationMissed,
    ActiveBlocker,
    Alert,
    BlockerEnded,
    DataHealthAlert,
    DriftAlert,
    Notice,
    Reach,
    TriggerAlert,
    TriggerReason,
)
from streams.terminal_text import printable
from streams.web.wording import day, sentence, words

MIN_WIDTH = 40
ID_DIGITS = 12
"""So much of an id is shown; plumbline deliveries takes a beginning."""

_LABEL = 11
_HEADLINES = {
    "route": "CALL TODAY",
    "nurture": "NURTURE",
    "discover": "QUICK DISCOVERY",
    "not_now": "NOT NOW",
}


def alert_text(alert: Alert, width: int) -> str:
    """``alert`` in lines of at most ``width`` characters (40 at least) where words allow it, without a final newline."""
    width = max(width, MIN_WIDTH)
    match alert:
        case TriggerAlert():
            lines = _trigger(alert, width)
        case BlockerEnded():
            lines = _blocker_ended(alert, width)
        case ActivationMissed():
            lines = _activation_missed(alert, width)
        case DriftAlert():
            lines = _drift(alert, width)
        case Notice():
            lines = _notice(alert, width)
        case DataHealthAlert():
            lines = _data_health(alert, width)
    return "\n".join(lines)


def _trigger(alert: TriggerAlert, width: int) -> Iterable[str]:
    headline = _HEADLINES.get(alert.quadrant, alert.quadrant)
    yield from _wrapped(f"{headline} · {_account(alert)} · {alert.variant}", width)
    yield from _wrapped(
        f"fit {alert.fit:.0f} of 100 · trigger {alert.trigger:.0f}, crossed {alert.threshold:g} on {_when(alert.at)}",
        width,
    )
    yield ""
    why_them = [f"{words(r.name)} ({r.weight:+.0f}): {r.because}" for r in alert.why_them]
    yield from _field("Why them", why_them, width)
    yield from _field("Why now", [*map(_why_now, alert.why_now), *_other_parts(alert)], width)
    yield from _field("Blocked", map(_blocker, alert.blockers), width)
    yield from _field("Expect", [f'"{o.says}" - {o.answer}' for o in alert.expect], width)
    reach = " · ".join(map(_reach, alert.reach))
    yield from _field("Reach", [reach] if reach else [], width)
    yield from _field("Next", [f"{sentence(alert.next)} ({_id(alert)})"], width)


def _why_now(reason: TriggerReason) -> str:
    latest = f"; latest {_when(reason.evidence[0].at)}" if reason.evidence else ""
    return (
        f"{words(reason.name)} ({reason.contribution:+.0f}, fades {reason.fades}): {reason.because}{latest}"
    )


def _other_parts(alert: TriggerAlert) -> list[str]:
    told = {reason.name for reason in alert.why_now}
    others = [p for p in alert.parts if p.name not in told and round(p.contribution) != 0]
    others.sort(key=lambda part: (-abs(part.contribution), part.name))
    if not others:
        return []
    return ["and " + ", ".join(f"{words(part.name)} ({part.contribution:+.0f})" for part in others)]


def _blocker(blocker: ActiveBlocker) -> str:
    """One of this variant would have held the alert back."""
    return f"for another variant: {words(blocker.name)}, not before {day(blocker.until)}: {blocker.because}"


def _reach(reach: Reach) -> str:
    if reach.known:
        return f"{', '.join(reach.known)} ({reach.role}, known)"
    return f"{' or '.join(reach.titles)} ({reach.role}, not seen yet)"


def _blocker_ended(alert: BlockerEnded, width: int) -> Iterable[str]:
    yield from _wrapped(f"BLOCKER ENDED · {_account(alert)} · {alert.variant}", width)
    yield from _wrapped(
        f"{words(alert.blocker)} was in the way until {day(alert.at)}: {sentence(alert.because)}"
        f" Fit is {alert.fit:.0f} of 100, trigger {alert.trigger:.0f}.",
        width,
    )
    yield from _wrapped(f"Next: {sentence(alert.next)} ({_id(alert)})", width)


def _activation_missed(alert: ActivationMissed, width: int) -> Iterable[str]:
    yield from _wrapped(f"ACTIVATION MISSED · {_account(alert)} · {alert.variant}", width)
    yield from _wrapped(
        f"Signed up on {day(alert.signed_up)} and was not {words(alert.milestone)} within {alert.within}."
        f" Fit is {alert.fit:.0f} of 100.",
        width,
    )
    yield from _wrapped(f"Next: {sentence(alert.next)} ({_id(alert)})", width)


def _drift(alert: DriftAlert, width: int) -> Iterable[str]:
    yield from _wrapped(
        f"{alert.state.upper()} · {alert.signal} · {_segment(alert.segment)} · {day(alert.at)}", width
    )
    yield from _wrapped(alert.what, width)
    yield from _wrapped(alert.means, width)
    yield from _wrapped(f"{alert.check} {alert.wrong_if}", width)
    yield from _wrapped(f"{alert.promise} ({_id(alert)})", width)


def _notice(alert: Notice, width: int) -> Iterable[str]:
    yield from _wrapped(
        f"NOTICE · {words(alert.finding)} · {alert.signal} · {_segment(alert.segment)} · {day(alert.at)}",
        width,
    )
    yield from _wrapped(alert.what, width)
    yield from _wrapped(f"{alert.means} ({_id(alert)})", width)


def _data_health(alert: DataHealthAlert, width: int) -> Iterable[str]:
    symptom = f"{alert.symptom} {alert.field}".strip()
    yield from _wrapped(
        f"SOURCE {alert.state.upper()} · {symptom} · {alert.type} · {alert.source} · {day(alert.at)}", width
    )
    yield from _wrapped(alert.what, width)
    yield from _wrapped(alert.means, width)
    yield from _wrapped(alert.check, width)
    yield from _wrapped(f"{alert.promise} ({_id(alert)})", width)


def _account(alert: TriggerAlert | BlockerEnded | ActivationMissed) -> str:
    return alert.account_name or alert.account


def _segment(name: str) -> str:
    return "all accounts" if name == "all" else f"segment {name}"


def _id(alert: Alert) -> str:
    return f"id {alert.id[:ID_DIGITS]}"


def _when(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc:%a} {utc.day} {utc:%b %Y %H:%M} UTC"


def _field(label: str, texts: Iterable[str], width: int) -> Iterable[str]:
    for text in texts:
        yield from textwrap.wrap(
            printable(text), width, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=" " * _LABEL
        )
        label = ""


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(printable(text), width)
