"""A title from its template: one line, within the platform's limit, never empty."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from leap_pipeline.domain.platform_limits import Limits, fit_title, refused_signs
from leap_pipeline.domain.text_cut import DANGLING, Unit, clean, cut, one_line
from leap_pipeline.domain.text_templates import Piece, Template, Values

_SHORTEST_VALUE = 20
"""Characters; sooner than leave less of a variable, the title's end is cut."""
_NAMING = ("display_name", "themes", "topics", "summary")
_UNTITLED = "Untitled"
_EMPTY = "\0"
"""Stands for an empty variable while a title is put together; no clean text has it."""
_EMPTY_BRACKETS = re.compile(rf"\( ?{_EMPTY} ?\)|\[ ?{_EMPTY} ?\]")


def render_title(template: Template, values: Values, limits: Limits) -> tuple[str, list[str]]:
    """The title, and a sentence for each change that the platform made necessary.

    Where it is too long, its longest variable is shortened: what tells two lectures of a course
    apart, a date behind a long name, stays. Where nothing in it names the lecture, the recording's
    name does.
    """
    pieces = [
        replace(each, text=one_line(each.text) if each.name else clean(each.text))
        for each in template.fill(values)
    ]
    notes = _name_the_nameless(pieces, one_line(values.display_name or ""))
    line = _joined(pieces)
    size = Unit.CHARACTERS.size(line)
    if size > limits.title:
        shortened = _shorten_longest(pieces, size - limits.title)
        line = _joined(pieces)
        what = f"its {{{shortened}}} is shortened" if shortened else "it is cut at its end"
        notes.append(f"It has {size} characters and {limits.name} takes {limits.title}: {what}.")
    notes += refused_signs(line, limits)
    title = fit_title(line, limits)
    if title:
        return title, notes
    named = fit_title(values.display_name or "", limits) or _UNTITLED
    return named, [*notes, f"Its template gave nothing: it is “{named}” instead."]


def _name_the_nameless(pieces: list[Piece], name: str) -> list[str]:
    """Write the recording's name into the first variable of a title that would be a date alone."""
    naming = [index for index, each in enumerate(pieces) if each.name in _NAMING]
    own_words = (each.text for each in pieces if each.name is None)
    is_named = any(pieces[index].text for index in naming) or any(
        char.isalpha() for text in own_words for char in text
    )
    if is_named or not naming or not name:
        return []
    empty = pieces[naming[0]]
    pieces[naming[0]] = replace(empty, text=name)
    return [f"{{{empty.name}}} is empty: the recording's name stands there."]


def _shorten_longest(pieces: list[Piece], excess: int) -> str | None:
    """Cut the longest variable in place and tell its name; None where too little would be left."""
    sizes = [Unit.CHARACTERS.size(each.text) if each.name else 0 for each in pieces]
    room = max(sizes, default=0) - excess
    if room < _SHORTEST_VALUE:
        return None
    index = sizes.index(max(sizes))
    pieces[index] = replace(pieces[index], text=cut(pieces[index].text, room))
    return pieces[index].name


def _joined(pieces: Iterable[Piece]) -> str:
    """One line; around an empty variable no separators and no brackets are left."""
    text = "".join(_EMPTY if each.name and not each.text else each.text for each in pieces)
    parts = _EMPTY_BRACKETS.sub(_EMPTY, " ".join(text.split())).split(_EMPTY)
    line = parts[0]
    for part in parts[1:]:
        line = _without_hole(line, part)
    ends_in_hole = len(parts) > 1 and not parts[-1].strip(DANGLING)
    return line.rstrip(DANGLING) if ends_in_hole else line


def _without_hole(left: str, right: str) -> str:
    """Two parts with one of the two separators that stood between them."""
    before, after = left.rstrip(DANGLING), right.lstrip(DANGLING)
    if not before:
        return after
    gap, other = left[len(before) :], right[: len(right) - len(after)]
    return before + (gap if gap.strip() else other or gap) + after
