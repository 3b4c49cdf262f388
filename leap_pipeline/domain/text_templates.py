"""The language of titles and descriptions: text with variables.

parse("{themes} | {record_time:DD.MM.YYYY}").render(values)  # "Gradient descent | 05.04.2026"

A backslash and an n are a line break, `{{` and `}}` are braces. What a variable brings in is never
read again: a recording named "{topics}" is called just that.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from leap_pipeline.errors import InputError

TIMES = ("record_time", "publish_time")
VARIABLES = ("display_name", *TIMES, "duration", "themes", "topics", "summary")
NAMED_FORMATS = {"date": "DD.MM.YYYY", "time": "hh:mm", "datetime": "DD.MM.YYYY hh:mm"}
TIME_PARTS = {
    "YYYY": "{0.year:04d}",
    "YY": "{1:02d}",
    "MM": "{0.month:02d}",
    "DD": "{0.day:02d}",
    "hh": "{0.hour:02d}",
    "mm": "{0.minute:02d}",
    "ss": "{0.second:02d}",
}
_ENDLESS = 1e9
"""Seconds; no recording has as many."""
_MEANT = {"d": "DD", "m": "MM", "y": "YYYY", "h": "hh", "s": "ss"}
_CYRILLIC = str.maketrans("дмгчс", "dmyhs")
_PART = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|\\n|[^{}\\]+|\\")
_LETTERS = re.compile(r"([^\W\d_])\1*")


@dataclass(frozen=True, slots=True)
class Values:
    """What the variables stand for; what is None or empty is written as nothing.

    `duration` in seconds of the published video, `themes` are `recordings.main_topics`, `topics` is
    the finished list, `timezone` the IANA name of the owner's (an unknown one counts as UTC).
    """

    display_name: str | None = None
    record_time: datetime | None = None
    publish_time: datetime | None = None
    duration: float | None = None
    themes: Sequence[str] | None = None
    topics: str | None = None
    summary: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """A place in a template; `format` is that of a time, or None."""

    name: str
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a template, filled; `name` is its variable, None for the template's own text."""

    name: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """A template without mistakes."""

    parts: tuple[str | Variable, ...]

    @property
    def variables(self) -> frozenset[str]:
        """The names of the variables in it."""
        return frozenset(part.name for part in self.parts if isinstance(part, Variable))

    def fill(self, values: Values) -> tuple[Piece, ...]:
        """Each part with its text."""
        return tuple(
            Piece(None, part) if isinstance(part, str) else Piece(part.name, _text(part, values))
            for part in self.parts
        )

    def render(self, values: Values) -> str:
        """The text, of any length; raises nothing."""
        return "".join(piece.text for piece in self.fill(values))


def parse(text: str) -> Template:
    """Read a template; InputError says what is wrong, at which character, and what was meant."""
    try:
        return _parsed(text)
    except ValueError as error:
        msg = f"The text template {error}."
        raise InputError(msg) from error


def check(text: str) -> None:
    """Refuse a template that `parse` cannot read, by its InputError."""
    parse(text)


def _checked(text: str) -> str:
    _parsed(text)
    return text


TextTemplate = Annotated[str, Field(max_length=10_000), AfterValidator(_checked)]
"""A template as a field of a Pydantic model."""


def line_breaks(text: str) -> str:
    """The text with each backslash and n as a line break."""
    return text.replace("\\n", "\n")


def h_mm_ss(seconds: float) -> str:
    """`1:05:09`; the hours go on past a day. Empty for what is no time."""
    if not 0 <= seconds < _ENDLESS:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _parsed(text: str) -> Template:
    parts: list[str | Variable] = []
    for found in _PART.finditer(text):
        part, place = found.group(), f"at character {found.start() + 1}"
        if part in ("{", "}"):
            other = "}" if part == "{" else "{"
            msg = f"has a {part} without its {other} {place}; write {part * 2} for the mere sign"
            raise ValueError(msg)
        if part.startswith("{") and part != "{{":
            parts.append(_variable(part[1:-1], place))
        else:
            parts.append({"{{": "{", "}}": "}"}.get(part) or line_breaks(part))
    return Template(tuple(parts))


def _variable(inner: str, place: str) -> Variable:
    name, colon, form = inner.partition(":")
    if name not in VARIABLES:
        msg = f"has the unknown variable {{{inner:.60}}} {place}; {_variable_meant(name)}"
        raise ValueError(msg)
    if not colon:
        return Variable(name)
    if name not in TIMES:
        msg = f"has a format in {{{inner:.60}}} {place}, which only times take; write {{{name}}}"
        raise ValueError(msg)
    wrong = _wrong_in(form)
    if wrong:
        msg = f"has a format in {{{inner:.60}}} {place} that {wrong}"
        raise ValueError(msg)
    return Variable(name, form)


def _variable_meant(name: str) -> str:
    plain = name.strip().lower()
    if plain in NAMED_FORMATS:
        return f"{{record_time:{plain}}} is probably meant"
    near = difflib.get_close_matches(plain, VARIABLES, n=1)
    if near:
        return f"{{{near[0]}}} is probably meant"
    return f"the variables are {', '.join(f'{{{each}}}' for each in VARIABLES)}"


def _wrong_in(form: str) -> str | None:
    """What is wrong with the format of a time, said after "a format that"."""
    if form in NAMED_FORMATS:
        return None
    if form.strip().lower() in NAMED_FORMATS:
        return f"is unknown; {form.strip().lower()} is probably meant"
    runs = [found.group() for found in _LETTERS.finditer(form)]
    known = f"{', '.join(TIME_PARTS)}, or {', '.join(NAMED_FORMATS)}"
    if not runs:
        return f"has no part of a time; write {known}"
    strange = next((run for run in runs if run not in TIME_PARTS), None)
    if strange is None:
        return None
    meant = _part_meant(strange)
    words = (
        f"{meant} is probably meant" if meant else f"write {known}, and words outside the braces"
    )
    return f"has the unknown part {strange:.20}; {words}"


def _part_meant(run: str) -> str | None:
    """The part of a time that a run of one letter stands for elsewhere: `yyyy`, `HH`, `ДД`."""
    if len(run) == 1:
        return None
    letter = run[0].lower().translate(_CYRILLIC)
    if letter == "m" and run[0].islower():
        return "mm"
    return "YY" if letter == "y" and len(run) == 2 else _MEANT.get(letter)


def _text(variable: Variable, values: Values) -> str:
    match variable.name:
        case "record_time":
            return _time(values.record_time, variable.format, values.timezone)
        case "publish_time":
            return _time(values.publish_time, variable.format, values.timezone)
        case "duration":
            return h_mm_ss(values.duration) if values.duration is not None else ""
        case "themes":
            return ", ".join(each for each in values.themes or () if each)
        case name:
            return getattr(values, name) or ""


def _time(moment: datetime | None, form: str | None, timezone: str | None) -> str:
    if moment is None:
        return ""
    local = _local(moment, _zone(timezone))
    form = NAMED_FORMATS.get(form or "datetime", form or "")
    return _LETTERS.sub(
        lambda run: TIME_PARTS[run.group()].format(local, local.year % 100),
        form,
    )


def _local(moment: datetime, zone: tzinfo) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(zone)
    except OverflowError:  # the first or the last hours that a datetime can hold
        return aware


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return UTC
