"""`leap delete`, `leap restore`, `leap retention run` and the job of the schedule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from leap_pipeline import cli
from leap_pipeline.commands.deletion import SweepIncomplete
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.runs import StoredObject
from leap_pipeline.db.models.subscriptions import QuotaUsage, UserSubscription
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.quotas import GB
from leap_pipeline.errors import InputError
from leap_pipeline.orchestration.definitions import defs
from leap_pipeline.orchestration.retention import retention_schedule
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.deletion import delete_user
from leap_pipeline.settings import Settings
from leap_pipeline.storage.paths import RecordingPaths
from tests.support.bench import Bench, make_bench

PAST = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def bench(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("LEAP_HOME", str(settings.home))
    monkeypatch.setenv("LEAP_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("LEAP_STORAGE_ROOT", str(settings.storage))
    return make_bench(database, settings.storage)


def leap(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def stored(bench: Bench) -> int:
    """A recording with a file."""
    recording = bench.recording()
    path = RecordingPaths(bench.slug, recording).source()
    bench.storage.path(path).parent.mkdir(parents=True)
    bench.storage.path(path).write_text("a lecture")
    with bench.database.system() as session:
        row = {"user_id": bench.user_id, "recording_id": recording, "kind": "raw_video"}
        session.add(StoredObject(path=path, bytes=9, **row))
    return recording


def past(bench: Bench, recording: int, **columns: Any) -> None:
    with bench.database.system() as session:
        session.execute(update(Recording).where(Recording.id == recording).values(**columns))


def state(bench: Bench, *recordings: int) -> list[str | None]:
    return [bench.row(each).delete_state for each in recordings]


@pytest.fixture
def dagster_instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path / "dagster")) as instance:
        yield instance


def test_deleted_by_the_command_line_and_brought_back(bench: Bench) -> None:
    first, second = bench.recording(), bench.recording()
    key = partition_key(bench.slug, second)
    deleted = json.loads(leap("delete", str(first), key, str(first), "--json"))["deleted"]
    assert [each["recording_id"] for each in deleted] == [first, second]
    assert state(bench, first, second) == ["soft_deleted", "soft_deleted"]
    assert bench.row(first).deletion_reason == "manual"
    assert leap("restore", str(first)) == f"Recording {first} is back.\n"
    with pytest.raises(InputError, match="deleted already"):
        leap("delete", str(first), str(second))
    assert state(bench, first, second) == ["active", "soft_deleted"]  # all of it or nothing


def test_a_user_is_removed_with_everything_but_not_by_mistake(bench: Bench) -> None:
    stored(bench)
    with pytest.raises(InputError, match="say --yes"):
        leap("user", "remove", "owner@example.org")
    assert bench.files()
    assert leap("user", "remove", "owner@example.org", "--yes") == "owner@example.org is deleted.\n"
    assert bench.files() == {}
    with pytest.raises(InputError, match="There is no user"):
        leap("user", "remove", "owner@example.org", "--yes")


def test_a_dry_run_tells_and_changes_nothing(bench: Bench) -> None:
    gone, due = stored(bench), stored(bench)
    leap("delete", str(gone))
    past(bench, gone, hard_delete_at=PAST)
    past(bench, due, expire_at=PAST)
    files = bench.files()
    told = json.loads(leap("retention", "run", "--dry-run", "--json"))
    assert told["deleted_for_good"]["done"] == [gone]
    assert told["expired"]["done"] == [due]
    assert state(bench, gone, due) == ["soft_deleted", "active"]
    assert bench.files() == files


def test_what_cannot_be_swept_is_told_and_holds_up_nobody(bench: Bench) -> None:
    bad, good, other = stored(bench), stored(bench), stored(bench)
    leap("delete", str(bad), str(good))
    with bench.database.system() as session:
        row = {"user_id": bench.user_id, "kind": "raw", "path": "../outside", "bytes": 1}
        session.add(StoredObject(recording_id=bad, **row))
        session.execute(
            update(Recording).where(Recording.deleted.is_(True)).values(hard_delete_at=PAST)
        )
    with pytest.raises(SweepIncomplete, match=f"{bad}: The stored path “../outside”"):
        leap("retention", "run")
    assert state(bench, bad, good, other) == ["soft_deleted", "hard_deleted", "active"]


def test_the_schedule_s_job_does_all_of_it(
    bench: Bench, dagster_instance: dg.DagsterInstance
) -> None:
    gone, due, kept = stored(bench), stored(bench), stored(bench)
    stranger = make_stranger(bench)
    keys = [partition_key(bench.slug, each) for each in (gone, due, kept)]
    dagster_instance.add_dynamic_partitions("recordings", [*keys, "000099-1", stranger])
    before = dagster_instance.get_dynamic_partitions("recordings")
    leap("delete", str(gone))
    past(bench, gone, hard_delete_at=PAST)
    past(bench, due, expire_at=PAST)
    third = make_bench(bench.database, bench.storage.root, "third@example.org").user_id
    with bench.database.system() as session:
        session.add(StoredObject(user_id=third, kind="raw", path="a", bytes=3 * GB))
        session.execute(
            update(UserSubscription)
            .where(UserSubscription.user_id == bench.user_id)
            .values(expires_at=PAST)
        )

    result = defs.resolve_job_def("retention").execute_in_process(instance=dagster_instance)

    assert result.success
    assert state(bench, gone, due, kept) == ["hard_deleted", "soft_deleted", "active"]
    assert set(dagster_instance.get_dynamic_partitions("recordings")) == {keys[1], keys[2]}
    with bench.database.system() as session:
        rows = session.execute(select(QuotaUsage.user_id, QuotaUsage.storage_used_gb))
        assert {row[0]: row[1] for row in rows} == {bench.user_id: 0, third: 3}
    shown = {
        event.step_key: event.step_output_data.metadata
        for event in result.all_events
        if event.is_successful_output
    }
    assert shown["delete_for_good"]["done"].value == [gone]
    assert shown["expire_recordings"]["done"].value == [due]
    assert shown["expire_subscriptions"]["users"].value == [bench.user_id]
    assert shown["recount_storage"]["users"].value == [third]
    assert shown["forget_gone_partitions"]["partitions"] == dg.MetadataValue.json(
        [key for key in before if key not in keys[1:]]
    )
    assert defs.resolve_job_def("retention").execute_in_process(instance=dagster_instance).success


def make_stranger(bench: Bench) -> str:
    """The partition of a recording whose user is deleted."""
    other = make_bench(bench.database, bench.storage.root, "other@example.org")
    partition = partition_key(other.slug, other.recording())
    delete_user(bench.database, bench.storage, other.user_id, actor=SYSTEM)
    return partition


def test_the_schedule_is_on_every_day_at_three(bench: Bench) -> None:
    assert retention_schedule.cron_schedule == "0 3 * * *"
    assert retention_schedule.execution_timezone == "UTC"
    assert retention_schedule.default_status is dg.DefaultScheduleStatus.RUNNING
