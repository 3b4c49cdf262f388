"""How a recording's topics are written into a title or a description.

render_topics(read_topics(recording.topic_timestamps), TopicsDisplay(format="dash_list"))
# - 00:00:00 — Gradient descent
# - 00:12:40 — Learning rate
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from leap_pipeline.domain.shapes.base import Shape
from leap_pipeline.domain.text_cut import ELLIPSIS, cut, one_line
from leap_pipeline.domain.text_templates import h_mm_ss, line_breaks

TopicsFormat = Literal["numbered_list", "bullet_list", "dash_list", "comma_separated", "inline"]


class TopicsDisplay(Shape):
    """`metadata_config.topics_display`; a null stands for the default, as an absent key does.

    - `max_count`: topics at most, from the beginning.
    - `min_length`, `max_length`: characters of a topic; shorter ones are left out, longer ones cut.
    - `separator`: between two topics; by default what suits the format.
    - `prefix`: in front of the whole list, left out with it.
    - `show_timestamps`: write `HH:MM:SS — topic`.

    In `separator` and `prefix` a backslash and an n are a line break, as in text templates.
    """

    format: TopicsFormat = "numbered_list"
    max_count: int = Field(default=999, ge=1)
    min_length: int = Field(default=0, ge=0)
    max_length: int = Field(default=999, ge=1)
    separator: str | None = Field(default=None, max_length=50)
    prefix: str = Field(default="", max_length=500)
    show_timestamps: bool = True

    @model_validator(mode="before")
    @classmethod
    def _null_says_nothing(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}

    @property
    def between(self) -> str:
        """What stands between two topics."""
        if self.separator is not None:
            return line_breaks(self.separator)
        return {"comma_separated": ", ", "inline": " · "}.get(self.format, "\n")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and where it starts, in seconds of the published video."""

    title: str
    start: float


def read_topics(stored: object) -> tuple[Topic, ...]:
    """`recordings.topic_timestamps` in order of time; what cannot be read there is left out."""
    if not isinstance(stored, Sequence) or isinstance(stored, str):
        return ()
    found = (_read(each) for each in stored)
    return tuple(sorted((each for each in found if each), key=lambda each: each.start))


def shown(topics: Sequence[Topic], display: TopicsDisplay) -> tuple[Topic, ...]:
    """The topics that `min_length` and `max_count` leave."""
    long_enough = (each for each in topics if len(each.title) >= display.min_length)
    return tuple(long_enough)[: display.max_count]


def render_topics(topics: Sequence[Topic], display: TopicsDisplay, *, dropped: bool = False) -> str:
    """The list of these topics, with an ellipsis at its end where some were dropped."""
    items = [_item(number, each, display) for number, each in enumerate(topics, start=1)]
    if not items:
        return ""
    return _prefix(display) + display.between.join([*items, *([ELLIPSIS] if dropped else [])])


def _read(entry: object) -> Topic | None:
    if not isinstance(entry, Mapping):
        return None
    title, start = entry.get("topic"), entry.get("start")
    if not isinstance(title, str) or not isinstance(start, int | float):
        return None
    title = one_line(title)
    return Topic(title, start) if title and h_mm_ss(start) else None


def _item(number: int, topic: Topic, display: TopicsDisplay) -> str:
    title = cut(topic.title, display.max_length)
    if display.show_timestamps:
        title = f"{h_mm_ss(topic.start).zfill(8)} — {title}"
    marks = {"numbered_list": f"{number}. ", "bullet_list": "• ", "dash_list": "- "}
    return marks.get(display.format, "") + title


def _prefix(display: TopicsDisplay) -> str:
    """The prefix, parted from the first topic: by a line break where topics have their lines."""
    prefix = line_breaks(display.prefix)
    if not prefix or prefix[-1].isspace():
        return prefix
    return prefix + ("\n" if "\n" in display.between else " ")
