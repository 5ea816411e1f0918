"""An alert as a page shows it: a headline that is always seen, and its why, which opens."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from schemas.alerts import (
    ActivationMissed,
    Alert,
    BlockerEnded,
    DataHealthAlert,
    DriftAlert,
    Notice,
    Reach,
    TriggerAlert,
)
from streams.web.wording import (
    QUADRANTS,
    account_path,
    day,
    number,
    score,
    segment_words,
    signed,
    words,
)


class Line(Struct):
    """``figure`` is the number that belongs to it, already in words."""

    text: str
    because: str = ""
    figure: str = ""


class Field(Struct):
    label: str
    lines: list[Line]


class Card(Struct, kw_only=True):
    """``tone`` picks the colour of ``label``; ``path`` leads to the account, if it is about one."""

    id: str
    at: datetime
    label: str
    tone: str
    headline: str
    path: str
    summary: str
    fields: list[Field]


def card(alert: Alert) -> Card:
    match alert:
        case TriggerAlert():
            return _trigger(alert)
        case BlockerEnded():
            fields = [
                Field("What is over", [Line(words(alert.blocker), alert.because)]),
                Field("Next", [Line(alert.next)]),
            ]
            summary = f"{words(alert.blocker)} · fit {number(alert.fit)}, trigger {score(alert.trigger)}"
            return _of_account(alert, "Blocker ended", "nurture", summary, fields)
        case ActivationMissed():
            fields = [
                Field(
                    "What is missing",
                    [
                        Line(
                            f"Not {alert.milestone} within {alert.within} of signing up on {day(alert.signed_up)}"
                        )
                    ],
                ),
                Field("Next", [Line(alert.next)]),
            ]
            summary = f"not {alert.milestone} within {alert.within} · fit {number(alert.fit)}"
            return _of_account(alert, "Activation missed", "discover", summary, fields)
        case DriftAlert():
            return _drift(alert)
        case Notice():
            return Card(
                id=alert.id,
                at=alert.at,
                label="Notice",
                tone="not_now",
                headline=f"{alert.signal} · {segment_words(alert.signal, alert.segment)}",
                path="",
                summary=words(alert.finding),
                fields=[Field("What", [Line(alert.what)]), Field("It means", [Line(alert.means)])],
            )
        case DataHealthAlert():
            return _data_health(alert)


def _trigger(alert: TriggerAlert) -> Card:
    told = {reason.name for reason in alert.why_now}
    why_now = [
        Line(words(reason.name), f"{reason.because}; fades {reason.fades}", signed(reason.contribution))
        for reason in alert.why_now
    ]
    why_now += [
        Line(words(part.name), "", signed(part.contribution)) for part in alert.parts if part.name not in told
    ]
    why_now.append(
        Line("Trigger score", f"an alert goes out at {number(alert.threshold)}", score(alert.trigger))
    )
    fields = [
        Field("Why them", [Line(words(r.name), r.because, f"+{number(r.weight)}") for r in alert.why_them]),
        Field("Why now", why_now),
        Field(
            "Blocked for another variant",
            [Line(f"{words(b.name)} until {day(b.until)}", b.because) for b in alert.blockers],
        ),
        Field(
            "Expect",
            [
                Line(f"\N{LEFT DOUBLE QUOTATION MARK}{o.says}\N{RIGHT DOUBLE QUOTATION MARK}", o.answer)
                for o in alert.expect
            ],
        ),
        Field("Reach", [_reach(role) for role in alert.reach]),
        Field("Next", [Line(alert.next)]),
    ]
    summary = f"trigger {score(alert.trigger)} · fit {number(alert.fit)}"
    if alert.why_now:
        summary += f" · {words(alert.why_now[0].name)}"
    return _of_account(
        alert, QUADRANTS.get(alert.quadrant, words(alert.quadrant)), alert.quadrant, summary, fields
    )


def _reach(role: Reach) -> Line:
    if role.known:
        return Line(", ".join(role.known), f"{role.role}; among the contacts")
    return Line(" or ".join(role.titles), f"{role.role}; not seen yet")


def _of_account(
    alert: TriggerAlert | BlockerEnded | ActivationMissed,
    label: str,
    tone: str,
    summary: str,
    fields: list[Field],
) -> Card:
    return Card(
        id=alert.id,
        at=alert.at,
        label=label,
        tone=tone,
        headline=alert.account_name or alert.account,
        path=account_path(alert.account),
        summary=f"{alert.variant} · {summary}",
        fields=[field for field in fields if field.lines],
    )


def _drift(alert: DriftAlert) -> Card:
    return Card(
        id=alert.id,
        at=alert.at,
        label=alert.state.capitalize(),
        tone=alert.state,
        headline=f"{alert.signal} · {segment_words(alert.signal, alert.segment)}",
        path="",
        summary=f"since {day(alert.since)} (±{max(1, round(alert.since_margin_days))} d)",
        fields=[
            Field("What", [Line(alert.what)]),
            Field("It means", [Line(alert.means)]),
            Field("Check first", [Line(alert.check)]),
            Field("Wrong if", [Line(alert.wrong_if)]),
            Field("Promise", [Line(alert.promise)]),
        ],
    )


def _data_health(alert: DataHealthAlert) -> Card:
    suspended = ", ".join(alert.suspends)
    fields = [
        Field("What", [Line(alert.what)]),
        Field("It means", [Line(alert.means)]),
        Field("Suspended" if alert.state == "ill" else "Goes on", [Line(suspended)] if suspended else []),
        Field("Check first", [Line(alert.check)] if alert.check else []),
        Field("Promise", [Line(alert.promise)]),
    ]
    return Card(
        id=alert.id,
        at=alert.at,
        label=f"Source {alert.state}",
        tone="drifting" if alert.state == "ill" else "resolved",
        headline=f"{alert.type} · {alert.source}",
        path="",
        summary=f"{words(alert.symptom)} {alert.field}".strip() + f" · since {day(alert.since)}",
        fields=[field for field in fields if field.lines],
    )
