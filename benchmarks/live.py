"""A home of its own with `leap up` in it, users with plans, and trivial recordings as load."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import psycopg
from sqlalchemy import func, select, update

from benchmarks.overhead import trivial
from leap_pipeline.commands.dagster_home import instance
from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.subscriptions import UserSubscription
from leap_pipeline.db.models.users import User
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.states import LIVE_RUN_STATES, RunState
from leap_pipeline.errors import LeapError
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.ingest import ingest_file
from leap_pipeline.services.runs import request_run
from leap_pipeline.services.subscriptions import Change, assign_plan
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import CHECKOUT, Settings, child_environment
from leap_pipeline.storage.local import LocalStorage

PORTS = ("dagster_port", "console_port", "code_server_port", "automation_server_port")
MARK = b"clip 0000000"
UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


class Home:
    """The home; `up` is the running supervisor."""

    def __init__(self, folder: Path, max_runs: int) -> None:
        self.folder = folder
        chosen = Settings(home=folder / "home", max_concurrent_runs=max_runs)
        self.settings = chosen.model_copy(update=dict(zip(PORTS, _free(), strict=True)))
        self.database = Database(prepare(self.settings))
        self._clip = trivial(folder / f"{MARK.decode()}.mp4").read_bytes()
        self._made = 0

    def environment(self) -> dict[str, str]:
        own = {f"LEAP_{name.upper()}": str(getattr(self.settings, name)) for name in PORTS}
        return child_environment(
            own
            | {
                "LEAP_HOME": str(self.settings.home),
                "LEAP_MAX_CONCURRENT_RUNS": str(self.settings.max_concurrent_runs),
            }
        )

    @contextmanager
    def up(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "leap_pipeline", "up"]
        with (self.folder / "up.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=CHECKOUT, env=self.environment(), stdout=log, stderr=log
            )
            try:
                yield process
            finally:
                process.terminate()
                process.wait()
                EmbeddedServer(self.settings).stop()

    def reconnect(self) -> None:
        """After the server was killed it may be at another address."""
        self.database.dispose()
        self.database = Database(resolve(self.settings))

    def user(self, email: str, plan: str, at_once: int | None = None) -> str:
        """A user whose plan lets any number of recordings in."""
        with self.database.system() as session:
            user = add_user(session, email)
            assign_plan(session, user.id, plan, change=Change(SYSTEM, datetime.now(UTC)))
            session.execute(
                update(UserSubscription)
                .where(UserSubscription.user_id == user.id)
                .values(custom_max_recordings_per_month=10**6, custom_max_storage_gb=10**3)
            )
            user_id = user.id
        if at_once is not None:
            self.limit(user_id, at_once)
        return user_id

    def limit(self, user_id: str, at_once: int) -> None:
        with self.database.system() as session:
            session.execute(
                update(UserSubscription)
                .where(UserSubscription.user_id == user_id)
                .values(custom_max_concurrent_tasks=at_once)
            )

    def ingest(self, user_id: str, count: int) -> list[int]:
        """Fresh recordings; a number in each makes it a file of its own."""
        storage = LocalStorage(self.settings.storage)
        with self.database.system() as session:
            email = session.scalars(select(User.email).where(User.id == user_id)).one()
        found = []
        for _ in range(count):
            self._made += 1
            name = b"clip %07d" % self._made
            file = self.folder / f"{name.decode()}.mp4"
            file.write_bytes(self._clip.replace(MARK, name))
            made = ingest_file(self.database, storage, self.settings, file, email=email)
            file.unlink()
            found.append(made.recording_id)
        return found

    def request(self, recordings: Sequence[int]) -> None:
        for recording_id in recordings:
            with self.database.system() as session:
                request_run(session, recording_id, requested_by="drill")

    def running(self, user_id: str) -> int:
        """How many of the user's rows have a worker."""
        return self._count(RecordingRun.user_id == user_id, RecordingRun.state == RunState.RUNNING)

    def live(self) -> int:
        return self._count(RecordingRun.state.in_([str(state) for state in LIVE_RUN_STATES]))

    def done(self, user_id: str) -> int:
        return self._count(RecordingRun.user_id == user_id, RecordingRun.state == RunState.DONE)

    def state(self, recording_id: int) -> str | None:
        with self.database.system() as session:
            return session.scalar(
                select(RecordingRun.state)
                .where(RecordingRun.recording_id == recording_id)
                .order_by(RecordingRun.id.desc())
                .limit(1)
            )

    def _count(self, *where: object) -> int:
        with self.database.system() as session:
            statement = select(func.count()).select_from(RecordingRun).where(*where)  # type: ignore[arg-type]
            return session.scalar(statement) or 0

    def execute(self, sql: str) -> None:
        """As the owner of the schema."""
        url = resolve(self.settings).migration.set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
            connection.execute(sql)

    @contextmanager
    def dagster(self) -> Iterator[dg.DagsterInstance]:
        with instance(self.settings, resolve(self.settings)) as found:
            yield found


def until(holds: Callable[[], bool], what: str, patience: float) -> float:
    """Wait for it, whatever goes away meanwhile; the seconds it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < patience:
        try:
            if holds():
                return round(time.monotonic() - begun, 1)
        except LeapError:
            pass  # the database is being started again
        time.sleep(0.2)
    msg = f"waited {patience:.0f} s in vain for {what}"
    raise AssertionError(msg)


def machine() -> dict[str, object]:
    return {"cores": os.cpu_count(), "host": os.uname().machine}


def _free() -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in PORTS]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
