"""What is asked for on many recordings at once, and what was refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from leap_pipeline.domain.shapes.base import Id, ListShape, Shape
from leap_pipeline.domain.states import Platform, Stage


class BulkParameters(Shape):
    """`bulk_actions.parameters`: the reason of a skip, the stage of a forced run, the platforms of
    a publication or an update (none = all).
    """

    reason: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    stage: Stage | None = None
    platforms: tuple[Platform, ...] = ()


class BulkRefusal(Shape):
    """A recording with which it was not done, and why."""

    recording_id: Id
    sentence: str


class BulkRefusals(ListShape[tuple[BulkRefusal, ...]]):
    """`bulk_actions.refusals`: the first ones."""
