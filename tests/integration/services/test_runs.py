"""Requesting runs: what is queued, what is refused, what is forced."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.planner import DONE, PREPARE_ASSETS, Asset
from leap_pipeline.domain.states import Phase, Platform, Stage
from leap_pipeline.errors import AlreadyRunning, InputError, LeapError, UserActionError
from leap_pipeline.services.claim import Token
from leap_pipeline.services.runs import why_nothing
from tests.support.bench import Bench, die, do

NO_TRIM = {"video": {"remove_silence": False}}


def test_a_new_recording_is_queued_for_everything(bench: Bench) -> None:
    recording = bench.recording()
    requested = bench.request(recording)
    assert requested.plan.selection == PREPARE_ASSETS
    run = bench.run(recording)
    assert (run.id, run.generation, run.state) == (requested.run_id, 1, "queued")
    assert run.selection == [str(asset) for asset in PREPARE_ASSETS]
    assert (run.user_id, run.requested_by, run.attempts) == (bench.user_id, "test", 0)


def test_asking_twice_is_one_row(bench: Bench) -> None:
    recording = bench.recording()
    assert bench.request(recording) == bench.request(recording)
    assert len(bench.picture(recording).runs) == 1


def test_asking_at_once_from_many_sides_is_one_row(bench: Bench) -> None:
    recording, seen = bench.recording(), []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        seen.append(bench.request(recording).run_id)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert bench.picture(recording).runs == (("queued", 1, 0),)


def test_a_recording_at_work_is_refused(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    with pytest.raises(AlreadyRunning, match=rf"Recording {recording} is already being processed"):
        bench.request(recording, force=Stage.TRIM)
    assert bench.picture(recording).runs == (("running", 2, 1),)
    work.close()


def test_an_unknown_recording_is_refused(bench: Bench) -> None:
    with pytest.raises(InputError, match="There is no recording 4711"):
        bench.request(4711)
    with pytest.raises(InputError, match="There is no recording 4711"):
        bench.claim(4711)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"deleted": True}, "cannot be run: the recording is deleted; restore it first."),
        ({"skip_reason": "blank"}, "cannot be run: the recording is skipped: blank."),
        ({"download_status": "PENDING_SOURCE"}, "its source has not finished preparing it."),
    ],
)
def test_what_cannot_be_run_says_why(
    bench: Bench, columns: dict[str, object], sentence: str
) -> None:
    recording = bench.recording(**columns)
    with pytest.raises(UserActionError, match=sentence):
        bench.request(recording, force=Stage.TRANSCRIBE)
    assert bench.picture(recording).runs == ()


def test_skipped_stages_get_their_reason(bench: Bench) -> None:
    recording = bench.recording(
        template_id=bench.template({**NO_TRIM, "transcription": {"enable_topics": False}})
    )
    bench.permit(can_transcribe=False)
    requested = bench.request(recording)
    assert requested.plan.selection == (Asset.RAW_VIDEO,)
    found = bench.picture(recording)
    assert set(found.stages.values()) == {"SKIPPED"}
    assert found.reasons["TRIM"] == "removing silence is switched off (video.remove_silence)"
    assert found.reasons["TRANSCRIBE"] == "the owner may not transcribe (can_transcribe is off)"
    assert found.reasons["EXTRACT_TOPICS"].startswith("topics are switched off")
    assert found.reasons["GENERATE_SUBTITLES"].startswith("there is no transcript: the owner")
    assert found.status == found.projected


def test_nothing_left_to_do_makes_no_row_and_says_why(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work)
    work.close()
    requested = bench.request(recording)
    assert requested.run_id is None
    assert set(requested.plan.left_out.values()) == {DONE}
    assert why_nothing(requested.plan) == "everything is already done"
    assert len(bench.picture(recording).runs) == 1


def test_a_queued_row_ends_where_nothing_is_left(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    bench.request(recording)
    bench.configure(
        recording, video={"remove_silence": False}, transcription={"enable_transcription": False}
    )
    requested = bench.request(recording)
    assert requested.run_id is None
    assert "removing silence is switched off" in why_nothing(requested.plan)
    assert bench.run(recording).state == "done"


def test_a_forced_stage_resets_what_uses_it_and_nothing_else(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work)
    work.close()
    assert bench.picture(recording).status == "PROCESSED"
    bench.request(recording, force=Stage.TRANSCRIBE)
    found = bench.picture(recording)
    assert found.stages == {
        "TRIM": "COMPLETED",
        "TRANSCRIBE": "PENDING",
        "EXTRACT_TOPICS": "PENDING",
        "GENERATE_SUBTITLES": "PENDING",
    }
    assert found.status == found.projected == "PROCESSING"
    run = bench.run(recording)
    assert run.selection == ["transcript", "topics", "subtitles"]
    assert run.forced_from == "TRANSCRIBE"
    assert bench.row(recording).processed_audio_path is not None


def test_forcing_trim_forgets_what_it_had_made(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work)
    work.close()
    requested = bench.request(recording, force=Stage.TRIM)
    assert requested.plan.selection == PREPARE_ASSETS[1:]
    row = bench.row(recording)
    assert (row.processed_video_path, row.processed_audio_path) == (None, None)
    assert row.local_video_path is not None


def test_force_makes_a_launch_that_is_on_its_way_void(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work)
    work.fail(Asset.SUBTITLES, None, "once")  # finished: not touched
    work.close()
    first = bench.request(recording, force=Stage.GENERATE_SUBTITLES)
    assert bench.reconcile().launches[0].selection == (Asset.SUBTITLES,)
    second = bench.request(recording, force=Stage.TRANSCRIBE)
    assert (second.run_id, second.generation) == (first.run_id, first.generation + 1)
    launch = bench.reconcile().launches[0]
    assert launch.selection == (Asset.TRANSCRIPT, Asset.TOPICS, Asset.SUBTITLES)
    work = bench.claim(recording, Token(launch.run_id, launch.generation))
    assert do(work) == list(launch.selection)
    work.close()
    assert bench.run(recording).state == "done"


def test_trim_switched_on_again_resets_what_was_made_without_it(bench: Bench) -> None:
    recording = bench.recording()
    bench.configure(recording, **NO_TRIM)
    work = bench.start(recording)
    assert do(work) == [
        Asset.RAW_VIDEO,
        Asset.AUDIO,
        Asset.TRANSCRIPT,
        Asset.TOPICS,
        Asset.SUBTITLES,
    ]
    work.close()
    assert bench.picture(recording).stages["TRIM"] == "SKIPPED"
    assert bench.run(recording).state == "done"
    bench.configure(recording)
    requested = bench.request(recording)
    assert requested.plan.selection == PREPARE_ASSETS[1:]
    found = bench.picture(recording)
    assert set(found.stages.values()) == {"PENDING"}
    assert found.status == found.projected == "DOWNLOADED"
    assert bench.row(recording).processed_audio_path is None


def test_trim_switched_off_after_half_of_it_forgets_the_half(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO, Asset.TRIMMED_VIDEO)
    begun = work.begin(Asset.AUDIO)
    work.fail(Asset.AUDIO, begun, "no encoder")
    work.close()
    bench.configure(recording, **NO_TRIM)
    requested = bench.request(recording)
    assert requested.plan.selection[0] is Asset.AUDIO
    assert bench.picture(recording).stages["TRIM"] == "SKIPPED"
    assert bench.row(recording).processed_video_path is None
    assert bench.stage(recording, Stage.TRIM).stage_meta is None


def test_several_stages_wake_at_once(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    everything_off = {"remove_silence": False}, {"enable_transcription": False}
    bench.configure(recording, video=everything_off[0], transcription=everything_off[1])
    bench.request(recording)
    assert set(bench.picture(recording).stages.values()) == {"SKIPPED"}
    bench.configure(recording)
    assert bench.request(recording).plan.selection == PREPARE_ASSETS[1:]
    assert set(bench.picture(recording).stages.values()) == {"PENDING"}


def test_generations_go_on_from_row_to_row(bench: Bench) -> None:
    recording, keys = bench.recording(), []
    for _ in range(3):
        bench.request(recording, force=Stage.TRIM)
        launch = bench.reconcile().launches[0]
        keys.append(launch.run_key)
        work = bench.claim(recording, Token(launch.run_id, launch.generation))
        do(work)
        work.close()
    generations = [generation for _, generation, _ in bench.picture(recording).runs]
    assert generations == [2, 4, 6]
    assert len(set(keys)) == 3


def test_phases_and_targets_are_pieces_of_their_own(bench: Bench) -> None:
    recording = bench.recording()
    for platform in Platform:
        bench.target(recording, platform, "NOT_UPLOADED")
    work = bench.start(recording)
    claimed = [
        bench.claim(recording, phase=Phase.PUBLISH, platform=platform) for platform in Platform
    ]
    assert len({piece.run_id for piece in (work, *claimed)}) == 3
    with claimed[0].scratch(Asset.YOUTUBE_UPLOAD) as folder:
        (folder / "half").write_text("half", encoding="utf-8")
        again = bench.claim  # claiming the other piece anew must not sweep this one's scratch
        claimed[1].close()
        again(recording, phase=Phase.PUBLISH, platform=Platform.VK).close()
        assert (folder / "half").exists()
    for piece in (work, claimed[0]):
        piece.close()


def test_publishing_without_a_preset_is_refused_by_a_reason(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    requested = bench.request(recording, phase=Phase.PUBLISH, platform=Platform.YOUTUBE)
    assert requested.run_id is None
    assert why_nothing(requested.plan) == "no YouTube preset is configured for this recording"


def test_requests_reconciles_and_workers_never_lock_each_other_up(bench: Bench) -> None:
    """Two sides of every lock order at once; a deadlock would raise after one second."""
    recording = bench.recording()
    work, errors = bench.start(recording), []
    tell = work.progress()
    stop = threading.Event()

    def keep(action: str) -> None:
        try:
            while not stop.is_set():
                if action == "request":
                    with pytest.raises(AlreadyRunning):
                        bench.request(recording)
                else:
                    bench.reconcile()
        except LeapError as error:
            errors.append(error)

    threads = [threading.Thread(target=keep, args=(each,)) for each in ("request", "reconcile")]
    for thread in threads:
        thread.start()
    for asset in PREPARE_ASSETS[:3]:
        do(work, asset)
        work._told = 0.0
        tell(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    die(work)
    assert errors == []
    with bench.database.system() as session:
        assert session.scalar(select(RecordingRun.progress)) == 0.5
