"""No key of a shape goes or changes unnoticed: rows that have it are stored already.

A new key needs nothing. For one that goes or is called otherwise, raise the shape's
`schema_version`, teach its `upgrade` the older form, and write the record anew:
python -m tests.unit.domain.shapes.test_versions
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from leap_pipeline.domain.shapes.registry import COLUMNS, KINDS

RECORD = Path(__file__).resolve().parents[3] / "data" / "shapes.json"
MODELS: dict[str, Any] = {
    model.__name__: model
    for model in (
        *COLUMNS.values(),
        *(each for kinds in KINDS.values() for each in kinds.values()),
    )
}


def keys(model: type[BaseModel]) -> list[str]:
    """All keys with their types, those of inner shapes too, in the words of JSON Schema."""
    schema = model.model_json_schema()
    found = {
        f"{name or model.__name__}.{key}: {_type(said)}"
        for name, part in {"": schema, **schema.get("$defs", {})}.items()
        for key, said in part.get("properties", {}).items()
    }
    return sorted(found or {f"{model.__name__}: {_type(schema)}"})


def _type(said: dict[str, Any]) -> str:
    if "$ref" in said:
        return str(said["$ref"].rpartition("/")[2])
    if "anyOf" in said:
        return " or ".join(_type(each) for each in said["anyOf"])
    inner = said.get("items") or {}
    return f"{said.get('type', 'any')}{' of ' + _type(inner) if inner else ''}"


def record() -> dict[str, Any]:
    return {
        name: {"version": model.schema_version, "keys": keys(model)}
        for name, model in sorted(MODELS.items())
    }


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_key_that_goes_needs_a_new_version(name: str) -> None:
    known = json.loads(RECORD.read_text()).get(name)
    assert known, f"{name} is not in {RECORD.name}"
    now = record()[name]
    gone = set(known["keys"]) - set(now["keys"])
    assert not gone or now["version"] > known["version"]
    assert now["version"] >= known["version"]


if __name__ == "__main__":
    RECORD.write_text(json.dumps(record(), indent=1) + "\n")
