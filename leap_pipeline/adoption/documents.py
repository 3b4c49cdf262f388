"""JSON documents of the other platform in LEAP's shapes: what has no place is left out and said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leap_pipeline.adoption.outcome import Notes
from leap_pipeline.domain.shapes.registry import read_column, validate_column

_PLACE_IN_LIST = re.compile(r"\[\d+\]")


def fitted(
    table: str, column: str, value: Any, notes: Notes, *, kind: str | None = None
) -> Any | None:
    """What to store for a document; None where nothing of it can be read."""
    if value is None:
        return None
    loaded = read_column(table, column, value, kind=kind)
    for path, what in loaded.differences:
        notes.say(f"`{_PLACE_IN_LIST.sub('[…]', path)}` was left out", what)
    if loaded.value is None:
        return None
    said = loaded.value.model_dump(mode="json", exclude_unset=True)
    found = validate_column(table, column, said, kind=kind)
    if found != value and not loaded.differences:
        notes.say(f"`{column}` is in today's form")
    return found


def block(document: Mapping[str, Any], key: str, notes: Notes) -> dict[str, Any]:
    """An object inside of a document; empty where there is none."""
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        notes.say(f"`{key}` was left out", "it is no object")
        return {}
    return dict(value)


def drop(document: dict[str, Any], root: str, names: tuple[str, ...], notes: Notes) -> None:
    """Take out what LEAP has no such setting for."""
    for name in names:
        if document.pop(name, None) not in (None, "", [], {}, False):
            notes.say(f"`{root}.{name}` was left out", "LEAP has no such setting")
