"""Reading what is stored already: rows of older forms load, and what did not fit is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

from pydantic import BaseModel, ValidationError

from leap_pipeline.domain.shapes.base import (
    Path,
    Shape,
    ShapeError,
    ShapeT,
    parse,
    transformed,
)


@dataclass(frozen=True)
class Loaded(Generic[ShapeT]):
    """A stored document; `value` is None where nothing of it could be read.

    `differences` are pairs of a path and what was wrong there: its value was left out, or read as
    the type that it should have.
    """

    value: ShapeT | None
    differences: tuple[tuple[str, str], ...] = ()


def load(model: type[ShapeT], value: object, root: str) -> Loaded[ShapeT]:
    """A stored document as its model; never raises for what an older version wrote."""
    document = upgraded(model, value)
    try:
        return Loaded(parse(model, document, root))
    except ShapeError as error:
        return Loaded(_readable(model, document), error.problems)


def upgraded(model: type[BaseModel], value: object) -> Any:
    """A document of an older form in today's form; others as they are."""
    return transformed(model, value, _upgrade)


def _upgrade(model: type[BaseModel], document: Mapping[str, Any]) -> Mapping[str, Any]:
    return model.upgrade(document) if issubclass(model, Shape) else document


def _readable(model: type[ShapeT], document: Any) -> ShapeT | None:
    """The document without what does not fit; each round leaves out some of it, so it ends."""
    while True:
        try:
            return model.model_validate(document)
        except ValidationError as error:
            wrong = {_present(document, each["loc"]) for each in error.errors(include_url=False)}
        if () in wrong:
            return None
        for path in sorted(wrong, key=_last_first, reverse=True):
            document = _without(document, path)


def _present(document: Any, path: Path) -> Path:
    """The longest beginning of `path` that is there: what lacks a key goes as a whole."""
    here = document
    for length, part in enumerate(path):
        inside = part in here if isinstance(here, Mapping) else _has_place(here, part)
        if not inside:
            return path[:length]
        here = here[part]
    return path


def _has_place(here: object, part: int | str) -> bool:
    return isinstance(here, list) and isinstance(part, int) and part < len(here)


def _without(document: Any, path: Path) -> Any:
    first, rest = path[0], path[1:]
    if isinstance(document, Mapping):
        if first not in document:
            return document
        kept = {key: value for key, value in document.items() if key != first}
        return {**kept, str(first): _without(document[first], rest)} if rest else kept
    place = int(first)
    if not rest:
        return document[:place] + document[place + 1 :]
    return [*document[:place], _without(document[place], rest), *document[place + 1 :]]


def _last_first(path: Path) -> list[tuple[int, str]]:
    """Later entries of a list go before earlier ones, so that places stay true."""
    return [(part, "") if isinstance(part, int) else (-1, part) for part in path]
