"""Which functions lead workflow code to commands, read from the sources: whatever wraps a command is found by itself.

A function leads to a command where it names one of the SDK's, or another function that leads to one, called or handed
on. Names are followed through imports, classes and their bases. Of an object whose class is not known, every method of
that name in workflow code counts: this may see too much, and a ratchet may.
"""

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import temporalio.workflow

from tests.replay.sources import SDK, Code, Function, Sources, annotated

_QUIET: Final = frozenset(
    {
        "all_handlers_finished",
        "cancellation_reason",
        "defn",
        "extern_functions",
        "get_external_workflow_handle",
        "get_last_completion_result",
        "get_query_handler",
        "get_signal_handler",
        "get_update_handler",
        "info",
        "init",
        "logger",
        "now",
        "query",
        "run",
        "set_current_details",
        "signal",
        "update",
        "uuid4",
    }
)
"""What of the SDK is no command. Whatever else of it is used counts as one, also what a later release brings."""
_TIMERS: Final = frozenset({"Timeout", "as_completed", "sleep", "timeout", "timeout_at", "wait", "wait_for"})
"""Of asyncio: in a workflow each may start a timer of the server's."""
_OF_HANDLES: Final = frozenset({"call_at", "call_later", "cancel", "execute_operation", "signal", "start_operation"})
"""Methods of what the SDK and asyncio hand out, which send a command, or take one back."""
_SCOPES: Final = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


@dataclass(frozen=True)
class _Mention:
    """A place that may lead to a command: as a person reads it, and the functions that it may be; none if the SDK's."""

    text: str
    functions: frozenset[str] | None


def commands(sources: Sources) -> dict[str, list[str]]:
    """What leads to commands, in source order: by the full name of each function of workflow code that does."""
    mentions = {name: list(_Reader(sources, code).mentions()) for name, code in sources.code.items()}
    leading = _leading(mentions)
    wanted = [name for name in leading if sources.code[name].module.of_workflows]
    found: dict[str, list[str]] = {}
    while wanted:
        name = wanted.pop()
        if name not in found:
            kept = [one for one in mentions[name] if one.functions is None or one.functions & leading]
            found[name] = [one.text for one in kept]
            wanted += set[str]().union(*(one.functions or () for one in kept)) & leading
    return found


class _Reader:
    """Reads one function in the order of its source, with the functions inside of it."""

    def __init__(self, sources: Sources, code: Code) -> None:
        self._sources = sources
        self._module = code.module
        self._owner = code.owner
        self._node = code.node
        self._types: dict[str, str] = {}
        self._local: set[str] = set()
        if isinstance(code.node, Function):
            self._know(code.node)

    def mentions(self) -> Iterator[_Mention]:
        """All of them."""
        return self._of(self._node)

    def _know(self, function: Function) -> None:
        """Its own names, and the classes of those that say so."""
        arguments = function.args
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            self._local.add(one.arg)
            full = annotated(self._module, one.annotation)
            if full and (kind := self._sources.class_of(full)):
                self._types[one.arg] = kind
        if self._owner:
            self._types.update(dict.fromkeys(("self", "cls"), self._owner))
        self._local.update(_stored(_own(function)))
        for name in _stored(ast.walk(function)):
            self._types.pop(name, None)

    def _of(self, node: ast.AST) -> Iterator[_Mention]:
        match node:
            case ast.Call():
                yield from self._of_call(node)
            case ast.Name() | ast.Attribute():
                found = self._meant(node)
                if found is not None:
                    yield _Mention(_name(node), found or None)
                if isinstance(node, ast.Attribute) and self._dotted(node) is None:
                    yield from self._of(node.value)
            case ast.AnnAssign():
                yield from self._of(node.value) if node.value else ()
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for one in (
                    *node.decorator_list,
                    *node.args.defaults,
                    *filter(None, node.args.kw_defaults),
                    *node.body,
                ):
                    yield from self._of(one)
            case _:
                for one in ast.iter_child_nodes(node):
                    yield from self._of(one)

    def _of_call(self, call: ast.Call) -> Iterator[_Mention]:
        found = self._meant(call.func, called=True)
        rest: list[ast.AST] = [*call.args, *call.keywords]
        if found is None:
            yield from self._of(call.func)
        else:
            first = self._described(call.args[0]) if call.args else ""
            limit = "timeout" if any(one.arg == "timeout" for one in call.keywords) else ""
            what = ", ".join(one for one in (first, limit) if one)
            yield _Mention(f"{_name(call.func)}({what})" if what else _name(call.func), found or None)
            if isinstance(call.func, ast.Attribute) and self._dotted(call.func) is None:
                yield from self._of(call.func.value)
            rest = rest[1:] if first else rest
        for one in rest:
            yield from self._of(one)

    def _meant(self, node: ast.expr, *, called: bool = False) -> frozenset[str] | None:
        """The functions that this may be; the empty set is a command of the SDK's, None is nothing of interest."""
        full = self._dotted(node)
        if full is not None:
            return frozenset() if _is_command(full) else (self._sources.functions(full) or None)
        if not isinstance(node, ast.Attribute):
            return None
        owner = self._class_of(node.value)
        if owner:
            return self._sources.method(owner, node.attr) or None
        if node.attr in _OF_HANDLES or (called and _is_command(f"{SDK}{node.attr}", only_known=True)):
            return frozenset()
        return self._sources.any_method(node.attr) or None

    def _class_of(self, node: ast.expr) -> str | None:
        match node:
            case ast.Name(id=name):
                return self._types.get(name)
            case ast.Call(func=ast.Name(id="super")):
                return self._owner
            case ast.Attribute(value=value, attr=name):
                owner = self._class_of(value)
                return self._sources.field(owner, name) if owner else None
            case _:
                return None

    def _dotted(self, node: ast.expr) -> str | None:
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return None if isinstance(root, ast.Name) and root.id in self._local else self._module.dotted(node)

    def _described(self, argument: ast.expr) -> str:
        """What is run, or which patch is asked for, where that is a name of the module's or a constant."""
        match argument:
            case ast.Constant() | ast.Attribute():
                return ast.unparse(argument)
            case ast.Name(id=name) if name not in self._local and (full := self._module.full(name)):
                text = self._sources.string(full)
                return name if text is None else repr(text)
            case _:
                return ""


def _own(function: Function) -> Iterator[ast.AST]:
    """What is in a function's own scope: a name that a function inside of it keeps is another one out here."""
    wanted: list[ast.AST] = [*function.body]
    while wanted:
        node = wanted.pop()
        yield node
        if not isinstance(node, _SCOPES):
            wanted += ast.iter_child_nodes(node)


def _stored(nodes: Iterable[ast.AST]) -> Iterator[str]:
    return (node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def _leading(mentions: dict[str, list[_Mention]]) -> set[str]:
    """Those functions that lead to a command, over however many others."""
    callers: dict[str, list[str]] = {}
    for name, all_of_it in mentions.items():
        for mention in all_of_it:
            for function in mention.functions or ():
                callers.setdefault(function, []).append(name)
    leading: set[str] = set()
    wanted = [name for name, all_of_it in mentions.items() if any(one.functions is None for one in all_of_it)]
    while wanted:
        name = wanted.pop()
        if name not in leading:
            leading.add(name)
            wanted += callers.get(name, [])
    return leading


def _is_command(full: str, *, only_known: bool = False) -> bool:
    """Whether the SDK's, or asyncio's, of that name is one; the module itself is, for it may be handed on."""
    if full in {SDK.rstrip("."), "asyncio"}:
        return True
    if full.startswith("asyncio."):
        return full.rpartition(".")[2] in _TIMERS
    if not full.startswith(SDK):
        return False
    name = full.removeprefix(SDK).partition(".")[0]
    meant = getattr(temporalio.workflow, name, None)
    if inspect.isclass(meant):
        return name == "ContinueAsNewError"
    return name not in _QUIET and (callable(meant) or not only_known)


def _name(node: ast.expr) -> str:
    match node:
        case ast.Attribute(value=ast.Name(id="asyncio"), attr=name):
            return f"asyncio.{name}"
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            raise AssertionError(ast.dump(node))
