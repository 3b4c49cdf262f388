"""What the models do on their own: keys, defaults, `updated_at`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.metadata import metadata
from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage, Recording
from leap_pipeline.db.models.subscriptions import QuotaUsage
from leap_pipeline.db.models.users import User

PAST = datetime(2020, 1, 1, tzinfo=UTC)


def new_user(session: Session, email: str) -> User:
    user = User(email=email, hashed_password="x")
    session.add(user)
    session.flush()
    return user


def new_recording(session: Session, user: User) -> Recording:
    recording = Recording(user_id=user.id, display_name="Lecture", start_time=PAST, duration=60)
    session.add(recording)
    session.flush()
    return recording


def test_users_get_ulids_and_slugs(database: Database) -> None:
    with database.system() as session:
        ada, bob = new_user(session, "ada@example.org"), new_user(session, "bob@example.org")
        assert len(ada.id) == 26
        assert bob.user_slug == ada.user_slug + 1
        assert (ada.role, ada.timezone, ada.can_upload, ada.is_verified) == (
            "user",
            "UTC",
            True,
            False,
        )


@pytest.mark.parametrize("column", ["updated_at", "last_updated_at"])
def test_every_update_moves_the_time_of_the_last_one(database: Database, column: str) -> None:
    with database.system() as session:
        user = new_user(session, "ada@example.org")
        row: Any = user
        if column == "last_updated_at":
            row = QuotaUsage(user_id=user.id, period="202611", last_updated_at=PAST)
        setattr(row, column, PAST)
        session.add(row)
        session.flush()
        assert getattr(row, column) == PAST
        kind = type(row)
        changed = "recordings_count" if kind is QuotaUsage else "full_name"
        value = 3 if kind is QuotaUsage else "Ada"
        session.execute(update(kind).values({changed: value}))
        session.refresh(row)
        assert getattr(row, column) > PAST

        session.execute(text(f"UPDATE {kind.__tablename__} SET {column} = '2020-01-01Z'"))
        session.refresh(row)
        setattr(row, changed, None)
        session.flush()
        session.refresh(row)
        assert getattr(row, column) > PAST


def test_every_table_with_a_time_of_change_keeps_it() -> None:
    columns = [
        table.columns[name]
        for table in metadata.sorted_tables
        for name in ("updated_at", "last_updated_at", "date_changed")
        if name in table.columns
    ]
    assert len(columns) > 15
    assert [str(column) for column in columns if column.onupdate is None] == []


def test_none_in_a_json_column_is_null(database: Database) -> None:
    with database.system() as session:
        recording = new_recording(session, new_user(session, "ada@example.org"))
        for given in (None, ["graphs"], None):
            recording.main_topics = given
            session.flush()
            nulls = session.scalar(text("SELECT main_topics IS NULL FROM recordings"))
            assert nulls is (given is None)


def test_a_recording_brings_its_stages_and_targets_and_can_be_locked(database: Database) -> None:
    with database.system() as session:
        recording = new_recording(session, new_user(session, "ada@example.org"))
        part = {"recording_id": recording.id, "user_id": recording.user_id}
        for kind in ("TRIM", "TRANSCRIBE"):
            session.add(ProcessingStage(**part, stage_type=kind))
        session.add(OutputTarget(**part, target_type="VK"))
        recording_id = recording.id
    with database.system() as session:
        found = session.scalars(
            select(Recording).where(Recording.id == recording_id).with_for_update()
        ).one()
        assert [stage.stage_type for stage in found.stages] == ["TRIM", "TRANSCRIBE"]
        assert [target.status for target in found.targets] == ["NOT_UPLOADED"]
        assert (found.source, found.download_status) == (None, "PENDING")
