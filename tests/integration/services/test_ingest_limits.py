"""Ingest against the owner's storage, days of retention, and what was deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from leap_pipeline.db.models.recordings import Recording, SourceMetadata
from leap_pipeline.db.models.runs import StoredObject
from leap_pipeline.db.models.subscriptions import QuotaUsage, UserSubscription
from leap_pipeline.db.models.users import UserConfig
from leap_pipeline.domain.deletion import DeletionReason
from leap_pipeline.domain.quotas import GB
from leap_pipeline.errors import InputError, QuotaExceeded
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.deletion import hard_delete, restore, soft_delete
from leap_pipeline.services.ingest import Ingested, ingest_file
from leap_pipeline.services.quotas import usage_of
from leap_pipeline.settings import Settings
from tests.support.bench import Bench
from tests.support.clips import make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return make_clip(folder / "lecture.mp4", pattern=[("speech", 2.0)], size="64x36")


def take(bench: Bench, path: Path) -> Ingested:
    return ingest_file(bench.database, bench.storage, Settings(), path, email="owner@example.org")


def delete(bench: Bench, recording: int, at: datetime) -> datetime:
    with bench.database.system() as session:
        return soft_delete(session, recording, reason=DeletionReason.MANUAL, actor=SYSTEM, at=at)


def test_a_file_that_finds_no_room_leaves_nothing_behind(bench: Bench, clip: Path) -> None:
    size = clip.stat().st_size
    with bench.database.system() as session:
        session.execute(update(UserSubscription).values(custom_max_storage_gb=1))
        row = {"user_id": bench.user_id, "kind": "raw", "path": "a"}
        session.add(StoredObject(bytes=GB - size + 1, **row))
    with pytest.raises(QuotaExceeded, match="storage of 1 GB has no room"):
        take(bench, clip)
    assert bench.files() == {}
    with bench.database.system() as session:
        assert session.scalars(select(Recording)).all() == []
        session.execute(update(StoredObject).values(bytes=GB - size))
    assert take(bench, clip).created
    with bench.database.system() as session:
        month = usage_of(session, bench.user_id, datetime.now(UTC)).month
        assert month.storage_gb == 1
        assert month.recordings == 0  # an ingest counts none
        assert session.scalar(select(QuotaUsage.storage_used_gb)) == 1


def test_a_recording_expires_after_its_owner_s_days(bench: Bench, clip: Path) -> None:
    with bench.database.system() as session:
        days = {"retention": {"expire_after_days": 10}}
        session.execute(update(UserConfig).values(preferences=days))
    before = datetime.now(UTC)
    due = bench.row(take(bench, clip).recording_id).expire_at
    assert due is not None
    assert before <= due - timedelta(days=10) <= datetime.now(UTC)


def test_a_file_handed_over_again_after_it_was_deleted(bench: Bench, clip: Path) -> None:
    now = datetime.now(UTC)
    first = take(bench, clip).recording_id
    until = delete(bench, first, now)
    with pytest.raises(InputError, match=rf"restore it from the bin \(leap restore {first}\)"):
        take(bench, clip)
    with bench.database.system() as session:
        restore(session, first, actor=SYSTEM, at=now)
    assert take(bench, clip).recording_id == first

    until = delete(bench, first, now)
    assert hard_delete(bench.database, bench.storage, first, until)
    again = take(bench, clip)
    assert again.created
    assert again.recording_id != first
    with bench.database.system() as session:
        rows = session.execute(select(SourceMetadata.recording_id, SourceMetadata.source_key))
        keys = {row[0]: row[1] for row in rows}
    assert keys[first] == f"{keys[again.recording_id]}#{first}"
    assert bench.row(first).delete_state == "hard_deleted"
