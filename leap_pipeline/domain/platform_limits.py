"""What the platforms take for texts, and any text made to fit it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leap_pipeline.domain.states import Platform
from leap_pipeline.domain.text_cut import Unit, cut, one_line, paragraphs


@dataclass(frozen=True, slots=True)
class Limits:
    """Titles and tags are counted in characters, tags all together; 0 = it has none."""

    name: str
    title: int
    description: int
    description_unit: Unit
    tags: int
    refused: Mapping[str, str] = field(default_factory=dict)
    """Signs that it refuses, each with the one that takes its place."""
    makes_chapters: bool = False

    def taken(self, text: str) -> str:
        """The text without refused signs."""
        return text.translate({ord(sign): other for sign, other in self.refused.items()})


# https://developers.google.com/youtube/v3/docs/videos, https://dev.vk.com/method/video.save
LIMITS: Mapping[Platform, Limits] = {
    Platform.YOUTUBE: Limits(
        name="YouTube",
        title=100,
        description=5000,
        description_unit=Unit.BYTES,
        tags=500,
        refused={"<": "‹", ">": "›"},
        makes_chapters=True,
    ),
    Platform.VK: Limits(
        name="VK", title=128, description=5000, description_unit=Unit.CHARACTERS, tags=0
    ),
}


def fit_title(text: str, limits: Limits) -> str:
    """Any text as a title of one line; empty where nothing of it can be seen."""
    line = one_line(limits.taken(text))
    return cut(line, limits.title) if _is_visible(line) else ""


def fit_description(text: str, limits: Limits) -> str:
    """Any text as a description."""
    return cut(uncut_description(text, limits), limits.description, limits.description_unit)


def uncut_description(text: str, limits: Limits) -> str:
    """Any text as a description of any length."""
    return paragraphs(limits.taken(text))


def refused_signs(text: str, limits: Limits) -> list[str]:
    """A sentence for the signs of a text that the platform refuses, where there are any."""
    found = [f"{sign} became {other}" for sign, other in limits.refused.items() if sign in text]
    return [f"{' and '.join(found)}, as {limits.name} takes no such sign."] if found else []


def fit_tags(tags: Sequence[str], limits: Limits) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tags that fit, and those that do not; a tag said twice counts once."""
    fitting: list[str] = []
    left_out: list[str] = []
    room = limits.tags
    for tag in _single_tags(tags, limits):
        cost = tag_size(tag) + (1 if fitting else 0)
        if cost > room:
            left_out.append(tag)
        else:
            room -= cost
            fitting.append(tag)
    return tuple(fitting), tuple(left_out)


def tag_size(tag: str) -> int:
    """Characters of a tag as YouTube counts them: one with a space gets quotation marks.

    The commas between tags count as well, one for each tag but the first.
    """
    return Unit.CHARACTERS.size(tag) + (2 if " " in tag else 0)


def _single_tags(tags: Sequence[str], limits: Limits) -> list[str]:
    """Clean tags; commas and quotation marks part them, as they do on the platform."""
    parts = (part for tag in tags for part in tag.replace('"', ",").split(","))
    found: dict[str, str] = {}
    for line in (one_line(limits.taken(part)) for part in parts):
        if _is_visible(line):
            found.setdefault(line.casefold(), line)
    return list(found.values())


def _is_visible(text: str) -> bool:
    return any(unicodedata.category(char)[0] in "LNPS" for char in text)
