"""Configuration: layers merged, last wins; `null` means "not said here"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leap_pipeline.errors import InputError

Json = Mapping[str, Any]


class VideoConfig(BaseModel):
    """TRIM. `silence_threshold` in dB of full scale; durations in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    remove_silence: bool = True
    silence_threshold: float = Field(default=-40.0, ge=-120, le=0)
    min_silence_duration: float = Field(default=2.0, gt=0, le=3600)
    silence_mode: Literal["edges", "all"] = "all"
    padding: float = Field(default=0.5, ge=0, le=60)


class TranscriptionConfig(BaseModel):
    """TRANSCRIBE, EXTRACT_TOPICS and GENERATE_SUBTITLES."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enable_transcription: bool = True
    language: str | None = None
    prompt: str | None = None
    vocabulary: tuple[str, ...] = ()
    provider: str | None = None
    enable_topics: bool = True
    topics_granularity: Literal["long", "short"] = "long"
    enable_subtitles: bool = True


class ProcessingConfig(BaseModel):
    """The shape of `recording_templates.processing_config`, resolved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transcription: TranscriptionConfig = TranscriptionConfig()
    video: VideoConfig = VideoConfig()


def deep_merge(layers: Iterable[Json | None]) -> dict[str, Any]:
    """Dicts merge, lists and scalars replace, None says nothing.

    Raises `InputError` for a layer that is no dict.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        if layer is not None and not isinstance(layer, Mapping):
            msg = f"A layer of the processing configuration is no object but {layer!r:.60}."
            raise InputError(msg)
        for key, value in (layer or {}).items():
            if isinstance(value, Mapping):
                below = merged.get(key)
                merged[key] = deep_merge([below if isinstance(below, Mapping) else None, value])
            elif value is not None:
                merged[key] = value
    return merged


def resolve_processing(layers: Iterable[Json | None]) -> ProcessingConfig:
    """The processing config of a recording; raises `InputError` with the path of a wrong value."""
    try:
        return ProcessingConfig.model_validate(deep_merge(layers))
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        msg = f"The processing configuration is wrong at {path}: {first['msg']}; correct it there."
        raise InputError(msg) from error
