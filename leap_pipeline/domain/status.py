"""A recording's status as a projection of its facts; the status itself is never set by anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from leap_pipeline.domain.states import (
    DownloadStatus,
    Platform,
    RecordingStatus,
    Stage,
    StageStatus,
    TargetStatus,
)

DOWNLOAD = "DOWNLOAD"


@dataclass(frozen=True)
class Failure:
    """Where, when (timezone-aware), why and after how many retries something failed."""

    at_stage: str
    at: datetime | None
    reason: str | None
    retry_count: int = 0


@dataclass(frozen=True)
class StageFact:
    status: StageStatus
    failed_at: datetime | None = None
    failed_reason: str | None = None
    retry_count: int = 0


@dataclass(frozen=True)
class TargetFact:
    status: TargetStatus
    failed_at: datetime | None = None
    failed_reason: str | None = None
    retry_count: int = 0


@dataclass(frozen=True)
class RecordingFacts:
    """What is known of a recording; `download_failure` is set when its download FAILED."""

    download: DownloadStatus
    skip_reason: str | None = None
    download_failure: Failure | None = None
    stages: Mapping[Stage, StageFact] = field(default_factory=dict)
    targets: Mapping[Platform, TargetFact] = field(default_factory=dict)


@dataclass(frozen=True)
class Projection:
    """The values of `recordings.status` and of its `failed*` columns; no failure = None."""

    status: RecordingStatus
    failure: Failure | None


def first_failure(facts: RecordingFacts) -> Failure | None:
    """The earliest failure in pipeline order: download, stages, then targets."""
    if facts.download is DownloadStatus.FAILED:
        return facts.download_failure or Failure(DOWNLOAD, None, None)
    for stage in Stage:
        found = facts.stages.get(stage)
        if found is not None and found.status is StageStatus.FAILED:
            return Failure(stage, found.failed_at, found.failed_reason, found.retry_count)
    for platform in Platform:
        target = facts.targets.get(platform)
        if target is not None and target.status is TargetStatus.FAILED:
            return Failure(platform, target.failed_at, target.failed_reason, target.retry_count)
    return None


def project(facts: RecordingFacts) -> Projection:
    """The first rule that holds decides."""
    status = _before_failure(facts)
    if status is not None:
        return Projection(status, None)
    failure = first_failure(facts)
    if failure is not None:
        return Projection(RecordingStatus.FAILED, failure)
    return Projection(_after_failure(facts), None)


def _before_failure(facts: RecordingFacts) -> RecordingStatus | None:
    stages = {fact.status for fact in facts.stages.values()}
    targets = {fact.status for fact in facts.targets.values()}
    rules = (
        (facts.skip_reason is not None, RecordingStatus.SKIPPED),
        (facts.download is DownloadStatus.PENDING_SOURCE, RecordingStatus.PENDING_SOURCE),
        (StageStatus.IN_PROGRESS in stages, RecordingStatus.PROCESSING),
        (TargetStatus.UPLOADING in targets, RecordingStatus.UPLOADING),
        (facts.download is DownloadStatus.IN_PROGRESS, RecordingStatus.DOWNLOADING),
    )
    return next((status for holds, status in rules if holds), None)


def _after_failure(facts: RecordingFacts) -> RecordingStatus:
    stages = {fact.status for fact in facts.stages.values()}
    targets = {fact.status for fact in facts.targets.values()}
    finished = stages & {StageStatus.COMPLETED, StageStatus.SKIPPED}
    if facts.download is not DownloadStatus.COMPLETED:
        return RecordingStatus.INITIALIZED
    if StageStatus.PENDING in stages:
        return RecordingStatus.PROCESSING if finished else RecordingStatus.DOWNLOADED
    if not targets or TargetStatus.NOT_UPLOADED in targets:
        return RecordingStatus.PROCESSED
    return RecordingStatus.READY
