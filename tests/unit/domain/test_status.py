"""The status is the first rule that holds, whatever else is true."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.states import (
    DownloadStatus,
    Platform,
    RecordingStatus,
    Stage,
    StageStatus,
    TargetStatus,
)
from leap_pipeline.domain.status import (
    DOWNLOAD,
    Failure,
    RecordingFacts,
    StageFact,
    TargetFact,
    first_failure,
    project,
)

WHEN = datetime(2026, 11, 1, 12, tzinfo=UTC)
D, S, T = DownloadStatus, StageStatus, TargetStatus


def facts(
    download: DownloadStatus = D.COMPLETED,
    stages: Iterable[StageStatus] = (S.PENDING,) * 4,
    targets: Iterable[TargetStatus] = (),
    skip_reason: str | None = None,
) -> RecordingFacts:
    return RecordingFacts(
        download=download,
        skip_reason=skip_reason,
        download_failure=Failure(DOWNLOAD, WHEN, "no bytes", 2) if download is D.FAILED else None,
        stages={
            stage: StageFact(status, WHEN, f"{stage} broke", 3)
            for stage, status in zip(Stage, stages, strict=False)
        },
        targets={
            platform: TargetFact(status, WHEN, f"{platform} broke", 4)
            for platform, status in zip(Platform, targets, strict=False)
        },
    )


def expected(given: RecordingFacts) -> RecordingStatus:
    """The rules in words, one after the other, with no cleverness."""
    stages = [fact.status for fact in given.stages.values()]
    targets = [fact.status for fact in given.targets.values()]
    if given.skip_reason is not None:
        return RecordingStatus.SKIPPED
    if given.download == "PENDING_SOURCE":
        return RecordingStatus.PENDING_SOURCE
    if "IN_PROGRESS" in stages:
        return RecordingStatus.PROCESSING
    if "UPLOADING" in targets:
        return RecordingStatus.UPLOADING
    if given.download == "IN_PROGRESS":
        return RecordingStatus.DOWNLOADING
    if "FAILED" in (*stages, *targets, given.download):
        return RecordingStatus.FAILED
    return expected_of_a_sound_one(given.download, stages, targets)


def expected_of_a_sound_one(
    download: DownloadStatus, stages: list[StageStatus], targets: list[TargetStatus]
) -> RecordingStatus:
    if download != "COMPLETED":
        return RecordingStatus.INITIALIZED
    if "PENDING" in stages and "COMPLETED" not in stages and "SKIPPED" not in stages:
        return RecordingStatus.DOWNLOADED
    if "PENDING" in stages:
        return RecordingStatus.PROCESSING
    if not targets or "NOT_UPLOADED" in targets:
        return RecordingStatus.PROCESSED
    return RecordingStatus.READY


def test_every_combination_follows_the_rules_in_their_order() -> None:
    """All of two stages, both targets, every download, with and without a reason to skip."""
    targets = [(), *((each,) for each in T), *itertools.product(T, T)]
    seen = set()
    for download, stages, published, reason in itertools.product(
        D, itertools.product(S, S), targets, (None, "blank")
    ):
        given = facts(download, stages, published, reason)
        assert project(given).status is expected(given), given
        seen.add(project(given).status)
    assert seen == set(RecordingStatus)


LADDER = [
    (facts(D.FAILED, [S.IN_PROGRESS, S.FAILED], [T.UPLOADING], "by hand"), "SKIPPED"),
    (facts(D.PENDING_SOURCE, [S.IN_PROGRESS, S.FAILED], [T.UPLOADING]), "PENDING_SOURCE"),
    (facts(D.IN_PROGRESS, [S.IN_PROGRESS, S.FAILED], [T.UPLOADING]), "PROCESSING"),
    (facts(D.IN_PROGRESS, [S.PENDING, S.FAILED], [T.UPLOADING]), "UPLOADING"),
    (facts(D.IN_PROGRESS, [S.PENDING, S.FAILED], [T.FAILED]), "DOWNLOADING"),
    (facts(D.FAILED), "FAILED"),
    (facts(D.PENDING, [S.PENDING, S.FAILED]), "FAILED"),
    (facts(stages=[S.COMPLETED] * 4, targets=[T.UPLOADED, T.FAILED]), "FAILED"),
    (facts(D.PENDING), "INITIALIZED"),
    (facts(), "DOWNLOADED"),
    (facts(stages=[S.SKIPPED, S.PENDING, S.PENDING, S.PENDING]), "PROCESSING"),
    (facts(stages=[S.COMPLETED, S.PENDING, S.PENDING, S.PENDING]), "PROCESSING"),
    (facts(stages=[S.COMPLETED, S.SKIPPED, S.SKIPPED, S.SKIPPED]), "PROCESSED"),
    (facts(stages=[S.COMPLETED] * 4, targets=[T.UPLOADED, T.NOT_UPLOADED]), "PROCESSED"),
    (facts(stages=[S.COMPLETED] * 4, targets=[T.UPLOADED, T.UPLOADED]), "READY"),
]


@pytest.mark.parametrize(("given", "status"), LADDER, ids=lambda each: str(each)[:12])
def test_a_rule_hides_those_after_it(given: RecordingFacts, status: str) -> None:
    assert project(given).status == status


def test_the_earliest_failure_is_told() -> None:
    everything = facts(D.FAILED, [S.FAILED] * 4, [T.FAILED] * 2)
    assert first_failure(everything) == Failure(DOWNLOAD, WHEN, "no bytes", 2)
    for number, stage in enumerate(Stage):
        later = [S.COMPLETED] * number + [S.FAILED] * (4 - number)
        assert first_failure(facts(stages=later, targets=[T.FAILED] * 2)) == Failure(
            stage, WHEN, f"{stage} broke", 3
        )
    done = [S.COMPLETED] * 4
    assert first_failure(facts(stages=done, targets=[T.FAILED] * 2)) == Failure(
        "YOUTUBE", WHEN, "YOUTUBE broke", 4
    )
    assert first_failure(facts(stages=done, targets=[T.UPLOADED, T.FAILED])) == Failure(
        "VK", WHEN, "VK broke", 4
    )
    assert first_failure(facts(stages=done, targets=[T.UPLOADED])) is None


def test_a_failed_download_without_details_is_still_a_failure() -> None:
    assert project(RecordingFacts(D.FAILED)).failure == Failure(DOWNLOAD, None, None)


some_facts = st.builds(
    facts,
    download=st.sampled_from(D),
    stages=st.lists(st.sampled_from(S), max_size=4),
    targets=st.lists(st.sampled_from(T), max_size=2),
    skip_reason=st.none() | st.text(max_size=3),
)


@given(some_facts)
def test_a_failure_is_told_exactly_when_the_recording_is_failed(
    given_facts: RecordingFacts,
) -> None:
    projection = project(given_facts)
    assert (projection.failure is not None) == (projection.status is RecordingStatus.FAILED)
    assert projection.status is expected(given_facts)
