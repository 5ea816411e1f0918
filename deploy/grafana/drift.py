"""The dashboard "Drift": for ops and product teams."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common, dashboard, timeseries
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units

from deploy.grafana.panels import (
    ORANGE,
    RED,
    YELLOW,
    bars,
    board,
    choice,
    coloured,
    dashed,
    lines,
    numbers,
    page,
    query,
    query_now,
    rows,
    rows_now,
    states,
)
from deploy.grafana.verdicts import COLOURS, in_state, state_number, strength
from detectors.catalogue import SIGNALS
from detectors.health.tally import SIGNAL as HEALTH
from detectors.signals.contract import Quantity

SHOWN = f'signal=~"$signal", signal!="{HEALTH}", segment=~"$segment"'
BY = "signal, segment"
DRIFTING = in_state(SHOWN, "drifting|acknowledged", by=f"{BY}, state")
STRENGTH = strength(SHOWN, by=BY)
COLUMNS = {"signal": "Signal", "segment": "Segment"}
OF_A_ROW = page(
    "${__data.fields.Signal}: since when, evidence, what to check", "/drift/${__data.fields.Signal}"
)
OF_A_LINE = page(
    "${__field.labels.signal}: since when, evidence, what to check", "/drift/${__field.labels.signal}"
)


def drift() -> dashboard.Dashboard:
    return (
        board(
            "plumbline-drift",
            "Plumbline: drift",
            "Whether the ideal customer profile drifts: which signal, in which segment, how strongly.",
            since="now-14d",
            refresh="5m",
        )
        .with_variable(
            choice("signal", "Signal", f'label_values(plumbline_drift_state{{signal!="{HEALTH}"}}, signal)')
        )
        .with_variable(
            choice(
                "segment",
                "Segment",
                f'label_values(plumbline_drift_state{{signal=~"$signal", signal!="{HEALTH}"}}, segment)',
            )
        )
        .with_row(dashboard.Row("Now"))
        .with_panel(
            numbers(
                "Segments by state",
                "How many segments of the chosen signals are in each state. One that drifts is a finding about your market, or "
                "about the program's promise of one false alarm a year: look at it in the table below. Many that are "
                "suspended: mend the ill source first.",
                units.Short,
                query_now(
                    f"sum by (state) (max by ({BY}, state) (plumbline_drift_state{{{SHOWN}}}))", "{{state}}"
                ),
                span=24,
            )
            .override_by_name("drifting", [_number_colour(RED)])
            .override_by_name("acknowledged", [_number_colour(ORANGE)])
            .override_by_name("suspended", [_number_colour(YELLOW)])
        )
        .with_panel(
            rows(
                "What drifts now",
                "Each segment whose statistic crossed its threshold and has not come back. `acknowledged`: a person said that it "
                "is known. Follow the link: the page has since when, before and now with their intervals, and what to check "
                "first. Then acknowledge it or mend it. PlumblineDrift alerts on `drifting`.",
                rows_now(DRIFTING),
                rows_now(f"{STRENGTH}\n  and on ({BY}) ({in_state(SHOWN, 'drifting|acknowledged', by=BY)})"),
                columns={**COLUMNS, "state": "State", "Value #B": "Strength"},
                hidden=["Value #A"],
                empty="nothing drifts",
                span=24,
            )
            .override_by_name("Strength", [model.DynamicConfigValue(id_val="unit", value="suffix: ×")])
            .data_links([OF_A_ROW])
        )
        .with_panel(
            states(
                "State of each segment",
                "What each segment has been, over time. Grey is still learning its baseline. Red and then blue is a drift that "
                "ended. Yellow: a source that it feeds on is ill, see below. `other` stands for segments beyond the bound on "
                "labels and for those that are named after a person; it shows the one nearest to its alarm.",
                query(state_number(SHOWN, by=BY), "{{signal}} {{segment}}"),
                colours=COLOURS,
            ).data_links([OF_A_LINE])
        )
        .with_row(dashboard.Row("How strongly"))
        .with_panel(
            lines(
                "Strength: statistic over threshold",
                "The detector's statistic as a multiple of its threshold, on a logarithmic scale since it grows by multiplying. "
                "The dashed line at 1 is the alarm. A steady climb over weeks is a change on its way; a jump and a fall is "
                "chance or a campaign. Nothing to do below 1. Absent while learning.",
                "suffix: ×",
                query(STRENGTH, "{{signal}} {{segment}}"),
                span=24,
                limit=1,
            )
            .scale_distribution(
                common.ScaleDistributionConfig().type(common_model.ScaleDistribution.LOG).log(10)
            )
            .data_links([OF_A_LINE])
        )
        .with_row(dashboard.Row("Before and now"))
        .with_panel(_before_and_now("Shares", "share", units.PercentUnit))
        .with_panel(_before_and_now("Ratios", "ratio", "suffix: ×"))
        .with_panel(_before_and_now("Days", "days", units.Days))
        .with_panel(_before_and_now("Features in ten uses", "features", units.Short))
        .with_row(dashboard.Row("What can't be judged"))
        .with_panel(
            rows(
                "Still learning",
                "Segments whose baseline is not complete: they can't alarm. The page says what each still lacks. One that has "
                "learned for months sees too little: ask for fewer segments, or check that its source is connected.",
                rows_now(in_state(SHOWN, "learning", by=BY)),
                columns=COLUMNS,
                hidden=["Value"],
                empty="all have learned",
            ).data_links([OF_A_ROW])
        )
        .with_panel(
            rows(
                "Suspended",
                "Segments that are not judged because a source that they feed on is ill; the page says which one. What the "
                "source said wrongly is left out, and judging goes on when it is well.",
                rows_now(in_state(SHOWN, "suspended", by=BY)),
                columns=COLUMNS,
                hidden=["Value"],
                empty="none is suspended",
            ).data_links([OF_A_ROW])
        )
        .with_panel(
            rows(
                "Ill sources",
                "Sources of events (type and CloudEvents source) that fell silent, no longer fill a field, or tell things otherwise "
                "than before. Mend the sender; PlumblineSourceIll alerts on it. What it was like before: the dashboard "
                "Operations.",
                rows_now(in_state(f'signal="{HEALTH}", segment!="all"', "ill", by="segment")),
                columns={"segment": "Source"},
                hidden=["Value"],
                empty="all sources are well",
            ).data_links([page("What to check", f"/drift/{HEALTH}")])
        )
        .with_row(dashboard.Row("Alerts"))
        .with_panel(
            bars(
                "Alerts about drift",
                "`drift`: a segment began to drift. `notice`: worth knowing, no alarm (an announced change, a second opinion). "
                "`data_health`: a source fell ill or is well again. Several of one day have often one cause: look at the sources "
                "first.",
                units.Short,
                query(
                    'sum by (kind) (increase(plumbline_alerts_total{kind=~"drift|notice|data_health"}[$__interval]))',
                    "{{kind}}",
                ),
                span=24,
            )
            .override_by_name("drift", coloured(RED))
            .data_links([page("The latest alerts", "/#alerts")])
        )
    )


def _before_and_now(title: str, unit: Quantity, shown_as: str) -> timeseries.Panel:
    names = "|".join(name for name, signal in SIGNALS.items() if getattr(signal, "unit", "share") == unit)
    chosen = f'{SHOWN}, signal=~"{names}"'
    return (
        lines(
            title,
            "The estimate now (full line) beside the one of the frozen baseline (dashed). They part long before the alarm and "
            "that alone proves nothing: how sure it is says the strength above, and the intervals on the signal's page. The "
            "dashed line moves only when a baseline is learned or taken anew.",
            shown_as,
            query(f"max by ({BY}) (plumbline_drift_current{{{chosen}}})", "{{signal}} {{segment}} now"),
            query(f"max by ({BY}) (plumbline_drift_baseline{{{chosen}}})", "{{signal}} {{segment}} before"),
        )
        .override_by_query("B", dashed())
        .data_links([OF_A_LINE])
    )


def _number_colour(colour: str) -> model.DynamicConfigValue:
    """From 1 on; 0 is nothing to look at."""
    found = {"mode": "absolute", "steps": [{"value": None, "color": "green"}, {"value": 1, "color": colour}]}
    return model.DynamicConfigValue(id_val="thresholds", value=found)
