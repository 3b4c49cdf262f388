"""Users with automation jobs, made by plain SQL, and what is stored of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CursorResult, select, text

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.services.users import add_user

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CRONTAB = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


@dataclass
class Desk:
    """One user's jobs in a database of the test's own."""

    database: Database
    user_id: str

    def sql(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the system; its rows, if it has any."""
        with self.database.system() as session:
            found = session.execute(text(statement), values)
            return (
                [tuple(row) for row in found]
                if isinstance(found, CursorResult) and found.returns_rows
                else []
            )

    def job(self, crontab: str | None = None, every: str | None = None, **columns: Any) -> int:
        """A row by plain SQL: a crontab in one line, or an interval such as `45 seconds`.

        Counted from 2020 on if not said otherwise.
        """
        given: dict[str, Any] = {"name": f"job {crontab or every}", "job_type": "sync_and_process"}
        if crontab is not None:
            given["schedule_type"] = "crontab"
            fields = zip(CRONTAB, crontab.split(), strict=True)
            given |= {f"crontab_{name}": field for name, field in fields}
        if every is not None:
            number, period = every.split()
            given |= {"schedule_type": "interval", "interval_every": int(number)}
            given["interval_period"] = period
        given |= {"anchored_at": LONG_AGO, "armed_at": LONG_AGO, "source_ids": "[]"}
        given |= {"user_id": self.user_id, **columns}
        names = ", ".join(given)
        values = ", ".join(f":{name}" for name in given)
        statement = f"INSERT INTO automation_jobs ({names}) VALUES ({values}) RETURNING id"
        return int(self.sql(statement, **given)[0][0])

    def jobs(self) -> list[AutomationJob]:
        with self.database.system() as session:
            return list(session.scalars(select(AutomationJob).order_by(AutomationJob.id)))

    def row(self, job_id: int) -> AutomationJob:
        return next(job for job in self.jobs() if job.id == job_id)

    def firings(self, job_id: int | None = None) -> Sequence[AutomationFiring]:
        query = select(AutomationFiring).order_by(AutomationFiring.id)
        if job_id is not None:
            query = query.where(AutomationFiring.job_id == job_id)
        with self.database.system() as session:
            return session.scalars(query).all()

    def plan(self, name: str, **own: int | None) -> None:
        """Give the user a plan, and limits of its own."""
        self.sql(
            "UPDATE user_subscriptions SET starts_at = '2020-01-01', plan_id ="
            " (SELECT id FROM subscription_plans WHERE name = :name) WHERE user_id = :user",
            name=name,
            user=self.user_id,
        )
        for column, value in own.items():
            self.sql(
                f"UPDATE user_subscriptions SET {column} = :value WHERE user_id = :user",
                value=value,
                user=self.user_id,
            )


def make_desk(
    database: Database, email: str = "owner@example.org", plan: str = "Enterprise"
) -> Desk:
    """A user with a plan."""
    with database.system() as session:
        desk = Desk(database, add_user(session, email).id)
    desk.plan(plan)
    return desk
