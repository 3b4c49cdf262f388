"""`recordings.processing_preferences`: what one recording has otherwise than its template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from leap_pipeline.domain.shapes.base import Partial
from leap_pipeline.domain.shapes.processing import (
    ProcessingConfig,
    TranscriptionConfig,
    VideoConfig,
)
from leap_pipeline.domain.shapes.publishing import MetadataConfig, OutputConfig


class RecordingPreferences(Partial):
    """The topmost layer of every configuration of one recording.

    `video` and `transcription` stand where a template has them in `processing_config`, on top as
    the column's name promises; `metadata_config` and `output_config` are those of a template. So
    everything that a template says can be said for one recording: another language, a title of its
    own (for one platform: in `metadata_config.youtube`), other presets, no automatic upload.
    """

    schema_version: ClassVar[int] = 2

    video: VideoConfig = VideoConfig()
    transcription: TranscriptionConfig = TranscriptionConfig()
    metadata_config: MetadataConfig = MetadataConfig()
    output_config: OutputConfig = OutputConfig()

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform also knew the whole `processing_config`, and `trimming`."""
        blocks = {
            k: v for k, v in document.items() if k not in ("metadata_config", "output_config")
        }
        others = {k: v for k, v in document.items() if k not in blocks}
        return {**ProcessingConfig.upgrade(blocks), **others}
