"""The dashboard "Triggers": for SDRs and RevOps."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units

from deploy.grafana.panels import (
    GREEN,
    GREY,
    ORANGE,
    RED,
    bars,
    board,
    choice,
    coloured,
    dashed,
    heat,
    lines,
    numbers,
    page,
    query,
    query_now,
)
from streams.metrics import FIT_POINTS, TRIGGER_POINTS

KINDS = 'kind=~"trigger|blocker_ended|activation_missed"'
VARIANT = 'variant=~"$variant"'
ENDPOINT = 'endpoint=~"$endpoint"'
FAILED = 'result!~"delivered|dead|skipped"'
POINTS = "suffix: points"
ALERTS = page("The latest alerts, each with its why", "/#alerts")
ACCOUNTS = page("Whom to call now", "/#accounts")


def triggers() -> dashboard.Dashboard:
    return (
        board(
            "plumbline-triggers",
            "Plumbline: triggers",
            "Alerts for SDRs, the scores behind them, and whether they arrive.",
            since="now-7d",
            refresh="1m",
        )
        .with_variable(choice("variant", "Variant", "label_values(plumbline_trigger_score_count, variant)"))
        .with_variable(_bound("trigger_bound", "Trigger from", TRIGGER_POINTS, 40))
        .with_variable(_bound("fit_bound", "Fit from", FIT_POINTS, 50))
        .with_variable(choice("endpoint", "Receiver", "label_values(plumbline_deliveries_total, endpoint)"))
        .with_row(dashboard.Row("Alerts"))
        .with_panel(
            numbers(
                "Alerts in this time",
                "`trigger`: call this account now. `blocker_ended`: what kept an account out is over. `activation_missed`: a new "
                "customer did not reach a milestone in time. Counted when made; what was sent stands below.",
                units.Short,
                query_now(
                    f"sum by (kind) (increase(plumbline_alerts_total{{{KINDS}}}[$__range]))", "{{kind}}"
                ),
            ).decimals(0)
        )
        .with_panel(
            bars(
                "Alerts by kind",
                "A sudden rise: a campaign, or a trigger that many events match now; look at the scores below and at the ICP "
                "file's last change. None where there used to be some: check that events come in (the dashboard Operations). "
                "By variant and account: on the pages.",
                units.Short,
                query(
                    f"sum by (kind) (increase(plumbline_alerts_total{{{KINDS}}}[$__interval]))", "{{kind}}"
                ),
                span=18,
            ).data_links([ALERTS])
        )
        .with_row(dashboard.Row("Scores"))
        .with_panel(
            heat(
                "Trigger scores",
                "Scores of the accounts that events touched, after each batch. Busy accounts count often, so this shows where the "
                "activity is and not how many accounts stand there. A band that climbs: more is going on, or weights are too "
                "high.",
                POINTS,
                _buckets("trigger"),
            )
        )
        .with_panel(
            heat(
                "Fit scores",
                "Fit of the accounts whose fit was computed anew. 0: the screen puts them out. A band that sinks: other companies "
                "come in than before; compare plg and slg signals on the dashboard Drift.",
                POINTS,
                _buckets("fit"),
            )
        )
        .with_panel(_deciles("trigger", "Trigger scores of each variant"))
        .with_panel(_deciles("fit", "Fit scores of each variant"))
        .with_panel(
            lines(
                "Trigger scores above the bound",
                "Share of the scores above that are over the chosen bound. Set it to `trigger_at_least` of the ICP file: far "
                "below 1 % alerts are rare, above some 10 % an alert says little.",
                units.PercentUnit,
                query(_share_above("trigger"), "{{variant}}"),
            )
            .min(0)
            .data_links([ACCOUNTS])
        )
        .with_panel(
            lines(
                "Fit scores above the bound",
                "Share of the scores above that are over the chosen bound. Set it to `fit_at_least` of the ICP file. A slow fall "
                "is what the profile's drift looks like from here.",
                units.PercentUnit,
                query(_share_above("fit"), "{{variant}}"),
            )
            .min(0)
            .data_links([page("Who fits best", "/?order=fit")])
        )
        .with_row(dashboard.Row("Delivery"))
        .with_panel(
            bars(
                "Webhooks by receiver",
                "Attempts that were delivered, attempts that failed and are tried again, deliveries that were given up (dead) and "
                "those that the subscription skips. Failures here and there are normal; see the share beside.",
                units.Short,
                _attempts('result="delivered"', "delivered"),
                _attempts(FAILED, "failed, tried again"),
                _attempts('result="dead"', "dead"),
                _attempts('result="skipped"', "skipped"),
            )
            .override_by_query("A", coloured(GREEN))
            .override_by_query("B", coloured(ORANGE))
            .override_by_query("C", coloured(RED))
            .override_by_query("D", coloured(GREY))
        )
        .with_panel(
            lines(
                "Attempts that fail",
                "Share of the attempts of half an hour. Above the dashed line for 15 minutes PlumblineDeliveriesFail alerts: the "
                "receiver is down or refuses. Alerts wait and are tried again for about three days; `plumbline deliveries list` "
                "says why.",
                units.PercentUnit,
                query(
                    f"sum by (endpoint) (increase(plumbline_deliveries_total{{{ENDPOINT}, {FAILED}}}[30m]))\n  / (sum by (endpoint) "
                    f'(increase(plumbline_deliveries_total{{{ENDPOINT}, result!~"dead|skipped"}}[30m])) > 0)',
                    "{{endpoint}}",
                ),
                limit=0.5,
            )
            .min(0)
            .max(1)
        )
        .with_panel(
            bars(
                "Why attempts fail",
                "By what the attempt came to. `timeout`, `server_error`, `unreachable`: the receiver's side. `refused`, `gone`: it "
                "does not want them. `egress_refused`, `redirected`, `tls_failed`: our own settings or its address.",
                units.Short,
                query(
                    f"sum by (endpoint, result) (increase(plumbline_deliveries_total{{{ENDPOINT}, {FAILED}}}[$__interval])) > 0",
                    "{{endpoint}} {{result}}",
                ),
                span=8,
            )
        )
        .with_panel(
            lines(
                "Oldest delivery that waits",
                "How late a receiver is: the age of its oldest waiting delivery, 0 when none waits. Above the dashed line (an hour) "
                "PlumblineDeliveriesWait alerts.",
                units.Seconds,
                query(f"max by (endpoint) (plumbline_delivery_oldest_seconds{{{ENDPOINT}}})", "{{endpoint}}"),
                span=8,
                limit=3600,
            ).min(0)
        )
        .with_panel(
            lines(
                "Deliveries that wait",
                "For their first or next attempt. A rise that does not fall again: the receiver fails, asked to wait, or answered "
                "410 and is disabled; `plumbline deliveries endpoints` says which.",
                units.Short,
                query(f"sum by (endpoint) (plumbline_delivery_backlog{{{ENDPOINT}}})", "{{endpoint}}"),
                span=8,
            ).min(0)
        )
        .with_panel(
            numbers(
                "Given up in this time",
                "Deliveries whose tries all failed. PlumblineDeliveriesDead pages for each. Once the receiver works again: "
                "`plumbline deliveries retry --dead`.",
                units.Short,
                query_now(
                    f'sum by (endpoint) (increase(plumbline_deliveries_total{{{ENDPOINT}, result="dead"}}[$__range]))',
                    "{{endpoint}}",
                ),
                span=24,
                limits={0.5: RED},
            ).decimals(0)
        )
    )


def _bound(name: str, label: str, points: tuple[int, ...], chosen: int) -> dashboard.CustomVariable:
    """A bound among those of a histogram's buckets; written as the buckets' label ``le`` has it."""
    values = [repr(float(each)) for each in points]
    now = repr(float(chosen))
    return (
        dashboard.CustomVariable(name)
        .label(label)
        .description("In points. The bounds that alert stand in the ICP file; choose them here.")
        .values(",".join(values))
        .options([model.VariableOption(selected=each == now, text=each, value=each) for each in values])
        .current(model.VariableOption(text=now, value=now))
        .allow_custom_value(False)
    )


def _buckets(score: str) -> str:
    return f"sum by (le) (increase(plumbline_{score}_score_bucket{{{VARIANT}}}[$__interval]))"


def _share_above(score: str) -> str:
    """Of the last hour: scores come in batches, with quiet minutes between."""
    below = (
        f'sum by (variant) (increase(plumbline_{score}_score_bucket{{{VARIANT}, le="${score}_bound"}}[1h]))'
    )
    counted = f"sum by (variant) (increase(plumbline_{score}_score_count{{{VARIANT}}}[1h]))"
    return f"1 - {below}\n  / ({counted} > 0)"


def _deciles(score: str, title: str) -> timeseries.Panel:
    rates = f"sum by (variant, le) (rate(plumbline_{score}_score_bucket{{{VARIANT}}}[1h]))"
    return lines(
        title,
        "The ninth decile (full line) and the median (dashed) of the scores of the last hour, estimated from buckets. A variant "
        "whose ninth decile never comes near its bound alerts nobody: its weights, or its half-lives, are too small.",
        POINTS,
        query(f"histogram_quantile(0.9, {rates})", "{{variant}} ninth decile"),
        query(f"histogram_quantile(0.5, {rates})", "{{variant}} median"),
    ).override_by_query("B", dashed())


def _attempts(result: str, called: str) -> prometheus.Dataquery:
    counted = f"sum by (endpoint) (increase(plumbline_deliveries_total{{{ENDPOINT}, {result}}}[$__interval]))"
    return query(counted, f"{{{{endpoint}}}} {called}")
