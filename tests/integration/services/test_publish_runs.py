"""A publish run and its target: whatever ends the run, the target and the status say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leap_pipeline.domain.planner import UPLOADS, Asset
from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.errors import Superseded, UserActionError
from leap_pipeline.services.claim import Token
from leap_pipeline.services.holds import live_holds
from leap_pipeline.services.work import Work
from tests.support.bench import ATTEMPTS, Bench, die

Y, V = Platform.YOUTUBE, Platform.VK


@pytest.fixture
def recording(bench: Bench) -> int:
    """One whose stages are all done, with both targets to be published."""
    made = bench.recording(download_status="COMPLETED")
    bench.configure(
        made,
        video={"remove_silence": False},
        transcription={"enable_transcription": False},
    )
    bench.request(made)
    for platform in Platform:
        bench.target(made, platform, "NOT_UPLOADED")
    assert bench.picture(made).status == "PROCESSED"
    return made


def start(bench: Bench, recording: int, platform: Platform) -> Work:
    return bench.start(recording, phase=Phase.PUBLISH, platform=platform)


def publish(bench: Bench, recording: int, platform: Platform) -> None:
    work = start(bench, recording, platform)
    begun = work.begin(UPLOADS[platform])
    assert bench.picture(recording).status == "UPLOADING"
    work.complete(UPLOADS[platform], begun, target_meta={"video_id": f"at {platform}"})
    work.close()
    assert bench.run(recording).state == "done"


def test_what_is_published_has_its_time_and_link(bench: Bench, recording: int) -> None:
    publish(bench, recording, Y)
    found = bench.target_row(recording, Y)
    assert (found.status, found.target_meta) == ("UPLOADED", {"video_id": "at YOUTUBE"})
    assert found.uploaded_at is not None
    assert bench.picture(recording).status == "PROCESSED"
    publish(bench, recording, V)
    assert bench.picture(recording).status == "READY"
    assert bench.request(recording, phase=Phase.PUBLISH, platform=V).run_id is None


def test_a_failed_upload_fails_its_target_and_the_recording_and_leaves_the_other(
    bench: Bench, recording: int
) -> None:
    publish(bench, recording, V)
    for attempt in (1, 2):
        work = start(bench, recording, Y)
        begun = work.begin(Asset.YOUTUBE_UPLOAD)
        work.fail(Asset.YOUTUBE_UPLOAD, begun, "the channel is gone")
        work.close()
        row, found = bench.target_row(recording, Y), bench.picture(recording)
        assert (row.status, row.failed, row.failed_reason) == (
            "FAILED",
            True,
            "the channel is gone",
        )
        assert (row.retry_count, found.failed[2]) == (attempt, attempt)
        assert found.status == "FAILED"
        assert found.failed[:2] == ("YOUTUBE", "the channel is gone")
        run = bench.run(recording)
        assert (run.state, run.reason) == ("failed", "the channel is gone")
    assert bench.target_row(recording, V).target_meta == {"video_id": "at VK"}
    publish(bench, recording, Y)
    row = bench.target_row(recording, Y)
    assert (row.failed, row.failed_at, row.failed_reason, row.retry_count) == (False, None, None, 0)
    assert bench.picture(recording).failed == (None, None, 0)


def test_an_upload_that_fails_before_it_began_fails_its_target(
    bench: Bench, recording: int
) -> None:
    work = start(bench, recording, Y)
    work.fail(Asset.YOUTUBE_UPLOAD, None, "no credential")
    work.close()
    assert bench.picture(recording).targets == {"YOUTUBE": "FAILED", "VK": "NOT_UPLOADED"}
    assert bench.picture(recording).failed == ("YOUTUBE", "no credential", 1)


def test_a_publish_run_that_cannot_be_launched_fails_its_target(
    bench: Bench, recording: int
) -> None:
    bench.request(recording, phase=Phase.PUBLISH, platform=V)
    bench.configure(recording, video={"padding": -1})
    assert bench.reconcile().launches == []
    row = bench.target_row(recording, V)
    assert row.status == "FAILED"
    assert "padding" in (row.failed_reason or "")
    assert bench.run(recording).state == "failed"
    assert bench.picture(recording).failed[0] == "VK"


def test_an_upload_whose_worker_died_is_taken_up_as_it_is(bench: Bench, recording: int) -> None:
    work = start(bench, recording, V)
    work.begin(Asset.VK_UPLOAD)
    die(work)
    assert len(bench.reconcile().put_back) == 1
    assert bench.picture(recording).targets["VK"] == "UPLOADING"
    again = bench.claim(recording, phase=Phase.PUBLISH, platform=V)
    begun = again.begin(Asset.VK_UPLOAD)
    assert begun.left_out is None
    with pytest.raises(Superseded):
        work.complete(Asset.VK_UPLOAD, begun, target_meta={"video_id": "by the dead"})
    again.complete(Asset.VK_UPLOAD, begun, target_meta={"video_id": "once"})
    again.close()
    assert bench.target_row(recording, V).target_meta == {"video_id": "once"}


def test_an_upload_over_which_workers_keep_dying_is_failed(bench: Bench, recording: int) -> None:
    bench.request(recording, phase=Phase.PUBLISH, platform=V)
    for _ in range(ATTEMPTS):
        assert bench.picture(recording).targets["VK"] != "FAILED"
        work = bench.claim(recording, phase=Phase.PUBLISH, platform=V)
        work.begin(Asset.VK_UPLOAD)
        die(work)
        bench.reconcile()
    assert bench.picture(recording).failed[0] == "VK"
    assert "died 3 times in a row" in (bench.target_row(recording, V).failed_reason or "")
    assert bench.run(recording).state == "failed"


def test_an_upload_that_must_wait_goes_on_where_it_was(bench: Bench, recording: int) -> None:
    work = start(bench, recording, Y)
    work.begin(Asset.YOUTUBE_UPLOAD)
    later = datetime.now(UTC) + timedelta(hours=3)
    work.wait_until(later, "YouTube's quota is used up")
    work.close()
    assert bench.run(recording).state == "waiting"
    assert bench.picture(recording).targets["YOUTUBE"] == "UPLOADING"
    (launch,) = bench.reconcile(later).launches
    token = Token(launch.run_id, launch.generation)
    again = bench.claim(recording, token, phase=Phase.PUBLISH, platform=Y)
    assert again.begin(Asset.YOUTUBE_UPLOAD).left_out is None
    again.close()


def test_an_upload_that_was_stopped_half_way_is_held_until_somebody_looked(
    bench: Bench, recording: int
) -> None:
    work = start(bench, recording, Y)
    work.begin(Asset.YOUTUBE_UPLOAD)
    work.close()
    assert bench.run(recording).state == "cancelled"
    assert bench.picture(recording).targets["YOUTUBE"] == "NOT_UPLOADED"
    with bench.database.system() as session:
        (hold,) = live_holds(session, recording)
    assert (hold.kind, hold.target_type, hold.held_by) == ("doubtful_upload", "YOUTUBE", "system")
    with pytest.raises(UserActionError, match="held as a doubtful upload: the upload was stopped"):
        start(bench, recording, Y)
    publish(bench, recording, V)


def test_a_permission_that_goes_ends_a_waiting_upload(bench: Bench, recording: int) -> None:
    work = start(bench, recording, Y)
    work.begin(Asset.YOUTUBE_UPLOAD)
    work.wait_until(datetime.now(UTC), "the quota")
    work.close()
    bench.permit(can_upload=False)
    bench.reconcile(datetime.now(UTC) + timedelta(hours=1))
    assert bench.run(recording).state == "done"
    assert bench.picture(recording).targets["YOUTUBE"] == "NOT_UPLOADED"


def test_a_run_for_a_platform_without_target_fails_alone(bench: Bench) -> None:
    alone = bench.recording(download_status="COMPLETED")
    work = bench.claim(alone, phase=Phase.PUBLISH, platform=V)
    work.fail(Asset.VK_UPLOAD, None, "what for?")
    work.close()
    assert bench.run(alone).state == "failed"
    assert bench.picture(alone).failed == (None, None, 0)
