"""The shape of the house: what imports what, what is named once, what a file may be."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from pkgutil import iter_modules

import pytest

from deploy.vault.layout import APP_ROLES, TOKEN_ROLES, policies
from deploy.vault.rights import PERSONS
from observability import names
from workers.settings import Role
from workflows.catalogue import GOALS
from workflows.contracts import SEARCH_ATTRIBUTES

ROOT = Path(__file__).parents[2]
PACKAGES = ("activities", "connectors", "deploy", "hitl", "observability", "sandbox", "workers", "workflows")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
READ_AUTHORITIES = {
    *("httpx.AsyncClient", "httpx.AsyncHTTPTransport", "httpx.Client", "httpx.HTTPTransport", "httpx.stream"),
    *("httpx.delete", "httpx.get", "httpx.head", "httpx.options", "httpx.patch", "httpx.post", "httpx.put"),
    "httpx.request",
}
HEAVY = (
    *("httpx", "requests", "docker", "hvac", "github", "opentelemetry.sdk", "starlette", "uvicorn", "obstore"),
    *("aiohttp", "slack_bolt", "slack_sdk", "qdrant_client"),
)


def test_the_import_contracts_hold() -> None:
    found = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("package", ["deploy", "hitl"])
def test_the_layers_name_all_of_a_package(package: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [one["layers"] for one in contracts if one["type"] == "layers"]
    named = {name.strip() for layer in layers for name in re.split("[|:]", layer)}
    assert _unplaced(package, named) == []


def _unplaced(package: str, named: set[str]) -> list[str]:
    """What of a package no layer names: itself, or all that is in it."""
    found: list[str] = []
    for one in iter_modules([str(ROOT / package.replace(".", "/"))]):
        name = f"{package}.{one.name}"
        inside = any(other.startswith(f"{name}.") for other in named)
        found += _unplaced(name, named) if inside else [name] * (name not in named)
    return found


def test_workflow_code_loads_no_client() -> None:
    code = f"import sys, workflows.implementations; print([n for n in {HEAVY!r} if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("package", PACKAGES)
def test_our_generic_names_are_really_ours(package: str) -> None:
    assert Path(str(importlib.import_module(package).__file__)).is_relative_to(ROOT)


def test_names_are_said_once() -> None:
    values = [value for name, value in vars(names).items() if name.isupper()]
    assert len(values) == len(set(values))


def test_every_name_is_used() -> None:
    used = "\n".join(file.read_text(encoding="utf-8") for file in SOURCES if file.name != "names.py")
    used += "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "observability").rglob("*.y*ml"))
    unused = [name for name in vars(names) if name.isupper() and name not in used]
    assert unused == []


def test_search_attributes_are_few_keywords() -> None:
    assert len(SEARCH_ATTRIBUTES) <= 8
    assert all(key.name.startswith("Banksman") for key in SEARCH_ATTRIBUTES)


def test_every_role_has_its_login_and_every_policy_its_owner() -> None:
    logins = {role.name for role in APP_ROLES}
    assert {role.value for role in Role} <= logins
    owned = logins | {f"step-{role.name}" for role in TOKEN_ROLES} | {"deliverer", *PERSONS}
    assert set(policies()) == owned


def test_every_goal_has_an_example_that_is_its_own_business() -> None:
    for goal in GOALS:
        assert goal.example.business_key()
        assert goal.example.summary()
        assert goal.description.endswith(".")


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_says_why_it_is_there_and_stays_readable(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module begins with a docstring"
    assert len(text.splitlines()) <= 500
    assert file.stem not in {"utils", "helpers", "common", "base"}


def test_functions_stay_short() -> None:
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno > 60
    ]
    assert long == []


def test_no_web_client_reads_the_authorities_of_its_own() -> None:
    """httpx reads them for each client that is told of none, which takes a tenth of a second: see `authorities`."""
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}"
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in READ_AUTHORITIES
        and not {"verify", "transport"} & {one.arg for one in node.keywords}
    ]
    assert found == []


def test_workflows_await_nothing_on_their_way_out_of_a_block() -> None:
    """What a worker drops when it ends runs its `finally` anywhere, and generators end in any order: see `_Held`."""
    found: list[str] = []
    for file in (ROOT / "workflows").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            where = f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.AsyncFunctionDef) and any(isinstance(one, ast.Yield) for one in ast.walk(node)):
                found.append(f"{where} {node.name} is an async generator")
            elif isinstance(node, ast.Try) and any(_awaits(statement) for statement in node.finalbody):
                found.append(f"{where} awaits in `finally`")
            elif isinstance(node, ast.ExceptHandler) and _catches_all(node) and _awaits(node):
                found.append(f"{where} awaits whatever it caught")
    assert found == []


def _awaits(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Await | ast.AsyncWith | ast.AsyncFor) for one in ast.walk(node))


def _catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or "BaseException" in ast.unparse(handler.type)
