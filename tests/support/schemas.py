"""What tests hold against the JSON Schema files of docs/schemas/."""

import csv
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from repository import REPOSITORY

SCHEMAS = REPOSITORY / "docs" / "schemas"
SUFFIX = ".schema.json"


def schema_names() -> list[str]:
    """The names of all schemas, as `models/benchmark`."""
    paths = sorted(SCHEMAS.rglob(f"*{SUFFIX}"))
    return [path.relative_to(SCHEMAS).as_posix().removesuffix(SUFFIX) for path in paths]


def read_schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}{SUFFIX}").read_text(encoding="utf-8"))


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of a schema, which may refer to the others."""
    registry: Registry[Any] = Registry().with_resources(
        (_uri(each), Resource.from_contents(read_schema(each))) for each in schema_names()
    )
    return Draft202012Validator({"$ref": _uri(name)}, registry=registry)


def valid(name: str, value: Any) -> Any:
    """Return `value`, which must be as the schema `name` says; nothing may be left out or added."""
    errors = [f"{error.json_path}: {error.message:.500}" for error in _errors(name, value)]
    assert not errors, "\n".join(errors)
    if isinstance(value, dict):
        assert list(_errors(name, value | {"a name that no schema knows": 1}))
    return value


def valid_file(name: str, path: Path) -> Any:
    """Return the content of a JSON file, which must be as the schema `name` says."""
    return valid(name, json.loads(path.read_text(encoding="utf-8")))


def valid_rows(name: str, path: Path) -> list[dict[str, Any]]:
    """Return the rows of a CSV file, each of which must be as the schema `name` says.

    The columns must stand in the order of the schema's properties; those that a pattern describes
    come last.
    """
    schema = read_schema(name)
    properties: dict[str, Any] = dict(schema["properties"])
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        assert columns[: len(properties)] == list(properties)
        for column in columns[len(properties) :]:
            [pattern] = [
                one for one in schema.get("patternProperties", {}) if re.match(one, column)
            ]
            properties[column] = schema["patternProperties"][pattern]
        rows = [
            {column: _cell(text, properties.get(column, {})) for column, text in row.items()}
            for row in reader
        ]
    return [valid(name, row) for row in rows]


def _uri(name: str) -> str:
    return (SCHEMAS / f"{name}{SUFFIX}").as_uri()


def _errors(name: str, value: Any) -> Any:
    return validator(name).iter_errors(value)


def _cell(text: str, schema: dict[str, Any]) -> Any:
    types = schema.get("type", "string")
    if not text and "null" in types:
        return None
    if "integer" in types:
        return int(text)
    return float(text) if "number" in types else text
