"""The dashboard "Operations": for whoever runs Plumbline, in one process or in many."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, timeseries
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units

from deploy.grafana.panels import (
    GREEN,
    GREY,
    ORANGE,
    RED,
    YELLOW,
    bars,
    board,
    coloured,
    dashed,
    lines,
    numbers,
    page,
    query,
    query_now,
    states,
)
from deploy.grafana.verdicts import COLOURS, state_number, strength
from detectors.health.tally import SIGNAL as HEALTH

JOB = 'job="plumbline"'
SOURCES = f'signal="{HEALTH}", segment!="all"'
EVENTS_A_DAY = "suffix: events a day"
OF_A_SOURCE = page("What to check", f"/drift/{HEALTH}")


def operations() -> dashboard.Dashboard:
    return (
        board(
            "plumbline-operations",
            "Plumbline: operations",
            "Whether events come in, are processed in time and all accounted for, and whether their sources are well.",
            since="now-6h",
            refresh="30s",
        )
        .with_row(dashboard.Row("Is it up"))
        .with_panel(
            numbers(
                "Processes",
                "Each process that Prometheus scrapes. Red: it does not answer; PlumblineDown pages. No alert goes out meanwhile, "
                "and events that were answered with 202 are kept. Its log says why. In distributed mode one that is gone "
                "altogether is missing here: PlumblineProcessMissing.",
                "none",
                query_now(f"up{{{JOB}}}", "{{process}} {{instance}}"),
                span=12,
                limits={0: RED, 1: GREEN},
            ).mappings(
                [
                    model.ValueMap(
                        options={
                            "0": model.ValueMappingResult(text="down", index=0),
                            "1": model.ValueMappingResult(text="up", index=1),
                        }
                    )
                ]
            )
        )
        .with_panel(
            numbers(
                "Versions",
                "How many processes run each version. Two versions longer than an upgrade takes: one process was not restarted.",
                units.Short,
                query_now("count by (version) (plumbline_build_info)", "{{version}}"),
            )
        )
        .with_panel(
            numbers(
                "Partitions that stand still",
                "Too many of their events would be dead letters, often after a bad deploy; PlumblineStopped pages. Start a mended "
                "version, or let them be dead letters: `plumbline dlq resume`. Events wait meanwhile, none is lost.",
                units.Short,
                query_now("sum(plumbline_partitions_stopped)"),
                limits={1: RED},
            )
        )
        .with_row(dashboard.Row("Events"))
        .with_panel(
            bars(
                "Received = applied + duplicate + late + dead-lettered",
                "What became of every event that was received; the four add up to it, exactly. `duplicate`: the sender repeats "
                "itself, harmless. `late`: older than `late_after`, not scored; a back-fill or a sender that was away. "
                "`dead_lettered`: could not be used, see the reasons below. No bar for hours: check the senders.",
                units.Short,
                query("sum by (result) (increase(plumbline_events_total[$__interval]))", "{{result}}"),
                span=16,
            )
            .override_by_name("applied", coloured(GREEN))
            .override_by_name("duplicate", coloured(GREY))
            .override_by_name("late", coloured(YELLOW))
            .override_by_name("dead_lettered", coloured(RED))
            .data_links([page("The ledger", "/#ledger")])
        )
        .with_panel(
            lines(
                "Dead letters",
                "Share of the events of an hour that could not be used. Above the dashed line (1 %), and ten of them, "
                "PlumblineDeadLetters alerts: most often a sender's release. `plumbline dlq list` shows them with reason and "
                "remedy.",
                units.PercentUnit,
                query(
                    'sum(increase(plumbline_events_total{result="dead_lettered"}[1h]))\n  / (sum(increase(plumbline_events_total[1h])) > 0)',
                    "dead letters",
                ),
                span=8,
                limit=0.01,
            ).min(0)
        )
        .with_panel(
            lines(
                "Applied by type",
                "Events a second by CloudEvents type. A type that stops: its sender is down, or its connector; Sources below says it "
                "with the sender's own rhythm in mind.",
                units.EventsPerSecond,
                query(
                    'sum by (type) (rate(plumbline_events_total{result="applied"}[$__rate_interval]))',
                    "{{type}}",
                ),
                span=16,
            ).min(0)
        )
        .with_panel(
            bars(
                "Dead letters by reason",
                "Why events could not be used. `not_json` or a field's name: the sender. `step_failed`: a bug of ours, please "
                "report it; put them back with `plumbline dlq redrive` once it is mended.",
                units.Short,
                query("sum by (reason) (increase(plumbline_dead_letters_total[$__interval]))", "{{reason}}"),
                span=8,
            )
        )
        .with_row(dashboard.Row("Gateway"))
        .with_panel(
            lines(
                "Answers",
                "Requests a second by HTTP status. 202: kept. 207, 400, 413, 415: the sender's events are wrong, its answer says "
                "how. 401: its token. 429: too many events wait. 503: the event log can't be written, most often a full disk, or "
                "Kafka is away. PlumblineTurnsEventsAway pages on the last two.",
                units.RequestsPerSecond,
                query("sum by (code) (rate(plumbline_gateway_requests_total[$__rate_interval]))", "{{code}}"),
            )
            .min(0)
            .override_by_regexp("429|503", coloured(RED))
        )
        .with_panel(
            lines(
                "Events kept and refused",
                "Events in those requests. A rise of `refused` after a sender's release: read the answers that it got.",
                units.EventsPerSecond,
                query(
                    "sum by (result) (rate(plumbline_gateway_events_total[$__rate_interval]))", "{{result}}"
                ),
            )
            .min(0)
            .override_by_name("kept", coloured(GREEN))
            .override_by_name("refused", coloured(ORANGE))
        )
        .with_row(dashboard.Row("In time"))
        .with_panel(
            lines(
                "Watermark lag",
                "How far the watermark is behind the clock while events wait; 0 when none waits. Alerts come late by as much. Above "
                "the dashed line (15 minutes) for ten minutes PlumblineLags pages. If the queue beside it shrinks, a backlog is "
                "being worked off; else look at batches and commits.",
                units.Seconds,
                query("max(plumbline_lag_seconds)", "lag"),
                span=8,
                limit=900,
            ).min(0)
        )
        .with_panel(
            lines(
                "Events that wait",
                "Kept and not yet processed. It rises with each batch that is sent and falls again. One that only rises: more comes "
                "in than is processed; add workers.",
                units.Short,
                query("max(plumbline_lag_events)", "events"),
                span=8,
            ).min(0)
        )
        .with_panel(
            lines(
                "Age of the newest event",
                "Time since the watermark: the newest event time applied. Where nothing waits, an old one is a quiet sender and no "
                "fault; a day without any event alerts as PlumblineNoEvents.",
                units.Seconds,
                query("time() - max(plumbline_watermark_timestamp_seconds > 0)", "newest event"),
                span=8,
            )
        )
        .with_panel(
            _times(
                "Time of a batch",
                "plumbline_batch_seconds",
                "From the load of a batch's states to the end of its commit. Larger batches take longer; compare with the sizes "
                "beside.",
            )
        )
        .with_panel(
            _times(
                "Time of a commit",
                "plumbline_commit_seconds",
                "The part of a batch that waits for the store. Far above its usual value: the disk is slow, or Redis is.",
            )
        )
        .with_panel(
            lines(
                "Size of a batch",
                "Records in a batch on average: events in the stage `accounts`, observations in `drift`. Full batches (batch_events "
                "of the settings) mean a backlog.",
                units.Short,
                query(
                    "sum by (stage) (increase(plumbline_batch_events_sum[10m]))\n  / (sum by (stage) (increase(plumbline_batch_events_count[10m])) > 0)",
                    "{{stage}}",
                ),
                span=8,
            ).min(0)
        )
        .with_panel(
            lines(
                "Accounts",
                "Accounts with a state. They grow with new customers; a jump is an import, or ids of another kind.",
                units.Short,
                query("max(plumbline_accounts)", "accounts"),
                span=8,
            )
        )
        .with_panel(
            lines(
                "Memory",
                "Resident memory of each process. It levels off as caches fill; one that climbs for days is worth a report.",
                units.BytesIEC,
                query(f"process_resident_memory_bytes{{{JOB}}}", "{{process}} {{instance}}"),
                span=8,
            ).min(0)
        )
        .with_panel(
            lines(
                "Processor time",
                "Cores that each process uses. A worker near 1 is full: add workers while there are partitions for them.",
                units.Short,
                query(
                    f"rate(process_cpu_seconds_total{{{JOB}}}[$__rate_interval])", "{{process}} {{instance}}"
                ),
                span=8,
            ).min(0)
        )
        .with_row(dashboard.Row("Distributed mode"))
        .with_panel(
            lines(
                "Partitions not fetched, by worker",
                "Partitions that a worker was given and does not read though they have records. Above 0 for two minutes "
                "PlumblineUnfetched pages: /readyz of the worker names them; where Kafka is well, restart it.",
                units.Short,
                query("plumbline_partitions_unfetched", "{{instance}}"),
                span=8,
                limit=1,
            ).min(0)
        )
        .with_panel(
            lines(
                "Observations held back",
                "Observations that the drift stage keeps until every account partition has come past them. Thousands for minutes: one "
                "partition is far behind.",
                units.Short,
                query("max(plumbline_drift_held)", "held"),
                span=8,
            ).min(0)
        )
        .with_panel(
            lines(
                "Drift waits since",
                "For how long the first of them has waited. Minutes: an account partition is far behind or has no worker; the "
                "worker's log line `drift_waits` says which.",
                units.Seconds,
                query("max(plumbline_drift_waits_seconds)", "waits"),
                span=8,
            ).min(0)
        )
        .with_panel(
            lines(
                "Alerts that wait for delivery",
                "Alerts in the alerts topic that `plumbline deliver` has not taken in. A rise: it does not run, or its disk is full.",
                units.Short,
                query("max(plumbline_alerts_topic_waiting)", "alerts"),
            ).min(0)
        )
        .with_panel(
            numbers(
                "Lost in this time",
                "Records that Kafka removed before they were read: its retention is shorter than workers (events) or delivery (alerts) "
                "were away. PlumblineRecordsLost and PlumblineAlertsLost page. Post events again from their source.",
                units.Short,
                query_now("sum(increase(plumbline_records_lost_total[$__range]))", "events and observations"),
                query_now("sum(increase(plumbline_alerts_topic_lost_total[$__range]))", "alerts"),
                span=12,
                limits={0.5: RED},
            ).decimals(0)
        )
        .with_row(dashboard.Row("Sources"))
        .with_panel(
            states(
                "Health of each source",
                "A source is an event's type and CloudEvents `source`. Ill: it fell silent, no longer fills a field, or tells things "
                "otherwise than before; PlumblineSourceIll alerts, and the drift signals that feed on it are suspended until it is "
                "well. Mend the sender.",
                query(state_number(SOURCES, by="segment"), "{{segment}}"),
                colours=COLOURS,
                height=8,
            ).data_links([OF_A_SOURCE])
        )
        .with_panel(
            lines(
                "Trouble of each source",
                "What speaks against a source (silence, empty fields, repeats, a clock that is behind) as a multiple of its alarm; the "
                "dashed line is the alarm. A climb: look at the sender before it is said. Absent while its rhythm is learned.",
                "suffix: ×",
                query(strength(SOURCES, by="segment"), "{{segment}}"),
                limit=1,
            )
            .min(0)
            .data_links([OF_A_SOURCE])
        )
        .with_panel(
            lines(
                "Usual events a day of each source",
                "Its rhythm as learned, and moved on slowly with growth; what comes in now is above, by type. Absent while it is "
                "learned, which takes weeks.",
                EVENTS_A_DAY,
                query(f"max by (segment) (plumbline_drift_baseline{{{SOURCES}}})", "{{segment}}"),
            )
            .min(0)
            .data_links([OF_A_SOURCE])
        )
    )


def _times(title: str, histogram: str, says: str) -> timeseries.Panel:
    rates = f"sum by (stage, le) (rate({histogram}_bucket[10m]))"
    return lines(
        title,
        f"{says} Of ten minutes: 19 of 20 took no longer than the full line, half no longer than the dashed one.",
        units.Seconds,
        query(f"histogram_quantile(0.95, {rates})", "{{stage}} 19 of 20"),
        query(f"histogram_quantile(0.5, {rates})", "{{stage}} half"),
        span=8,
    ).override_by_query("B", dashed())
