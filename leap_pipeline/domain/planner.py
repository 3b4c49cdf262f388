"""Which assets a recording still needs, and why not the others. A pure function of the facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from leap_pipeline.domain.holds import Hold, held
from leap_pipeline.domain.permissions import NEW_USER, Permission, Rights, why_not
from leap_pipeline.domain.shapes.processing import ProcessingConfig
from leap_pipeline.domain.states import (
    DownloadStatus,
    Phase,
    Platform,
    Stage,
    StageStatus,
    TargetStatus,
)
from leap_pipeline.domain.status import RecordingFacts


class Asset(StrEnum):
    """The artifacts of a recording, in pipeline order; the values are Dagster's asset keys."""

    RAW_VIDEO = "raw_video"
    TRIMMED_VIDEO = "trimmed_video"
    AUDIO = "audio"
    TRANSCRIPT = "transcript"
    TOPICS = "topics"
    SUBTITLES = "subtitles"
    YOUTUBE_UPLOAD = "youtube_upload"
    VK_UPLOAD = "vk_upload"


PREPARE_ASSETS = tuple(Asset)[:6]
UPLOADS: Mapping[Platform, Asset] = {
    Platform.YOUTUBE: Asset.YOUTUBE_UPLOAD,
    Platform.VK: Asset.VK_UPLOAD,
}
PLATFORM_OF: Mapping[Asset, Platform] = {asset: platform for platform, asset in UPLOADS.items()}
STAGE_ASSET: Mapping[Stage, Asset] = {
    Stage.TRANSCRIBE: Asset.TRANSCRIPT,
    Stage.EXTRACT_TOPICS: Asset.TOPICS,
    Stage.GENERATE_SUBTITLES: Asset.SUBTITLES,
}
NEEDS: Mapping[Asset, tuple[Asset, ...]] = {
    Asset.TRIMMED_VIDEO: (Asset.RAW_VIDEO,),
    Asset.AUDIO: (Asset.RAW_VIDEO, Asset.TRIMMED_VIDEO),
    Asset.TRANSCRIPT: (Asset.AUDIO,),
    Asset.TOPICS: (Asset.TRANSCRIPT,),
    Asset.SUBTITLES: (Asset.TRANSCRIPT,),
}
PLATFORM_NAMES: Mapping[Platform, str] = {Platform.YOUTUBE: "YouTube", Platform.VK: "VK"}

DONE = "already done"


@dataclass(frozen=True)
class PlanInput:
    """Everything a plan depends on. The two artifact flags tell the halves of TRIM apart."""

    facts: RecordingFacts
    config: ProcessingConfig
    rights: Rights = NEW_USER
    deleted: bool = False
    holds: tuple[Hold, ...] = ()
    has_trimmed_video: bool = False
    has_audio: bool = False
    steps_left: frozenset[Platform] = frozenset()
    """Platforms on which something is left to do beside a published video."""


@dataclass(frozen=True)
class Plan:
    """`skip` and `unskip` are the stage moves to make before a launch; `refused` stops it all."""

    selection: tuple[Asset, ...] = ()
    left_out: Mapping[Asset, str] = field(default_factory=dict)
    skip: Mapping[Stage, str] = field(default_factory=dict)
    unskip: tuple[Stage, ...] = ()
    refused: str | None = None

    def digest(self, config: ProcessingConfig) -> str:
        """Twelve hex digits that change when what would be done changes."""
        content = {"selection": self.selection, "config": config.model_dump(mode="json")}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def plan_prepare(given: PlanInput) -> Plan:
    """The assets of the prepare phase that are still to be made."""
    refused = refusal(given.facts, Phase.PREPARE, deleted=given.deleted, holds=given.holds)
    if refused is not None:
        return Plan(left_out=dict.fromkeys(PREPARE_ASSETS, refused), refused=refused)
    unwanted = unwanted_stages(given)
    left_out: dict[Asset, str] = {}
    if given.facts.download is DownloadStatus.COMPLETED:
        left_out[Asset.RAW_VIDEO] = DONE
    left_out |= _trim_left_out(given, unwanted)
    for stage, asset in STAGE_ASSET.items():
        if stage in unwanted:
            left_out[asset] = unwanted[stage]
        elif _status(given, stage) is StageStatus.COMPLETED:
            left_out[asset] = DONE
    statuses = {stage: _status(given, stage) for stage in Stage}
    return Plan(
        selection=tuple(asset for asset in PREPARE_ASSETS if asset not in left_out),
        left_out=left_out,
        skip={
            stage: reason
            for stage, reason in unwanted.items()
            if statuses[stage] in (StageStatus.PENDING, StageStatus.FAILED)
        },
        unskip=tuple(
            stage
            for stage in Stage
            if statuses[stage] is StageStatus.SKIPPED and stage not in unwanted
        ),
    )


def plan_publish(given: PlanInput, platform: Platform) -> Plan:
    """The upload of one target, or why not."""
    asset = UPLOADS[platform]
    refused = refusal(
        given.facts, Phase.PUBLISH, platform, deleted=given.deleted, holds=given.holds
    )
    reason = refused or _no_upload(given, platform)
    if reason is not None:
        return Plan(left_out={asset: reason}, refused=refused)
    return Plan(selection=(asset,))


def refusal(
    facts: RecordingFacts,
    phase: Phase,
    platform: Platform | None = None,
    *,
    deleted: bool = False,
    holds: Iterable[Hold] = (),
) -> str | None:
    """Why a piece of work may not be begun at all, whatever its configuration; None where it may.

    A hold on one target stops that target alone; one on the recording stops the publishing of all
    its targets, and a pause of it the prepare phase too.
    """
    if deleted:
        return "the recording is deleted; restore it first"
    if facts.skip_reason is not None:
        return f"the recording is skipped: {facts.skip_reason}"
    if facts.download is DownloadStatus.PENDING_SOURCE:
        return "its source has not finished preparing it"
    return held(holds, phase, platform)


def unwanted_stages(given: PlanInput) -> dict[Stage, str]:
    """The stages that are switched off, not permitted, or without what they need; and why."""
    unwanted: dict[Stage, str] = {}
    speech = given.config.transcription
    if not given.config.video.remove_silence:
        unwanted[Stage.TRIM] = "removing silence is switched off (video.remove_silence)"
    elif denied := why_not(given.rights, Permission.PROCESS_VIDEO):
        unwanted[Stage.TRIM] = denied
    if not speech.enable_transcription:
        off = "transcription is switched off (transcription.enable_transcription)"
        unwanted[Stage.TRANSCRIBE] = off
    elif no_speech := why_not(given.rights, Permission.TRANSCRIBE):
        unwanted[Stage.TRANSCRIBE] = no_speech
    if Stage.TRANSCRIBE in unwanted and not _completed(given, Stage.TRANSCRIBE):
        nothing = f"there is no transcript: {unwanted[Stage.TRANSCRIBE]}"
        unwanted[Stage.EXTRACT_TOPICS] = unwanted[Stage.GENERATE_SUBTITLES] = nothing
    elif not given.rights.may(Permission.TRANSCRIBE):
        # An older transcript is there, but the permission covers what is made of it too.
        denied = "the owner may not work on transcripts (can_transcribe is off)"
        unwanted[Stage.EXTRACT_TOPICS] = unwanted[Stage.GENERATE_SUBTITLES] = denied
    if not speech.enable_topics:
        unwanted[Stage.EXTRACT_TOPICS] = "topics are switched off (transcription.enable_topics)"
    if not speech.enable_subtitles:
        off = "subtitles are switched off (transcription.enable_subtitles)"
        unwanted[Stage.GENERATE_SUBTITLES] = off
    return {stage: reason for stage, reason in unwanted.items() if not _completed(given, stage)}


def missing_input(asset: Asset, plan: Plan) -> Asset | None:
    """What must be made before `asset` can be; None where it can begin."""
    return next((each for each in NEEDS.get(asset, ()) if each in plan.selection), None)


def stage_of(asset: Asset, skipped: Mapping[Stage, str]) -> Stage | None:
    """The stage that an asset's work is booked on; `audio` moves to TRANSCRIBE without TRIM."""
    if asset in (Asset.TRIMMED_VIDEO, Asset.AUDIO):
        without_trim = asset is Asset.AUDIO and Stage.TRIM in skipped
        return Stage.TRANSCRIBE if without_trim else Stage.TRIM
    return next((stage for stage, made in STAGE_ASSET.items() if made is asset), None)


def dependents(stage: Stage) -> tuple[Stage, ...]:
    """The stage itself and every stage that uses its result, in pipeline order."""
    if stage is Stage.TRIM:
        return tuple(Stage)
    if stage is Stage.TRANSCRIBE:
        return (Stage.TRANSCRIBE, Stage.EXTRACT_TOPICS, Stage.GENERATE_SUBTITLES)
    return (stage,)


def _trim_left_out(given: PlanInput, unwanted: Mapping[Stage, str]) -> dict[Asset, str]:
    if _completed(given, Stage.TRIM):
        return {Asset.TRIMMED_VIDEO: DONE, Asset.AUDIO: DONE}
    left_out: dict[Asset, str] = {}
    if Stage.TRIM in unwanted:
        left_out[Asset.TRIMMED_VIDEO] = unwanted[Stage.TRIM]
        if Stage.TRANSCRIBE in unwanted:
            left_out[Asset.AUDIO] = unwanted[Stage.TRANSCRIBE]
        elif given.has_audio or _completed(given, Stage.TRANSCRIBE):
            left_out[Asset.AUDIO] = DONE
        return left_out
    if given.has_trimmed_video:
        left_out[Asset.TRIMMED_VIDEO] = DONE
    return left_out


def _no_upload(given: PlanInput, platform: Platform) -> str | None:
    target = given.facts.targets.get(platform)
    if target is None:
        return f"no {PLATFORM_NAMES[platform]} preset is configured for this recording"
    if target.status is TargetStatus.UPLOADED and platform not in given.steps_left:
        return DONE
    if given.facts.download is not DownloadStatus.COMPLETED:
        return "there is no video yet: run the recording first"
    return why_not(given.rights, Permission.UPLOAD)


def _status(given: PlanInput, stage: Stage) -> StageStatus:
    fact = given.facts.stages.get(stage)
    return StageStatus.PENDING if fact is None else fact.status


def _completed(given: PlanInput, stage: Stage) -> bool:
    return _status(given, stage) is StageStatus.COMPLETED
