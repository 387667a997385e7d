"""YAML with line numbers: the plain values of a document, and on which line each of them stands.

Stricter than YAML: a key given twice is a problem (the parser would keep the last one in silence), and so are anchors
and aliases, which let a small file stand for a huge one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, cast

import yaml

_TEXT: Final = "tag:yaml.org,2002:str"

Location = tuple[int | str, ...]


class YamlError(Exception):
    """Something wrong with the YAML itself. Lines count from 1."""

    def __init__(self, message: str, *, line: int, location: Location = ()) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.location = location


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document's values, the line of each, and what is wrong with its form."""

    value: object
    lines: Mapping[Location, int]
    problems: tuple[YamlError, ...]

    def line(self, at: Location) -> int:
        """The line of this place, or of the nearest place around it that is written down."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)


def read_document(data: bytes) -> Document:
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
        raise YamlError(text, line=mark.line + 1 if mark else 1) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise YamlError(f"this is not YAML: {str(error).splitlines()[0]}", line=1) from error
    except RecursionError as error:
        raise YamlError("is nested too deeply; a policy has five levels", line=1) from error
    finally:
        if loader is not None:
            loader.dispose()
    return Document(value=value, lines=reading.lines, problems=tuple(reading.problems))


class _Constructor(Protocol):
    """The one untyped method of the loader that is used."""

    def construct_document(self, node: yaml.Node) -> object: ...


class _Reading:
    """One walk over a document's nodes."""

    def __init__(self) -> None:
        self.lines: dict[Location, int] = {}
        self.problems: list[YamlError] = []
        self.aliased: yaml.Node | None = None
        self._seen: set[int] = set()

    def visit(self, node: yaml.Node, at: Location) -> None:
        """Note the lines of this node and of all below it."""
        if id(node) in self._seen:
            self.aliased = self.aliased or node
            return
        self._seen.add(id(node))
        self.lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            self._visit_mapping(node, at)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.visit(item, (*at, index))

    def _visit_mapping(self, node: yaml.MappingNode, at: Location) -> None:
        first: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.tag != _TEXT:
                text = f"YAML reads {name!r} as something else than text; put it in quotes"
                self.problems.append(YamlError(text, line=line, location=at))
            if name in first:
                text = f"the key {name!r} is already on line {first[name]}; keep one of them"
                self.problems.append(YamlError(text, line=line, location=(*at, name)))
            first.setdefault(name, line)
            # A key's line says more than its value's, which may begin below it.
            self.lines[*at, name] = line
            self.visit(value, (*at, name))


def _at(node: yaml.Node, message: str) -> YamlError:
    return YamlError(message, line=node.start_mark.line + 1)
