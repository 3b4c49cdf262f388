"""Layers of configuration, merged so that each value knows who said it.

Dicts merge, lists and scalars replace, None says nothing: the last one that says a value wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from leap_pipeline.domain.shapes.base import ShapeError, parse
from leap_pipeline.domain.shapes.stored import upgraded
from leap_pipeline.errors import InputError

Json = Mapping[str, Any]
Path = tuple[str, ...]
WhoT = TypeVar("WhoT")
ModelT = TypeVar("ModelT", bound=BaseModel)


class OriginKind(StrEnum):
    """Who may say something, the weakest first."""

    DEFAULT = "default"
    GLOBAL_BASE = "global base"
    USER_BASE = "user base"
    USER = "user"
    PRESET = "preset"
    TEMPLATE = "template"
    RECORDING = "recording"


_NAMES = {
    OriginKind.DEFAULT: "the default",
    OriginKind.GLOBAL_BASE: "the global base configuration",
    OriginKind.USER_BASE: "the base configuration",
    OriginKind.USER: "the user's defaults",
    OriginKind.PRESET: "the preset",
    OriginKind.TEMPLATE: "the template",
    OriginKind.RECORDING: "the recording's own settings",
}


@dataclass(frozen=True)
class Origin:
    """A row that says something; `str` names it for people: the template "ML course" (3)."""

    kind: OriginKind
    id: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        words = _NAMES[self.kind]
        return words if self.name is None else f'{words} "{self.name}" ({self.id})'


DEFAULT = Origin(OriginKind.DEFAULT)


@dataclass(frozen=True)
class Layer:
    """What a row says: the part `pick` of a document of `model`, to stand at `at` in the whole.

    `root` is the document's column, with which the paths in messages begin.
    """

    origin: Origin
    model: type[BaseModel]
    document: object
    root: str
    pick: Path = ()
    at: Path = ()

    def said(self) -> dict[str, Any]:
        """The part at its place; InputError names the row and the path of a wrong value."""
        if self.document is None:
            return {}
        try:
            parsed = parse(self.model, upgraded(self.model, self.document), self.root)
        except ShapeError as error:
            msg = f"In {self.origin} {error}"
            raise InputError(msg) from error
        part: dict[str, Any] = parsed.model_dump(mode="json", exclude_unset=True)
        for key in self.pick:
            part = part.get(key) or {}
        for key in reversed(self.at):
            part = {key: part}
        return part


@dataclass(frozen=True)
class Said:
    """A value of a resolved configuration, as JSON, and who said it."""

    path: str
    value: Any
    origin: Origin


@dataclass(frozen=True)
class Resolved(Generic[ModelT]):
    """A whole configuration; `origins` by the dotted path of each value."""

    value: ModelT
    origins: Mapping[str, Origin]

    def values(self) -> tuple[Said, ...]:
        """Every value in the model's order."""
        leaves = _leaves(self.value.model_dump(mode="json"))
        return tuple(
            Said(".".join(path), value, self.origins[".".join(path)]) for path, value in leaves
        )


def merge(layers: Iterable[tuple[Json, WhoT]]) -> tuple[dict[str, Any], dict[Path, WhoT]]:
    """The layers merged, and for the path of each value the one who said it last."""
    merged: dict[str, Any] = {}
    origins: dict[Path, WhoT] = {}
    for document, who in layers:
        _lay(document, merged, origins, (), who)
    return merged, origins


def resolve(model: type[ModelT], layers: Iterable[tuple[Json, Origin]]) -> Resolved[ModelT]:
    """What the layers, the weakest first, come to.

    Raises `InputError` where values of several layers do not go together: each of them was right.
    """
    merged, origins = merge(layers)
    try:
        value = parse(model, merged, "")
    except ShapeError as error:
        path, what = error.problems[0]
        origin = origins.get(tuple(path.split(".")), DEFAULT)
        msg = f"In {origin} `{path}` does not go with the other settings: it {what}."
        raise InputError(msg) from error
    said = {".".join(path): origin for path, origin in origins.items()}
    paths = (".".join(path) for path, _ in _leaves(value.model_dump()))
    return Resolved(value, {path: said.get(path, DEFAULT) for path in paths})


def _lay(
    document: Json, below: dict[str, Any], origins: dict[Path, WhoT], at: Path, who: WhoT
) -> None:
    for key, value in document.items():
        path = (*at, key)
        if isinstance(value, Mapping):
            if not isinstance(below.get(key), dict):
                origins.pop(path, None)
                below[key] = {}
            _lay(value, below[key], origins, path, who)
        elif value is not None:
            if isinstance(below.get(key), dict):
                for hidden in [each for each in origins if each[: len(path)] == path]:
                    del origins[hidden]
            below[key] = value
            origins[path] = who


def _leaves(document: Json, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in document.items():
        path = (*at, key)
        if isinstance(value, Mapping):
            yield from _leaves(value, path)
        else:
            yield path, value
