"""The small YAML files that a deployment may bring: read strictly, with every problem and its line in one error."""

from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from hitl.policy.yaml import Document, YamlError, read_document

_MAX_BYTES: Final = 1024 * 1024
_Model = TypeVar("_Model", bound=BaseModel)


class FileProblem(ValueError):
    """A file cannot be used. The message has one line for each problem, as `file:line: where: what`."""


def read_file(path: Path, model: type[_Model]) -> _Model:
    """Read a file as this model.

    Raises:
        FileProblem: It cannot be read, or is not valid.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileProblem(f"{path}:1: the file cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise FileProblem(f"{path}:1: the file is larger than 1 MiB; it was meant to be read by people")
    return _valid(path, _document(path, data), model)


def _document(path: Path, data: bytes) -> Document:
    try:
        document = read_document(data)
    except YamlError as error:
        raise FileProblem(f"{path}:{error.line}: {error.message}") from error
    if document.problems:
        raise FileProblem("\n".join(f"{path}:{one.line}: {one.message}" for one in document.problems))
    return document


def _valid(path: Path, document: Document, model: type[_Model]) -> _Model:
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise FileProblem(
            "\n".join(
                f"{path}:{document.line(one['loc'])}: {'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}"
                for one in found
            )
        ) from error
