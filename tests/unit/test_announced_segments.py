"""A change announced for all segments explains a segment that moves like one that it has explained, though it is dated badly."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.announcements import ALIKE_DAYS, BEFORE_DAYS, announce, tell_as_announced
from detectors.decisions import Decided
from detectors.signals.contract import ANNOUNCED, Announcement, Decision, Verdict
from schemas.alerts import DriftAlert, Interval, Notice, moment
from schemas.duration import DAY
from schemas.observations import Observation

GAP = "plg.conversion_gap"
ON = 400 * DAY
OF_ALL = Announcement(at=ON - DAY, on=ON, by="Ann", reason="New list prices")


def share(estimate: float, spread: float = 0.01, n: int = 900) -> Interval:
    return Interval(estimate=estimate, low=estimate - spread, high=estimate + spread, n=n)


WHOLE_BEFORE, WHOLE_NOW = share(0.20), share(0.13)


def verdict(
    segment: str, before: Interval | None, now: Interval | None, since: float = 0.0, margin: float = 9.0
) -> Verdict:
    """One that drifts; ``since`` and ``margin`` in days, after the announced day."""
    return Verdict(
        signal=GAP,
        segment=segment,
        state="drifting",
        at=ON + 90 * DAY,
        since=ON + since * DAY,
        since_margin_days=margin,
        before=before,
        now=now,
        statistic=900.0,
        threshold=400.0,
        n=3000,
        missing="",
        counted_out={},
        history=[],
    )


def drift(**changes: Any) -> DriftAlert:
    """Of ``source:content``, by a third as the whole, but dated ten weeks late."""
    return DriftAlert(
        **(
            {
                "id": "one",
                "at": moment(ON + 150 * DAY),
                "signal": GAP,
                "segment": "source:content",
                "state": "drifting",
                "since": moment(ON + 70 * DAY),
                "since_margin_days": 20.0,
                "before": share(0.18, 0.03),
                "now": share(0.12, 0.03),
                "statistic": 500.0,
                "threshold": 400.0,
                "mix_share": None,
                "what": "It fell.",
                "means": "Silent drift.",
                "check": "Check first what changed.",
                "wrong_if": "",
                "promise": "",
                "evidence": [],
            }
            | changes
        )
    )


def known(kind: Any = "announced", reason: str = OF_ALL.reason) -> dict[str, Decided]:
    """The whole's drift is."""
    made = Decision(at=ON + 60 * DAY, kind=kind, by="Ann", reason=reason, state="drifting", since=ON)
    return {"all": Decided(known=True, decisions=[made])}


def told(
    alert: DriftAlert,
    decided: dict[str, Decided],
    announced: Announcement = OF_ALL,
    whole: Verdict | None = None,
) -> DriftAlert | Notice:
    whole = whole or verdict("all", WHOLE_BEFORE, WHOLE_NOW)
    (found,) = tell_as_announced([announced], decided, [alert], [whole])
    return found


def test_a_segment_that_moves_as_the_whole_does_is_told_as_announced() -> None:
    decided = known()
    notice = told(drift(), decided)
    assert isinstance(notice, Notice)
    assert "This moves as the whole does, which began about then" in notice.means
    assert decided["source:content"].known
    assert decided["source:content"].decisions[-1].kind == "announced"


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"now": share(0.05)}, "it fell deeper"),
        ({"now": share(0.30)}, "it rose"),
        ({"before": share(0.02, 0.02)}, "nothing is known of its factor"),
        ({"now": Interval(estimate=0.0, low=0.0, high=1.0, n=0)}, "nothing is known of now"),
        (
            {"since": moment(ON - (BEFORE_DAYS + 21) * DAY), "since_margin_days": 20.0},
            "it began before the day, at the latest too",
        ),
        ({"at": moment(ON - DAY), "since": moment(ON - 60 * DAY)}, "it was found before the day"),
        ({"at": moment(ON + (ALIKE_DAYS + 1) * DAY)}, "it was found a year later"),
        ({"state": "resolved"}, "it is over"),
    ],
)
def test_what_does_not_is_told_as_ever(changes: dict[str, Any], about: str) -> None:
    decided, alert = known(), drift(**changes)
    assert told(alert, decided) is alert, about
    assert "source:content" not in decided


def test_the_whole_has_to_be_known_by_the_same_announcement_of_all() -> None:
    alert = drift()
    assert told(alert, {}) is alert
    assert told(alert, known("acknowledged")) is alert
    assert told(alert, known(reason="Another")) is alert
    of_content = Announcement(at=OF_ALL.at, on=ON, by="Ann", reason=OF_ALL.reason, segment="source:content")
    assert told(alert, known(), of_content) is alert
    assert told(alert, known(), whole=verdict("all", WHOLE_BEFORE, None)) is alert


def test_a_late_announcement_acknowledges_what_moves_alike_whatever_the_order() -> None:
    decided: dict[str, Decided] = {}
    observation = Observation(
        signal=GAP,
        measure=ANNOUNCED,
        at=ON + 160 * DAY,
        began=ON + 160 * DAY,
        value=ON,
        account="",
        segments={"by": "Ann"},
        phrases=[OF_ALL.reason],
    )
    late = verdict("source:content", share(0.18, 0.03), share(0.12, 0.03), since=70.0, margin=20.0)
    deeper = verdict("source:direct", share(0.2), share(0.05), since=70.0, margin=20.0)
    whole = verdict("all", WHOLE_BEFORE, WHOLE_NOW)
    announce([], decided, observation, [late, deeper, whole])
    assert {name for name, found in decided.items() if found.known} == {"all", "source:content"}
