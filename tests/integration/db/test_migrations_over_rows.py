"""Up, down and up again over rows: what stays, what is mapped, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from leap_pipeline.db import migrate
from leap_pipeline.errors import UserActionError
from tests.support import rows
from tests.support.catalogue import facts
from tests.support.postgres import TestServer, urls_of


@pytest.fixture
def url(any_server: TestServer) -> Iterator[URL]:
    """A database at head with rows in every table of the design but Celery's."""
    with any_server.database() as found:
        write(found, rows.STATEMENTS)
        yield found


@pytest.fixture
def embedded(database_url: URL) -> URL:
    """The same on the embedded server alone, where the server makes no difference."""
    write(database_url, rows.STATEMENTS)
    return database_url


def write(url: URL, *scripts: str) -> None:
    with migrate.connected(url) as connection:
        rows.insert(connection, *scripts)


def read(url: URL, query: str) -> list[Any]:
    with migrate.connected(url) as connection:
        return [tuple(row) for row in connection.execute(text(query.replace(":", r"\:")))]


def contents(url: URL) -> dict[str, list[dict[str, Any]]]:
    with migrate.connected(url) as connection:
        return rows.contents(connection)


def test_every_row_survives_the_way_down_to_001_and_back(url: URL) -> None:
    before = contents(url)
    migrate.downgrade(urls_of(url), "001")
    counts = {table: len(found) for table, found in contents(url).items()}
    assert counts == {table: len(before[table]) for table in counts}
    assert len(counts) == 17
    assert all(counts.values())
    migrate.upgrade(urls_of(url))
    assert at_their_age(contents(url)) == at_their_age(before)


def at_their_age(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Without the instants from which jobs count, which are those of the upgrade."""
    for job in found["automation_jobs"]:
        del job["anchored_at"], job["armed_at"]
    for entry in found["celery_beat_schedule_entry"]:
        del entry["date_changed"]
    return found


def test_labels_unknown_at_001_are_mapped(url: URL) -> None:
    write(
        url,
        "UPDATE recordings SET status = 'PENDING_SOURCE' WHERE id = 101;"
        "UPDATE recordings SET status = 'UPLOADING' WHERE id = 102;"
        "UPDATE recordings SET status = 'A_LATER_ONE' WHERE id = 103;"
        "UPDATE output_targets SET status = 'UPLOADING' WHERE recording_id = 107;"
        "UPDATE processing_stages SET status = 'A_LATER_ONE' WHERE recording_id = 104",
    )
    migrate.downgrade(urls_of(url), "001")
    assert dict(read(url, "SELECT id, status FROM recordings")) == {
        101: "INITIALIZED",
        102: "PROCESSED",
        103: "INITIALIZED",
        104: "PROCESSING",
        105: "PROCESSED",
        106: "UPLOADED",
        107: "FAILED",
        108: "FAILED",
    }
    assert read(url, "SELECT recording_id, status FROM output_targets ORDER BY recording_id") == [
        (105, "NOT_UPLOADED"),
        (106, "UPLOADED"),
        (107, "NOT_UPLOADED"),
    ]
    assert read(url, "SELECT stage_type, status FROM processing_stages ORDER BY id") == [
        ("PROCESS_VIDEO", "COMPLETED"),
        ("TRANSCRIBE", "COMPLETED"),
        ("TOPICS", "COMPLETED"),
        ("SUBTITLES", "COMPLETED"),
        ("PROCESS_VIDEO", "FAILED"),
        ("TRANSCRIBE", "PENDING"),
    ]
    schedules = read(url, "SELECT schedule FROM automation_jobs ORDER BY id")
    assert schedules == [
        ({"type": "crontab", "minute": "0, 30", "hour": "2", "day_of_week": "mon-fri"},),
        ({"type": "interval", "every": 6, "period": "hours"},),
    ]
    assert read(url, "SELECT id, is_superuser FROM users ORDER BY id") == [
        (rows.USER, False),
        (rows.ADMIN, True),
    ]
    assert read(url, "SELECT DISTINCT priority FROM recording_templates") == [(0,)]


def test_rows_written_at_001_arrive_at_head(embedded: URL) -> None:
    migrate.downgrade(urls_of(embedded), "001")
    write(
        embedded,
        "UPDATE users SET is_superuser = TRUE WHERE user_slug = 1;"
        "UPDATE automation_jobs SET schedule = '\"whenever\"' WHERE name = 'often';"
        "UPDATE recordings SET local_video_path = NULL, downloaded_at = NULL WHERE id < 103;"
        "UPDATE recordings SET failed_at_stage = 'DOWNLOAD' WHERE id = 107;"
        "INSERT INTO processing_stages (recording_id, stage_type) VALUES (103, 'TOPICS')",
    )
    migrate.upgrade(urls_of(embedded))
    assert read(embedded, "SELECT DISTINCT role FROM users") == [("admin",)]
    jobs = "SELECT schedule_type, enabled, last_run_error FROM automation_jobs WHERE name = 'often'"
    assert read(embedded, jobs) == [
        ("crontab", False, 'The schedule was not understood: "whenever"')
    ]
    assert dict(read(embedded, "SELECT id, download_status FROM recordings")) == {
        101: "PENDING",
        102: "PENDING",
        107: "FAILED",
        **dict.fromkeys((103, 104, 105, 106, 108), "COMPLETED"),
    }
    stage = "SELECT stage_type, status FROM processing_stages WHERE recording_id = 103"
    assert read(embedded, stage) == [("EXTRACT_TOPICS", "PENDING")]


def test_parts_without_an_owner_get_their_recordings(embedded: URL) -> None:
    migrate.downgrade(urls_of(embedded), "012")
    parts = ("source_metadata", "processing_stages", "output_targets")
    write(embedded, ";".join(f"UPDATE {part} SET user_id = NULL" for part in parts))
    migrate.upgrade(urls_of(embedded))
    for part in parts:
        owners = f"SELECT DISTINCT user_id FROM {part}"
        assert read(embedded, owners) == [(rows.USER,)], part


def test_the_oldest_recording_keeps_a_source_key_that_several_have(embedded: URL) -> None:
    migrate.downgrade(urls_of(embedded), "010")
    write(embedded, "UPDATE source_metadata SET source_key = 'same' WHERE recording_id < 104")
    migrate.upgrade(urls_of(embedded))
    query = "SELECT source_key FROM source_metadata WHERE recording_id < 105 ORDER BY recording_id"
    assert read(embedded, query) == [("same",), ("same#102",), ("same#103",), ("meeting-104",)]


@pytest.mark.parametrize(
    ("script", "revision", "named"),
    [
        (rows.BEYOND, "010", ["stored_objects (1)", "recording_runs (1)"]),
        (rows.BEYOND + rows.CELERY, "001", ["recording_runs (1)", "celery_beat_schedule_entry"]),
        (
            rows.UNKNOWN_STAGE,
            "006",
            ["processing_stages of type DUB (1)"],
        ),
        ("", "base", ["users (2)", "recordings (8)"]),
    ],
)
def test_deleting_rows_needs_yes(
    embedded: URL, script: str, revision: str, named: list[str]
) -> None:
    write(embedded, script)
    before = contents(embedded)
    with pytest.raises(UserActionError) as refusal:
        migrate.downgrade(urls_of(embedded), revision)
    assert all(name in str(refusal.value) for name in [*named, "--yes"])
    assert contents(embedded) == before
    assert migrate.is_current(urls_of(embedded))

    migrate.downgrade(urls_of(embedded), revision, yes=True)
    arrived = None if revision == "base" else revision
    assert migrate.current(urls_of(embedded)) == arrived


def test_the_seeded_plans_alone_go_without_asking(database_url: URL) -> None:
    migrate.downgrade(urls_of(database_url), "base")
    with migrate.connected(database_url) as connection:
        assert facts(connection) == {"tables": {}, "sequences": []}


def test_an_edited_plan_needs_yes_and_survives_up_to_head(database_url: URL) -> None:
    write(database_url, "UPDATE subscription_plans SET price_monthly = 12 WHERE name = 'Plus'")
    with pytest.raises(UserActionError, match=r"subscription_plans \(1\)"):
        migrate.downgrade(urls_of(database_url), "base")
    migrate.downgrade(urls_of(database_url), "001")
    migrate.upgrade(urls_of(database_url))
    query = "SELECT name, price_monthly::INTEGER FROM subscription_plans ORDER BY sort_order"
    assert read(database_url, query) == [("Free", 0), ("Plus", 12), ("Pro", 30), ("Enterprise", 0)]
