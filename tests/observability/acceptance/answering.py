"""Puts every question that is shipped to the servers of a run, and says of each whether there was data."""

from collections.abc import Sequence
from typing import Final

from observability.dashboards.pictures.answers import Answers, as_logs_ql
from tests.observability.acceptance.conftest import Observed
from tests.observability.questions.everywhere import Language, Question
from tests.observability.questions.grammars import Grammars, Parsed
from tests.observability.questions.page import Answered

YES: Final = "yes"
QUIET: Final = "quiet"
SILENT: Final = "silent"
"""There was none, and nobody has said why."""
_NOTHING_BROKEN: Final = "nothing is broken for as long as an alert waits"
_NO_PARKED: Final = "no goal parks"
_NO_NETWORK: Final = "no example asks a proxy for a host"
_RENEWED_LATER: Final = "tokens are renewed after hours"
_NOTHING_LOST: Final = "the collector loses nothing"
EMPTY: Final = {
    ("dashboard Overview", "Alerts that fire"): _NOTHING_BROKEN,
    ("dashboard Goals", "Parked by goal"): _NO_PARKED,
    ("dashboard Approvals", "Deliveries of GitHub's"): "no example has GitHub send anything",
    ("dashboard Sandbox", "Starts from the pool"): "no container waits in the embedded environment",
    ("dashboard Sandbox", "Connections"): _NO_NETWORK,
    ("dashboard Language models", "US dollars by model"): "the scripted model costs nothing",
    ("dashboard Vault", "Renewals"): _RENEWED_LATER,
    ("dashboard Workers and Temporal", "Calls to Temporal"): "one of its questions is about calls that fail",
    ("dashboard Overview", "Errors"): "no process has an error",
    ("dashboard Providers and limits", "Providers in the logs"): "no provider is away or at its limit",
    ("dashboard Workers and Temporal", "Telemetry lost"): _NOTHING_LOST,
    ("docs/how-to/describe-a-service.md", "manifest"): "it is a service's own number",
    ("docs/runbooks/guard-broken.md", ""): "the policy is read without a word",
    ("docs/runbooks/vault-token-low.md", ""): _RENEWED_LATER,
    ("docs/runbooks/telemetry-lost.md", ""): _NOTHING_LOST,
}
"""Questions without data here, by place and what asks them, each with its reason."""
MISSING: Final = {
    'banksman_guard_decisions_total{decision="broken"}': "the guard can decide everything",
    'banksman_audit_events_total{written="no"}': "every audit event is written",
    'banksman_step_ends_total{end="unknown"}': "no step ends in doubt",
    'banksman_step_failures_total{error="SandboxUnavailable"}': "the sandbox is there",
    '{__name__=~"otelcol_exporter_send_failed_(spans|log_records)(_total)?"}': _NOTHING_LOST,
    '{__name__=~"otelcol_exporter_enqueue_failed_(spans|log_records)(_total)?"}': _NOTHING_LOST,
}
"""Series that an alert looks at and that are not there in a run, each with its reason."""


class Answering:
    """Asks one run.

    Args:
        observed: The run.
        grammars: They tell what an alert looks at.
    """

    def __init__(self, observed: Observed, grammars: Grammars) -> None:
        self._observed, self._grammars = observed, grammars
        state = observed.running.state
        self._answers = Answers(state["prometheus"]["url"], state["log_store"]["url"])

    def all(self, asked: Sequence[Question]) -> list[Answered]:
        """Of each, in their order."""
        parsed = self._grammars.of(asked)
        return [Answered(one, not by.wrong, self._data(one, by)) for one, by in zip(asked, parsed, strict=True)]

    def _data(self, question: Question, parsed: Parsed) -> str:
        match question.language:
            case Language.TRACEQL:
                return "no: Tempo is Compose's alone"
            case Language.LOGQL:
                return self._lines(question)
            case Language.PROMQL if question.rule:
                return self._alert(question, parsed)
            case Language.PROMQL:
                return self._told(bool(self._series(question.sent)), question)

    def _series(self, query: str) -> list[object]:
        return self._observed.asked("query", query=query)["result"]

    def _alert(self, question: Question, parsed: Parsed) -> str:
        if self._series(question.sent):
            return YES
        missing = [one for one in parsed.selectors if not self._series(one)]
        unexplained = [one for one in missing if one not in MISSING]
        if unexplained:
            return f"{SILENT}: {', '.join(unexplained)}"
        return "; ".join([QUIET, *dict.fromkeys(MISSING[one] for one in missing)])

    def _lines(self, question: Question) -> str:
        try:
            as_logs_ql(question.sent)
        except ValueError:
            return "no: VictoriaLogs has no such question"
        return self._told(bool(self._answers.lines(question.sent)), question)

    def _told(self, there: bool, question: Question) -> str:
        if there:
            return YES
        why = EMPTY.get((question.place, question.what))
        return f"no: {why}" if why else SILENT
