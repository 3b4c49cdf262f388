"""What the work wrote down: results of recordings, stages and targets."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, Field, field_validator
from pydantic import ValidationInfo as Info

from leap_pipeline.domain.shapes.base import ListShape, Shape, renamed

Seconds = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
StoredUrl = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)]


class StageMeta(Shape):
    """What every stage tells: processor time in seconds, by the asset that took it."""

    cpu_seconds: dict[str, Seconds] | None = None


class TranscriptionInfo(StageMeta):
    """`recordings.transcription_info`, and `stage_meta` of TRANSCRIBE.

    `words` and `segments` are counts: the transcript itself is the file `master.json`. `duration`
    in seconds; `real_time_factor` is the time it took for a second of speech.
    """

    schema_version: ClassVar[int] = 2

    language: Text | None = None
    model: Text | None = None
    words: int | None = Field(default=None, ge=0)
    segments: int | None = Field(default=None, ge=0)
    duration: Seconds | None = None
    real_time_factor: float | None = Field(default=None, ge=0)

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform stored the transcript itself, where there are counts now."""
        counts = {
            key: len(document[key])
            for key in ("words", "segments")
            if isinstance(document.get(key), list)
        }
        return {key: value for key, value in document.items() if key != "text"} | counts


class Span(Shape):
    """Times in seconds on the timeline of the published video."""

    start: Seconds
    end: Seconds

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: float, info: Info) -> float:
        start = info.data.get("start", 0.0)
        if end < start:
            msg = f"is {end} s, before its start at {start} s"
            raise ValueError(msg)
        return end


class TopicTimestamp(Span):
    """One topic and when it is spoken about."""

    topic: Text


class TopicTimestamps(ListShape[tuple[TopicTimestamp, ...]]):
    """`recordings.topic_timestamps`, in order of time."""

    @field_validator("root")
    @classmethod
    def _in_order(cls, topics: tuple[TopicTimestamp, ...]) -> tuple[TopicTimestamp, ...]:
        for place, (before, after) in enumerate(pairwise(topics), start=1):
            if after.start < before.start:
                msg = f"is out of order: entry {place} starts before the one in front of it"
                raise ValueError(msg)
        return topics


class MainTopics(ListShape[tuple[Text, ...]]):
    """`recordings.main_topics`."""


def _kept(keep: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    edges = [edge for part in keep for edge in part]
    if edges != sorted(edges):
        msg = "must be pairs of start and end in order of time"
        raise ValueError(msg)
    return keep


class Timeline(Shape):
    """The map from the raw video to the trimmed one: of `duration` seconds these parts are kept."""

    duration: Seconds
    keep: Annotated[tuple[tuple[Seconds, Seconds], ...], AfterValidator(_kept)]
    no_speech: bool = False


class TrimMeta(StageMeta):
    """`stage_meta` of TRIM."""

    timeline: Timeline | None = None
    no_speech: bool = False


class TopicsMeta(StageMeta):
    """`stage_meta` of EXTRACT_TOPICS; `version` is the one of `topics.json` that it added."""

    schema_version: ClassVar[int] = 2

    model: Text | None = None
    version: str | None = Field(default=None, pattern=r"^v[1-9][0-9]*$")
    granularity: str | None = Field(default=None, pattern=r"^(long|short)$")

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform said `version_id`."""
        return renamed(document, {"version_id": "version"})


class SubtitlesMeta(StageMeta):
    """`stage_meta` of GENERATE_SUBTITLES."""

    cues: int | None = Field(default=None, ge=0)


class Sent(Shape):
    """What a platform was given. `settings` are the platform's own words, as they were sent."""

    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    thumbnail_name: str | None = None
    captions: tuple[str, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)


class Published(Shape):
    """A video on a platform."""

    schema_version: ClassVar[int] = 2

    video_id: Text | None = None
    url: StoredUrl | None = None
    owner_id: int | None = None
    """VK: negative for a group."""
    sent: Sent | None = None

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform said `video_url`, and what the row's own columns say anyway."""
        told = {"platform", "uploaded_by_task"}
        kept = {key: value for key, value in document.items() if key not in told}
        return renamed(kept, {"video_url": "url"})


class PublishedBefore(Published):
    """A video that is there no more, or not as this target's."""

    uploaded_at: AwareDatetime | None = None
    retracted_at: AwareDatetime
    reason: str | None = None


class TargetMeta(Published):
    """`output_targets.target_meta`: what is published now, and what was before."""

    history: tuple[PublishedBefore, ...] = ()


class RunSelection(ListShape[tuple[Text, ...]]):
    """`recording_runs.selection`: names of assets."""
