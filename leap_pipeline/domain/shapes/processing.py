"""`processing_config`: what is done with a recording's video and speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from leap_pipeline.domain.shapes.base import Partial, renamed

Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Word = Annotated[str, Field(min_length=1, max_length=100)]


class VideoConfig(Partial):
    """TRIM. `silence_threshold` in dB of full scale; durations in seconds."""

    remove_silence: bool = True
    silence_threshold: float = Field(default=-40.0, ge=-120, le=0)
    min_silence_duration: float = Field(default=2.0, gt=0, le=3600)
    silence_mode: Literal["edges", "all"] = "all"
    padding: float = Field(default=0.5, ge=0, le=60)


class TranscriptionConfig(Partial):
    """TRANSCRIBE, EXTRACT_TOPICS and GENERATE_SUBTITLES; no provider = the one that can be had."""

    schema_version: ClassVar[int] = 2

    enable_transcription: bool = True
    language: Language | None = None
    prompt: str | None = Field(default=None, max_length=4000)
    vocabulary: tuple[Word, ...] = Field(default=(), max_length=1000)
    provider: Literal["local", "fireworks"] | None = None
    enable_topics: bool = True
    topics_granularity: Literal["long", "short"] = "long"
    topics_provider: Literal["local", "deepseek"] | None = None
    enable_subtitles: bool = True

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform said `granularity`."""
        return renamed(document, {"granularity": "topics_granularity"})


class ProcessingConfig(Partial):
    """`recording_templates.processing_config`, partial as stored or whole as resolved."""

    schema_version: ClassVar[int] = 2

    transcription: TranscriptionConfig = TranscriptionConfig()
    video: VideoConfig = VideoConfig()

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform said `trimming`, and wrapped some documents once more."""
        inner = document.get("processing_config")
        if isinstance(inner, Mapping):
            document = {**inner, **{k: v for k, v in document.items() if k != "processing_config"}}
        trimming = document.get("trimming")
        if isinstance(trimming, Mapping):
            said = renamed(trimming, {"enable_trimming": "remove_silence"})
            document = {**document, "trimming": said}
        return renamed(document, {"trimming": "video"})
