"""Cancel, skip and unskip: what was running is put back, and its worker writes nothing more."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.domain.planner import PREPARE_ASSETS, Asset
from leap_pipeline.domain.states import Phase, Platform, TargetStatus
from leap_pipeline.errors import InputError, Superseded, UserActionError
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.moves import move_target
from leap_pipeline.services.steering import cancel, skip, unskip
from tests.support.bench import Bench, do, finish

ADA = Actor(None, "Ada")


def cancelled(bench: Bench, recording: int) -> tuple[int, ...]:
    with bench.database.tenant(bench.user_id) as session:
        return cancel(session, recording, actor=ADA)


def skipped(bench: Bench, recording: int, reason: str = "not wanted") -> None:
    with bench.database.tenant(bench.user_id) as session:
        skip(session, recording, reason, actor=ADA)


def wanted_again(bench: Bench, recording: int) -> bool:
    with bench.database.tenant(bench.user_id) as session:
        return unskip(session, recording, actor=ADA)


def actions(bench: Bench, recording: int) -> list[str]:
    with bench.database.system() as session:
        statement = (
            select(AuditEntry.action)
            .where(AuditEntry.subject_id == str(recording), AuditEntry.owner_id == bench.user_id)
            .order_by(AuditEntry.id)
        )
        return list(session.scalars(statement))


def test_cancel_puts_what_was_running_back_and_shuts_its_worker_out(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    begun = work.begin(Asset.TRIMMED_VIDEO)
    assert cancelled(bench, recording) == (work.run_id,)
    run, found, files = bench.run(recording), bench.picture(recording), bench.files()
    assert (run.state, run.reason, run.progress) == ("cancelled", "it was cancelled", None)
    assert run.finished_at is not None
    assert (found.status, found.stages["TRIM"]) == ("DOWNLOADED", "PENDING")
    said = f"The run of recording {recording} was cancelled; its worker stops"
    for write in (
        lambda: finish(work, Asset.TRIMMED_VIDEO, begun),
        lambda: work.fail(Asset.TRIMMED_VIDEO, begun, "broken"),
        lambda: work.begin(Asset.AUDIO),
        lambda: work.progress()(0.5),
    ):
        with pytest.raises(Superseded, match=said):
            write()
    work.close()
    assert (bench.picture(recording), bench.files()) == (found, files)
    again = bench.start(recording)
    assert do(again) == list(PREPARE_ASSETS[1:])
    again.close()
    assert bench.picture(recording).status == "PROCESSED"


def test_cancel_puts_a_download_back(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    work.begin(Asset.RAW_VIDEO)
    assert bench.picture(recording).status == "DOWNLOADING"
    cancelled(bench, recording)
    work.close()
    found = bench.picture(recording)
    assert (found.status, found.download) == ("INITIALIZED", "PENDING")


def test_cancel_ends_what_is_queued_or_waiting_too(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    assert len(cancelled(bench, recording)) == 1
    assert bench.run(recording).state == "cancelled"
    assert bench.reconcile().launches == []
    assert cancelled(bench, recording) == ()
    assert actions(bench, recording) == ["recording.cancel"]


def test_a_cancelled_upload_waits_for_somebody_to_look(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    bench.target(recording, Platform.VK, "NOT_UPLOADED")
    work = bench.start(recording, phase=Phase.PUBLISH, platform=Platform.VK)
    work.begin(Asset.VK_UPLOAD)
    cancelled(bench, recording)
    work.close()
    assert bench.picture(recording).targets == {"VK": "NOT_UPLOADED"}
    with pytest.raises(UserActionError, match=r"doubtful upload: .* whether the video is on VK"):
        bench.request(recording, phase=Phase.PUBLISH, platform=Platform.VK)


def test_a_cancelled_update_leaves_what_is_published(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    bench.target(recording, Platform.VK, "NOT_UPLOADED")
    work = bench.start(recording, phase=Phase.PUBLISH, platform=Platform.VK)
    begun = work.begin(Asset.VK_UPLOAD)
    work.complete(Asset.VK_UPLOAD, begun, target_meta={"video_id": "1"})
    work.close()
    with bench.database.tenant(bench.user_id) as session:
        move_target(session, recording, Platform.VK, TargetStatus.UPLOADING)
    bench.request(recording, phase=Phase.PUBLISH, platform=Platform.VK)
    cancelled(bench, recording)
    assert bench.picture(recording).targets == {"VK": "UPLOADED"}
    assert bench.target_row(recording, Platform.VK).target_meta == {"video_id": "1"}


def test_a_skipped_recording_is_stopped_and_refused_until_it_is_wanted_again(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    begun = work.begin(Asset.RAW_VIDEO)
    skipped(bench, recording)
    with pytest.raises(Superseded, match="was cancelled"):
        finish(work, Asset.RAW_VIDEO, begun)
    work.close()
    assert bench.picture(recording).status == "SKIPPED"
    assert bench.run(recording).reason == "the recording was skipped: not wanted"
    with pytest.raises(UserActionError, match="the recording is skipped: not wanted"):
        bench.request(recording)
    assert wanted_again(bench, recording)
    assert bench.picture(recording).status == "INITIALIZED"
    again = bench.start(recording)
    assert do(again) == list(PREPARE_ASSETS)
    again.close()
    assert actions(bench, recording) == ["recording.skip", "recording.unskip"]


def test_a_second_reason_replaces_the_first_and_a_second_unskip_does_nothing(bench: Bench) -> None:
    recording = bench.recording()
    skipped(bench, recording, "blank")
    skipped(bench, recording, "a rehearsal\x00")
    assert bench.row(recording).skip_reason == "a rehearsal"
    assert wanted_again(bench, recording)
    assert not wanted_again(bench, recording)
    assert actions(bench, recording).count("recording.unskip") == 1


def test_a_failed_recording_that_was_skipped_starts_anew(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    begun = work.begin(Asset.RAW_VIDEO)
    work.fail(Asset.RAW_VIDEO, begun, "no bytes")
    work.close()
    assert bench.picture(recording).failed == ("DOWNLOAD", "no bytes", 1)
    skipped(bench, recording)
    assert bench.picture(recording).status == "SKIPPED"
    wanted_again(bench, recording)
    found = bench.picture(recording)
    assert (found.status, found.download, found.failed[0]) == ("INITIALIZED", "PENDING", None)


def test_skipping_without_a_reason_is_refused(bench: Bench) -> None:
    recording = bench.recording()
    with pytest.raises(InputError, match="needs a reason"):
        skipped(bench, recording, " ")
    with pytest.raises(InputError, match="There is no recording 4711"):
        skipped(bench, 4711)
    assert bench.picture(recording).status == "INITIALIZED"
