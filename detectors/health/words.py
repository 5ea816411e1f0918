"""What is said of an ill source, to those who run it."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.health.fields import Needs
from detectors.health.tally import SIGNAL
from detectors.health.watch import Illness, Watch
from detectors.signals.words import day
from schemas.alerts import DataHealthAlert, alert_id, moment

_MEANT = (
    "It stays ill until that is mended. If it is meant to be so, say it: plumbline drift acknowledge data.health with --segment"
    " and --retake-baseline."
)
PROMISE = "False-alarm promise: at most one a year for all sources together."


def alert_of(
    event_type: str,
    source: str,
    watch: Watch,
    illness: Illness,
    at: float,
    needs: Mapping[str, Needs],
    *,
    forgotten: bool = False,
) -> DataHealthAlert:
    """``forgotten``: the illness is over because a person has said that what was learned of the source holds no more."""
    state = "ill" if illness.ended is None else "well"
    what, means, check = (
        _ill(event_type, source, watch, illness) if state == "ill" else _well(source, illness, forgotten)
    )
    return DataHealthAlert(
        id=alert_id("data_health", event_type, source, illness.symptom, illness.field, state, illness.found),
        at=moment(at),
        signal=SIGNAL,
        state=state,
        source=source,
        type=event_type,
        symptom=illness.symptom,
        field=illness.field,
        since=moment(illness.began),
        suspends=suspended_by(event_type, illness.field, needs),
        what=what,
        means=means,
        check=check,
        promise=PROMISE,
    )


def suspended_by(event_type: str, field: str, needs: Mapping[str, Needs]) -> list[str]:
    """The names of the signals that an illness of ``event_type``, or of its ``field``, concerns."""
    return sorted(
        signal
        for signal, of_signal in needs.items()
        if event_type in of_signal and (not field or field in of_signal[event_type])
    )


def _ill(event_type: str, source: str, watch: Watch, illness: Illness) -> tuple[str, str, str]:
    since = day(illness.began)
    field = illness.field
    who = f"{source} ({event_type})"
    if illness.symptom == "silent":
        return (
            f"{who} has been silent since {since}; by its rhythm {watch.rhythm.missed:,.0f} events should have come.",
            "Nobody does less: what they do is not told. What depends on it is suspended, and what is missing is not counted.",
            "Check first whether the connector runs, its token is valid, and the gateway's answers to it are 202. If it was"
            " meant to end, say so: plumbline drift acknowledge data.health with --segment and --retake-baseline.",
        )
    if illness.symptom == "field emptied":
        share = watch.filled[field]
        return (
            f"{who} no longer fills {field}: {_percent(share.recent)} of events since {since}, {_percent(share.usual)} before.",
            "What signals read there is missing, not changed. Those that need it are suspended.",
            f"Check first what changed at the sender about {since}: a mapping, a form, a release of the tracker, a privacy rule. "
            + _MEANT,
        )
    if illness.symptom == "values taken over":
        moved = watch.values[field].distance
        return (
            f"In {_percent(moved)} of the events of {who} the {field} is now another than it was until {since}.",
            "One value or a new vocabulary has taken over: a template, a form's first entry, renamed events. People seldom change so.",
            f"Check first whether a template or form writes {field}, and whether names were changed. Without an answer in four"
            " weeks the new values become the usual, and what depends on them learns anew.",
        )
    if illness.symptom == "told twice":
        share = watch.twice
        return (
            f"{_percent(share.recent)} of what {who} has told since {since} it had told before under another id; "
            f"{_percent(share.usual)} is usual.",
            "Each copy counts as an event of its own, so all that is counted from it is too much.",
            "Check first whether a webhook or a job was set up twice; give each event the id of what it tells, so that copies are dropped. "
            + _MEANT,
        )
    share = watch.behind
    return (
        f"{_percent(share.recent)} of the events of {who} since {since} are three hours or more behind the others; "
        f"{_percent(share.usual)} is usual.",
        "Its clock is behind, it writes local time as UTC, or it sends late for good. Where all other sources are called behind, "
        "this or another clock is ahead.",
        "Check first the time zone in which it writes `time`, then its queue. " + _MEANT,
    )


def _well(source: str, illness: Illness, forgotten: bool) -> tuple[str, str, str]:
    until = (
        f"It was ill from {day(illness.began)} to {day(illness.ended or illness.found)} ({illness.symptom}"
    )
    until += f" {illness.field})." if illness.field else ")."
    if forgotten and illness.adopted:
        return (
            f"By a person's decision, what {source} sends now is taken as usual. {until}",
            "The source is learned anew, and the signals that depend on it learn their baselines anew.",
            "",
        )
    if forgotten:
        return (
            f"By a person's decision, what was learned of {source} is forgotten. {until}",
            "Signals that depend on it go on with their baselines. Observations that touch this time stay left out, those that"
            " began in it too. If the source speaks again, it is learned anew.",
            "",
        )
    if illness.adopted:
        return (
            f"What has been new at {source} for four weeks is now taken as usual. {until}",
            "Signals that depend on it learn their baselines anew.",
            "",
        )
    return (
        f"{source} is well again. {until}",
        "Observations that touch this time stay left out, those that began in it too.",
        "",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
