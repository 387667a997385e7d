"""The ways that a report of a repository's health can go."""

import base64

from activities.dependencies.contracts import READ_MANIFESTS, ManifestsRead
from activities.guard.error_types import ErrorType, application_error
from activities.health.contracts import MEASURE_HEALTH, HealthMeasured
from activities.health.figures import Figure, FigureName
from tests.workflows.played import Answers, Played
from workflows.health.contracts import CHECK_CONFIG, KEEP_HEALTH, ConfigChecked, PastReport, ReportKept
from workflows.health.goals import REPORT_HEALTH, ReportHealthInput

CONFIG = base64.b64encode(b"version: 1\ncolour: red\n").decode()
MEASURED = HealthMeasured(
    commit="c" * 40,
    figures=(
        Figure(name=FigureName.OPEN_PULLS, value=2),
        Figure(name=FigureName.TESTS, value=7),
        Figure(name=FigureName.FAILING_CHECKS, told="nothing checks this commit"),
        Figure(name=FigureName.SIZE, value=1000),
    ),
    config_base64=CONFIG,
)
READ = ManifestsRead(
    commit="c" * 40,
    artifact=f"sha256:{'1' * 64}",
    files=2,
    direct=4,
    pinned=3,
    locked=9,
    median_age_days=400,
    aged=9,
    mistakes=1,
)
BEFORE = PastReport(
    commit="b" * 40,
    at="2026-11-01T08:00:00Z",  # pyright: ignore[reportArgumentType] - pydantic reads it
    run="r-1",
    values={FigureName.OPEN_PULLS: 3, FigureName.TESTS: 9, FigureName.SIZE: 900, FigureName.PINNED: 75},
)
ANSWERS: Answers = {
    MEASURE_HEALTH: [MEASURED],
    READ_MANIFESTS: [READ],
    CHECK_CONFIG: [ConfigChecked(mistakes=("2: colour: is no key of this file",))],
    KEEP_HEALTH: [ReportKept(before=BEFORE, kept=2)],
}
DENIED = application_error(ErrorType.POLICY_DENIED, "acme/shop is not to be read")

SCENARIOS = (
    Played(goal=REPORT_HEALTH, name="completed", answers=ANSWERS),
    Played(
        goal=REPORT_HEALTH,
        name="of-a-branch",
        answers={**ANSWERS, MEASURE_HEALTH: [MEASURED.model_copy(update={"config_base64": None})]},
        request=ReportHealthInput(repository="acme/shop", ref="next"),
    ),
    Played(goal=REPORT_HEALTH, name="denied", answers={**ANSWERS, MEASURE_HEALTH: [DENIED]}),
)
