"""The table of endpoints: everything that is declared is asked for by a step and a test, and answered by a twin."""

import ast

import pytest

from tests.docs.endpoints import ROOT, answered, declared, recorded

ALL = [(provider, name) for provider, operations in declared().items() for name in operations]
ANEW = "run `python -m tests.docs.endpoints` and `make docs`"


@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_an_operation_is_used_and_tested(provider: str, operation: str) -> None:
    use = recorded().get(provider, {}).get(operation)
    assert use is not None, ANEW
    assert use.steps, f"no step asks for {operation}"
    file, _, function = use.test.partition("::")
    assert function.rpartition("::")[2] in _functions((ROOT / file).read_text(encoding="utf-8")), ANEW


@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_an_operation_is_answered_by_the_twin(provider: str, operation: str) -> None:
    assert declared()[provider][operation] in answered()


def test_nothing_is_told_of_that_is_gone() -> None:
    gone = [(provider, name) for provider, uses in recorded().items() for name in uses if (provider, name) not in ALL]
    assert gone == [], ANEW


def _functions(text: str) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)}
