"""A worker's steps and outcomes, and the status that is stored after each."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.planner import DONE, PREPARE_ASSETS, Asset
from leap_pipeline.domain.states import Phase, Platform, Stage
from leap_pipeline.errors import DataError, IllegalMove, InputError, TransientError
from leap_pipeline.services.work import Work
from tests.support.bench import Bench, do, finish

STATUS_WHILE = {
    Asset.RAW_VIDEO: ("DOWNLOADING", "DOWNLOADED"),
    Asset.TRIMMED_VIDEO: ("PROCESSING", "PROCESSING"),
    Asset.AUDIO: ("PROCESSING", "PROCESSING"),
    Asset.TRANSCRIPT: ("PROCESSING", "PROCESSING"),
    Asset.TOPICS: ("PROCESSING", "PROCESSING"),
    Asset.SUBTITLES: ("PROCESSING", "PROCESSED"),
}


def test_the_status_follows_every_step_of_a_run(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    assert bench.picture(recording).status == "INITIALIZED"
    for asset, (during, after) in STATUS_WHILE.items():
        begun = work.begin(asset)
        found = bench.picture(recording)
        assert found.status == found.projected == during, asset
        finish(work, asset, begun)
        found = bench.picture(recording)
        assert found.status == found.projected == after, asset
    work.close()
    assert set(bench.picture(recording).stages.values()) == {"COMPLETED"}
    run = bench.run(recording)
    assert (run.state, run.reason) == ("done", None)
    assert run.finished_at is not None


def test_a_completed_asset_is_a_file_a_row_and_a_column(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work)
    work.close()
    folder = f"users/user_{bench.slug:06d}/recordings/{recording}"
    files = bench.files()
    assert sorted(files) == [
        f"{folder}/{name}"
        for name in (
            "audio.mp3",
            "source.mp4",
            "transcriptions/master.json",
            "transcriptions/subtitles.srt",
            "transcriptions/topics.json",
            "video.mp4",
        )
    ]
    assert bench.stored(recording) == {path: len(made) for path, made in files.items()}
    row = bench.row(recording)
    assert row.processed_video_path == f"{folder}/video.mp4"
    assert row.downloaded_at is not None
    trim = bench.stage(recording, Stage.TRIM)
    assert (trim.failed, trim.failed_reason, trim.retry_count) == (False, None, 0)
    assert trim.completed_at is not None
    assert list((bench.storage.root / ".scratch").iterdir()) == []


def test_a_stage_is_completed_by_its_last_asset(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO, Asset.TRIMMED_VIDEO)
    assert bench.picture(recording).stages["TRIM"] == "IN_PROGRESS"
    do(work, Asset.AUDIO)
    assert bench.picture(recording).stages["TRIM"] == "COMPLETED"
    work.close()


def test_stage_facts_are_kept_beside_one_another(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    timeline = {"duration": 9.0, "keep": [[0.0, 9.0]], "no_speech": True}
    first = {"timeline": timeline, "no_speech": False}
    for asset, meta in ((Asset.TRIMMED_VIDEO, first), (Asset.AUDIO, {"no_speech": True})):
        work.complete(asset, work.begin(asset), stage_meta=meta)
    stored = bench.stage(recording, Stage.TRIM).stage_meta or {}
    assert set(stored.pop("cpu_seconds")) == {Asset.TRIMMED_VIDEO, Asset.AUDIO}
    assert stored == {"timeline": timeline, "no_speech": True}
    work.close()


def test_processor_time_is_that_of_the_process_and_of_its_children(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    begun = work.begin(Asset.TRIMMED_VIDEO)
    busy = "import time\nwhile time.process_time() < 0.4: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    work.complete(Asset.TRIMMED_VIDEO, begun)
    work.complete(Asset.AUDIO, work.begin(Asset.AUDIO))
    stored = bench.stage(recording, Stage.TRIM).stage_meta or {}
    assert stored["cpu_seconds"]["trimmed_video"] >= 0.5
    assert stored["cpu_seconds"]["audio"] < stored["cpu_seconds"]["trimmed_video"]
    work.close()


def test_facts_without_a_place_are_refused_and_nothing_is_done(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, *PREPARE_ASSETS[:3])
    begun = work.begin(Asset.TRANSCRIPT)
    with pytest.raises(InputError, match=r"`stage_meta\.lang` .* did you mean `language`\?"):
        work.complete(Asset.TRANSCRIPT, begun, stage_meta={"lang": "ru"})
    with pytest.raises(InputError, match=r"`transcription_info\.words` must be a whole number"):
        work.complete(Asset.TRANSCRIPT, begun, columns={"transcription_info": {"words": "7"}})
    assert bench.picture(recording).stages["TRANSCRIBE"] == "IN_PROGRESS"
    work.close()


def test_what_is_done_or_unwanted_is_left_out_and_moves_nothing(bench: Bench) -> None:
    recording = bench.recording()
    bench.configure(recording, transcription={"enable_topics": False})
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    assert work.begin(Asset.RAW_VIDEO).left_out == DONE
    assert "topics are switched off" in (work.begin(Asset.TOPICS).left_out or "")
    assert bench.picture(recording).status == "PROCESSING"
    assert "IN_PROGRESS" not in bench.picture(recording).stages.values()
    work.close()


def test_an_asset_without_its_input_is_left_out_and_not_failed(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.claim(recording)
    begun = work.begin(Asset.TRANSCRIPT)
    assert begun.left_out == "audio is not made yet: materialize it first"
    work.close()
    found = bench.picture(recording)
    assert set(found.stages.values()) == {"PENDING"}
    assert found.status == "INITIALIZED"


def test_a_recording_that_is_skipped_midway_stops_with_the_reason(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    bench.set(recording, skip_reason="not wanted")
    assert work.begin(Asset.TRIMMED_VIDEO).left_out == "the recording is skipped: not wanted"
    work.close()
    run = bench.run(recording)
    assert (run.state, run.reason) == ("cancelled", "the recording is skipped: not wanted")
    assert bench.picture(recording).status == "SKIPPED"


def test_a_failure_is_told_on_the_stage_the_recording_and_the_run(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, *PREPARE_ASSETS[:3])
    work.fail(Asset.TRANSCRIPT, work.begin(Asset.TRANSCRIPT), "no such model")
    found = bench.picture(recording)
    assert found.status == found.projected == "FAILED"
    assert found.failed == ("TRANSCRIBE", "no such model", 1)
    assert found.stages["TRANSCRIBE"] == "FAILED"
    work.close()
    run = bench.run(recording)
    assert (run.state, run.reason) == ("failed", "no such model")
    work = bench.start(recording)
    begun = work.begin(Asset.TRANSCRIPT)
    assert bench.picture(recording).failed == (None, None, 0)
    finish(work, Asset.TRANSCRIPT, begun)
    assert bench.stage(recording, Stage.TRANSCRIBE).retry_count == 0
    work.close()


def test_a_failed_download_counts_its_retries(bench: Bench) -> None:
    recording = bench.recording()
    for retry in (1, 2):
        work = bench.start(recording)
        work.fail(Asset.RAW_VIDEO, work.begin(Asset.RAW_VIDEO), "bytes are missing")
        work.close()
        found = bench.picture(recording)
        assert found.status == found.projected == "FAILED"
        assert found.failed == ("DOWNLOAD", "bytes are missing", retry)
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    assert bench.picture(recording).failed == (None, None, 0)
    work.close()


def test_one_stage_may_fail_and_its_neighbour_be_completed(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, *PREPARE_ASSETS[:4])
    work.fail(Asset.TOPICS, work.begin(Asset.TOPICS), "no words")
    do(work, Asset.SUBTITLES)
    work.close()
    assert bench.picture(recording).stages == {
        "TRIM": "COMPLETED",
        "TRANSCRIBE": "COMPLETED",
        "EXTRACT_TOPICS": "FAILED",
        "GENERATE_SUBTITLES": "COMPLETED",
    }
    assert bench.run(recording).state == "failed"
    assert bench.request(recording).plan.selection == (Asset.TOPICS,)


@pytest.mark.parametrize("reason", ["nul \x00 byte", "half \udcff character", "x" * 5000])
def test_any_reason_can_be_stored(bench: Bench, reason: str) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    work.fail(Asset.RAW_VIDEO, work.begin(Asset.RAW_VIDEO), reason)
    work.close()
    told = bench.row(recording).failed_reason or ""
    assert told[:4] == reason[:4]
    assert len(told) <= 1000


def test_a_wrong_configuration_fails_the_stage_that_asked(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    bench.configure(recording, video={"padding": -1})
    with pytest.raises(InputError, match=r"video\.padding") as raised:
        work.begin(Asset.TRIMMED_VIDEO)
    work.fail(Asset.TRIMMED_VIDEO, None, str(raised.value))
    work.close()
    found = bench.picture(recording)
    assert found.status == found.projected == "FAILED"
    assert found.failed[0] == "TRIM"
    assert "video.padding" in (found.failed[1] or "")
    bench.configure(recording)
    work = bench.start(recording)
    assert do(work) == list(PREPARE_ASSETS[1:])
    work.close()


def test_a_wrong_configuration_fails_a_download_that_never_began(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    bench.configure(recording, video={"padding": -1})
    work.fail(Asset.RAW_VIDEO, None, "wrong")
    work.close()
    assert bench.picture(recording).failed == ("DOWNLOAD", "wrong", 1)


def test_a_configuration_that_becomes_wrong_at_the_end_fails_the_run(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work)
    bench.configure(recording, video={"padding": -1})
    work.close()
    run = bench.run(recording)
    assert run.state == "failed"
    assert "video.padding" in (run.reason or "")
    assert bench.picture(recording).status == "PROCESSED"


def test_waiting_ends_the_run_and_leaves_nothing_in_progress(bench: Bench) -> None:
    recording = bench.recording()
    due = datetime.now(UTC) + timedelta(hours=2)
    work = bench.start(recording)
    do(work, *PREPARE_ASSETS[:3])
    work.begin(Asset.TRANSCRIPT)
    work.wait_until(due, "the quota resets at noon")
    work.close()
    run = bench.run(recording)
    assert (run.state, run.reason, run.due_at) == ("waiting", "the quota resets at noon", due)
    assert run.attempts == 0
    found = bench.picture(recording)
    assert found.stages["TRANSCRIBE"] == "PENDING"
    assert found.status == found.projected == "PROCESSING"


@pytest.mark.parametrize("nothing_left", [True, False])
def test_a_waiting_row_can_be_asked_for_before_it_is_due(bench: Bench, nothing_left: bool) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    work.begin(Asset.TRIMMED_VIDEO)
    work.wait_until(datetime.now(UTC) + timedelta(hours=1), "later")
    work.close()
    if nothing_left:
        bench.permit(can_process_video=False, can_transcribe=False)
    requested = bench.request(recording)
    run = bench.run(recording)
    assert run.state == ("done" if nothing_left else "queued")
    assert (requested.run_id is None) is nothing_left
    if not nothing_left:
        assert run.generation == requested.generation > work.generation
        assert (run.due_at, run.requested_at) == (None, None)


def test_a_step_whose_process_is_told_to_end_goes_on_at_the_next_start(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    work.begin(Asset.TRIMMED_VIDEO)
    work.shut_down = True
    work.close()
    run = bench.run(recording)
    assert (run.state, run.generation, run.attempts) == ("queued", work.generation + 1, 0)
    assert bench.picture(recording).stages["TRIM"] == "PENDING"
    (launch,) = bench.reconcile().launches
    assert launch.selection == PREPARE_ASSETS[1:]


def test_an_interrupted_step_goes_back_and_the_run_is_cancelled(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    work.begin(Asset.TRIMMED_VIDEO)
    work.close()
    run = bench.run(recording)
    assert (run.state, run.reason) == ("cancelled", "it was stopped")
    found = bench.picture(recording)
    assert found.stages["TRIM"] == "PENDING"
    assert found.status == found.projected == "DOWNLOADED"


def test_an_interrupted_download_goes_back(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    work.begin(Asset.RAW_VIDEO)
    work.close()
    found = bench.picture(recording)
    assert (found.download, found.status) == ("PENDING", "INITIALIZED")


def test_a_run_that_ends_early_is_not_called_done(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    work.close()
    assert bench.run(recording).state == "cancelled"


def test_closing_twice_is_harmless(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work)
    work.close()
    before = bench.picture(recording)
    work.close()
    assert bench.picture(recording) == before


def falter(work: Work) -> None:
    with work.scratch(Asset.TRIMMED_VIDEO):
        msg = "the network is away"
        raise TransientError(msg)


def test_a_passing_fault_in_a_step_is_a_death_that_reconcile_mends(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    work.begin(Asset.TRIMMED_VIDEO)
    with pytest.raises(TransientError):
        falter(work)
    work.close()
    assert bench.run(recording).state == "running"
    report = bench.reconcile()
    assert report.put_back == [work.run_id]
    assert [launch.selection for launch in report.launches] == [PREPARE_ASSETS[1:]]


def break_connection(bench: Bench, work: Work) -> None:
    with work.fenced() as session:
        bench.terminate(session.scalar(text("SELECT pg_backend_pid()")) or 0)
        session.execute(text("SELECT 1"))


def test_a_transaction_that_breaks_is_a_death_that_reconcile_mends(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    begun = work.begin(Asset.RAW_VIDEO)
    with pytest.raises(TransientError):
        break_connection(bench, work)
    assert begun.left_out is None
    work.close()
    assert bench.run(recording).state == "running"
    assert bench.reconcile().put_back == [work.run_id]


def test_progress_is_stored_at_most_once_a_second_and_within_bounds(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    work.begin(Asset.RAW_VIDEO)
    assert bench.run(recording).progress == 0.0
    tell = work.progress()
    for told, stored in ((0.25, 0.25), (1.7, 1.0), (-1, 0.0)):
        work._told = 0.0
        tell(told)
        assert bench.run(recording).progress == stored
    tell(0.9)
    assert bench.run(recording).progress == 0.0
    work.close()
    assert bench.run(recording).state == "cancelled"


def test_progress_that_cannot_be_stored_does_not_stop_the_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    begun = work.begin(Asset.RAW_VIDEO)
    urls = bench.database.urls
    away = Database(replace(urls, application=urls.application.set(port=1)))
    with monkeypatch.context() as patch:
        patch.setattr(work, "database", away)
        work.progress()(0.5)
    finish(work, Asset.RAW_VIDEO, begun)
    work.close()
    assert bench.picture(recording).download == "COMPLETED"
    assert bench.run(recording).state == "cancelled"


def test_a_move_that_the_table_does_not_have_changes_nothing(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    begun = work.begin(Asset.RAW_VIDEO)
    finish(work, Asset.RAW_VIDEO, begun)
    before, files = bench.picture(recording), bench.files()
    with pytest.raises(
        IllegalMove, match=r"cannot go from COMPLETED to COMPLETED: .* only to PENDING"
    ):
        work.complete(Asset.RAW_VIDEO, begun, columns={"display_name": "changed"})
    assert bench.picture(recording) == before
    assert bench.row(recording).display_name != "changed"
    assert bench.files() == files
    work.close()


def test_publishing_says_plainly_that_no_preset_is_configured(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    work = bench.claim(recording, phase=Phase.PUBLISH, platform=Platform.VK)
    begun = work.begin(Asset.VK_UPLOAD)
    assert begun.left_out == "no VK preset is configured for this recording"
    assert begun.stage is None
    work.close()
    assert bench.run(recording).state == "done"
    assert set(bench.picture(recording).stages.values()) == {"PENDING"}


def test_a_publish_run_needs_its_target(bench: Bench) -> None:
    with pytest.raises(DataError, match="needs its target"):
        bench.request(bench.recording(), phase=Phase.PUBLISH)
