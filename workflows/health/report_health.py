"""The goal `ReportHealth`: a repository measured at one commit, compared with its last report, and kept."""

from collections.abc import Iterable, Mapping
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.dependencies.contracts import READ_MANIFESTS, ManifestsRead, ReadManifestsRequest
    from activities.health.contracts import MEASURE_HEALTH, HealthMeasured, MeasureHealthRequest
    from activities.health.figures import FIGURES, Figure, FigureName
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.health.contracts import (
        CHECK_CONFIG,
        KEEP_HEALTH,
        CheckConfigRequest,
        ConfigChecked,
        HealthReport,
        ReportKept,
    )
    from workflows.health.goals import REPORT_HEALTH, FigureTold, ReportHealthInput, ReportHealthResult

_OLD_DAYS: Final = 365
_ALL: Final = 100.0


@goal(REPORT_HEALTH)
class ReportHealthWorkflow(Goal):
    """Measure, read the manifests of the same commit, check the configuration, keep the report."""

    @workflow.init
    def __init__(self, request: ReportHealthInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: ReportHealthInput) -> ReportHealthResult:
        """Report; a refusal by the guard is a result."""
        return await self.run_goal(
            self._report(),
            denied=lambda reason: ReportHealthResult(
                outcome=State.DENIED, reason=reason, repository=request.repository
            ),
        )

    async def _report(self) -> ReportHealthResult:
        wanted = self._wanted
        repository = wanted.repository
        asked = MeasureHealthRequest(repository=repository, ref=wanted.ref)
        measured = await self.step(MEASURE_HEALTH, asked, summary=f"Measure {repository}")
        read = await self.step(
            READ_MANIFESTS,
            ReadManifestsRequest(repository=repository, ref=measured.commit),
            summary=f"Read the manifests of {repository}",
        )
        figures = (*measured.figures, *_of_manifests(read), await self._config(measured))
        kept = await self._keep(measured.commit, figures)
        return ReportHealthResult(
            repository=repository,
            commit=measured.commit,
            figures=tuple(_told(figures, kept.before.values if kept.before else {})),
            compared_with=kept.before.at if kept.before else None,
            reports=kept.kept,
            manifests=read.artifact,
        )

    async def _config(self, measured: HealthMeasured) -> Figure:
        """How the repository's own file does, which the gateway alone can read."""
        if measured.config_base64 is None:
            return Figure(name=FigureName.CONFIG_MISTAKES, told="there is none, and none is needed")
        asked = CheckConfigRequest(content_base64=measured.config_base64)
        return _of_config(await self.step(CHECK_CONFIG, asked, summary="Check .banksman/config.yaml"))

    async def _keep(self, commit: str, figures: tuple[Figure, ...]) -> ReportKept:
        """Keep it, where it is about the default branch: others cannot be compared with those before."""
        if self._wanted.ref is not None:
            return ReportKept(kept=0)
        report = HealthReport(
            repository=self._wanted.repository,
            commit=commit,
            at=workflow.now(),
            run=workflow.info().run_id,
            figures=figures,
        )
        return await self.step(KEEP_HEALTH, report, summary="Keep the report, and compare it with the last one")


def _of_manifests(read: ManifestsRead) -> list[Figure]:
    open_ = read.direct - read.pinned
    old = read.median_age_days is not None and read.median_age_days > _OLD_DAYS
    none = "no manifest names any" if not read.direct else ""
    return [
        Figure(name=FigureName.DIRECT, value=read.direct, told=f"in {read.files} files"),
        Figure(
            name=FigureName.PINNED,
            value=round(_ALL * read.pinned / read.direct, 1) if read.direct else None,
            told=none or f"{read.pinned} of {read.direct} direct ones",
            advice=f"Fix {open_} by a lock file, a digest or a commit." if open_ else "",
        ),
        Figure(
            name=FigureName.MEDIAN_AGE,
            value=read.median_age_days,
            told=f"of {read.aged} versions" if read.aged else "no file says when a version came out",
            advice="Half of them are older than a year: update them, a few at a time." if old else "",
        ),
        Figure(
            name=FigureName.MANIFEST_MISTAKES,
            value=read.mistakes,
            advice="MapDependencies lists them, each with its file." if read.mistakes else "",
        ),
    ]


def _of_config(checked: ConfigChecked) -> Figure:
    wrong = checked.mistakes
    advice = f"Mend line {wrong[0]}" if wrong else ""
    return Figure(name=FigureName.CONFIG_MISTAKES, value=len(wrong), advice=advice)


def _told(figures: Iterable[Figure], before: Mapping[FigureName, float]) -> Iterable[FigureTold]:
    """In the order of the table."""
    known = {one.name: one for one in figures}
    for name, kind in FIGURES.items():
        if (one := known.get(name)) is not None:
            yield FigureTold(
                label=kind.label,
                unit=kind.unit,
                source=kind.source,
                before=before.get(name),
                trend=kind.trend(one.value, before.get(name)),
                **one.model_dump(),
            )
