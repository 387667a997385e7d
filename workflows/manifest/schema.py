"""The manifest's JSON Schema, made from the models, for editors that show it while people write."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from workflows.manifest.manifest import Manifest

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _Schema(GenerateJsonSchema):
    """As pydantic has it, but for null: what is left out is left out, and an empty value is a mistake."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """What may be there."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without a default of nothing, and without one of many parts, which have their own."""
        found = super().default_schema(schema)
        plain = found.get("default") not in (None, [], "") and not isinstance(found.get("default"), dict)
        return {name: value for name, value in found.items() if name != "default" or plain}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """With no name of another form."""
        found = super().dict_schema(schema)
        return {**found, "additionalProperties": False} if "patternProperties" in found else found


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The schema of a file that people write by hand."""
    found = model.model_json_schema(by_alias=True, schema_generator=_Schema)
    return {"$schema": DIALECT, **found, "title": title}


def manifest_schema() -> dict[str, Any]:
    """The schema of a whole manifest."""
    return schema_of(Manifest, "Banksman's service manifest")
