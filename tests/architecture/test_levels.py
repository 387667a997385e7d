"""Every implementation of a step is exercised by a test of its own level: beside it, without a workflow around it."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import activities
import hitl.gateway
import hitl.github
import hitl.slack
from activities.catalogue import steps
from activities.step import Step, step_of

TESTS: Final = Path(__file__).parents[1]
ELSEWHERE: Final = {
    "activities.github": ("activities/github", "connectors/github"),
    "activities.neon": ("activities/neon", "sandbox/migrations"),
    "activities.pulumi": ("sandbox/pulumi",),
    "activities.sandbox": ("activities/sandbox", "sandbox/tools"),
    "activities.rediscloud": ("activities/redis",),
    "activities.upstash": ("activities/redis", "activities/upstash"),
    "hitl.gateway": ("hitl", "security"),
    "hitl.github": ("hitl", "security"),
    "hitl.slack": ("hitl", "security"),
}
"""Steps on stacks, migrations and sessions need the container engine, as do all tests there; those on Redis databases
are tried for all who sell them at once; the gateway's are tried on its own worker; those that look after GitHub's
deliveries are where a hook has a server of its own."""


def implementing() -> Iterator[tuple[str, str, Step[Any, Any]]]:
    """Package, method and step of each."""
    for package in (activities, hitl.gateway, hitl.github, hitl.slack):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for owner in vars(importlib.import_module(found.name)).values():
                if inspect.isclass(owner) and owner.__module__ == found.name:
                    for name, method in vars(owner).items():
                        if callable(method) and (step := step_of(method)) is not None:
                            yield ".".join(found.name.split(".")[:2]), name, step


def named(package: str) -> set[str]:
    """Every attribute and string that the tests of that level use."""
    folders = ELSEWHERE.get(package, (package.replace(".", "/"),))
    files = (file for folder in folders for file in (TESTS / folder).rglob("*.py"))
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    found: set[str] = set()
    for node in nodes:
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                found.add(name)
            case ast.Constant(value=str(text)):
                found.add(text)
            case _:
                pass
    return found


ALL: Final = sorted(implementing(), key=lambda one: one[2].name)


def test_they_are_all_there() -> None:
    assert {step.name for _, _, step in ALL} == set(steps())


@pytest.mark.parametrize(("package", "method", "step"), ALL, ids=[step.name for _, _, step in ALL])
def test_a_step_is_exercised_at_its_own_level(package: str, method: str, step: Step[Any, Any]) -> None:
    constant = step.name.partition(".")[2].upper()
    assert {method, step.name, constant} & named(package), f"no test of its own level uses {step.name}"
