"""How a recording's topics are written into a title or a description.

render_topics(read_topics(recording.topic_timestamps), TopicsDisplay(format="dash_list"))
# - 00:00:00 — Gradient descent
# - 00:12:40 — Learning rate
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from leap_pipeline.domain.shapes.base import Shape

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
