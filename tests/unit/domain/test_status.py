"""The status is the first rule that holds, whatever else is true."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
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


# The design's sentence, rule by rule: download, stages and targets as words, and whether skipped.
RULES: list[tuple[str, Callable[[str, list[str], list[str], bool], bool]]] = [
    ("SKIPPED", lambda _d, _s, _t, skipped: skipped),
    ("PENDING_SOURCE", lambda d, _s, _t, _skip: d == "PENDING_SOURCE"),
    ("PROCESSING", lambda _d, s, _t, _skip: "IN_PROGRESS" in s),
    ("UPLOADING", lambda _d, _s, t, _skip: "UPLOADING" in t),
    ("DOWNLOADING", lambda d, _s, _t, _skip: d == "IN_PROGRESS"),
    ("FAILED", lambda d, s, t, _skip: "FAILED" in [d, *s, *t]),
    ("INITIALIZED", lambda d, _s, _t, _skip: d != "COMPLETED"),
    ("DOWNLOADED", lambda _d, s, _t, _skip: "PENDING" in s and set(s) == {"PENDING"}),
    ("PROCESSING", lambda _d, s, _t, _skip: "PENDING" in s),
    ("PROCESSED", lambda _d, _s, t, _skip: not t or "NOT_UPLOADED" in t),
    ("READY", lambda _d, _s, _t, _skip: True),
]


def expected(download: str, stages: list[str], targets: list[str], skipped: bool) -> str:
    given = (download, stages, targets, skipped)
    return next(status for status, holds in RULES if holds(*given))


def test_every_combination_follows_the_rules_in_their_order() -> None:
    """Every download, with every mix of statuses of up to four stages and two targets."""
    mixes = [
        list(mix) for count in range(5) for mix in itertools.combinations_with_replacement(S, count)
    ]
    published = [list(mix) for count in range(3) for mix in itertools.product(T, repeat=count)]
    decided: Counter[int] = Counter()
    for download, stages, targets, skipped in itertools.product(D, mixes, published, (0, 1)):
        words = (str(download), [str(s) for s in stages], [str(t) for t in targets], bool(skipped))
        status = project(facts(download, stages, targets, "why" if skipped else None)).status
        assert status == expected(*words), words
        decided[next(n for n, (_, holds) in enumerate(RULES) if holds(*words))] += 1
    assert set(decided) == set(range(len(RULES))), "a rule that never decides"


def test_which_of_the_stages_has_a_status_makes_no_difference() -> None:
    for mix in itertools.combinations_with_replacement(S, 4):
        orders = set(itertools.permutations(mix))
        assert len({project(facts(stages=order)).status for order in orders}) == 1


def test_of_every_set_of_failures_the_earliest_is_told() -> None:
    for broken in itertools.product((False, True), repeat=7):
        names = ["DOWNLOAD", *Stage, *Platform]
        given = facts(
            D.FAILED if broken[0] else D.COMPLETED,
            [S.FAILED if each else S.COMPLETED for each in broken[1:5]],
            [T.FAILED if each else T.UPLOADED for each in broken[5:]],
        )
        failure = project(given).failure
        first = next((name for name, is_broken in zip(names, broken, strict=True) if is_broken), "")
        assert (failure.at_stage if failure else "") == first


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
