"""Celery's tables say what `automation_jobs` says, in the same transaction, whoever writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from leap_pipeline.db import migrate
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import plain
from leap_pipeline.domain.identity import job_name
from tests.support.automation import LONG_AGO, Desk, make_desk

ENTRIES = """
    SELECT entry.name, entry.task, entry.args, entry.kwargs, entry.enabled, entry.description,
        crontab.minute, crontab.hour, crontab.day_of_month, crontab.month_of_year,
        crontab.day_of_week, crontab.timezone, every.every, every.period
    FROM celery_beat_schedule_entry AS entry
    LEFT JOIN celery_crontab_schedule AS crontab ON crontab.id = entry.crontab_id
    LEFT JOIN celery_interval_schedule AS every ON every.id = entry.interval_id
    ORDER BY entry.id
"""
EXPECTED = """
    SELECT users.user_slug, job.id, job.job_type, '[]'::JSONB,
        jsonb_build_object('job_id', job.id, 'user_id', job.user_id), job.enabled,
        job.description, job.crontab_minute, job.crontab_hour, job.crontab_day_of_month,
        job.crontab_month_of_year, job.crontab_day_of_week,
        CASE job.schedule_type WHEN 'crontab' THEN COALESCE(job.timezone, users.timezone) END,
        job.interval_every, job.interval_period
    FROM automation_jobs AS job JOIN users ON users.id = job.user_id ORDER BY job.id
"""
LEFT_OVER = """
    SELECT (SELECT count(*) FROM celery_crontab_schedule) - count(crontab_id),
        (SELECT count(*) FROM celery_interval_schedule) - count(interval_id),
        count(queue) + count(exchange) + count(routing_key) + count(expires)
    FROM celery_beat_schedule_entry
"""


def mirrored(desk: Desk) -> list[tuple[Any, ...]]:
    """The entries, after a look that they are the jobs' and that nothing else is there."""
    found = desk.sql(ENTRIES)
    expected = desk.sql(EXPECTED)
    assert found == [(job_name(slug, job), *row) for slug, job, *row in expected]
    assert desk.sql(LEFT_OVER) == [(0, 0, 0)]
    return found


def test_a_job_that_is_written_by_plain_sql_is_mirrored(desk: Desk) -> None:
    nightly = desk.job("0 2 * * mon-fri", timezone="Europe/Berlin", description="Every night")
    desk.job(every="45 seconds", enabled=False)
    assert len(mirrored(desk)) == 2
    other_kind = (
        "schedule_type = 'interval', interval_every = 90, interval_period = 'minutes',"
        " crontab_minute = NULL, crontab_hour = NULL, crontab_day_of_month = NULL,"
        " crontab_month_of_year = NULL, crontab_day_of_week = NULL"
    )
    for change in (
        "crontab_hour = '3', crontab_minute = '15'",
        "enabled = FALSE",
        "timezone = NULL",
        "description = NULL, job_type = 'process_recordings'",
        other_kind,
    ):
        before = mirrored(desk)
        desk.sql(f"UPDATE automation_jobs SET {change} WHERE id = :job", job=nightly)
        assert mirrored(desk) != before, change
    desk.sql("DELETE FROM automation_jobs WHERE id = :job", job=nightly)
    assert len(mirrored(desk)) == 1


def test_what_changes_with_the_owner_changes_in_the_mirror(desk: Desk) -> None:
    desk.job("0 2 * * *")
    desk.job("0 2 * * *", name="elsewhere", timezone="Asia/Tashkent")
    stranger = make_desk(desk.database, "other@example.org")
    stranger.job("0 2 * * *")
    desk.sql(
        "UPDATE users SET timezone = 'America/New_York', user_slug = 1234567 WHERE id = :user",
        user=desk.user_id,
    )
    found = mirrored(desk)
    assert [row[11] for row in found] == ["America/New_York", "Asia/Tashkent", "UTC"]
    assert found[0][0].startswith("automation_1234567_")
    desk.sql("DELETE FROM users WHERE id = :user", user=desk.user_id)
    assert len(mirrored(desk)) == 1


def test_a_transaction_that_is_rolled_back_leaves_no_mirror(desk: Desk) -> None:
    job = (
        "INSERT INTO automation_jobs (user_id, name, job_type, schedule_type)"
        " VALUES (:user, 'x', 'y', 'crontab')"
    )
    with desk.database.system() as session:
        session.execute(text(job), {"user": desk.user_id})
        assert session.execute(text(ENTRIES)).all()
        session.rollback()
    assert mirrored(desk) == []


def test_a_tenant_writes_jobs_and_nothing_of_celery(desk: Desk) -> None:
    with desk.database.tenant(desk.user_id) as session:
        session.execute(
            text(
                "INSERT INTO automation_jobs (user_id, name, job_type, schedule_type,"
                " crontab_minute, crontab_hour, crontab_day_of_month, crontab_month_of_year,"
                " crontab_day_of_week) VALUES (:user, 'x', 'y', 'crontab', '0', '1', '*', '*', '*')"
            ),
            {"user": desk.user_id},
        )
    assert len(mirrored(desk)) == 1
    calls = ("SELECT leap_mirror_job(1)", "SELECT * FROM celery_beat_schedule_entry")
    for statement in calls:
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            desk.database.tenant(desk.user_id) as session,
        ):
            session.execute(text(statement))
    with desk.database.tenant(desk.user_id) as session:
        session.execute(text("UPDATE users SET timezone = 'Europe/Berlin'"))
    assert mirrored(desk)[0][11] == "Europe/Berlin"


def test_entries_of_others_stay_as_they_are(desk: Desk) -> None:
    desk.sql(
        "INSERT INTO celery_beat_schedule_entry (name, task, args, kwargs) VALUES"
        " ('sync', 'tasks.sync', '[1]', '{\"job_id\": 1}')"
    )
    job = desk.job("0 2 * * *")
    desk.sql("UPDATE automation_jobs SET enabled = FALSE WHERE id = :job", job=job)
    desk.sql("DELETE FROM automation_jobs WHERE id = :job", job=job)
    assert [row[:3] for row in desk.sql(ENTRIES)] == [("sync", "tasks.sync", [1])]


@pytest.mark.parametrize(
    "columns",
    [
        {"schedule_type": "whenever"},
        {"schedule_type": "interval", "interval_period": "hours"},
        {"schedule_type": "crontab", "crontab_day_of_week": ",".join(["mon"] * 25)},
    ],
    ids=["unknown kind", "half an interval", "too long for Celery"],
)
def test_what_cannot_be_mirrored_has_an_entry_without_a_schedule(
    desk: Desk, columns: dict[str, Any]
) -> None:
    desk.job(name="odd", **columns)
    assert [row[6:] for row in desk.sql(ENTRIES)] == [(None,) * 8]
    assert desk.sql(LEFT_OVER) == [(0, 0, 0)]


def test_a_counted_run_is_no_change(desk: Desk) -> None:
    job = desk.job("0 2 * * *")
    query = "SELECT date_changed, total_run_count FROM celery_beat_schedule_entry"
    before = desk.sql(query)
    desk.sql("UPDATE celery_beat_schedule_entry SET total_run_count = 1, last_run_at = now()")
    assert desk.sql(query) == [(before[0][0], 1)]
    desk.sql("UPDATE automation_jobs SET enabled = FALSE WHERE id = :job", job=job)
    changed, runs = desk.sql(query)[0]
    assert changed > before[0][0]
    assert runs == 1


def test_jobs_that_are_there_are_mirrored_by_the_migration(database: Database) -> None:
    desk = make_desk(database)
    desk.job("0 2 * * *")
    desk.job(every="6 hours")
    before = mirrored(desk)
    migrate.downgrade(database.urls, "016")
    assert desk.sql("SELECT count(*) FROM celery_beat_schedule_entry") == [(0,)]
    assert desk.sql(LEFT_OVER) == [(0, 0, 0)]
    migrate.upgrade(database.urls)
    assert mirrored(desk) == before


def test_a_new_schedule_counts_from_now_and_a_switch_keeps_the_phase(desk: Desk) -> None:
    job = desk.job(every="6 hours", enabled=False)

    def after(change: str) -> tuple[bool, bool]:
        """Whether the anchor, and the arming, moved."""
        desk.sql(
            "UPDATE automation_jobs SET anchored_at = :then, armed_at = :then",
            then=LONG_AGO,
        )
        desk.sql(f"UPDATE automation_jobs SET {change}")
        row = desk.row(job)
        return row.anchored_at > LONG_AGO, row.armed_at > LONG_AGO

    assert after("enabled = TRUE") == (False, True)
    assert after("enabled = FALSE") == (False, False)
    assert after("interval_every = 7") == (True, True)
    assert after("timezone = 'Asia/Tashkent'") == (True, True)
    assert after("name = 'renamed', last_run_at = now()") == (False, False)
    given = datetime(2026, 1, 1, tzinfo=UTC)
    desk.sql("UPDATE automation_jobs SET interval_every = 8, anchored_at = :at", at=given)
    assert desk.row(job).anchored_at == given


def test_times_in_the_owners_zone_count_anew_when_it_changes(desk: Desk) -> None:
    here, there = desk.job("0 2 * * *"), desk.job("0 2 * * *", name="b", timezone="Asia/Tashkent")
    every = desk.job(every="6 hours")
    desk.sql("UPDATE users SET timezone = 'Europe/Berlin'")
    assert [desk.row(each).armed_at > LONG_AGO for each in (here, there, every)] == [
        True,
        False,
        False,
    ]
    desk.sql("UPDATE automation_jobs SET armed_at = :then", then=LONG_AGO)
    desk.sql("UPDATE users SET is_active = FALSE")
    assert desk.row(every).armed_at == LONG_AGO
    desk.sql("UPDATE users SET is_active = TRUE")
    assert all(desk.row(each).armed_at > LONG_AGO for each in (here, there, every))


def test_the_functions_cannot_be_led_astray(desk: Desk) -> None:
    """They run as the owner: tables of the same names in somebody's own schema are not theirs."""
    with psycopg.connect(plain(desk.database.urls.application), autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE celery_beat_schedule_entry (id INTEGER)")
        connection.execute(
            "INSERT INTO automation_jobs (user_id, name, job_type, schedule_type)"
            " VALUES (%s, 'x', 'y', 'crontab')",
            [desk.user_id],
        )
        assert connection.execute("SELECT * FROM pg_temp.celery_beat_schedule_entry").rowcount == 0
    assert desk.sql("SELECT count(*) FROM celery_beat_schedule_entry") == [(1,)]
