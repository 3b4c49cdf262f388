"""Which assets a recording still needs, and why not the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.domain.planner import (
    DONE,
    NEEDS,
    PREPARE_ASSETS,
    Asset,
    Plan,
    PlanInput,
    dependents,
    missing_input,
    plan_prepare,
    plan_publish,
    stage_of,
)
from leap_pipeline.domain.shapes.processing import (
    ProcessingConfig,
    TranscriptionConfig,
    VideoConfig,
)
from leap_pipeline.domain.states import (
    DownloadStatus,
    Platform,
    Stage,
    StageStatus,
    TargetStatus,
)
from leap_pipeline.domain.status import RecordingFacts, StageFact, TargetFact

S, A = StageStatus, Asset
TRIM, TRANSCRIBE, TOPICS, SUBTITLES = Stage
PROCESS_VIDEO, SPEECH = Permission.PROCESS_VIDEO, Permission.TRANSCRIBE
NO_SILENCE = "removing silence is switched off (video.remove_silence)"
NO_SPEECH = "transcription is switched off (transcription.enable_transcription)"
NO_TOPICS = "topics are switched off (transcription.enable_topics)"
NO_SUBTITLES = "subtitles are switched off (transcription.enable_subtitles)"
MAY_NOT_TRIM = "the owner may not process video (can_process_video is off)"
MAY_NOT_TRANSCRIBE = "the owner may not transcribe (can_transcribe is off)"


def denied(*answers: tuple[Permission, bool]) -> list[Permission]:
    return [permission for permission, allowed in answers if not allowed]


def config(
    *, trim: bool = True, speech: bool = True, topics: bool = True, subtitles: bool = True
) -> ProcessingConfig:
    return ProcessingConfig(
        video=VideoConfig(remove_silence=trim),
        transcription=TranscriptionConfig(
            enable_transcription=speech, enable_topics=topics, enable_subtitles=subtitles
        ),
    )


def given(
    stages: tuple[StageStatus, ...] = (S.PENDING,) * 4,
    *,
    download: DownloadStatus = DownloadStatus.COMPLETED,
    settings: ProcessingConfig | None = None,
    missing: Iterable[Permission] = (),
    skip_reason: str | None = None,
    target: TargetStatus | None = None,
    deleted: bool = False,
    video: bool = False,
    audio: bool = False,
) -> PlanInput:
    known = zip(Stage, stages, strict=False)
    return PlanInput(
        facts=RecordingFacts(
            download=download,
            skip_reason=skip_reason,
            stages={stage: StageFact(status) for stage, status in known},
            targets={Platform.YOUTUBE: TargetFact(target)} if target else {},
        ),
        config=settings or config(),
        rights=Rights(permissions=frozenset(Permission) - set(missing)),
        deleted=deleted,
        has_trimmed_video=video,
        has_audio=audio,
    )


def test_a_new_recording_needs_everything() -> None:
    plan = plan_prepare(given(download=DownloadStatus.PENDING))
    assert plan == Plan(selection=PREPARE_ASSETS)
    assert plan_prepare(given((), download=DownloadStatus.PENDING)) == plan


def test_a_finished_recording_needs_nothing() -> None:
    plan = plan_prepare(given((S.COMPLETED,) * 4, video=True, audio=True))
    assert plan == Plan(left_out=dict.fromkeys(PREPARE_ASSETS, DONE))


def test_what_is_switched_off_afterwards_stays_done() -> None:
    off = config(trim=False, speech=False, topics=False, subtitles=False)
    plan = plan_prepare(given((S.COMPLETED,) * 4, settings=off))
    assert plan == Plan(left_out=dict.fromkeys(PREPARE_ASSETS, DONE))


@pytest.mark.parametrize("may_trim", [True, False])
@pytest.mark.parametrize("may_transcribe", [True, False])
@pytest.mark.parametrize("switches", list(itertools.product([True, False], repeat=4)))
def test_each_combination_of_switches_and_permissions(
    switches: tuple[bool, bool, bool, bool], may_transcribe: bool, may_trim: bool
) -> None:
    trim, speech, topics, subtitles = switches
    plan = plan_prepare(
        given(
            settings=config(trim=trim, speech=speech, topics=topics, subtitles=subtitles),
            missing=denied((PROCESS_VIDEO, may_trim), (SPEECH, may_transcribe)),
        )
    )
    reasons: dict[Stage, str] = {}
    if not (trim and may_trim):
        reasons[TRIM] = MAY_NOT_TRIM if trim else NO_SILENCE
    if not (speech and may_transcribe):
        why = MAY_NOT_TRANSCRIBE if speech else NO_SPEECH
        reasons[TRANSCRIBE] = why
        reasons[TOPICS] = reasons[SUBTITLES] = f"there is no transcript: {why}"
    if not topics:
        reasons[TOPICS] = NO_TOPICS
    if not subtitles:
        reasons[SUBTITLES] = NO_SUBTITLES
    assert plan.skip == reasons
    assert plan.unskip == ()
    wanted = {
        A.TRIMMED_VIDEO: TRIM not in reasons,
        A.AUDIO: TRIM not in reasons or TRANSCRIBE not in reasons,
        A.TRANSCRIPT: TRANSCRIBE not in reasons,
        A.TOPICS: TOPICS not in reasons,
        A.SUBTITLES: SUBTITLES not in reasons,
    }
    assert plan.selection == tuple(asset for asset, needed in wanted.items() if needed)
    assert set(plan.left_out) == set(PREPARE_ASSETS) - set(plan.selection)


def test_without_trim_the_audio_is_booked_on_transcribe() -> None:
    plan = plan_prepare(given(settings=config(trim=False)))
    assert A.AUDIO in plan.selection
    assert stage_of(A.AUDIO, plan.skip) is TRANSCRIBE
    assert stage_of(A.AUDIO, {}) is TRIM
    assert stage_of(A.TRIMMED_VIDEO, plan.skip) is TRIM
    assert [stage_of(each, {}) for each in A] == [
        None, TRIM, TRIM, TRANSCRIBE, TOPICS, SUBTITLES, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stages", "flags", "selection"),
    [
        ((S.SKIPPED, S.PENDING), (False, True), (A.TRANSCRIPT, A.TOPICS, A.SUBTITLES)),
        ((S.SKIPPED, S.FAILED), (False, False), (A.AUDIO, A.TRANSCRIPT, A.TOPICS, A.SUBTITLES)),
        ((S.SKIPPED, S.COMPLETED), (False, False), (A.TOPICS, A.SUBTITLES)),
    ],
)
def test_without_trim_the_audio_is_made_once(
    stages: tuple[StageStatus, ...], flags: tuple[bool, bool], selection: tuple[Asset, ...]
) -> None:
    video, audio = flags
    plan = plan_prepare(given(stages, settings=config(trim=False), video=video, audio=audio))
    assert plan.selection == selection


def test_the_second_half_of_trim_goes_on_from_the_first() -> None:
    plan = plan_prepare(given((S.PENDING,) * 4, video=True))
    assert plan.left_out == {A.RAW_VIDEO: DONE, A.TRIMMED_VIDEO: DONE}
    assert plan.selection[0] is A.AUDIO


def test_failed_stages_are_done_again_and_finished_ones_are_not() -> None:
    plan = plan_prepare(given((S.COMPLETED, S.COMPLETED, S.FAILED, S.COMPLETED)))
    assert plan.selection == (A.TOPICS,)
    assert set(plan.left_out.values()) == {DONE}


def test_a_failed_stage_that_is_switched_off_becomes_skipped() -> None:
    stages = (S.COMPLETED, S.COMPLETED, S.FAILED, S.COMPLETED)
    plan = plan_prepare(given(stages, settings=config(topics=False)))
    assert plan.skip == {TOPICS: NO_TOPICS}
    assert plan.selection == ()


def test_a_stage_in_progress_is_not_skipped_under_its_worker() -> None:
    plan = plan_prepare(given((S.IN_PROGRESS,), settings=config(trim=False)))
    assert TRIM not in plan.skip


def test_a_skipped_stage_wakes_when_its_reason_is_gone() -> None:
    skipped = (S.SKIPPED,) * 4
    assert plan_prepare(given(skipped)).unskip == tuple(Stage)
    assert plan_prepare(given(skipped, settings=config(trim=False))).unskip == tuple(Stage)[1:]
    off = config(speech=False)
    assert plan_prepare(given(skipped, settings=off)).unskip == (TRIM,)


def test_an_old_transcript_serves_where_transcription_is_off_but_not_where_it_is_forbidden() -> (
    None
):
    stages = (S.COMPLETED, S.COMPLETED, S.PENDING, S.PENDING)
    off = plan_prepare(given(stages, settings=config(speech=False)))
    assert off.selection == (A.TOPICS, A.SUBTITLES)
    forbidden = plan_prepare(given(stages, missing=[SPEECH]))
    assert forbidden.selection == ()
    assert set(forbidden.skip) == {TOPICS, SUBTITLES}
    assert all("can_transcribe is off" in reason for reason in forbidden.skip.values())


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"deleted": True}, "the recording is deleted; restore it first"),
        ({"skip_reason": "blank"}, "the recording is skipped: blank"),
        (
            {"download": DownloadStatus.PENDING_SOURCE},
            "its source has not finished preparing it",
        ),
    ],
)
def test_a_refusal_stops_both_phases(changed: dict[str, object], reason: str) -> None:
    facts = given(**changed, target=TargetStatus.UPLOADED)  # type: ignore[arg-type]
    assert plan_prepare(facts) == Plan(
        left_out=dict.fromkeys(PREPARE_ASSETS, reason), refused=reason
    )
    assert plan_publish(facts, Platform.YOUTUBE) == Plan(
        left_out={A.YOUTUBE_UPLOAD: reason}, refused=reason
    )


def test_publishing_without_a_target_says_that_no_preset_is_configured() -> None:
    done = given((S.COMPLETED,) * 4)
    youtube, vk = (plan_publish(done, platform) for platform in Platform)
    assert youtube.left_out == {
        A.YOUTUBE_UPLOAD: "no YouTube preset is configured for this recording"
    }
    assert vk.left_out == {A.VK_UPLOAD: "no VK preset is configured for this recording"}
    assert youtube.selection == vk.selection == ()
    assert youtube.refused is None


@pytest.mark.parametrize(
    ("target", "permitted", "reason"),
    [
        (TargetStatus.NOT_UPLOADED, True, None),
        (TargetStatus.UPLOADING, True, None),
        (TargetStatus.FAILED, True, None),
        (TargetStatus.UPLOADED, True, DONE),
        (TargetStatus.UPLOADED, False, DONE),
        (TargetStatus.NOT_UPLOADED, False, "the owner may not publish (can_upload is off)"),
    ],
)
def test_publishing_a_target(target: TargetStatus, permitted: bool, reason: str | None) -> None:
    facts = given(target=target, missing=denied((Permission.UPLOAD, permitted)))
    plan = plan_publish(facts, Platform.YOUTUBE)
    assert plan.selection == (() if reason else (A.YOUTUBE_UPLOAD,))
    assert plan.left_out.get(A.YOUTUBE_UPLOAD) == reason


def test_the_digest_follows_what_would_be_done_and_how() -> None:
    plan, same = plan_prepare(given()), plan_prepare(given())
    fewer = plan_prepare(given((S.COMPLETED,)))
    louder = ProcessingConfig(video=VideoConfig(silence_threshold=-30))
    assert plan.digest(config()) == same.digest(config())
    assert len(plan.digest(config())) == 12
    digests = {plan.digest(config()), fewer.digest(config()), plan.digest(louder)}
    assert len(digests) == 3


def test_a_forced_stage_takes_along_all_that_uses_it() -> None:
    assert dependents(TRIM) == tuple(Stage)
    assert dependents(TRANSCRIBE) == (TRANSCRIBE, TOPICS, SUBTITLES)
    assert dependents(TOPICS) == (TOPICS,)
    assert dependents(SUBTITLES) == (SUBTITLES,)


def test_an_asset_waits_for_what_it_is_made_from() -> None:
    everything = plan_prepare(given(download=DownloadStatus.PENDING))
    assert missing_input(A.RAW_VIDEO, everything) is None
    assert missing_input(A.AUDIO, everything) is A.RAW_VIDEO
    assert missing_input(A.SUBTITLES, everything) is A.TRANSCRIPT
    untrimmed = plan_prepare(given(settings=config(trim=False)))
    assert missing_input(A.AUDIO, untrimmed) is None
    assert missing_input(A.TRANSCRIPT, untrimmed) is A.AUDIO


statuses = st.sampled_from([S.PENDING, S.COMPLETED, S.FAILED, S.SKIPPED])


@examples(
    stages=st.tuples(statuses, statuses, statuses, statuses),
    switches=st.tuples(*[st.booleans()] * 4),
    permitted=st.tuples(st.booleans(), st.booleans()),
    video=st.booleans(),
)
def test_every_asset_is_either_selected_or_explained_and_can_be_made_in_order(
    stages: tuple[StageStatus, ...],
    switches: tuple[bool, bool, bool, bool],
    permitted: tuple[bool, bool],
    video: bool,
) -> None:
    trim, speech, topics, subtitles = switches
    plan = plan_prepare(
        given(
            stages,
            settings=config(trim=trim, speech=speech, topics=topics, subtitles=subtitles),
            missing=denied((PROCESS_VIDEO, permitted[0]), (SPEECH, permitted[1])),
            video=video,
        )
    )
    assert not set(plan.selection) & set(plan.left_out)
    assert set(plan.selection) | set(plan.left_out) == set(PREPARE_ASSETS)
    assert not set(plan.skip) & set(plan.unskip)
    for asset in plan.selection:
        earlier = plan.selection[: plan.selection.index(asset)]
        assert all(need in earlier or need in plan.left_out for need in NEEDS.get(asset, ()))
    for stage in plan.skip:
        assert stages[list(Stage).index(stage)] in (S.PENDING, S.FAILED)
