"""The order of commands in each workflow file, read from its source: a ratchet that needs no server.

Replay covers the recorded paths; this covers the rest. A reviewer sees a changed sequence as a changed line.
"""

import ast
import json
from pathlib import Path
from typing import Final

import workflows

FILE: Final = Path(__file__).parent / "fingerprints.json"
_SOURCES: Final = Path(str(workflows.__file__)).parent
_COMMANDS: Final = frozenset(
    {
        "attempt",
        "continue_as_new",
        "deprecate_patch",
        "execute_activity",
        "execute_activity_method",
        "execute_child_workflow",
        "execute_local_activity",
        "execute_local_activity_method",
        "look",
        "patched",
        "sleep",
        "start_activity",
        "start_activity_method",
        "start_child_workflow",
        "step",
        "upsert_memo",
        "upsert_search_attributes",
        "wait_condition",
    }
)


def fingerprints() -> dict[str, list[str]]:
    """For each function of each workflow file, the commands it calls in source order."""
    found: dict[str, list[str]] = {}
    for source in sorted(_SOURCES.glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (commands := _commands(node)):
                found[f"{source.stem}.{node.name}"] = commands
    return found


def recorded() -> dict[str, list[str]]:
    """The fingerprints of the last release."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def _commands(function: ast.AST) -> list[str]:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    named = [(call.lineno, call.col_offset, _described(call)) for call in calls if _name(call) in _COMMANDS]
    return [text for _, _, text in sorted(named)]


def _name(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _described(call: ast.Call) -> str:
    """The command, with what it runs where that is a plain name or a constant."""
    first = ast.unparse(call.args[0]) if call.args and isinstance(call.args[0], ast.Attribute | ast.Constant) else ""
    return f"{_name(call)}({first})" if first else _name(call)
