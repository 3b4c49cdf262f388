"""`leap up` in a home of its own, jobs as rows, and what Dagster shows of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import insert, select, update

from leap_pipeline.commands.dagster_home import webserver_url
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.domain.identity import job_name
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.subscriptions import Change, assign_plan
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import CHECKOUT, Settings, child_environment
from leap_pipeline.supervisor.status import read_status
from leap_pipeline.supervisor.supervisor import stop

PATIENCE = 150.0
CRONTAB = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
CLOCKS = """{
  repositoryOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "automation"
  }) {
    __typename
    ... on Repository {
      schedules {
        name description cronSchedule executionTimezone tags { key value }
        scheduleState { status }
      }
      sensors { name description minIntervalSeconds tags { key value } sensorState { status } }
    }
  }
}"""


@dataclass
class LeapUp:
    """One home; `up` starts it, `close` ends it."""

    settings: Settings
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def up(self) -> None:
        environment: dict[str, object] = {
            "LEAP_HOME": self.settings.home,
            "LEAP_STORAGE_ROOT": self.settings.storage,
            "LEAP_MIRRORED_JOBS": self.settings.mirrored_jobs,
            "LEAP_DAGSTER_PORT": self.settings.dagster_port,
            "LEAP_CODE_SERVER_PORT": self.settings.code_server_port,
            "LEAP_AUTOMATION_SERVER_PORT": self.settings.automation_server_port,
            "LEAP_CONSOLE_PORT": self.settings.console_port,
        }
        if self.settings.database_url:
            environment["LEAP_DATABASE_URL"] = self.settings.database_url
        self.settings.home.mkdir(parents=True, exist_ok=True)
        with (self.settings.home / "said.txt").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "leap_pipeline", "up"],
                cwd=CHECKOUT,
                env=child_environment({name: str(each) for name, each in environment.items()}),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def down(self) -> None:
        stop(self.settings)
        if self.process is not None:
            self.process.wait(timeout=60)
        self.process = None

    def close(self) -> None:
        try:
            self.down()
        finally:
            if self.process is not None:
                self.process.kill()
                self.process.wait()

    def kill(self, *parts: str) -> None:
        """`kill -9` of those parts' processes, which are another's later."""
        for part in read_status(self.settings).parts:
            if part.name in parts and part.pid is not None:
                os.kill(part.pid, signal.SIGKILL)

    def log(self, part: str) -> str:
        return (self.settings.home / "logs" / f"{part}.log").read_text()

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Dagster's answer; an empty one while its webserver is not up."""
        try:
            answer = httpx.post(
                f"{webserver_url(self.settings)}/graphql",
                json={"query": query, "variables": variables},
                timeout=60,
                trust_env=False,
            )
            document: dict[str, Any] = answer.raise_for_status().json()
        except httpx.HTTPError:
            return {}
        assert not document.get("errors"), document["errors"]
        found: dict[str, Any] = document["data"]
        return found


@dataclass
class Clockwork(LeapUp):
    """And its database."""

    database: Database

    def owner(self, email: str = "owner@example.org", plan: str = "Enterprise") -> str:
        with self.database.system() as session:
            user = add_user(session, email)
            assign_plan(session, user.id, plan, change=Change(SYSTEM, datetime.now(UTC)))
            return str(user.id)

    def job(self, user_id: str, title: str, when: str, **values: Any) -> int:
        """A row: `when` is a crontab (`30 2 * * *`) or an interval (`45 seconds`)."""
        with self.database.system() as session:
            return int(
                session.scalars(
                    insert(AutomationJob)
                    .values(
                        user_id=user_id,
                        name=title,
                        job_type=values.pop("job_type", "process_recordings"),
                        source_ids=values.pop("source_ids", []),
                        **schedule(when),
                        **values,
                    )
                    .returning(AutomationJob.id)
                ).one()
            )

    def change(self, job_id: int, **values: Any) -> None:
        with self.database.system() as session:
            session.execute(update(AutomationJob).where(AutomationJob.id == job_id).values(values))

    def firings(self, job_id: int) -> list[AutomationFiring]:
        with self.database.system() as session:
            return list(
                session.scalars(
                    select(AutomationFiring)
                    .where(AutomationFiring.job_id == job_id)
                    .order_by(AutomationFiring.due_at)
                )
            )

    def clocks(self) -> dict[str, dict[str, Any]]:
        """Every schedule and sensor of the automations by name; empty while none is loaded."""
        gone = self.process is not None and self.process.poll() is not None
        assert not gone, (self.settings.home / "said.txt").read_text()
        found = self.graphql(CLOCKS).get("repositoryOrError", {})
        if found.get("__typename") != "Repository":
            return {}
        return {each["name"]: each for each in (*found["schedules"], *found["sensors"])}


def schedule(when: str) -> dict[str, Any]:
    """The columns of a schedule, those of the other kind empty."""
    parts = when.split()
    columns: dict[str, Any] = {f"crontab_{name}": None for name in CRONTAB}
    columns |= {"interval_every": None, "interval_period": None}
    if len(parts) == len(CRONTAB):
        named = zip(CRONTAB, parts, strict=True)
        return (
            columns
            | {f"crontab_{name}": part for name, part in named}
            | {"schedule_type": "crontab"}
        )
    return columns | {
        "schedule_type": "interval",
        "interval_every": int(parts[0]),
        "interval_period": parts[1],
    }


def name_of(job_id: int, slug: int = 1) -> str:
    return job_name(slug, job_id)


def until(holds: Callable[[], bool], what: str, *, patience: float = PATIENCE) -> float:
    """Wait for a condition; the seconds it took. What a minute is for needs more among others."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < patience, f"waited {patience:.0f} s in vain for {what}"
        time.sleep(0.2)
    return time.monotonic() - begun


@contextmanager
def clockwork(settings: Settings, database: Database) -> Iterator[Clockwork]:
    found = Clockwork(settings, database)
    try:
        yield found
    finally:
        found.close()
