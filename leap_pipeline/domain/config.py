"""The configuration of one recording: which rows say something about it, and what they come to.

Processing and output: global base ← own base ← user ← template ← recording. What is published has
the platform's preset between user and template, and each row's block for the platform over what
the row says for all platforms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from leap_pipeline.domain.layers import Json, Layer, Origin, OriginKind, Resolved, resolve
from leap_pipeline.domain.shapes.processing import (
    ProcessingConfig,
    TranscriptionConfig,
    VideoConfig,
)
from leap_pipeline.domain.shapes.publishing import (
    MetadataConfig,
    OutputConfig,
    VkMetadata,
    YouTubeMetadata,
)
from leap_pipeline.domain.shapes.recording import RecordingPreferences
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError


class Block(StrEnum):
    """The three configurations, by the columns in which templates have them."""

    PROCESSING = "processing_config"
    METADATA = "metadata_config"
    OUTPUT = "output_config"


PlatformMetadata = YouTubeMetadata | VkMetadata
PLATFORM_MODELS: Mapping[Platform, type[YouTubeMetadata] | type[VkMetadata]] = {
    Platform.YOUTUBE: YouTubeMetadata,
    Platform.VK: VkMetadata,
}
PLATFORM_BLOCKS: Mapping[Platform, str] = {each: each.lower() for each in Platform}

BASE_MODELS: Mapping[str, tuple[Block, type[Any], tuple[str, ...]]] = {
    "processing": (Block.PROCESSING, VideoConfig, ("video",)),
    "transcription": (Block.PROCESSING, TranscriptionConfig, ("transcription",)),
    "metadata": (Block.METADATA, MetadataConfig, ()),
    "upload": (Block.OUTPUT, OutputConfig, ()),
}
"""What a `base_configs.config_type` names: the block, its shape, and its place there."""

Placed = Iterator[tuple[Block, Layer]]


@dataclass(frozen=True)
class Preset:
    """A row of `output_presets`."""

    id: int
    name: str
    platform: Platform
    metadata: object = None

    @property
    def layer(self) -> Layer:
        origin = Origin(OriginKind.PRESET, self.id, self.name)
        return Layer(origin, PLATFORM_MODELS[self.platform], self.metadata, "preset_metadata")


@dataclass(frozen=True)
class Configuration:
    """All that is said about a recording. Nothing is judged until it is asked for, so that a wrong
    title keeps nobody from transcribing; every method raises `InputError` naming row and path.
    """

    layers: Mapping[Block, tuple[Layer, ...]]
    presets: Mapping[Platform, Preset] = field(default_factory=dict)

    def processing(self) -> Resolved[ProcessingConfig]:
        return resolve(ProcessingConfig, _said(self.layers[Block.PROCESSING]))

    def output(self) -> Resolved[OutputConfig]:
        return resolve(OutputConfig, _said(self.layers[Block.OUTPUT]))

    def metadata(self, platform: Platform) -> Resolved[PlatformMetadata]:
        """What is published on the platform, with its preset if there is one."""
        model: type[PlatformMetadata] = PLATFORM_MODELS[platform]
        return resolve(model, self._published(platform))

    def _published(self, platform: Platform) -> Iterator[tuple[Json, Origin]]:
        preset = self.presets.get(platform)
        for layer in self.layers[Block.METADATA]:
            over = layer.origin.kind in (OriginKind.TEMPLATE, OriginKind.RECORDING)
            if over and preset is not None:
                yield preset.layer.said(), preset.layer.origin
                preset = None
            yield from _for_platform(layer, platform)
        if preset is not None:
            yield preset.layer.said(), preset.layer.origin


def configuration(
    placed: Iterable[tuple[Block, Layer]], presets: Iterable[Preset] = ()
) -> Configuration:
    """The layers, the weakest first, by their blocks."""
    rows = list(placed)
    layers = {block: tuple(layer for at, layer in rows if at is block) for block in Block}
    return Configuration(layers, one_a_platform(presets))


def one_a_platform(presets: Iterable[Preset]) -> dict[Platform, Preset]:
    """The presets by platform; raises `InputError` naming both where a platform has two."""
    chosen: dict[Platform, Preset] = {}
    for preset in presets:
        other = chosen.setdefault(preset.platform, preset)
        if other.id != preset.id:
            msg = (
                f'The presets "{other.name}" ({other.id}) and "{preset.name}" ({preset.id}) are '
                f"both for {preset.platform}: keep one of them in `output_config.preset_ids`."
            )
            raise InputError(msg)
    return chosen


def of_base(origin: Origin, config_type: str | None, data: object) -> Placed:
    """A row of `base_configs`; a type that names no block says nothing."""
    if config_type is not None and config_type in BASE_MODELS:
        block, model, at = BASE_MODELS[config_type]
        yield block, Layer(origin, model, data, "config_data", at=at)


def of_user(
    origin: Origin, *, processing: object, transcription: object, metadata: object, upload: object
) -> Placed:
    """A row of `user_configs`, by its columns."""
    yield Block.PROCESSING, Layer(origin, VideoConfig, processing, "processing_config", at=_VIDEO)
    yield (
        Block.PROCESSING,
        Layer(origin, TranscriptionConfig, transcription, "transcription_config", at=_SPEECH),
    )
    yield Block.METADATA, Layer(origin, MetadataConfig, metadata, "metadata_config")
    yield Block.OUTPUT, Layer(origin, OutputConfig, upload, "upload_config")


def of_template(origin: Origin, *, processing: object, metadata: object, output: object) -> Placed:
    """A row of `recording_templates`, by its columns."""
    yield Block.PROCESSING, Layer(origin, ProcessingConfig, processing, "processing_config")
    yield Block.METADATA, Layer(origin, MetadataConfig, metadata, "metadata_config")
    yield Block.OUTPUT, Layer(origin, OutputConfig, output, "output_config")


def of_recording(origin: Origin, preferences: object) -> Placed:
    """`recordings.processing_preferences`, whose parts are those of a template."""

    def part(pick: tuple[str, ...], at: tuple[str, ...] = ()) -> Layer:
        return Layer(origin, RecordingPreferences, preferences, "processing_preferences", pick, at)

    yield Block.PROCESSING, part(_VIDEO, _VIDEO)
    yield Block.PROCESSING, part(_SPEECH, _SPEECH)
    yield Block.METADATA, part((Block.METADATA,))
    yield Block.OUTPUT, part((Block.OUTPUT,))


_VIDEO = ("video",)
_SPEECH = ("transcription",)


def _said(layers: Iterable[Layer]) -> Iterator[tuple[Json, Origin]]:
    return ((layer.said(), layer.origin) for layer in layers)


def _for_platform(layer: Layer, platform: Platform) -> Iterator[tuple[Json, Origin]]:
    said = layer.said()
    blocks = PLATFORM_BLOCKS.values()
    yield {key: value for key, value in said.items() if key not in blocks}, layer.origin
    yield said.get(PLATFORM_BLOCKS[platform], {}), layer.origin
