"""The steps around an investigator: what it is told, what tools gave, and whether its evidence is there."""

import asyncio
from collections.abc import Awaitable, Callable

from activities.agent.findings import read_findings
from activities.agent.investigation_contracts import (
    BRIEF_INVESTIGATOR,
    KEEP_RESULTS,
    MOST_RESULT,
    READ_FINDINGS,
    BriefInvestigatorRequest,
    FindingsRead,
    InvestigatorBriefed,
    KeepResultsRequest,
    Kept,
    ReadFindingsRequest,
    ResultsKept,
    ToKeep,
)
from activities.agent.investigator_prompt import investigators_instructions, investigators_question
from activities.agent.marked import marked, unmarked
from activities.step import implements
from connectors.artifacts import ArtifactStore
from hitl.plan_language.catalogue import Catalogue


class Investigating:
    """The steps.

    Args:
        catalogue: The goals of this release, made when it is first asked for; in a thread, for it takes a while.
        artifacts: Where what a model is told and says lies.
        logs: Whether this deployment has a store of log lines that can be asked.
        metrics: Whether it has one of numbers.
        sandbox: Tells whether a worker runs what needs the sandbox, or Pulumi's stacks.
    """

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        artifacts: ArtifactStore,
        *,
        logs: bool,
        metrics: bool,
        sandbox: Callable[[], Awaitable[bool]],
    ) -> None:
        self._catalogue, self._artifacts = catalogue, artifacts
        self._logs, self._metrics, self._sandbox = logs, metrics, sandbox

    @implements(BRIEF_INVESTIGATOR)
    async def brief_investigator(self, request: BriefInvestigatorRequest) -> InvestigatorBriefed:
        """Write down what a model is told.

        Raises:
            Unavailable: The artifact store cannot be written.
        """
        catalogue = await asyncio.to_thread(self._catalogue)
        goals = sorted(name for name, one in catalogue.items() if not one.why_not)
        sandbox = await self._sandbox()
        absent = tuple(self._absent(sandbox=sandbox))
        rules = investigators_instructions(goals).encode()
        asked = investigators_question(request.question, request.goal, request.repositories, absent).encode()
        return InvestigatorBriefed(
            instructions=await self._artifacts.put(rules),
            told=await self._artifacts.put(asked),
            size=len(rules) + len(asked),
            logs=self._logs,
            metrics=self._metrics,
            sandbox=sandbox,
            absent=absent,
        )

    @implements(KEEP_RESULTS)
    async def keep_results(self, request: KeepResultsRequest) -> ResultsKept:
        """Keep what tools gave as a model is told it: marked, without secrets, and cut.

        Raises:
            NotFound: An artifact is gone.
            Unavailable: The artifact store cannot be read or written.
        """
        return ResultsKept(results=tuple([await self._kept(one) for one in request.results]))

    @implements(READ_FINDINGS)
    async def read_findings(self, request: ReadFindingsRequest) -> FindingsRead:
        """Look at what a model answered. Mistakes are an answer, and no failure.

        Raises:
            NotFound: An artifact is gone.
            Unavailable: The artifact store cannot be read.
        """
        said = await self._artifacts.get(request.answer)
        results = {name: unmarked(await self._text(one)) for name, one in request.results.items()}
        catalogue = await asyncio.to_thread(self._catalogue)
        return await asyncio.to_thread(read_findings, said, results, catalogue, request.words)

    async def _kept(self, one: ToKeep) -> Kept:
        text = await self._text(one.reference) if one.reference is not None else one.text
        text = "".join(text.splitlines(keepends=True)[one.from_line - 1 :]) if one.from_line > 1 else text
        told, cut = marked(text, id=one.id, tool=one.tool, failed=one.failed, most=MOST_RESULT)
        raw = told.encode("utf-8", "replace")
        return Kept(id=one.id, reference=await self._artifacts.put(raw), size=len(raw), cut=cut)

    async def _text(self, reference: str) -> str:
        content = await self._artifacts.get(reference)
        try:
            return content.decode()
        except UnicodeDecodeError:
            return f"{len(content)} bytes that are no text"

    def _absent(self, *, sandbox: bool) -> list[str]:
        there = {
            "log lines: this deployment names no store of them in BANKSMAN_TELEMETRY_LOKI": self._logs,
            "metrics: this deployment names no Prometheus in BANKSMAN_TELEMETRY_PROMETHEUS": self._metrics,
            "what files hold when they are searched, and stacks with their drift: no sandbox worker runs": sandbox,
        }
        return [why for why, is_there in there.items() if not is_there]
