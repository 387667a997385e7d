"""What is measured of a repository: each figure once, with its unit, where it comes from, and what of it is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat


class FigureName(StrEnum):
    """Every figure, in the order in which people read them."""

    FAILING_CHECKS = "failing_checks"
    OPEN_PULLS = "open_pulls"
    OLDEST_PULL = "oldest_pull"
    DIRECT = "direct"
    PINNED = "pinned"
    MEDIAN_AGE = "median_age"
    MANIFEST_MISTAKES = "manifest_mistakes"
    WIDE_WORKFLOWS = "wide_workflows"
    TESTS = "tests"
    TEST_FILES = "test_files"
    TESTED = "tested"
    CONFIG_MISTAKES = "config_mistakes"
    MISSING_PAPERS = "missing_papers"
    SIZE = "size"
    FILES = "files"
    LANGUAGES = "languages"


Trend = Literal["better", "worse", "same", "changed"]


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """What a figure is.

    Attributes:
        label: For people.
        unit: Of its value.
        source: Where it comes from.
        better: Whether less or more of it is better; None where neither is.
    """

    label: str
    unit: str
    source: str
    better: Literal["less", "more"] | None = None

    def trend(self, value: float | None, before: float | None) -> Trend | None:
        """How it changed; None where one of both is not known."""
        if value is None or before is None:
            return None
        if value == before:
            return "same"
        if self.better is None:
            return "changed"
        return "better" if (value < before) is (self.better == "less") else "worse"


_TREE: Final = "paths and sizes of the files at the commit"
_MANIFESTS: Final = "manifests and lock files at the commit"
FIGURES: Final[Mapping[FigureName, FigureKind]] = {
    FigureName.FAILING_CHECKS: FigureKind(
        label="Failing checks", unit="check runs", source="the last check runs on the commit", better="less"
    ),
    FigureName.OPEN_PULLS: FigureKind(
        label="Open pull requests", unit="pull requests", source="open pull requests, 100 at most", better="less"
    ),
    FigureName.OLDEST_PULL: FigureKind(
        label="Oldest open pull request", unit="days", source="when open pull requests were opened", better="less"
    ),
    FigureName.DIRECT: FigureKind(label="Direct dependencies", unit="packages", source=_MANIFESTS),
    FigureName.PINNED: FigureKind(label="Pinned dependencies", unit="%", source=_MANIFESTS, better="more"),
    FigureName.MEDIAN_AGE: FigureKind(
        label="Age of dependencies",
        unit="days, median",
        source="days of release that uv.lock and go.mod name",
        better="less",
    ),
    FigureName.MANIFEST_MISTAKES: FigureKind(
        label="Mistakes in manifests", unit="mistakes", source=_MANIFESTS, better="less"
    ),
    FigureName.WIDE_WORKFLOWS: FigureKind(
        label="Workflows with wide permissions",
        unit="workflows",
        source="'permissions' in .github/workflows at the commit",
        better="less",
    ),
    FigureName.TESTS: FigureKind(
        label="Tests", unit="tests", source="definitions of tests, counted and not run", better="more"
    ),
    FigureName.TEST_FILES: FigureKind(label="Files of tests", unit="files", source=_TREE, better="more"),
    FigureName.TESTED: FigureKind(
        label="Files of code with tests", unit="%", source="names of files of tests at the commit", better="more"
    ),
    FigureName.CONFIG_MISTAKES: FigureKind(
        label="Mistakes in .banksman/config.yaml", unit="mistakes", source="the file at the commit", better="less"
    ),
    FigureName.MISSING_PAPERS: FigureKind(
        label="Missing readme, licence, owners", unit="files", source=_TREE, better="less"
    ),
    FigureName.SIZE: FigureKind(label="Size", unit="bytes", source=_TREE),
    FigureName.FILES: FigureKind(label="Files", unit="files", source=_TREE),
    FigureName.LANGUAGES: FigureKind(label="Languages", unit="languages", source=f"endings of {_TREE}"),
}


class Figure(BaseModel):
    """One figure, measured. What it is, `FIGURES` says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: FigureName
    value: FiniteFloat | None = Field(
        default=None, description="In its unit; none where it cannot be known, and `told` why."
    )
    told: str = Field(default="", description="What is behind it. A stranger's words are in it.")
    advice: str = Field(default="", description="What to do; empty where nothing is to be done.")

    @property
    def kind(self) -> FigureKind:
        """What it is."""
        return FIGURES[self.name]
