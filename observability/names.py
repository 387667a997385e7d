"""Every name that leaves a process: metrics, spans, attributes, log keys. Pure, and one constant each.

Labels are closed sets, never ids. A test collects these names and asserts that they are unique and in use.
"""

from typing import Final

SERVICE_NAMESPACE: Final = "banksman"

# Metrics (Prometheus): banksman_<noun>_<unit>.
METRIC_GUARD_DECISIONS: Final = "banksman_guard_decisions_total"
METRIC_GUARD_SECONDS: Final = "banksman_guard_seconds"
METRIC_STEP_SECONDS: Final = "banksman_step_seconds"
METRIC_STEP_FAILURES: Final = "banksman_step_failures_total"
METRIC_STEP_ENDS: Final = "banksman_step_ends_total"
METRIC_AUDIT_EVENTS: Final = "banksman_audit_events_total"
METRIC_AUDIT_WHOLE: Final = "banksman_audit_whole"
METRIC_AUDIT_COLLECTED: Final = "banksman_audit_collected"
METRIC_VAULT_TOKEN_TTL: Final = "banksman_vault_token_ttl_seconds"  # noqa: S105 - a metric's name
METRIC_VAULT_TOKEN_RENEWALS: Final = "banksman_vault_token_renewals_total"  # noqa: S105 - a metric's name
METRIC_VAULT_STEP_TOKENS: Final = "banksman_vault_step_tokens_total"
METRIC_VAULT_ALARMS: Final = "banksman_vault_alarms_total"
METRIC_PROVIDER_REQUESTS: Final = "banksman_provider_requests_total"
METRIC_PROVIDER_SECONDS: Final = "banksman_provider_request_seconds"
METRIC_PROVIDER_TURN_SECONDS: Final = "banksman_provider_turn_seconds"
METRIC_MODEL_REQUESTS: Final = "banksman_model_requests_total"
METRIC_MODEL_SECONDS: Final = "banksman_model_request_seconds"
METRIC_MODEL_TOKENS: Final = "banksman_model_tokens_total"
METRIC_MODEL_COST: Final = "banksman_model_cost_dollars_total"
METRIC_MODEL_TURN_SECONDS: Final = "banksman_model_turn_seconds"
METRIC_SANDBOX_RUNS: Final = "banksman_sandbox_runs_total"
METRIC_SANDBOX_START_SECONDS: Final = "banksman_sandbox_start_seconds"
METRIC_SANDBOX_CONNECTIONS: Final = "banksman_sandbox_connections_total"
METRIC_SANDBOX_REAPED: Final = "banksman_sandbox_reaped_total"

# What the gateway counts on Temporal's server. Each gateway counts the same.
METRIC_GOALS_OPEN: Final = "banksman_goals_open"
METRIC_GOALS_PARKED: Final = "banksman_goals_parked"
METRIC_GOALS_ENDED: Final = "banksman_goals_ended_total"
METRIC_APPROVALS_WAITING: Final = "banksman_approvals_waiting"
METRIC_APPROVALS_OVERDUE: Final = "banksman_approvals_overdue"
METRIC_APPROVAL_OLDEST: Final = "banksman_approval_oldest_seconds"
METRIC_APPROVALS_ENDED: Final = "banksman_approvals_ended_total"
METRIC_APPROVAL_DECIDED: Final = "banksman_approval_decided_seconds"
METRIC_QUEUE_BACKLOG: Final = "banksman_queue_backlog"
METRIC_QUEUE_WAIT: Final = "banksman_queue_wait_seconds"
METRIC_COUNTS_AGE: Final = "banksman_counts_age_seconds"

# Log keys and span attributes.
ATTR_WORKFLOW_ID: Final = "temporal.workflow_id"
ATTR_RUN_ID: Final = "temporal.run_id"
ATTR_EFFECT: Final = "banksman.effect"
ATTR_PHASE: Final = "banksman.phase"
ATTR_ENVIRONMENT: Final = "banksman.environment"
ATTR_DECISION: Final = "banksman.decision"
ATTR_REASON: Final = "banksman.reason"
ATTR_ACTION: Final = "banksman.action"
ATTR_RISK: Final = "banksman.risk"
ATTR_OUTCOME: Final = "banksman.outcome"
ATTR_SURFACE: Final = "banksman.surface"
ATTR_VERDICT: Final = "banksman.verdict"

# Spans of requests to providers. The standard's own names but for the first.
ATTR_PROVIDER: Final = "banksman.provider"
ATTR_HTTP_METHOD: Final = "http.request.method"
ATTR_HTTP_STATUS: Final = "http.response.status_code"
ATTR_URL_TEMPLATE: Final = "url.template"

# Spans of our own; those of Temporal, of requests and of web pages have the names that their libraries give.
SPAN_SANDBOX_RUN: Final = "sandbox run"
SPAN_WAIT_FOR_PEOPLE: Final = "wait for people"
SPAN_DECISION: Final = "a person decided"

# Containers.
ATTR_SANDBOX_IMAGE: Final = "banksman.sandbox.image"
ATTR_SANDBOX_PURPOSE: Final = "banksman.sandbox.purpose"
ATTR_SANDBOX_ENDED: Final = "banksman.sandbox.ended"
ATTR_SANDBOX_WARM: Final = "banksman.sandbox.warm"

# Loggers with a meaning of their own.
LOGGER_AUDIT: Final = "banksman.audit"
LOGGER_AUDIT_CHECKPOINTS: Final = "banksman.audit.checkpoints"

# What this process knows of itself.
METRIC_PROCESS_INFO: Final = "banksman_process_info"
METRIC_TEMPORAL_CORE_UP: Final = "banksman_temporal_core_up"
METRIC_TELEMETRY_LOST: Final = "banksman_telemetry_lost_total"
ATTR_ACTIVITY_TYPE: Final = "temporal.activity_type"
ATTR_ACTIVITY_ATTEMPT: Final = "temporal.activity_attempt"
ATTR_WORKFLOW_TYPE: Final = "temporal.workflow_type"
LOG_TRACE_ID: Final = "trace_id"
LOG_SPAN_ID: Final = "span_id"
LOG_STREAM: Final = "log_stream"
"""Instead of the process's own name, for lines that it hands on of something else; never in a line itself."""
SERVICE_SANDBOX_OUTPUT: Final = "sandbox-output"
"""What commands in containers print."""

# Approvals.
METRIC_APPROVAL_KEYS_AGE: Final = "banksman_approval_keys_age_seconds"
METRIC_SURPRISES: Final = "banksman_surprises_total"
METRIC_BREAK_GLASS: Final = "banksman_break_glass_total"
METRIC_APPROVAL_SHOWN: Final = "banksman_approval_shown_seconds"
METRIC_CLICKS: Final = "banksman_clicks_total"
METRIC_OPINIONS: Final = "banksman_opinions_total"
METRIC_GITHUB_DELIVERIES: Final = "banksman_github_deliveries_total"

# Leases and budgets.
METRIC_LEASES: Final = "banksman_leases"
METRIC_BUDGET_USED: Final = "banksman_budget_used_cents"
METRIC_BUDGET_SPENT: Final = "banksman_budget_spent_cents"
METRIC_BUDGET_CAP: Final = "banksman_budget_cap_cents"
METRIC_BUDGET_UNSETTLED: Final = "banksman_budget_unsettled_total"
