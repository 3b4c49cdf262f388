"""Deletion on a real database with real files: killed, resumed, restored, and by whom."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.publishing import TargetStep, UploadSession
from leap_pipeline.db.models.recordings import (
    OutputTarget,
    ProcessingStage,
    Recording,
    SourceMetadata,
)
from leap_pipeline.db.models.runs import RecordingHold, RecordingRun, StoredObject
from leap_pipeline.db.models.users import User, UserConfig
from leap_pipeline.domain.deletion import DeletionReason
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.errors import LeapError, Superseded, UserActionError
from leap_pipeline.services.audit import SYSTEM, Actor
from leap_pipeline.services.deletion import (
    delete_user,
    expire,
    expiry_of,
    hard_delete,
    restore,
    soft_delete,
)
from leap_pipeline.services.quotas import usage_of
from leap_pipeline.services.users import add_user
from leap_pipeline.storage.local import LocalStorage
from tests.support.bench import Bench, do
from tests.support.doomed import BEFORE_COMMIT, HALF_REMOVED, REMOVED, killed_at

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = NOW + 31 * DAY
CANARY = "Sensitive"


def delete(bench: Bench, recording: int, at: datetime = NOW, actor: Actor = SYSTEM) -> datetime:
    with bench.database.system() as session:
        return soft_delete(session, recording, reason=DeletionReason.MANUAL, actor=actor, at=at)


def bring_back(bench: Bench, recording: int, at: datetime = NOW, actor: Actor = SYSTEM) -> None:
    with bench.database.system() as session:
        restore(session, recording, actor=actor, at=at)


def retain(bench: Bench, **days: int) -> None:
    with bench.database.system() as session:
        session.execute(update(UserConfig).values(preferences={"retention": days}))


def processed(bench: Bench, **columns: Any) -> int:
    """A recording with all its files."""
    recording = bench.recording(**columns)
    work = bench.start(recording)
    do(work)
    work.close()
    return recording


def files_of(bench: Bench, recording: int) -> list[str]:
    return [path for path in bench.files() if f"/recordings/{recording}/" in path]


def columns(bench: Bench, recording: int) -> tuple[Any, ...]:
    row = bench.row(recording)
    return (
        row.delete_state,
        row.deleted,
        row.deleted_at,
        row.deletion_reason,
        row.soft_deleted_at,
        row.hard_delete_at,
    )


def assert_agree(bench: Bench, recording: int) -> str:
    """The columns of a deletion say the same; the state."""
    state, deleted, *rest = columns(bench, recording)
    assert deleted is (state != "active")
    assert [value is not None for value in rest] == [deleted] * 4
    if deleted:
        deleted_at, _, soft_deleted_at, hard_delete_at = rest
        assert deleted_at == soft_deleted_at <= hard_delete_at
    return str(state)


def test_a_deleted_recording_comes_back_as_it_was(bench: Bench) -> None:
    recording = processed(bench)
    before, files = bench.picture(recording), files_of(bench, recording)
    assert delete(bench, recording) == NOW + 30 * DAY
    assert columns(bench, recording) == (
        "soft_deleted",
        True,
        NOW,
        "manual",
        NOW,
        NOW + 30 * DAY,
    )
    with pytest.raises(UserActionError, match="restore it first"):
        bench.request(recording)
    with pytest.raises(UserActionError, match="deleted already"):
        delete(bench, recording)
    bring_back(bench, recording, NOW + 30 * DAY - timedelta(microseconds=1))
    assert columns(bench, recording) == ("active", False, None, None, None, None)
    assert bench.picture(recording) == before
    assert files_of(bench, recording) == files
    with pytest.raises(UserActionError, match="is not deleted"):
        bring_back(bench, recording)


def test_after_its_deadline_it_cannot_be_restored(bench: Bench) -> None:
    recording = bench.recording()
    retain(bench, restore_days=7)
    until = delete(bench, recording)
    assert until == NOW + 7 * DAY
    with pytest.raises(UserActionError, match=r"the time for it is over \(2026-11-29 00:00 UTC\)"):
        bring_back(bench, recording, until)
    assert not hard_delete(
        bench.database, bench.storage, recording, until - timedelta(microseconds=1)
    )
    assert hard_delete(bench.database, bench.storage, recording, until)
    with pytest.raises(UserActionError, match="the time for it is over"):
        bring_back(bench, recording)
    assert not hard_delete(bench.database, bench.storage, recording, LATER)


def test_a_running_worker_is_stopped_and_puts_nothing_in_place(bench: Bench) -> None:
    recording, waiting = bench.recording(), bench.recording()
    work = bench.start(recording)
    bench.request(waiting)
    for each in (recording, waiting):
        delete(bench, each)
        assert bench.run(each).state == "cancelled"
        assert bench.run(each).reason == "the recording was deleted"
    with pytest.raises(Superseded):
        do(work)
    assert files_of(bench, recording) == []
    assert hard_delete(bench.database, bench.storage, recording, LATER)
    work.close()
    assert bench.files() == {}


def _hard_delete(database: Database, storage: LocalStorage, recording: int) -> None:
    hard_delete(database, storage, recording, LATER)


@pytest.mark.parametrize("point", [HALF_REMOVED, REMOVED, BEFORE_COMMIT])
def test_killed_in_the_middle_it_is_ended_by_the_next_one(bench: Bench, point: str) -> None:
    recording, other = processed(bench), processed(bench)
    theirs = files_of(bench, other)
    delete(bench, recording)
    stored = bench.stored(recording)
    assert len(stored) == len(files_of(bench, recording)) == 6
    killed_at(point, _hard_delete, bench.database, bench.storage.root, recording)
    assert bench.row(recording).delete_state == "soft_deleted"
    assert bench.stored(recording) == stored
    assert len(files_of(bench, recording)) == (3 if point == HALF_REMOVED else 0)
    with pytest.raises(UserActionError):
        bring_back(bench, recording, LATER)
    assert hard_delete(bench.database, bench.storage, recording, LATER)
    assert assert_agree(bench, recording) == "hard_deleted"
    assert bench.stored(recording) == {}
    assert sorted(bench.files()) == sorted(theirs)


def test_a_tombstone_has_no_content_but_its_source_s_key(bench: Bench) -> None:
    said = {"note": CANARY}
    recording = processed(
        bench,
        display_name=CANARY,
        transcription_info=said,
        topic_timestamps=[said],
        main_topics=[CANARY],
        processing_preferences={"transcription": {"prompt": CANARY}},
        skip_reason=None,
    )
    bench.target(recording, Platform.YOUTUBE, "UPLOADED")
    with bench.database.system() as session:
        session.add(
            SourceMetadata(
                recording_id=recording,
                user_id=bench.user_id,
                source_type="ZOOM",
                source_key="meeting:1",
                meta=said,
            )
        )
        session.add(
            RecordingHold(
                recording_id=recording,
                user_id=bench.user_id,
                kind=HoldKind.QUALITY,
                reason=CANARY,
                facts=said,
            )
        )
        session.execute(update(ProcessingStage).values(stage_meta=said, failed_reason=CANARY))
        session.execute(update(RecordingRun).values(reason=CANARY))
        session.execute(update(Recording).values(skip_reason=CANARY, failed_reason=CANARY))
        target = session.scalars(select(OutputTarget)).one()
        sent, was = {"title": CANARY, "description": CANARY}, {"video_id": "old"}
        target.target_meta = {"video_id": "abc", "sent": sent, "history": [{**was, "sent": sent}]}
        session.add_all(
            [
                UploadSession(
                    user_id=bench.user_id,
                    target_id=target.id,
                    marker="m",
                    bytes=1,
                    sha256="0" * 64,
                    sent=sent,
                    session=CANARY,
                    processing_note=CANARY,
                ),
                TargetStep(user_id=bench.user_id, target_id=target.id, kind="x", reason=CANARY),
            ]
        )
    delete(bench, recording)
    assert hard_delete(bench.database, bench.storage, recording, LATER)
    with bench.database.system() as session:
        assert CANARY not in everything(session)
        kept = session.scalars(select(SourceMetadata)).one()
        target = session.scalars(select(OutputTarget)).one()
        assert usage_of(session, bench.user_id, LATER).month.storage_gb == 0
    assert (kept.source_type, kept.source_key, kept.recording_id) == (
        "ZOOM",
        "meeting:1",
        recording,
    )
    assert (target.status, target.target_meta) == (
        "UPLOADED",
        {"video_id": "abc", "history": [was]},
    )
    assert bench.picture(recording).projected == bench.row(recording).status == "SKIPPED"


def everything(session: Any) -> str:
    """All rows of all tables that the system may read, as one text."""
    tables = session.scalars(
        text(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
        )
    ).all()
    assert "audit_log" in tables
    return "\n".join(
        str(row)
        for table in tables
        for row in session.execute(text(f'SELECT to_jsonb(t) FROM "{table}" AS t'))
    )


def test_files_outside_of_the_folder_go_too_and_others_stay(bench: Bench) -> None:
    recording = processed(bench)
    elsewhere = bench.storage.root / "old" / "video.mp4"
    elsewhere.parent.mkdir()
    elsewhere.write_text("from the older platform")
    (elsewhere.parent / "other.mp4").write_text("another's")
    with bench.database.system() as session:
        row = {"user_id": bench.user_id, "kind": "raw_video", "path": "old/video.mp4", "bytes": 5}
        session.add(StoredObject(recording_id=recording, **row))
    delete(bench, recording)
    assert hard_delete(bench.database, bench.storage, recording, LATER)
    assert list(bench.files()) == ["old/other.mp4"]


def test_what_expires_can_be_restored_and_does_not_expire_again(bench: Bench) -> None:
    retain(bench, expire_after_days=10)
    with bench.database.tenant(bench.user_id) as session:
        due = expiry_of(session, bench.user_id, NOW)
    assert due == NOW + 10 * DAY
    recording = bench.recording(expire_at=due)
    with bench.database.system() as session:
        assert not expire(session, recording, due - timedelta(microseconds=1))
    work = bench.start(recording)
    with bench.database.system() as session:
        assert not expire(session, recording, due)  # a worker is at it
    work.close()
    with bench.database.system() as session:
        assert expire(session, recording, due)
    assert bench.row(recording).deletion_reason == "expired"
    bring_back(bench, recording, due)
    assert bench.row(recording).expire_at is None
    with bench.database.system() as session:
        assert not expire(session, recording, LATER)


def test_who_may_delete(bench: Bench) -> None:
    recording = bench.recording()
    with bench.database.system() as session:
        admin = Actor(add_user(session, "admin@example.org").id, "admin")
        other = Actor(add_user(session, "other@example.org").id, "other")
        session.execute(update(User).where(User.id == admin.id).values(role="admin"))
    owner = Actor(bench.user_id, "owner")
    with pytest.raises(UserActionError, match="Only an admin"):
        delete(bench, recording, actor=other)
    bench.permit(can_delete_recordings=False)
    for act in (delete, bring_back):
        with pytest.raises(UserActionError, match="can_delete_recordings is off"):
            act(bench, recording, actor=owner)
    delete(bench, recording, actor=admin)
    bring_back(bench, recording, actor=admin)
    bench.permit(can_delete_recordings=True)
    with bench.database.tenant(bench.user_id) as session:
        soft_delete(session, recording, reason=DeletionReason.MANUAL, actor=owner, at=NOW)
        restore(session, recording, actor=owner, at=NOW)
    with bench.database.tenant(str(other.id)) as session, pytest.raises(UserActionError):
        soft_delete(session, recording, reason=DeletionReason.MANUAL, actor=other, at=NOW)
    assert assert_agree(bench, recording) == "active"


EVENTS = ("delete", "restore", "expire", "sweep", "day", "month", "run")


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(EVENTS), min_size=3, max_size=14))
def test_whatever_happens_the_columns_agree(bench: Bench, events: list[str]) -> None:
    recording, at, state = bench.recording(expire_at=NOW + 5 * DAY), NOW, "active"
    allowed = {"active": {"soft_deleted"}, "soft_deleted": {"active", "hard_deleted"}}
    for each in events:
        at += {"day": DAY, "month": 31 * DAY}.get(each, timedelta(hours=1))
        with suppress(LeapError):
            happen(bench, recording, each, at)
        found = assert_agree(bench, recording)
        assert found == state or found in allowed[state], (state, each, found)
        assert (files_of(bench, recording) == []) or found != "hard_deleted"
        state = found


def happen(bench: Bench, recording: int, event: str, at: datetime) -> None:
    if event == "delete":
        delete(bench, recording, at)
    elif event == "restore":
        bring_back(bench, recording, at)
    elif event == "expire":
        with bench.database.system() as session:
            expire(session, recording, at)
    elif event == "sweep":
        hard_delete(bench.database, bench.storage, recording, at)
    elif event == "run":
        work = bench.claim(recording, phase=Phase.PREPARE)
        do(work)
        work.close()


def _delete_user(database: Database, storage: LocalStorage, user_id: str) -> None:
    delete_user(database, storage, user_id, actor=SYSTEM)


@pytest.mark.parametrize("point", [HALF_REMOVED, BEFORE_COMMIT])
def test_a_user_goes_with_all_rows_and_files_even_if_it_takes_two(bench: Bench, point: str) -> None:
    processed(bench)
    running = bench.recording()
    bench.start(running)
    thumbnail = bench.storage.root / f"users/user_{bench.slug:06d}/thumbnails/a.png"
    thumbnail.parent.mkdir()
    thumbnail.write_text("a thumbnail")
    with bench.database.system() as session:
        other = add_user(session, "other@example.org")
        neighbour = Bench(bench.database, bench.storage, other.id, other.user_slug)
    theirs = files_of(neighbour, processed(neighbour))

    killed_at(point, _delete_user, bench.database, bench.storage.root, bench.user_id)
    with bench.database.system() as session:
        left = session.get_one(User, bench.user_id)
        assert not left.is_active
    delete_user(bench.database, bench.storage, bench.user_id, actor=SYSTEM)
    with bench.database.system() as session:
        assert session.get(User, bench.user_id) is None
        rest = session.scalars(select(Recording.user_id)).all()
    assert set(rest) == {neighbour.user_id}
    assert sorted(bench.files()) == sorted(theirs)


def test_the_last_admin_is_not_deleted(bench: Bench) -> None:
    with bench.database.system() as session:
        session.execute(update(User).values(role="admin"))
    recording = processed(bench)
    with pytest.raises(UserActionError, match="last active admin"):
        delete_user(bench.database, bench.storage, bench.user_id, actor=SYSTEM)
    assert len(files_of(bench, recording)) == 6
