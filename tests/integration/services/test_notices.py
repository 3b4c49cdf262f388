"""Notices in the database: written with their fact, once for each, and read in groups."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, text, update

from leap_pipeline.db.models.notices import Notice
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.domain.deletion import DeletionReason
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.notices import KEPT, NoticeKind
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.states import Platform, Stage, StageStatus, TargetStatus
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.audit import SYSTEM, Actor
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.deletion import hard_delete, soft_delete
from leap_pipeline.services.holds import hold, release
from leap_pipeline.services.moves import move_stage, move_target
from leap_pipeline.services.notices import (
    Group,
    groups,
    mark_all_read,
    mark_read,
    members,
    tell_test,
)
from leap_pipeline.services.projection import refresh_status
from leap_pipeline.services.retention import tidy
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.support.bench import Bench

MOSCOW = ZoneInfo("Europe/Moscow")
CANARY = "canary-0123456789-abcdef"


def fail(bench: Bench, recording: int, stage: Stage, reason: str = "no sound in it") -> None:
    with bench.database.tenant(bench.user_id) as session:
        move_stage(session, recording, stage, StageStatus.IN_PROGRESS)
        move_stage(session, recording, stage, StageStatus.FAILED, reason)
        refresh_status(session, recording)


def upload(bench: Bench, recording: int) -> None:
    """As an upload, or an update of what is there, ends."""
    with bench.database.tenant(bench.user_id) as session:
        move_target(session, recording, Platform.YOUTUBE, TargetStatus.UPLOADING)
        refresh_status(session, recording)
    with bench.database.tenant(bench.user_id) as session:
        move_target(session, recording, Platform.YOUTUBE, TargetStatus.UPLOADED)
        refresh_status(session, recording)


def told(bench: Bench) -> list[Notice]:
    with bench.database.tenant(bench.user_id) as session:
        return list(session.scalars(select(Notice).order_by(Notice.id)))


def shown(bench: Bench, **asked: object) -> list[Group]:
    with bench.database.tenant(bench.user_id) as session:
        return groups(session, MOSCOW, **asked)  # type: ignore[arg-type]


def test_a_failure_is_told_once_and_another_one_again(bench: Bench) -> None:
    recording = bench.recording(display_name="Algebra <b>1</b>", download_status="COMPLETED")
    assert not told(bench)
    fail(bench, recording, Stage.TRIM, f"it broke, api_key={CANARY}")
    with bench.database.system() as session:  # whoever looks again has nothing new to say
        refresh_status(session, recording)
    (notice,) = told(bench)
    assert (notice.kind, notice.about, notice.recording_id) == ("failed", "TRIM", recording)
    assert notice.subject == "Algebra <b>1</b>"
    assert CANARY not in (notice.reason or "")
    assert (notice.read_at, notice.mail_state, notice.webhook_state) == (None, None, None)
    fail(bench, recording, Stage.TRIM)
    assert [each.kind for each in told(bench)] == ["failed", "failed"]


def test_a_notice_is_gone_with_the_transaction_of_its_fact(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    with suppress(RuntimeError), bench.database.tenant(bench.user_id) as session:
        move_stage(session, recording, Stage.TRIM, StageStatus.IN_PROGRESS)
        move_stage(session, recording, Stage.TRIM, StageStatus.FAILED, "x")
        refresh_status(session, recording)
        assert session.scalars(select(Notice)).all()
        raise RuntimeError
    assert not told(bench)


def test_a_publication_is_told_and_an_update_of_it_is_not(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    with bench.database.tenant(bench.user_id) as session:
        for stage in Stage:
            move_stage(session, recording, stage, StageStatus.SKIPPED, "not wanted")
    bench.target(recording, Platform.YOUTUBE, "NOT_UPLOADED")
    upload(bench, recording)
    upload(bench, recording)
    assert [each.kind for each in told(bench)] == ["ready"]
    with bench.database.tenant(bench.user_id) as session:  # retracted, and published again
        target = session.scalars(select(OutputTarget)).one()
        target.status, target.uploaded_at = "NOT_UPLOADED", None
        refresh_status(session, recording)
    upload(bench, recording)
    assert [each.kind for each in told(bench)] == ["ready", "ready"]


def test_what_was_forgotten_is_not_told_again(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    with bench.database.tenant(bench.user_id) as session:
        for stage in Stage:
            move_stage(session, recording, stage, StageStatus.SKIPPED, "not wanted")
    bench.target(recording, Platform.YOUTUBE, "NOT_UPLOADED")
    upload(bench, recording)
    assert [each.kind for each in told(bench)] == ["ready"]
    with bench.database.tenant(bench.user_id) as session:
        session.scalars(select(OutputTarget)).one().uploaded_at = datetime.now(UTC) - (
            KEPT + timedelta(days=1)
        )
    with bench.database.system() as session:
        session.execute(delete(Notice))
    upload(bench, recording)
    assert told(bench) == []


def test_a_hold_is_told_unless_the_owner_placed_it(bench: Bench) -> None:
    recording = bench.recording()
    with bench.database.tenant(bench.user_id) as session:
        hold(session, recording, HoldKind.PAUSE, "mine", actor=Actor(bench.user_id, "me"))
        for reason in ("no speech", "still no speech"):
            held = hold(session, recording, HoldKind.QUALITY, reason, actor=SYSTEM)
    assert [(each.about, each.reason) for each in told(bench)] == [("quality", "no speech")]
    with bench.database.tenant(bench.user_id) as session:
        release(session, held, SYSTEM)
        hold(session, recording, HoldKind.QUALITY, "once more", actor=SYSTEM)
    assert len(told(bench)) == 2


def test_an_account_that_is_refused_is_told_each_time_that_it_was_connected(
    bench: Bench, tmp_path: Path
) -> None:
    vault = load_vault(Settings(home=tmp_path))
    editor = Editor(SYSTEM, Rights())
    for _ in range(2):
        with bench.database.tenant(bench.user_id) as session:
            mine = Credentials(session, bench.user_id, vault)
            known = mine.views()
            document = {"api_key": CANARY}
            if known:
                key = mine.update(known[0].id, editor, data=document).id
            else:
                key = mine.create("deepseek", document, editor).id
        with bench.database.tenant(bench.user_id) as session:
            mine = Credentials(session, bench.user_id, vault)
            tried = mine.open(key)
            assert mine.mark_inactive(key, tried, f"401 for {CANARY}", SYSTEM)
            assert not mine.mark_inactive(key, tried, "401", SYSTEM)
    found = told(bench)
    assert [(each.kind, each.about, each.credential_id) for each in found] == [
        ("connect", "deepseek", key)
    ] * 2
    assert CANARY not in f"{found[0].reason}{found[0].subject}"


def test_what_is_deleted_tells_nothing_more_and_leaves_no_names(bench: Bench) -> None:
    recording, now = bench.recording(download_status="COMPLETED"), datetime.now(UTC)
    fail(bench, recording, Stage.TRIM)
    with bench.database.system() as session:
        soft_delete(session, recording, reason=DeletionReason.ADMIN, actor=SYSTEM, at=now)
    fail(bench, recording, Stage.TRIM)
    assert len(told(bench)) == 1
    assert hard_delete(bench.database, bench.storage, recording, now + timedelta(days=31))
    assert not told(bench)


def test_a_night_of_failures_is_one_group_a_day(bench: Bench) -> None:
    with bench.database.system() as session:
        session.execute(
            text("""
                INSERT INTO notices (user_id, kind, fact, subject, about, created_at)
                SELECT :user_id, 'failed', 'failed:' || n, 'Lecture ' || n, 'TRIM',
                    '2026-11-20T20:59:00Z'::timestamptz + (n > 600)::int * interval '2 minutes'
                FROM generate_series(1, 1000) AS n
            """),
            {"user_id": bench.user_id},
        )
    later, earlier = shown(bench)  # midnight in Moscow is at 21:00 UTC
    assert (later.count, earlier.count) == (400, 600)
    assert (later.day.day, earlier.day.day) == (21, 20)
    assert later.newest.subject == "Lecture 1000"
    with bench.database.tenant(bench.user_id) as session:
        page = members(session, later, MOSCOW)
        assert [len(page), page[0].subject] == [50, "Lecture 1000"]
        assert members(session, later, MOSCOW, before=page[-1].id)[0].subject == "Lecture 950"
        assert mark_read(session, later, MOSCOW) == 400
        assert mark_read(session, later, MOSCOW) == 0
    assert [each.unread for each in shown(bench)] == [0, 600]
    assert [each.count for each in shown(bench, unread=True)] == [600]
    assert [each.count for each in shown(bench, before=later.newest.id)] == [600]
    with bench.database.tenant(bench.user_id) as session:
        assert mark_all_read(session, later.newest.id) == 600


def test_what_came_after_one_looked_stays_unread(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    fail(bench, recording, Stage.TRIM)
    (seen,) = shown(bench)
    fail(bench, recording, Stage.TRIM)
    with bench.database.tenant(bench.user_id) as session:
        assert mark_read(session, seen, MOSCOW) == 1
    assert [(each.count, each.unread) for each in shown(bench)] == [(2, 1)]


def test_notices_are_their_owners_alone(bench: Bench) -> None:
    fail(bench, bench.recording(download_status="COMPLETED"), Stage.TRIM)
    (mine,) = shown(bench)
    with bench.database.system() as session:
        other = add_user(session, "bob@example.org").id
    with bench.database.tenant(other) as session:
        assert not groups(session, MOSCOW)
        assert not members(session, mine, MOSCOW)
        assert mark_all_read(session, mine.newest.id) == 0
        assert mark_read(session, mine, MOSCOW) == 0
    assert [each.unread for each in shown(bench)] == [1]


def test_one_test_a_quarter_of_an_hour(bench: Bench) -> None:
    with bench.database.tenant(bench.user_id) as session:
        at = datetime(2026, 11, 23, 9, 1, tzinfo=UTC)
        said = [tell_test(session, at + timedelta(minutes=late)) for late in (0, 13, 14)]
    assert said == [True, False, True]
    assert {each.kind for each in told(bench)} == {NoticeKind.TEST}


def test_old_notices_are_forgotten(bench: Bench) -> None:
    for _ in range(2):
        fail(bench, bench.recording(download_status="COMPLETED"), Stage.TRIM)
    first = told(bench)[0].id
    with bench.database.system() as session:
        long_ago = datetime.now(UTC) - KEPT - timedelta(hours=1)
        session.execute(update(Notice).where(Notice.id == first).values(created_at=long_ago))
    assert tidy(bench.database)["notices"] == 1
    assert first not in [each.id for each in told(bench)]
