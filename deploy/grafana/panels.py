"""How the panels of all dashboards look, over the builders of grafana-foundation-sdk.

Rules: a panel has a title, a text that says what it means and what to do when it moves, a unit, and the data source that
the dashboard's variable names. The grid is 24 wide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = common_model.DataSourceRef(type_val="prometheus", uid="${datasource}")
PLUMBLINE = "http://127.0.0.1:8460"
"""Where the pages are unless the dashboard's variable says otherwise: the default of ``listen``."""

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "#808080"

Panel = TypeVar("Panel", timeseries.Panel, stat.Panel, table.Panel, statetimeline.Panel, heatmap.Panel)


def board(uid: str, title: str, says: str, *, since: str, refresh: str) -> dashboard.Dashboard:
    """An empty dashboard with the variables and links that all have. ``since``: where its time range begins (now-7d)."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(says)
        .tags(["plumbline"])
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh(refresh)
        .with_variable(
            dashboard.DatasourceVariable("datasource")
            .label("Data source")
            .type("prometheus")
            .current(model.VariableOption(text="Prometheus", value="prometheus"))
        )
        .with_variable(
            dashboard.TextBoxVariable("plumbline")
            .label("Plumbline")
            .description("Address of Plumbline's pages, without a slash at the end: links lead there.")
            .default_value(PLUMBLINE)
            .current(model.VariableOption(text=PLUMBLINE, value=PLUMBLINE))
        )
        .link(
            dashboard.DashboardLink("Plumbline's dashboards")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["plumbline"])
            .keep_time(True)
        )
        .link(page("Plumbline's pages", "/").type(model.DashboardLinkType.LINK).icon("external link"))
    )


def choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """A variable of any number of label values; all of them at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .definition(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(text=["All"], value=["$__all"]))
    )


def page(title: str, path: str) -> dashboard.DashboardLink:
    """A link to one of Plumbline's own pages; in ``path`` Grafana's ``${__field...}`` and ``${__data...}`` may stand."""
    return dashboard.DashboardLink(title).url(f"${{plumbline:raw}}{path}").target_blank(True)


def query(expr: str, legend: str = "") -> prometheus.Dataquery:
    """Over the whole time range."""
    return prometheus.Dataquery().range().expr(expr).legend_format(legend)


def query_now(expr: str, legend: str = "") -> prometheus.Dataquery:
    """At its end only."""
    return prometheus.Dataquery().instant().expr(expr).legend_format(legend)


def rows_now(expr: str) -> prometheus.Dataquery:
    """At its end only, a row for each series and a column for each label."""
    return query_now(expr).format(PromQueryFormat.TABLE)


def lines(
    title: str,
    says: str,
    unit: str,
    *queries: prometheus.Dataquery,
    span: int = 12,
    limit: float | None = None,
) -> timeseries.Panel:
    """``limit``: drawn as a line; what lies above it is bad."""
    panel = _panel(timeseries.Panel(), title, says, unit, queries, span, height=8)
    panel.line_width(2).show_points(common_model.VisibilityMode.NEVER)
    panel.legend(_legend())
    panel.tooltip(
        common.VizTooltipOptions()
        .mode(common_model.TooltipDisplayMode.MULTI)
        .sort(common_model.SortOrder.DESCENDING)
    )
    if limit is not None:
        panel.thresholds(steps({limit: RED}, below="transparent"))
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(common_model.GraphThresholdsStyleMode.DASHED)
        )
    return panel


def bars(
    title: str, says: str, unit: str, *queries: prometheus.Dataquery, span: int = 12
) -> timeseries.Panel:
    """Counts of each stretch of time, stacked; their queries use ``$__interval``."""
    stretches = [each.interval("5m") for each in queries]
    return (
        lines(title, says, unit, *stretches, span=span)
        .draw_style(common_model.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
        .stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
        .decimals(0)
        .min(0)
    )


def numbers(
    title: str,
    says: str,
    unit: str,
    *queries: prometheus.Dataquery,
    span: int = 6,
    limits: Mapping[float, str] | None = None,
) -> stat.Panel:
    """``limits``: the value from which on the number has this colour; green below, and blue without any."""
    return (
        _panel(stat.Panel(), title, says, unit, queries, span, height=4)
        .graph_mode(common_model.BigValueGraphMode.NONE)
        .thresholds(steps(limits) if limits else steps({}, below=BLUE))
    )


def rows(
    title: str,
    says: str,
    *queries: prometheus.Dataquery,
    columns: Mapping[str, str],
    hidden: Sequence[str],
    empty: str,
    span: int = 8,
) -> table.Panel:
    """``columns``: field -> its heading, in order. ``hidden``: fields that are not shown. ``empty``: what no row means."""
    return (
        _panel(table.Panel(), title, says, "none", queries, span, height=8)
        .no_value(empty)
        .with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            model.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": dict.fromkeys(("Time", *hidden), True),
                    "indexByName": {field: place for place, field in enumerate(columns)},
                    "renameByName": dict(columns),
                },
            )
        )
    )


def states(
    title: str,
    says: str,
    *queries: prometheus.Dataquery,
    colours: Mapping[str, str],
    span: int = 24,
    height: int = 10,
) -> statetimeline.Panel:
    """``colours``: state -> colour; a query gives the state's place in it, from 1 on (see ``state_number``)."""
    shown = {
        str(place): model.ValueMappingResult(text=state, color=colour, index=place)
        for place, (state, colour) in enumerate(colours.items(), start=1)
    }
    return (
        _panel(statetimeline.Panel(), title, says, "none", queries, span, height)
        .mappings([model.ValueMap(options=shown)])
        .legend(_legend())
        .merge_values(True)
        .show_value(common_model.VisibilityMode.NEVER)
        .row_height(0.8)
    )


def heat(title: str, says: str, unit: str, buckets: str, *, span: int = 12) -> heatmap.Panel:
    """``buckets``: an expression that keeps ``le``."""
    query_of_buckets = query(buckets, "{{le}}").format(PromQueryFormat.HEATMAP).interval("5m")
    return (
        _panel(heatmap.Panel(), title, says, "none", (query_of_buckets,), span, height=9)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64))
        .show_y_histogram()
    )


def steps(limits: Mapping[float, str], below: str = GREEN) -> dashboard.ThresholdsConfig:
    """``limits``: the value from which on a colour holds, rising."""
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps(
            [
                model.Threshold(value=None, color=below),
                *(model.Threshold(value=value, color=colour) for value, colour in limits.items()),
            ]
        )
    )


def dashed() -> list[model.DynamicConfigValue]:
    """What makes a line the quieter one of two."""
    return [
        model.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [8, 8]}),
        model.DynamicConfigValue(id_val="custom.lineWidth", value=1),
    ]


def coloured(colour: str) -> list[model.DynamicConfigValue]:
    return [model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})]


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(common_model.LegendDisplayMode.LIST)
        .placement(common_model.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _panel(
    panel: Panel,
    title: str,
    says: str,
    unit: str,
    queries: Sequence[prometheus.Dataquery],
    span: int,
    height: int,
) -> Panel:
    panel.title(title).description(says).unit(unit).datasource(SOURCE).span(span).height(height)
    for letter, each in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(each.datasource(SOURCE).ref_id(letter))
    return panel
