"""Forms for JSON documents of which each key may be left out.

A field shows one value of a document and what holds where it is left empty. Values that no field
shows stay as they are. Nothing is judged here: the document's shape does that.

    draw([Field("video.padding", t("Padding"), NUMBER)], document, key="3", inherited={...})
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any

import streamlit as st

from dashboard.texts import t
from dashboard.words import plain
from leap_pipeline.errors import InputError

Document = dict[str, Any]
LONGEST_HINT = 60
LARGEST_NUMBER = 2**53 - 1


class Kind(StrEnum):
    """What a field takes; `LINES` is a list of texts, one a line."""

    FLAG = "flag"
    CHOICE = "choice"
    NUMBER = "number"
    WHOLE = "whole"
    LINE = "line"
    TEXT = "text"
    LINES = "lines"
    SEVERAL = "several"


SHORT = (Kind.FLAG, Kind.CHOICE, Kind.NUMBER, Kind.WHOLE)
"""Two of them stand side by side."""


@dataclass(frozen=True)
class Field:
    """One value, at the dotted `path` of a document.

    `choices` are the values that can be chosen, with their names; `empty` says what it means to
    say nothing, where that is not what is inherited.
    """

    path: str
    label: str
    kind: Kind
    choices: Mapping[Any, str] = field(default_factory=dict)
    hint: str | None = None
    least: float | None = None
    most: float | None = None
    step: float | None = None
    empty: str | None = None

    @property
    def keys(self) -> list[str]:
        return self.path.split(".")


def draw(
    fields: Iterable[Field], document: Document, *, key: str, inherited: Mapping[str, Any]
) -> Document:
    """The fields, and the document with what they say now.

    `inherited` are by path the values that hold where the document says nothing.
    """
    found = copy.deepcopy(document)
    for short, group in groupby(fields, lambda each: each.kind in SHORT):
        row = list(group)
        for at in range(0, len(row), 2 if short else 1):
            together = row[at : at + 2] if short else row[at : at + 1]
            places = st.columns(2) if short else [st.container()]
            for place, each in zip(places, together, strict=False):
                before = value_at(document, each.keys)
                with place:
                    now = _drawn(each, before, key, inherited)
                # What nobody touches stays as it is: null and an empty block say something too.
                if now != before:
                    put(found, each.keys, now)
    return found


def value_at(document: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The value at a path, None where there is none."""
    here: Any = document
    for key in keys:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here


def put(document: Document, keys: Sequence[str], value: Any) -> None:
    """Set a value at a path, or take it away where it is None, with blocks that get empty."""
    first, rest = keys[0], keys[1:]
    if rest:
        inner = document.get(first)
        block = dict(inner) if isinstance(inner, Mapping) else {}
        put(block, rest, value)
        value = block or None
    if value is None:
        document.pop(first, None)
    else:
        document[first] = value


def told_apart(names: Mapping[int, str]) -> dict[int, str]:
    """Names of rows as choices: a browser answers with the words, so no two may be the same."""
    often = Counter(names.values())
    told = {key: f"{name} ({key})" if often[name] > 1 else name for key, name in names.items()}
    # Somebody may have called a row just like the answer to that.
    if len(set(told.values())) < len(told):
        return {key: f"{name} ({key})" for key, name in names.items()}
    return told


def as_json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def _drawn(each: Field, value: Any, key: str, inherited: Mapping[str, Any]) -> Any:
    hint = each.empty or _told(each, inherited.get(each.path))
    return _WIDGETS[each.kind](each, value, f"{key}:{each.path}", hint)


def _told(each: Field, value: Any) -> str:
    """What holds where nothing is said."""
    if value in (None, "", [], (), {}):
        return t("Nothing by default")
    if each.kind is Kind.FLAG:
        text = t("On") if value else t("Off")
    elif each.kind is Kind.CHOICE:
        text = each.choices.get(value, str(value))
    elif isinstance(value, list | tuple):
        text = ", ".join(map(str, value))
    else:
        text = str(value)
    short = text if len(text) <= LONGEST_HINT else f"{text[:LONGEST_HINT]}…"
    return t("By default: {value}", value=short)


def _choice(each: Field, value: Any, key: str, hint: str) -> Any:
    choices: dict[Any, str] = dict(each.choices)
    if each.kind is Kind.FLAG:
        choices = {True: t("On"), False: t("Off")}
    if value is not None and value not in choices:
        choices[value] = t("{value} (not among these)", value=str(value))
    options = list(choices)
    return st.selectbox(
        each.label,
        options,
        index=options.index(value) if value in choices else None,
        format_func=lambda option: choices.get(option, str(option)),
        key=key,
        help=each.hint,
        placeholder=hint,
    )


def _number(each: Field, value: Any, key: str, hint: str) -> float | int | None:
    kind: Callable[[Any], Any] = int if each.kind is Kind.WHOLE else float
    said = kind(value) if isinstance(value, int | float) else None
    if said is not None and abs(said) > LARGEST_NUMBER:
        # No browser counts so far; the block's JSON does.
        st.text_input(each.label, str(value), key=f"{key}:large", help=each.hint, disabled=True)
        return said  # type: ignore[no-any-return]
    known = () if said is None else (said,)
    limits: dict[str, Any] = {
        # A widget refuses to open with a value beyond its limits, which the shape may allow.
        "min_value": None if each.least is None else min([kind(each.least), *known]),
        "max_value": None if each.most is None else max([kind(each.most), *known]),
        "value": said,
        "step": kind(each.step or 1),
    }
    found: float | int | None = st.number_input(
        each.label, key=key, help=each.hint, placeholder=hint, **limits
    )
    return found


def _line(each: Field, value: Any, key: str, hint: str) -> Any:
    before = "" if value is None else str(value)
    text = st.text_input(each.label, before, key=key, help=each.hint, placeholder=hint)
    return value if (text or "") == before else text or None


def _text(each: Field, value: Any, key: str, hint: str) -> Any:
    before = "" if value is None else str(value)
    text = st.text_area(
        each.label, before, key=key, help=each.hint, placeholder=hint, height="content"
    )
    return value if (text or "") == before else text or None


def _lines(each: Field, value: Any, key: str, hint: str) -> Any:
    before = "\n".join(map(str, value)) if isinstance(value, list | tuple) else ""
    text = st.text_area(
        each.label,
        before,
        key=key,
        help=each.hint or t("One a line."),
        placeholder=hint,
        height="content",
    )
    if (text or "") == before:
        return value
    # A space at either end may be meant: the keyword “ AI” is not in “RAID”.
    lines = (line.rstrip("\r") for line in (text or "").split("\n"))
    return [line for line in lines if line.strip()] or None


def _several(each: Field, value: Any, key: str, hint: str) -> Any:
    said = list(value) if isinstance(value, list | tuple) else []
    choices = dict(each.choices)
    choices |= {
        one: t("{value} (is not there)", value=str(one)) for one in said if one not in choices
    }
    found = st.multiselect(
        each.label,
        list(choices),
        default=said,
        format_func=lambda option: choices.get(option, str(option)),
        key=key,
        help=each.hint,
        placeholder=hint,
    )
    return value if list(found) == said else list(found) or None


_WIDGETS: Mapping[Kind, Callable[[Field, Any, str, str], Any]] = {
    Kind.FLAG: _choice,
    Kind.CHOICE: _choice,
    Kind.NUMBER: _number,
    Kind.WHOLE: _number,
    Kind.LINE: _line,
    Kind.TEXT: _text,
    Kind.LINES: _lines,
    Kind.SEVERAL: _several,
}


def json_editor(document: Document, *, key: str, check: Callable[[Any], Any]) -> Document | None:
    """The whole document as text, behind an expander; what somebody has put in its place, or None.

    `check` gives the document as it is stored, or raises an error that says what is wrong.
    """
    with st.expander(t("The whole block as JSON")):
        shown = as_json(document)
        text = st.text_area(
            t("JSON"),
            shown,
            # Other words in the form make another text here.
            key=f"{key}:json:{hash(shown)}",
            height=240,
            label_visibility="collapsed",
        )
        if not st.button(t("Take this over"), key=f"{key}:take"):
            return None
        return _read(text or "", check)


def _read(text: str, check: Callable[[Any], Any]) -> Document | None:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:  # Python refuses numbers of thousands of digits
        where = getattr(error, "lineno", None)
        st.error(
            t("This is no JSON: see line {line}.", line=where) if where else t("This is no JSON.")
        )
        return None
    try:
        checked: Document | None = check(found)
    except InputError as error:
        st.error(plain(str(error)))
        return None
    return checked or {}
