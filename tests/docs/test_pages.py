"""The documentation is in step with the house: links lead somewhere, commands exist, named tests are there."""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest

from observability import names
from tests.docs.command_tree import Command, commands
from tests.docs.markdown import PAGES, ROOT, anchors, command_lines, links
from workers.settings import Locations, Settings

BY_NAME = {page.relative_to(ROOT).as_posix(): page for page in PAGES}
EVERY_PAGE = pytest.mark.parametrize("page", BY_NAME.values(), ids=BY_NAME.keys())
LARGEST_PICTURE = 300_000
MADE_LATER = {"bench/results/", "tests/test_price.py"}  # by the bench; by a coding job in the sample's service


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    broken: list[str] = []
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        inside = file.is_relative_to(ROOT) and file.exists()
        if not inside or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_page_is_linked_from_somewhere() -> None:
    found = {(page.parent / target.partition("#")[0]).resolve() for page in PAGES for target in links(page)}
    lonely = [name for name, page in BY_NAME.items() if page not in found and name != "README.md"]
    assert lonely == []


def problem(words: list[str]) -> str | None:
    """What is wrong with a command line of ours; None for nothing."""
    known = commands()
    command: Command | None = None
    for length in range(len(words), 0, -1):
        if command := known.get(tuple(words[:length])):
            break
    if command is None or (command.group and not {"--version", "--help"} & set(words)):
        return f"there is no command {' '.join(words)!r}"
    given = [word.partition("=")[0] for word in words[len(command.words) :] if word.startswith("-")]
    unknown = [word for word in given if word not in command.options]
    return f"{' '.join(command.words)!r} takes no {unknown}" if unknown else None


@EVERY_PAGE
def test_commands_exist_with_their_options(page: Path) -> None:
    ours = [words for words in command_lines(page) if words and words[0] == "banksman"]
    assert [found for words in ours if (found := problem(words))] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("banksman rnu ReadFile", "no command"),
        ("banksman run ReadFile --inptu {}", "takes no"),
        ("banksman policy", "no command"),
        ("banksman policy check --policy x", "takes no"),
    ],
)
def test_a_wrong_command_is_noticed(line: str, said: str) -> None:
    assert said in (problem(line.split()) or "")


def test_commands_are_looked_at() -> None:
    seen = {words[1] for page in PAGES for words in command_lines(page) if len(words) > 1 and words[0] == "banksman"}
    assert {"up", "run", "goals", "policy", "audit", "status"} <= seen


@EVERY_PAGE
def test_make_targets_and_modules_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = [words for words in command_lines(page) if words]
    asked = {word for words in lines if words[0] == "make" for word in words[1:] if "=" not in word}
    asked |= set(re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8")))
    assert asked <= targets
    modules = {words[2] for words in lines if words[:2] == ["python", "-m"]}
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


@EVERY_PAGE
def test_named_tests_and_files_exist(page: Path) -> None:
    # What a page shows as the content of a new file, `test_how_to_add.py` writes.
    text = re.sub(r"^```python \S+$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    missing = [
        one[0]
        for one in re.finditer(r"\btests/([\w/]+\.py)(?:::(\w+))?", text)
        if not (file := ROOT / "tests" / one[1]).is_file() or (one[2] and one[2] not in _functions(file))
    ]
    folders = "activities|bench|connectors|deploy|docs|hitl|observability|sandbox|workers|workflows"
    paths = set(re.findall(rf"`((?:{folders})/[\w./-]*)`", text))
    missing += [path for path in paths if not (ROOT / path).exists()]
    assert [one for one in missing if one not in MADE_LATER] == []


@cache
def _functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_threat_has_its_control_and_a_test() -> None:
    lines = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| threat")]
    assert len(rows) > 20
    assert [row for row in rows if len(row.split(" | ")) != 3 or "`tests/" not in row.split(" | ")[2]] == []


def test_the_telemetry_page_tells_every_metric() -> None:
    page = (ROOT / "docs/how-to/telemetry.md").read_text(encoding="utf-8")
    ours = {value for name, value in vars(names).items() if name.startswith("METRIC_")}
    assert set(re.findall(r"^\| `(banksman_\w+)`", page, re.MULTILINE)) == ours


@EVERY_PAGE
def test_settings_that_are_named_exist(page: Path) -> None:
    known = {f"BANKSMAN_{name.upper()}" for model in (Settings, Locations) for name in model.model_fields}
    known |= set(re.findall(r"BANKSMAN_\w+", (ROOT / ".env.example").read_text(encoding="utf-8")))
    known |= set(re.findall(r"BANKSMAN_\w+", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    # `$BANKSMAN_TELEMETRY` is what a command in the sandbox finds, not a setting of ours.
    named = set(re.findall(r"(?<!\$)\bBANKSMAN_\w+", page.read_text(encoding="utf-8")))
    assert named - known == set()


def test_pictures_are_small() -> None:
    pictures = [*(ROOT / "docs").rglob("*.png"), *(ROOT / "docs").rglob("*.svg")]
    assert pictures
    assert [file.name for file in pictures if file.stat().st_size > LARGEST_PICTURE] == []


def test_the_readme_begins_with_what_people_see_and_the_two_commands() -> None:
    head, *parts = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", head)
    assert pictures == ["docs/images/demo.svg", "docs/images/approval-slack.png"]
    assert re.findall(r"^make (\w+) ", head, re.MULTILINE) == ["demo", "test"]
    told = [part.partition("\n")[0] for part in parts]
    assert told[:2] == ["How it works", "Who it is for"]
    assert {"What it takes", "With your own repository, GitHub and Slack", "Beside what you may have"} <= set(told)
