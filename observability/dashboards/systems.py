"""What it all runs on: the sandbox, providers, Vault, the workers and Temporal, and the audit log."""

from typing import Final

from observability import names
from observability.dashboards.board import (
    DAY,
    OF_PROVIDER,
    OURS,
    Board,
    Graph,
    Logs,
    Stat,
    a_minute,
    grown,
    most,
    of,
    quantile,
)

_RUNS: Final = of(names.METRIC_SANDBOX_RUNS)
_STARTED: Final = of(f"{names.METRIC_SANDBOX_START_SECONDS}_count")
_REQUESTS: Final = of(names.METRIC_PROVIDER_REQUESTS, "provider")
_DECISIONS: Final = of(names.METRIC_GUARD_DECISIONS, OF_PROVIDER)
_GUARD: Final = of(f"{names.METRIC_GUARD_SECONDS}_bucket")
_USED: Final = of("temporal_worker_task_slots_used")
_OURS_UP: Final = of("up", job="banksman")

SANDBOX: Final = Board(
    name="sandbox",
    title="Sandbox",
    what="Runs of other people's code: how they start and end, and what they were kept from.",
    panels=(
        Stat(title="Runs", what="In the last hour.", query=grown(_RUNS)),
        Stat(
            title="Killed",
            what="In the last hour: for time, memory, or by a signal.",
            query=grown(of(names.METRIC_SANDBOX_RUNS, ended="timeout|out_of_memory|killed")),
            red_from=0.5,
        ),
        Stat(
            title="Not to be had",
            what="Steps that got no container, in the last hour.",
            query=grown(of(names.METRIC_STEP_FAILURES, error="SandboxUnavailable")),
            red_from=0.5,
        ),
        Stat(
            title="Connections refused",
            what="By the proxies, in the last hour.",
            query=grown(of(names.METRIC_SANDBOX_CONNECTIONS, allowed="false")),
        ),
        Graph(title="Ends", what="Per minute.", queries={"{{ended}}": a_minute(_RUNS, by="ended")}),
        Graph(
            title="Time to start",
            what="p95, with a container that waited and without.",
            unit="s",
            queries={"warm {{warm}}": quantile(0.95, of(f"{names.METRIC_SANDBOX_START_SECONDS}_bucket"), by="warm")},
        ),
        Graph(
            title="Starts from the pool",
            what="The share that found a container waiting.",
            unit="percentunit",
            queries={
                "warm": f"sum(rate({of(f'{names.METRIC_SANDBOX_START_SECONDS}_count', warm='true')}[$__rate_interval]))"
                f" / sum(rate({_STARTED}[$__rate_interval]))"
            },
        ),
        Graph(
            title="Connections",
            what="Asked of the proxies, per minute.",
            queries={"allowed {{allowed}}": a_minute(of(names.METRIC_SANDBOX_CONNECTIONS), by="allowed")},
        ),
        Graph(
            title="Removed after dead workers",
            what="Per hour.",
            queries={"{{kind}}": grown(of(names.METRIC_SANDBOX_REAPED), by="kind")},
        ),
        Graph(
            title="Work that waits",
            what="On the sandbox's queue.",
            queries={"{{queue}}": most("queue", of(names.METRIC_QUEUE_BACKLOG, queue="banksman-sandbox"))},
        ),
        Logs(
            title="What containers print",
            what="Of each command the first five hundred lines, without its secrets.",
            query=f'{{service_name="{names.SERVICE_SANDBOX_OUTPUT}"}}',
        ),
        Logs(title="The sandbox's worker", what="Its own lines.", query='{service_name="worker-sandbox"}'),
    ),
)

PROVIDERS: Final = Board(
    name="providers",
    title="Providers and limits",
    what="What we ask of providers, how they answer, and how long we wait for our turn.",
    variables=("provider",),
    panels=(
        Stat(title="Requests", what="In the last hour.", query=grown(_REQUESTS)),
        Stat(
            title="Refused for the rate",
            what="In the last hour, by them or by our own count.",
            query=grown(of(names.METRIC_PROVIDER_REQUESTS, "provider", outcome="RateLimited")),
        ),
        Stat(
            title="Credentials refused",
            what="In the last hour.",
            query=grown(of(names.METRIC_PROVIDER_REQUESTS, "provider", outcome="AuthDenied|Forbidden")),
            red_from=0.5,
        ),
        Stat(
            title="Answers lost",
            what="In the last hour, of requests that change something.",
            query=grown(of(names.METRIC_PROVIDER_REQUESTS, "provider", outcome="OutcomeUnknown")),
            red_from=0.5,
        ),
        Graph(title="Requests", what="Per minute.", queries={"{{provider}}": a_minute(_REQUESTS, by="provider")}),
        Graph(
            title="Answers",
            what="Per minute: `ok`, or what kind of a no.",
            queries={"{{provider}} {{outcome}}": a_minute(_REQUESTS, by="provider, outcome")},
        ),
        Graph(
            title="Time of a request",
            what="p95, the wait for a turn included.",
            unit="s",
            queries={
                "{{provider}}": quantile(0.95, of(f"{names.METRIC_PROVIDER_SECONDS}_bucket", "provider"), by="provider")
            },
        ),
        Graph(
            title="Wait for a turn",
            what="p95, of the account's own rate.",
            unit="s",
            queries={
                "{{provider}}": quantile(
                    0.95, of(f"{names.METRIC_PROVIDER_TURN_SECONDS}_bucket", "provider"), by="provider"
                )
            },
        ),
        Logs(
            title="Providers in the logs",
            what="Warnings and errors.",
            query=f'{OURS} |~ "(?i)provider|rate" | detected_level=~"warn|warning|error"',
        ),
    ),
)

_MODELS: Final = of(names.METRIC_MODEL_REQUESTS)

MODELS: Final = Board(
    name="models",
    title="Language models",
    what="What is asked of language models, how they answer, and what that costs.",
    panels=(
        Stat(title="Requests", what="In the last hour.", query=grown(_MODELS)),
        Stat(
            title="US dollars",
            what="On the last day, of answers whose price is known.",
            query=grown(of(names.METRIC_MODEL_COST), within=DAY),
        ),
        Stat(
            title="Answers lost",
            what="In the last hour; each may have been billed.",
            query=grown(of(names.METRIC_MODEL_REQUESTS, outcome="OutcomeUnknown")),
            red_from=0.5,
        ),
        Stat(
            title="Keys refused",
            what="In the last hour.",
            query=grown(of(names.METRIC_MODEL_REQUESTS, outcome="AuthDenied|Forbidden")),
            red_from=0.5,
        ),
        Graph(
            title="Answers",
            what="Per minute: `ok`, or what kind of a no.",
            queries={"{{backend}} {{outcome}}": a_minute(_MODELS, by="backend, outcome")},
        ),
        Graph(
            title="Tokens",
            what="Per minute; cached ones are input, too.",
            queries={"{{model}} {{kind}}": a_minute(of(names.METRIC_MODEL_TOKENS), by="model, kind")},
        ),
        Graph(
            title="US dollars by model",
            what="Per hour.",
            queries={"{{backend}}/{{model}}": grown(of(names.METRIC_MODEL_COST), by="backend, model")},
        ),
        Graph(
            title="Time of a request",
            what="p95.",
            unit="s",
            queries={"{{model}}": quantile(0.95, of(f"{names.METRIC_MODEL_SECONDS}_bucket"), by="model")},
        ),
        Graph(
            title="Wait for a turn",
            what="p95, of the backend's own rate.",
            unit="s",
            queries={"{{backend}}": quantile(0.95, of(f"{names.METRIC_MODEL_TURN_SECONDS}_bucket"), by="backend")},
        ),
        Graph(
            title="Work that waits",
            what="On the models' queue.",
            queries={"{{queue}}": most("queue", of(names.METRIC_QUEUE_BACKLOG, queue="banksman-models"))},
        ),
        Logs(title="The models' worker", what="Its lines.", query='{service_name="worker-models"}'),
    ),
)

VAULT: Final = Board(
    name="vault",
    title="Vault",
    what="Tokens of processes and of steps.",
    panels=(
        Stat(
            title="Shortest token life",
            what="Renewed at a third of an hour: under forty minutes something is wrong.",
            query=f"min({of(names.METRIC_VAULT_TOKEN_TTL)})",
            unit="s",
            red_below=1800,
        ),
        Stat(
            title="Alarms",
            what="Wrapped secret ids that somebody else had used.",
            query=f"sum({of(names.METRIC_VAULT_ALARMS)}) or vector(0)",
            red_from=1,
        ),
        Stat(
            title="Step tokens",
            what="Made in the last hour.",
            query=grown(of(names.METRIC_VAULT_STEP_TOKENS, outcome="created")),
        ),
        Stat(
            title="Not revoked",
            what="In the last day; they end by themselves within minutes.",
            query=grown(of(names.METRIC_VAULT_STEP_TOKENS, outcome="not_revoked"), within=DAY),
        ),
        Graph(
            title="Remaining life of tokens",
            what="Of each process.",
            unit="s",
            queries={"{{instance}}": of(names.METRIC_VAULT_TOKEN_TTL)},
        ),
        Graph(
            title="Renewals",
            what="Per hour.",
            queries={"{{instance}} {{outcome}}": grown(of(names.METRIC_VAULT_TOKEN_RENEWALS), by="instance, outcome")},
        ),
        Graph(
            title="Step tokens",
            what="Per minute.",
            queries={"{{outcome}}": a_minute(of(names.METRIC_VAULT_STEP_TOKENS), by="outcome")},
        ),
        Logs(title="Vault in the logs", what="Lines that speak of it.", query=f'{OURS} |~ "(?i)vault|secret id"'),
    ),
)

_NOT_STORED: Final = '{__name__=~"otelcol_exporter_send_failed_(spans|log_records)(_total)?"}'
"""By whichever of the two names the collector's release has for it."""

WORKERS: Final = Board(
    name="workers",
    title="Workers and Temporal",
    what="Processes, their queues, and how they get on with Temporal.",
    variables=("goal",),
    panels=(
        Stat(title="Workers up", what="Processes that answer.", query=f"sum({_OURS_UP})"),
        Stat(
            title="Restarts",
            what="In the last day.",
            query=f"sum(changes({of('process_start_time_seconds', job='banksman')}[{DAY}])) or vector(0)",
        ),
        Stat(
            title="Free slots",
            what="Steps that could start at once.",
            query=f"sum({of('temporal_worker_task_slots_available', worker_type='ActivityWorker')})",
        ),
        Stat(
            title="Core's metrics missing",
            what="Processes that do not show the metrics of Temporal's SDK.",
            query=f"count({of(names.METRIC_TEMPORAL_CORE_UP)} == 0) or vector(0)",
            red_from=1,
        ),
        Graph(
            title="Work that waits",
            what="By queue, as Temporal says it.",
            queries={"{{queue}}": most("queue", of(names.METRIC_QUEUE_BACKLOG))},
        ),
        Graph(
            title="Oldest task that waits",
            what="By queue.",
            unit="s",
            queries={"{{queue}}": most("queue", of(names.METRIC_QUEUE_WAIT))},
        ),
        Graph(
            title="Wait for a worker",
            what="p95 from being scheduled to being started.",
            unit="s",
            queries={
                "{{task_queue}} steps": quantile(
                    0.95, of("temporal_activity_schedule_to_start_latency_seconds_bucket"), by="task_queue"
                ),
                "{{task_queue}} workflows": quantile(
                    0.95, of("temporal_workflow_task_schedule_to_start_latency_seconds_bucket"), by="task_queue"
                ),
            },
        ),
        Graph(
            title="Slots in use",
            what="By queue.",
            queries={"{{task_queue}} {{worker_type}}": f"sum by (task_queue, worker_type) ({_USED})"},
        ),
        Graph(
            title="Pollers",
            what="Connections that wait for work; none means a queue that nobody serves.",
            queries={
                "{{task_queue}} {{poller_type}}": f"sum by (task_queue, poller_type) ({of('temporal_num_pollers')})"
            },
        ),
        Graph(
            title="Calls to Temporal",
            what="Per minute, and those that failed.",
            queries={
                "{{operation}}": a_minute(of("temporal_request_total"), by="operation"),
                "{{operation}} failed": a_minute(of("temporal_request_failure_total"), by="operation"),
            },
        ),
        Graph(
            title="Telemetry lost",
            what="Per minute: spans and lines that no collector took, and those that no store took from it.",
            queries={
                "{{signal}} {{why}}": a_minute(of(names.METRIC_TELEMETRY_LOST), by="signal, why"),
                "{{exporter}}": f"sum by (exporter) (rate({_NOT_STORED}[$__rate_interval])) * 60",
            },
        ),
        Graph(
            title="Workflow cache",
            what="Workflows kept in memory.",
            queries={"{{instance}}": f"sum by (instance) ({of('temporal_sticky_cache_size')})"},
        ),
        Graph(
            title="Replay",
            what="p95 of the time that replaying a history takes.",
            unit="s",
            queries={
                "{{workflow_type}}": quantile(
                    0.95,
                    of("temporal_workflow_task_replay_latency_seconds_bucket", "workflow_type:goal"),
                    by="workflow_type",
                )
            },
        ),
        Graph(
            title="Memory",
            what="Resident, of each process.",
            unit="bytes",
            queries={"{{instance}}": of("process_resident_memory_bytes", job="banksman")},
        ),
        Graph(
            title="CPU",
            what="Cores, of each process.",
            queries={"{{instance}}": f"rate({of('process_cpu_seconds_total', job='banksman')}[$__rate_interval])"},
        ),
        Graph(
            title="Releases",
            what="Which release each process runs.",
            queries={"{{instance}} {{version}}": of(names.METRIC_PROCESS_INFO)},
        ),
        Graph(
            title="Attempts at steps",
            what="Per minute, by effect.",
            queries={
                "{{effect}} {{outcome}}": a_minute(of(f"{names.METRIC_STEP_SECONDS}_count"), by="effect, outcome")
            },
        ),
    ),
)

AUDIT: Final = Board(
    name="audit",
    title="Audit",
    what="What the guard decided, and whether all of it is on record.",
    variables=("provider",),
    panels=(
        Stat(
            title="Allowed",
            what="In the last hour.",
            query=grown(of(names.METRIC_GUARD_DECISIONS, OF_PROVIDER, decision="allowed")),
        ),
        Stat(
            title="Denied",
            what="In the last hour.",
            query=grown(of(names.METRIC_GUARD_DECISIONS, OF_PROVIDER, decision="denied")),
        ),
        Stat(
            title="Could not decide",
            what="In the last hour: a fault, not a denial.",
            query=grown(of(names.METRIC_GUARD_DECISIONS, OF_PROVIDER, decision="broken")),
            red_from=0.5,
        ),
        Stat(
            title="Audit events lost",
            what="In the last hour.",
            query=grown(of(names.METRIC_AUDIT_EVENTS, written="no")),
            red_from=0.5,
        ),
        Graph(
            title="Whole",
            what="1 where a process's audit file is whole, as far as it was looked at.",
            queries={"{{instance}}": of(names.METRIC_AUDIT_WHOLE)},
        ),
        Graph(
            title="Collected and signed",
            what="1 where every audit file follows what the gateway has of it, and that is signed.",
            queries={"{{instance}}": of(names.METRIC_AUDIT_COLLECTED)},
        ),
        Graph(
            title="Refusals by reason",
            what="Per minute.",
            queries={
                "{{action}} {{reason}}": a_minute(
                    of(names.METRIC_GUARD_DECISIONS, OF_PROVIDER, decision="denied"), by="action, reason"
                )
            },
        ),
        Graph(
            title="Decisions",
            what="Per minute, by effect.",
            queries={"{{effect}} {{decision}}": a_minute(_DECISIONS, by="effect, decision")},
        ),
        Graph(
            title="Audit events",
            what="Per minute.",
            queries={"{{event}} written {{written}}": a_minute(of(names.METRIC_AUDIT_EVENTS), by="event, written")},
        ),
        Graph(
            title="What the guard costs a step",
            what="Policy and audit included.",
            unit="s",
            queries={"p50": quantile(0.5, _GUARD), "p99": quantile(0.99, _GUARD)},
        ),
        Logs(title="Denied steps", what="With their reasons.", query=f'{OURS} |= "denied"'),
    ),
)
