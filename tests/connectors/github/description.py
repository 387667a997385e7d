"""GitHub's published description of its REST API, as a judge of exchanges."""

from typing import Final, cast

from tests.connectors.description import Description, Exchange, Json, Published

__all__ = ["FILE", "Description", "Exchange", "description"]


def _correct(document: Json) -> None:
    """What no answer could ever satisfy: mistakes of the description, not of what is judged by it."""
    paths = cast("dict[str, dict[str, Json]]", document["paths"])
    # An account there must be a person and an enterprise at once; everywhere else it is one of the two.
    _schema_of(paths["/app/installations"])["items"] = {"$ref": "#/components/schemas/installation"}
    # Files, folders and links are told apart by a field that a folder's list cannot have.
    _schema_of(paths["/repos/{owner}/{repo}/contents/{path}"]).pop("discriminator")
    # A check run in progress has no conclusion, which may be null and is told by a list without null.
    document["components"]["schemas"]["check-run"]["properties"]["conclusion"]["enum"].append(None)


def _schema_of(path: dict[str, Json]) -> Json:
    node = path["get"]
    for part in ("responses", "200", "content", "application/json", "schema"):
        node = node[part]
    return node


# A path in a repository and a ref may have slashes, where GitHub's description has one name.
_GITHUB: Final = Published("github-rest.json", error="basic-error", wide=frozenset({"path", "ref"}), correct=_correct)
FILE: Final = _GITHUB.path


def description() -> Description | None:
    """The description, or None where it is not at hand."""
    return _GITHUB.description
