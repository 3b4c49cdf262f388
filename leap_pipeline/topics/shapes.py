"""What a finder of topics gives out. Times in seconds on the transcript's timeline."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from leap_pipeline.domain.shapes.base import Shape
from leap_pipeline.domain.shapes.results import Span, TopicTimestamp

Granularity = Literal["long", "short"]
"""`long`: few and long topics; `short`: about twice as many."""


class Pause(Span):
    """A break in the lecture."""


class Topics(Shape):
    """The topics of one lecture in order of time; `model` names what found them."""

    main_topics: list[str] = Field(default_factory=list)
    topic_timestamps: list[TopicTimestamp] = Field(default_factory=list)
    pauses: list[Pause] = Field(default_factory=list)
    model: str = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name, spans in (
            ("topic_timestamps", self.topic_timestamps),
            ("pauses", self.pauses),
        ):
            for place, (before, after) in enumerate(pairwise(spans), start=1):
                if after.start < before.end:
                    msg = (
                        f"{name}.{place} starts at {after.start} s, before the one in front of it "
                        f"ends at {before.end} s"
                    )
                    raise ValueError(msg)
        return self
