"""Changes one value of a manifest and leaves every other character as it is: comments, order, quotes, empty lines.

Written anew from its values, a file would lose what people wrote beside them. So the text itself is changed, at the
places that were noted when it was read, and what comes out is read again: it must say what was meant, and no more.
"""

import copy
import re
from typing import Any, Final, cast

from hitl.policy.yaml import Location
from workflows.manifest.keys import takes_text
from workflows.manifest.text import Text, TextError, dotted, read_text
from workflows.manifest.writing import inline

_STEP: Final = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,4})\]")
_COMMENT: Final = re.compile(r"(?:^|\s)#", re.MULTILINE)


class EditError(Exception):
    """A change that cannot be made without harm to the rest of the file. The message says what to do instead."""


def location(path: str) -> Location:
    """`verify.http[0].every` as a place in the document.

    Raises:
        EditError: It is not written so.
    """
    found: list[int | str] = []
    end = 0
    while end < len(path) and (one := _STEP.match(path, end)):
        found.append(one[1] if one[1] is not None else int(one[2]))
        end = one.span()[1]
    if end < len(path) or not found or path.startswith((".", "[")):
        raise EditError(f"{path!r} is not a key; write it as in verify.within or verify.http[0].every")
    return tuple(found)


def meant(at: Location, written: str) -> object:
    """A value as somebody typed it: as YAML reads it, or the text itself where a text belongs.

    Raises:
        EditError: It cannot be read.
    """
    try:
        value = read_text(written.encode()).document.value
    except TextError as error:
        if takes_text(at):
            return written
        raise EditError(f"the value cannot be read: {error.mistakes[0].message}") from error
    return written if takes_text(at) and not isinstance(value, str) else value


def set_value(text: str, at: Location, value: object) -> str:
    """The text with this value at this place; what is around it is made where it is missing.

    Raises:
        EditError: The place cannot be there, or comments would be lost.
        TextError: The text is no YAML that is taken here.
    """
    read = read_text(text.encode())
    document = read.document
    depth = next((size for size in range(len(at), 0, -1) if at[:size] in document.values), 0)
    if depth == len(at):
        changed = _replaced(read, at, value)
    else:
        for part in reversed(at[depth + 1 :]):
            if isinstance(part, int):
                raise EditError(f"{dotted(at)}: there is no list yet; set the whole list")
            value = {part: value}
        changed = _inserted(read, at[:depth], at[depth], value)
        at = at[: depth + 1]
    _verify(read, changed, at, value)
    return changed


def _replaced(read: Text, at: Location, value: object) -> str:
    text, span = read.text, read.document.values[at]
    end = _end(read, at)
    before = read.document.keys.get(at)
    if _COMMENT.search(text[span.start : end]):
        raise EditError(f"{dotted(at)}: there are comments in it that would be lost; set what lies below it")
    start, written = span.start, inline(value)
    if before is not None and read.document.forms[at] in {"block", "text"}:
        between = text[before.stop : span.start]
        if not _COMMENT.search(between):
            start, written = before.stop, f": {written}"
    behind = "\n" if read.document.forms[at] == "text" and text[end - 1 : end] == "\n" else ""
    return text[:start] + written + behind + text[end:]


def _end(read: Text, at: Location) -> int:
    """Behind the last character of what stands at this place; a block's own mark lies where the next thing begins."""
    document = read.document
    inside = [one for one in document.values if one[: len(at)] == at and document.forms[one] != "block"]
    return max((document.values[one].stop for one in inside), default=document.values[at].stop)


def _inserted(read: Text, parent: Location, name: int | str, value: object) -> str:
    text, document = read.text, read.document
    inside: object = document.value
    for part in parent:
        inside = cast("Any", inside)[part]
    _require_room(inside, parent, name)
    if parent not in document.values:  # an empty file
        return f"{text}{_entry(name, value, 0)}\n"
    if document.forms[parent] == "flow":
        return _into_brackets(read, parent, _inline_entry(name, value))
    first = next((one for one in document.keys if one[:-1] == parent), None)
    column = document.keys[first].column if first else document.values[parent].column
    end = _end(read, parent)
    if text[end - 1 : end] != "\n":
        end = text.find("\n", end) if "\n" in text[end:] else len(text)
        return f"{text[:end]}\n{_entry(name, value, column - 1)}{text[end:]}"
    return f"{text[:end]}{_entry(name, value, column - 1)}\n{text[end:]}"


def _into_brackets(read: Text, parent: Location, entry: str) -> str:
    text, span = read.text, read.document.values[parent]
    close = span.stop - 1
    if _COMMENT.search(text[span.start : close]):
        raise EditError(f"{dotted(parent)}: there are comments in its brackets; write it over several lines first")
    kept = text[:close].rstrip()
    between = "" if kept.endswith(("{", "[")) else " " if kept.endswith(",") else ", "
    return f"{kept}{between}{entry}{text[close:]}"


def _require_room(inside: object, parent: Location, name: int | str) -> None:
    if isinstance(inside, list) and isinstance(name, int):
        length = len(cast("list[object]", inside))
        if name != length:
            raise EditError(f"{dotted(parent)} ends before; the next entry is {dotted((*parent, length))}")
    elif not isinstance(inside, dict | None) or isinstance(name, int):
        raise EditError(f"{dotted(parent)} is no mapping that could have {dotted((name,))}")


def _inline_entry(name: int | str, value: object) -> str:
    return inline(value) if isinstance(name, int) else f"{name}: {inline(value)}"


def _entry(name: int | str, value: Any, indent: int) -> str:
    """A new line, or several where mappings are made on the way."""
    if isinstance(name, int):
        return f"{' ' * indent}- {inline(value)}"
    if isinstance(value, dict) and value:
        mapping = cast("dict[str, object]", value)
        below = [_entry(inner, one, indent + 2) for inner, one in mapping.items()]
        return "\n".join([f"{' ' * indent}{name}:", *below])
    return f"{' ' * indent}{name}: {inline(cast('object', value))}"


def _verify(read: Text, changed: str, at: Location, value: object) -> None:
    wanted: object = dict[str, object]() if read.document.value is None else copy.deepcopy(read.document.value)
    inside = cast("Any", wanted)
    for part in at[:-1]:
        inside = inside[part]
    if isinstance(at[-1], int):
        inside[at[-1] : at[-1] + 1] = [value]
    else:
        inside[at[-1]] = value
    try:
        if read_text(changed.encode()).document.value == wanted:
            return
    except TextError:
        pass
    raise EditError(f"{dotted(at)} cannot be set here without touching more; change the file by hand")
