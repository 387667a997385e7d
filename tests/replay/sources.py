"""Modules as they are written: what a name stands for, followed through imports, classes and their bases."""

import ast
import dataclasses
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final

from workers.replayed import PACKAGES

SDK: Final = "temporalio.workflow."
_STEPS: Final = frozenset({"activities.step.implements", "temporalio.activity.defn"})
"""What makes a function a step: it runs in another process, and is no workflow code."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class _Class:
    bases: list[str]
    methods: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Full names by name: a property has several."""
    fields: dict[str, str] = field(default_factory=dict[str, str])
    """The full name of its class, by name, where that is said."""


@dataclass
class Module:
    """One, with what its names stand for."""

    name: str
    imports: dict[str, str] = field(default_factory=dict[str, str])
    defined: set[str] = field(default_factory=set[str])
    strings: dict[str, str] = field(default_factory=dict[str, str])

    def full(self, name: str) -> str | None:
        """What a name of this module stands for, from the root on."""
        return f"{self.name}.{name}" if name in self.defined else self.imports.get(name)

    def dotted(self, node: ast.expr) -> str | None:
        """The same, of `a.b.c`."""
        match node:
            case ast.Name(id=name):
                return self.full(name)
            case ast.Attribute(value=value, attr=name):
                before = self.dotted(value)
                return f"{before}.{name}" if before else None
            case _:
                return None

    @property
    def of_workflows(self) -> bool:
        """Whether it is workflow code: it lies there, or uses what only workflows may."""
        used = any(f"{full}.".startswith(SDK) for full in self.imports.values())
        return self.name.partition(".")[0] == "workflows" or used


@dataclass
class Code:
    """One function, or a table of some, with where it stands."""

    module: Module
    node: ast.AST
    owner: str | None


class Sources:
    """Modules, read.

    Args:
        modules: File by name.
    """

    def __init__(self, modules: dict[str, Path]) -> None:
        self._modules: dict[str, Module] = {}
        self._classes: dict[str, _Class] = {}
        self.code: dict[str, Code] = {}
        for name, path in modules.items():
            self._read(name, path)
        self._below: dict[str, list[str]] = {}
        for name, one in self._classes.items():
            for base in one.bases:
                self._below.setdefault(self._real(base), []).append(name)

    def string(self, full: str) -> str | None:
        """The text of a constant."""
        module, _, name = self._real(full).rpartition(".")
        return self._modules[module].strings.get(name) if module in self._modules else None

    def functions(self, full: str) -> frozenset[str]:
        """The code that a full name stands for: a function, or of a class all that runs without being named."""
        real = self._real(full)
        if real in self.code:
            return frozenset({real})
        if real in self._classes:
            implied = {
                name for one in self._family(real) for name in self._classes[one].methods if name.startswith("__")
            }
            return frozenset[str]().union(*(self.method(real, name) for name in implied))
        owner, _, name = real.rpartition(".")
        return self.method(owner, name) if owner in self._classes else frozenset()

    def field(self, owner: str, name: str) -> str | None:
        """The class of what a class has under that name, as far as it says so."""
        fields = (self._classes[one].fields for one in self._above(self._real(owner)) if one in self._classes)
        full = next((found[name] for found in fields if name in found), None)
        return None if full is None else self.class_of(full)

    def class_of(self, full: str) -> str | None:
        """The class that a full name stands for, where only those below it have its methods; else None."""
        real = self._real(full)
        if real in self._classes:
            return None if "typing.Protocol" in self._classes[real].bases else real
        return real if _is_data(real) else None

    def method(self, owner: str, name: str) -> frozenset[str]:
        """Of a class, those above it and those below: the object may be of any of those."""
        family = self._family(self._real(owner))
        return frozenset(code for one in family for code in self._classes[one].methods.get(name, ()))

    def any_method(self, name: str) -> frozenset[str]:
        """Of every class of workflow code."""
        found = (code for one in self._classes.values() for code in one.methods.get(name, ()))
        return frozenset(code for code in found if self.code[code].module.of_workflows)

    def _family(self, name: str) -> set[str]:
        """A class, those below it, and those above any of them."""
        family = {above for one in self._under(name) for above in self._above(one)}
        return family & self._classes.keys()

    def _above(self, name: str) -> list[str]:
        bases = self._classes[name].bases if name in self._classes else []
        return [name, *(above for base in bases for above in self._above(self._real(base)))]

    def _under(self, name: str) -> list[str]:
        return [name, *(under for one in self._below.get(name, []) for under in self._under(one))]

    def _real(self, full: str) -> str:
        """Where a name that a module only hands on was defined."""
        seen = {full}
        while True:
            module, rest = self._split(full)
            first, _, more = rest.partition(".")
            known = self._modules.get(module)
            if known is None or first in known.defined or first not in known.imports:
                return full
            full = ".".join(one for one in (known.imports[first], more) if one)
            if full in seen:
                return full
            seen.add(full)

    def _split(self, full: str) -> tuple[str, str]:
        parts = full.split(".")
        names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
        module = next((name for name in names if name in self._modules), "")
        return module, full[len(module) :].lstrip(".")

    def _read(self, name: str, path: Path) -> None:
        tree = _parsed(path.read_text(encoding="utf-8"))
        module = self._modules[name] = Module(name)
        for node in ast.walk(tree):
            module.imports.update(_imported(node, name if path.name == "__init__.py" else name.rpartition(".")[0]))
        module.defined.update(name for node in _statements(tree.body) for name in _defined(node))
        self._add(module, tree.body, prefix=name, owner=None)

    def _add(self, module: Module, body: list[ast.stmt], *, prefix: str, owner: str | None) -> None:
        for node in _statements(body):
            match node:
                case ast.ClassDef():
                    bases = [full for base in node.bases if (full := module.dotted(_without_parameters(base)))]
                    self._classes[f"{prefix}.{node.name}"] = _Class(bases)
                    self._add(module, node.body, prefix=f"{prefix}.{node.name}", owner=f"{prefix}.{node.name}")
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    decorators = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
                    if not any(module.dotted(one) in _STEPS for one in decorators):
                        self._add_code(f"{prefix}.{node.name}", Code(module, node, owner))
                    if owner:
                        self._classes[owner].fields.update(_fields(module, node))
                case ast.Assign(value=ast.expr() as value) | ast.AnnAssign(value=ast.expr() as value):
                    for name in _defined(node):
                        self._add_code(f"{prefix}.{name}", Code(module, value, owner))
                        if isinstance(value, ast.Constant) and isinstance(value.value, str) and owner is None:
                            module.strings[name] = value.value
                case _:
                    pass
            if owner and isinstance(node, ast.AnnAssign) and (full := annotated(module, node.annotation)):
                self._classes[owner].fields.update(dict.fromkeys(_defined(node), full))

    def _add_code(self, full: str, code: Code) -> None:
        """Of two definitions of one name, as of a property's, both count."""
        name = full
        while name in self.code:
            name += "'"
        self.code[name] = code
        if code.owner is not None:
            self._classes[code.owner].methods.setdefault(full.rpartition(".")[2], []).append(name)


def _is_data(full: str) -> bool:
    """Whether it is a class of the SDK's that holds data and does nothing."""
    module, _, name = full.rpartition(".")
    return module.startswith("temporalio.") and dataclasses.is_dataclass(getattr(import_module(module), name, None))


@functools.lru_cache(maxsize=512)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Also those below a `with`, a `try` or an `if`."""
    for node in body:
        yield node
        for name in ("body", "orelse", "finalbody", "handlers"):
            if not isinstance(node, ast.ClassDef | Function):
                yield from _statements(getattr(node, name, ()))


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            return [one.id for one in targets if isinstance(one, ast.Name)]
        case _:
            return []


def _imported(node: ast.AST, package: str) -> dict[str, str]:
    match node:
        case ast.Import(names=names):
            whole = {one.name.partition(".")[0]: one.name.partition(".")[0] for one in names if not one.asname}
            return whole | {one.asname: one.name for one in names if one.asname}
        case ast.ImportFrom(module=module, names=names, level=level):
            above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
            place = ".".join([*above, *([module] if module else [])])
            return {one.asname or one.name: f"{place}.{one.name}" for one in names}
        case _:
            return {}


def annotated(module: Module, annotation: ast.expr | None) -> str | None:
    """The class that an annotation names, where it is one, or that one or none."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return annotated(module, left)
        case ast.Name() | ast.Attribute():
            return module.dotted(annotation)
        case _:
            return None


def _fields(module: Module, method: Function) -> dict[str, str]:
    """The classes of what a property gives, or `__init__` keeps of its inputs or makes."""
    if any(isinstance(one, ast.Name) and one.id == "property" for one in method.decorator_list):
        full = annotated(module, method.returns)
        return {method.name: full} if full else {}
    if method.name != "__init__":
        return {}
    given = {one.arg: annotated(module, one.annotation) for one in (*method.args.args, *method.args.kwonlyargs)}
    found: dict[str, str] = {}
    for node in ast.walk(method):
        match node:
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name), annotation=annotation):
                full = annotated(module, annotation)
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=ast.Name(id=kept)):
                full = given.get(kept)
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=ast.Call(func=made)):
                full = module.dotted(made)
                full = full if full and full.partition(".")[0] in PACKAGES else None
            case _:
                continue
        if full:
            found[name] = full
    return found


def _without_parameters(base: ast.expr) -> ast.expr:
    return base.value if isinstance(base, ast.Subscript) else base
