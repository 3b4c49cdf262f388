"""Every JSONB column has its shape, or says why not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy.dialects.postgresql import JSONB

from leap_pipeline.db.metadata import metadata
from leap_pipeline.domain.shapes.base import Shape, ShapeError, parse
from leap_pipeline.domain.shapes.registry import COLUMNS, FREE, KIND_COLUMN, KINDS


def test_every_jsonb_column_is_registered() -> None:
    stored = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, JSONB)
    }
    assert stored == {*COLUMNS, *KINDS, *FREE}


def test_what_decides_between_shapes_is_a_column_of_the_same_table() -> None:
    assert KIND_COLUMN.keys() == KINDS.keys()
    for (table, _), decider in KIND_COLUMN.items():
        assert decider in metadata.tables[table].columns


def test_no_error_shows_what_was_given() -> None:
    """Credentials have shapes too, and an error with its causes goes to the log."""

    class Account(Shape):
        client_id: str
        client_secret: str

    given: dict[str, Any] = {"client_id": 5, "client_secret": ["canary-4711"]}
    with pytest.raises(ShapeError) as caught:
        parse(Account, given, "zoom")
    error: BaseException | None = caught.value
    while error is not None:
        assert "canary" not in f"{error} {error!r}"
        error = error.__cause__
    with pytest.raises(ShapeError) as unknown:
        parse(Account, {**given, "token": "canary-4711"}, "zoom")
    assert "canary" not in json.dumps(unknown.value.problems)
