"""YAML with its places: the plain values of a document, and where each of them stands.

Stricter than YAML: a key given twice is a problem (the parser would keep the last one in silence), and so are anchors
and aliases, which let a small file stand for a huge one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, cast

import yaml

_TEXT: Final = "tag:yaml.org,2002:str"

Location = tuple[int | str, ...]


class YamlError(Exception):
    """Something wrong with the YAML itself. Lines and columns count from 1."""

    def __init__(self, message: str, *, line: int, column: int = 1, location: Location = ()) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.location = location


@dataclass(frozen=True, kw_only=True)
class Span:
    """Where something is written.

    Attributes:
        line: Counted from 1.
        column: Counted from 1.
        start: Its first character, counted from the document's, which is 0.
        stop: Behind its last one; of a block that is where the next thing begins.
    """

    line: int
    column: int
    start: int
    stop: int


Form = Literal["plain", "quoted", "text", "flow", "block"]
"""How a value is written: `text` behind `|` or `>`, `flow` in brackets, `block` by indentation."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document's values, where each is written and how, and what is wrong with its form."""

    value: object
    lines: Mapping[Location, int]
    keys: Mapping[Location, Span]
    values: Mapping[Location, Span]
    forms: Mapping[Location, Form]
    problems: tuple[YamlError, ...]

    def line(self, at: Location) -> int:
        """The line of this place, or of the nearest place around it that is written down."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)

    def span(self, at: Location, *, key: bool) -> Span | None:
        """Where this place, or the nearest around it, is written: its key, or else its value."""
        while at and at not in self.values:
            at, key = at[:-1], True
        return (self.keys.get(at) if key else None) or self.values.get(at)


def read_document(data: bytes | str) -> Document:
    """Parse one YAML document by the safe loader's rules.

    Raises:
        YamlError: When it is not YAML at all, or not one document of plain values.
    """
    loader = None
    try:
        loader = yaml.SafeLoader(data)
        root = loader.get_single_node()
        reading = _Reading()
        if root is not None:
            reading.visit(root, ())
        if reading.aliased is not None:
            raise _at(reading.aliased, "anchors and aliases (& and *) are not taken here; write the value out")
        value = None if root is None else cast("_Constructor", loader).construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        text = f"this is not YAML: {error.problem}; check indentation and quotes"
        raise YamlError(text, line=mark.line + 1 if mark else 1, column=mark.column + 1 if mark else 1) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise YamlError(f"this is not YAML: {str(error).splitlines()[0]}", line=1) from error
    except RecursionError as error:
        raise YamlError("is nested too deeply; no file of ours has ten levels", line=1) from error
    finally:
        if loader is not None:
            loader.dispose()
    return Document(
        value=value,
        lines=reading.lines,
        keys=reading.keys,
        values=reading.values,
        forms=reading.forms,
        problems=tuple(reading.problems),
    )


class _Constructor(Protocol):
    """The one untyped method of the loader that is used."""

    def construct_document(self, node: yaml.Node) -> object: ...


class _Reading:
    """One walk over a document's nodes."""

    def __init__(self) -> None:
        self.lines: dict[Location, int] = {}
        self.keys: dict[Location, Span] = {}
        self.values: dict[Location, Span] = {}
        self.forms: dict[Location, Form] = {}
        self.problems: list[YamlError] = []
        self.aliased: yaml.Node | None = None
        self._seen: set[int] = set()

    def visit(self, node: yaml.Node, at: Location) -> None:
        """Note the places of this node and of all below it."""
        if id(node) in self._seen:
            self.aliased = self.aliased or node
            return
        self._seen.add(id(node))
        self.lines.setdefault(at, node.start_mark.line + 1)
        self.values[at] = _span(node)
        self.forms[at] = _form(node)
        if isinstance(node, yaml.MappingNode):
            self._visit_mapping(node, at)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.visit(item, (*at, index))

    def _visit_mapping(self, node: yaml.MappingNode, at: Location) -> None:
        first: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if isinstance(key, yaml.ScalarNode) and key.tag != _TEXT:
                text = f"YAML reads {name!r} as something else than text; put it in quotes"
                self.problems.append(YamlError(text, line=line, column=column, location=at))
            if name in first:
                text = f"the key {name!r} is already on line {first[name]}; keep one of them"
                self.problems.append(YamlError(text, line=line, column=column, location=(*at, name)))
            first.setdefault(name, line)
            # A key's line says more than its value's, which may begin below it.
            self.lines[*at, name] = line
            self.keys[*at, name] = _span(key)
            self.visit(value, (*at, name))


def _span(node: yaml.Node) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(line=start.line + 1, column=start.column + 1, start=start.index, stop=end.index)


def _form(node: yaml.Node) -> Form:
    if isinstance(node, yaml.ScalarNode):
        return "plain" if node.style is None else "text" if node.style in {"|", ">"} else "quoted"
    return "flow" if isinstance(node, yaml.CollectionNode) and node.flow_style else "block"


def _at(node: yaml.Node, message: str) -> YamlError:
    return YamlError(message, line=node.start_mark.line + 1, column=node.start_mark.column + 1)
