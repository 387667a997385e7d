"""Estuary's published schema, as a judge of queries and answers; and what is known of its tables."""

import json
from functools import cache
from typing import Any, Final, cast

import graphql
import pytest

from tests.connectors.description import FOLDER

_SCHEMA: Final = FOLDER / "estuary-control-plane.graphql"
_TABLES: Final = FOLDER / "estuary.json"

schema_required: Final = pytest.mark.skipif(
    not _SCHEMA.exists(), reason=f"{_SCHEMA.name}: published description is not at hand"
)
tables_required: Final = pytest.mark.skipif(
    not _TABLES.exists(), reason=f"{_TABLES.name}: published description is not at hand"
)


@cache
def schema() -> graphql.GraphQLSchema:
    """The schema, read once."""
    return graphql.build_schema(_SCHEMA.read_text(encoding="utf-8"))


@cache
def tables() -> dict[str, Any]:
    """What is known of the tables."""
    return cast("dict[str, Any]", json.loads(_TABLES.read_text(encoding="utf-8")))


def problems(query: str, variables: dict[str, Any], data: object) -> list[str]:
    """All in which a query, its variables or an answer to it departs from the schema.

    The answer is looked up in itself, field by field as the query asks: what is null and must not be, is no value of
    its type or is not there and must be, is a problem.
    """
    parsed = graphql.parse(query)
    if wrong := graphql.validate(schema(), parsed):
        return [one.message for one in wrong]
    found = graphql.execute_sync(schema(), parsed, root_value=data, variable_values=variables)
    return [one.message for one in found.errors or []]
