"""What all shapes of JSONB columns share: their base, and errors that name the path.

class TagsConfig(Shape):
    tags: tuple[str, ...] | None = None

parse(TagsConfig, {"tag": ["a"]}, "preset_metadata")
# ShapeError: `preset_metadata.tag` is not a known key; did you mean `tags`?
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError
from pydantic_core import ErrorDetails

from leap_pipeline.errors import InputError

Path = tuple[int | str, ...]

DEEPEST = 32
LARGEST = 2**63


class Shape(BaseModel):
    """A JSONB object. Unknown keys are refused; NaN and infinity have no place in JSON.

    `schema_version` grows with every change after which `upgrade` is needed to read older rows;
    version 1 of those that have an `upgrade` is the original platform's form.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # some hold secrets, and errors are logged
        coerce_numbers_to_str=True,  # for stored rows: `parse` is strict and takes none
    )

    schema_version: ClassVar[int] = 1

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """A stored document of an older form in today's; the others as they are."""
        return document


class Partial(Shape):
    """One layer of a configuration: any key may be left out, and null says nothing.

    The defaults are those of a resolved configuration; what is stored has only what was said.
    """


ItemsT = TypeVar("ItemsT")


class ListShape(RootModel[ItemsT], Generic[ItemsT]):
    """A JSONB array."""

    model_config = ConfigDict(frozen=True)

    schema_version: ClassVar[int] = 1


class ShapeError(InputError):
    """A document does not have its column's shape.

    `problems` are pairs of the wrong value's path and what is wrong with it, in the model's order.
    """

    def __init__(self, message: str, problems: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A row's key."""


def each_once(ids: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse a list that names something twice."""
    twice = next((each for each in ids if ids.count(each) > 1), None)
    if twice is not None:
        msg = f"names {twice} more than once; name it once"
        raise ValueError(msg)
    return ids


def renamed(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The document with old keys under their new names, where the new ones say nothing."""
    kept = {key: value for key, value in document.items() if key not in names}
    moved = {names[key]: value for key, value in document.items() if key in names}
    return moved | kept


ShapeT = TypeVar("ShapeT", bound=BaseModel)


def dotted(path: Path, root: str = "") -> str:
    """`("video", "cuts", 2)` under the root `config` is `config.video.cuts[2]`."""
    text = root
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part:.60}" if text else f"{part:.60}"
    return text


def parse(model: type[ShapeT], value: object, root: str) -> ShapeT:
    """The document as its model, by JSON's own types: "20" is no number and 1 is not true.

    `root` begins every path, commonly the column's name. Raises `ShapeError`.
    """
    refuse_unstorable(value, root)
    said = transformed(model, value, _without_nulls)
    try:
        return model.model_validate_json(json.dumps(said), strict=True)
    except ValidationError as error:
        found = [_problem(each, model) for each in error.errors(include_url=False)]
        raise shape_error([(_under(root, path), what) for path, what in found], root) from error


def refuse_unstorable(value: object, root: str) -> None:
    """Raises `ShapeError` for what no jsonb column can hold."""
    unstorable = next(_unstorable(value, ()), None)
    if unstorable is not None:
        path, what = unstorable
        raise shape_error([(dotted(path, root), what)], root)


def shape_error(problems: list[tuple[str, str]], root: str) -> ShapeError:
    """One sentence for all problems: the first in full, the others by path."""
    path, what = problems[0]
    message = f"`{path or root}` {what}"
    if len(problems) > 1:
        others = ", ".join(f"`{path}`" for path, _ in problems[1:6])
        message += f" (wrong as well: {others}{', …' if len(problems) > 6 else ''})"
    return ShapeError(message if message.endswith("?") else f"{message}.", tuple(problems))


def _under(root: str, path: str) -> str:
    joint = "." if root and path and not path.startswith("[") else ""
    return f"{root}{joint}{path}"


def _problem(error: ErrorDetails, model: type[BaseModel] | None) -> tuple[str, str]:
    return dotted(error["loc"]), _words(error, model)


def _words(error: ErrorDetails, model: type[BaseModel] | None) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(error["loc"], model)
    if kind == "value_error":
        return str(context["error"])
    words = _WORDS.get(kind)
    if words is None:
        return f"is wrong: {error['msg'][:1].lower()}{error['msg'][1:]}; correct it"
    return words.format(**context)


_WORDS = {
    "missing": "is missing; add it",
    "string_type": "must be a text in quotes",
    "string_too_short": "is too short; give at least {min_length} character(s)",
    "string_too_long": "is too long; shorten it to {max_length} characters",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number without quotes",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number without quotes",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "tuple_type": "must be a list in square brackets",
    "list_type": "must be a list in square brackets",
    "too_long": "has {actual_length} entries; keep at most {max_length}",
    "too_short": "has {actual_length} entries; give at least {min_length}",
    "dict_type": "must be an object in curly braces",
    "model_type": "must be an object in curly braces",
    "none_required": "must be null",
    "datetime_from_date_parsing": "must be a time like 2026-01-31T09:00:00Z",
    "datetime_parsing": "must be a time like 2026-01-31T09:00:00Z",
    "datetime_type": "must be a time like 2026-01-31T09:00:00Z",
    "timezone_aware": "must name its time zone, like 2026-01-31T09:00:00Z",
}


def _unknown_key(path: Path, model: type[BaseModel] | None) -> str:
    known = _keys_at(model, path[:-1])
    near = difflib.get_close_matches(str(path[-1]).lower(), known, n=1, cutoff=0.6)
    if near:
        return f"is not a known key; did you mean `{near[0]}`?"
    if known:
        return f"is not a known key; remove it or use one of {', '.join(sorted(known))}"
    return "is not a known key; remove it"


def _keys_at(model: type[BaseModel] | None, path: Path) -> list[str]:
    """The keys that the object at `path` may have; none where the path leads out of the models."""
    here = _model_in(model)
    for part in path:
        if here is None:
            return []
        if isinstance(part, str):
            here = _model_of(here, part)
    return list(here.model_fields) if here is not None else []


def transformed(
    model: type[BaseModel] | None,
    value: Any,
    change: Callable[[type[BaseModel], Mapping[str, Any]], Mapping[str, Any]],
) -> Any:
    """The document with `change` made to each object that has a model, outer ones first."""
    model = _model_in(model)
    if model is None:
        return value
    if isinstance(value, list | tuple):
        return [transformed(model, each, change) for each in value]
    if isinstance(value, Mapping):
        changed = change(model, value)
        return {k: transformed(_model_of(model, k), each, change) for k, each in changed.items()}
    return value


def _without_nulls(model: type[BaseModel], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if not issubclass(model, Partial):
        return document
    said = {key for key, value in document.items() if value is not None}
    return {k: v for k, v in document.items() if k in said or k not in model.model_fields}


def _model_of(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    field = model.model_fields.get(key)
    return _model_in(field.annotation) if field is not None else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of the objects in `Model | None`, `tuple[Model, ...]`, `RootModel[…]`."""
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _model_in(annotation.model_fields["root"].annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(each) for each in get_args(annotation))
    return next((each for each in inner if each is not None), None)


def _unstorable(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """What JSON or PostgreSQL's jsonb cannot hold, or LEAP would not: with its path."""
    if len(path) > DEEPEST:
        yield path[:3], f"is nested more than {DEEPEST} deep; make it flatter"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _unstorable_key(key, path)
            yield from _unstorable(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _unstorable(inner, (*path, index))
    else:
        what = _unstorable_scalar(value)
        if what is not None:
            yield path, what


def _unstorable_key(key: object, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(key, str):
        yield (*path, str(key)), "is a key that is no text; put it in quotes"
    elif _unstorable_scalar(key) is not None:
        yield path, "has a key with a character that cannot be stored; remove it"


def _unstorable_scalar(value: object) -> str | None:
    if isinstance(value, str):
        return None if _storable(value) else "has a character that cannot be stored; remove it"
    if isinstance(value, float):
        return None if math.isfinite(value) else "must be a finite number"
    if isinstance(value, int):
        return None if abs(value) < LARGEST else "is a number too large to be meant"
    if value is None:
        return None
    return f"is no JSON but a {type(value).__name__}; give text, numbers, lists or objects"


def _storable(text: str) -> bool:
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
