"""What a person on duty looks at first: what needs them now, goals, approvals, and what is leased and spent."""

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
    Table,
    a_minute,
    grown,
    most,
    most_grown,
    of,
    quantile,
)

_OPEN: Final = of(names.METRIC_GOALS_OPEN)
_ENDED: Final = of(names.METRIC_GOALS_ENDED, "goal")
_FAILED: Final = of(names.METRIC_GOALS_ENDED, "goal", outcome="failed|timed_out|other")
_EXPIRED: Final = of(names.METRIC_APPROVALS_ENDED, outcome="expired")
_WAITING: Final = of(names.METRIC_APPROVALS_WAITING)
_APPROVALS_ENDED: Final = of(names.METRIC_APPROVALS_ENDED)
_DECIDED: Final = of(f"{names.METRIC_APPROVAL_DECIDED}_bucket")
_SHOWN: Final = of(f"{names.METRIC_APPROVAL_SHOWN}_bucket")
_USED: Final = f"max({of(names.METRIC_BUDGET_USED)})"
_SPENT: Final = f"max({of(names.METRIC_BUDGET_SPENT)})"
_CAP: Final = f"max({of(names.METRIC_BUDGET_CAP)})"


def _leases(state: str) -> str:
    return f"max({of(names.METRIC_LEASES, state=state)})"


OVERVIEW: Final = Board(
    name="overview",
    title="Overview",
    what="What needs somebody now. Green everywhere: nothing does.",
    variables=("goal", "provider"),
    panels=(
        Stat(title="Approvals waiting", what="For people to decide.", query=f"sum({most('risk, path', _WAITING)})"),
        Stat(
            title="Past their reminder",
            what="Approvals that nobody answered in time to be reminded.",
            query=f"sum({most('risk, path', of(names.METRIC_APPROVALS_OVERDUE))})",
            red_from=1,
        ),
        Stat(
            title="Goals parked",
            what="A step of theirs waits until something is mended.",
            query=f"sum({most('goal', of(names.METRIC_GOALS_PARKED, 'goal'))})",
            red_from=1,
        ),
        Stat(
            title="Goals failed",
            what="In the last day, on something broken.",
            query=f"sum({most_grown('goal, outcome', _FAILED, within=DAY)})",
            red_from=0.5,
        ),
        Stat(
            title="Ends in doubt",
            what="In the last day: nobody can say whether a step was carried out.",
            query=grown(of(names.METRIC_STEP_ENDS, OF_PROVIDER, end="unknown"), within=DAY),
            red_from=0.5,
        ),
        Stat(
            title="Leases that do not end",
            what="Overdue, or refused by their provider.",
            query=f"{_leases('stuck')} + {_leases('overdue')}",
            red_from=1,
        ),
        Stat(
            title="Budget in use",
            what="Of today's, reserved or spent.",
            query=f"{_USED} / ({_CAP} > 0)",
            unit="percentunit",
            red_from=0.9,
        ),
        Stat(
            title="Longest wait on a queue",
            what="Of the oldest task that nobody has taken.",
            query=f"max({of(names.METRIC_QUEUE_WAIT)})",
            unit="s",
            red_from=300,
        ),
        Stat(
            title="Workers away",
            what="Processes that do not answer.",
            query=f"count({of('up', job='banksman')} == 0) or vector(0)",
            red_from=1,
        ),
        Stat(title="Temporal", what="1 where it answers.", query=f"min({of('up', job='temporal')})", red_below=1),
        Stat(
            title="Shortest life of a Vault token",
            what="Renewed at a third of an hour: under forty minutes something is wrong.",
            query=f"min({of(names.METRIC_VAULT_TOKEN_TTL)})",
            unit="s",
            red_below=1800,
        ),
        Stat(
            title="Audit files",
            what="1 where all of them are whole.",
            query=f"min({of(names.METRIC_AUDIT_WHOLE)})",
            red_below=1,
        ),
        Table(
            title="Alerts that fire",
            what="Each has a runbook in docs/runbooks.",
            query='sum by (alertname, severity, instance, goal, action, queue, risk) (ALERTS{alertstate="firing"})',
        ),
        Graph(
            title="Errors against the objectives",
            what="The share that was bad within six hours: goals 1%, approvals 10%, steps 5%, availability 0.5%.",
            unit="percentunit",
            queries={
                "goals that end badly": "banksman:goals_bad:ratio_6h",
                "approvals that take four hours": "banksman:approvals_late:ratio_6h",
                "steps that take thirty seconds": "banksman:steps_slow:ratio_6h",
                "workers and Temporal away": "banksman:unavailable:ratio_6h",
            },
        ),
        Logs(
            title="Errors",
            what="Of every process; each line leads to its trace.",
            query=f'{OURS} | detected_level=~"error|critical|fatal"',
        ),
    ),
)

GOALS: Final = Board(
    name="goals",
    title="Goals",
    what="Every goal from its start to its end.",
    variables=("goal", "provider"),
    panels=(
        *(
            Stat(
                title=title,
                what="In the last hour.",
                query=f"sum({most_grown('goal, outcome', of(names.METRIC_GOALS_ENDED, 'goal', outcome=outcome))})",
                red_from=red,
            )
            for title, outcome, red in (
                ("Completed", "completed", None),
                (
                    "Denied, rejected, expired",
                    "denied|rejected|changes_requested|expired|withdrawn|superseded|refused",
                    None,
                ),
                ("Failed or in doubt", "failed|timed_out|unknown|partially_applied|undone|approval_lost|other", 0.5),
            )
        ),
        Stat(
            title="Parked",
            what="Now.",
            query=f"sum({most('goal', of(names.METRIC_GOALS_PARKED, 'goal'))})",
            red_from=1,
        ),
        Graph(
            title="Ends by outcome",
            what="Goals that ended, per hour.",
            queries={"{{outcome}}": f"sum by (outcome) ({most_grown('goal, outcome', _ENDED)}) > 0"},
        ),
        Graph(
            title="Ends by goal",
            what="The same, by goal.",
            queries={"{{goal}}": f"sum by (goal) ({most_grown('goal, outcome', _ENDED)}) > 0"},
        ),
        Graph(title="Under way", what="By where they stand.", queries={"{{state}}": most("state", _OPEN)}),
        Graph(
            title="Parked by goal",
            what="A step cannot go on.",
            queries={"{{goal}}": f"{most('goal', of(names.METRIC_GOALS_PARKED, 'goal'))} > 0"},
        ),
        Graph(
            title="Time from start to end",
            what="Waiting for people included.",
            unit="s",
            queries={
                f"{{{{workflow_type}}}} p{round(100 * share)}": quantile(
                    share,
                    of("temporal_workflow_endtoend_latency_seconds_bucket", "workflow_type:goal"),
                    by="workflow_type",
                )
                for share in (0.5, 0.95)
            },
        ),
        Graph(
            title="Time of a step",
            what="p95 of attempts, by effect.",
            unit="s",
            queries={
                "{{effect}}": quantile(0.95, of(f"{names.METRIC_STEP_SECONDS}_bucket", outcome="finished"), by="effect")
            },
        ),
        Graph(
            title="Failed attempts",
            what="Per minute, by the table of errors; Temporal retries what can be retried.",
            queries={"{{action}} {{error}}": a_minute(of(names.METRIC_STEP_FAILURES, OF_PROVIDER), by="action, error")},
        ),
        Graph(
            title="How approved steps ended",
            what="Per hour, by their own word.",
            queries={"{{action}} {{end}}": grown(of(names.METRIC_STEP_ENDS, OF_PROVIDER), by="action, end")},
        ),
        Logs(
            title="Warnings and errors",
            what="Of every process; each line leads to its trace.",
            query=f'{OURS} | detected_level=~"warn|warning|error|critical|fatal"',
        ),
    ),
)

APPROVALS: Final = Board(
    name="approvals",
    title="Approvals",
    what="From a question to its answer: what waits, for how long, and what people said.",
    variables=("provider",),
    panels=(
        Stat(title="Waiting", what="Now.", query=f"sum({most('risk, path', _WAITING)})"),
        Stat(
            title="Oldest",
            what="How long it waits.",
            query=f"max({of(names.METRIC_APPROVAL_OLDEST)})",
            unit="s",
        ),
        Stat(
            title="Past their reminder",
            what="Now.",
            query=f"sum({most('risk, path', of(names.METRIC_APPROVALS_OVERDUE))})",
            red_from=1,
        ),
        Stat(
            title="Expired",
            what="In the last day, unanswered.",
            query=f"sum({most_grown('risk, path', _EXPIRED, within=DAY)})",
            red_from=0.5,
        ),
        Graph(
            title="Waiting by risk",
            what="And the way of the policy.",
            queries={"{{risk}} {{path}}": most("risk, path", _WAITING)},
        ),
        Graph(
            title="Ends",
            what="Per hour.",
            queries={"{{outcome}}": f"sum by (outcome) ({most_grown('outcome, risk, path', _APPROVALS_ENDED)}) > 0"},
        ),
        Graph(
            title="From asked to seen",
            what="Until the message that shows it, by risk.",
            unit="s",
            queries={"{{risk}} p95": quantile(0.95, _SHOWN, by="risk")},
        ),
        Graph(
            title="From asked to decided",
            what="Until people gave it an end, over a day, by risk.",
            unit="s",
            queries={
                f"{{{{risk}}}} p{round(100 * share)}": (
                    f"histogram_quantile({share}, max by (le, risk, path) (increase({_DECIDED}[{DAY}])))"
                )
                for share in (0.5, 0.9)
            },
        ),
        Graph(
            title="Decisions by surface",
            what="Clicks per hour, and what became of them.",
            queries={"{{surface}} {{outcome}}": grown(of(names.METRIC_CLICKS), by="surface, outcome")},
        ),
        Graph(
            title="What people think of goals",
            what="Opinions that were kept, per day, by verdict.",
            queries={"{{verdict}}": grown(of(names.METRIC_OPINIONS), within=DAY, by="verdict")},
        ),
        Graph(
            title="Deliveries of GitHub's",
            what="Per hour, by event, and what became of them.",
            queries={"{{event}} {{outcome}}": grown(of(names.METRIC_GITHUB_DELIVERIES), by="event, outcome")},
        ),
        Graph(
            title="Age of the keys",
            what="Since they were read; from ten minutes on no approval is trusted.",
            unit="s",
            queries={"{{instance}}": of(names.METRIC_APPROVAL_KEYS_AGE)},
        ),
        Graph(
            title="Broken glass",
            what="Steps that ran on an emergency approval, per day.",
            queries={"{{action}}": grown(of(names.METRIC_BREAK_GLASS, OF_PROVIDER), within=DAY, by="action")},
        ),
        Graph(
            title="Surprises",
            what="What goals were about to do and their rehearsals did not, per day.",
            queries={"{{action}}": grown(of(names.METRIC_SURPRISES, OF_PROVIDER), within=DAY, by="action")},
        ),
        Graph(
            title="Age of the counts",
            what="Since the gateway looked; these numbers are as old.",
            unit="s",
            queries={"{{instance}}": of(names.METRIC_COUNTS_AGE)},
        ),
        Logs(title="Clicks", what="Who clicked on what.", query=f'{OURS} |= "a person clicked"'),
    ),
)

LEASES: Final = Board(
    name="leases",
    title="Leases and money",
    what="What is held and must end, and what it costs.",
    variables=("provider",),
    panels=(
        Stat(title="Held", what="Or being ended.", query=_leases("held")),
        Stat(title="Overdue", what="Past their time and patience.", query=_leases("overdue"), red_from=1),
        Stat(title="Stuck", what="Their provider does not let go.", query=_leases("stuck"), red_from=1),
        Stat(
            title="Budget in use",
            what="Of today's, reserved or spent.",
            query=f"{_USED} / ({_CAP} > 0)",
            unit="percentunit",
            red_from=0.9,
        ),
        Graph(title="Leases", what="By state.", queries={"{{state}}": most("state", of(names.METRIC_LEASES))}),
        Graph(
            title="Money",
            what="Today's (UTC), as the process that wrote it last says.",
            unit="currencyUSD",
            queries={
                "reserved": f"({_USED} - {_SPENT}) / 100",
                "spent": f"{_SPENT} / 100",
                "cap": f"{_CAP} / 100",
            },
        ),
        Graph(
            title="Not settled",
            what="Steps whose cost could not be written down, per hour; what they reserved counts.",
            queries={"{{instance}}": grown(of(names.METRIC_BUDGET_UNSETTLED), by="instance")},
        ),
        Graph(
            title="Refused for the budget",
            what="Steps per hour.",
            queries={"{{action}}": grown(of(names.METRIC_GUARD_DECISIONS, OF_PROVIDER, reason="budget"), by="action")},
        ),
        Logs(title="Leases in the logs", what="Lines that speak of one.", query=f'{OURS} |= "lease"'),
    ),
)
