"""Driving the real pipeline from outside, as people and accidents do: commands, kills, freezes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import plain
from leap_pipeline.services.ingest import ingest_file
from leap_pipeline.services.summaries import Summary, summarize
from leap_pipeline.settings import CHECKOUT, Settings, child_environment
from leap_pipeline.storage.local import LocalStorage

PATIENCE = 90.0

# Where a worker stops for good: in the transaction that completes an asset, after its files were
# put in place. The sleep is in the server, so that the product has no hook for tests.
STOP_POINTS = """
CREATE TABLE IF NOT EXISTS kill_points (name text PRIMARY KEY);
GRANT ALL ON kill_points TO PUBLIC;
CREATE OR REPLACE FUNCTION stop_here() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE here text;
BEGIN
    IF TG_TABLE_NAME = 'processing_stages' THEN
        IF NEW.status = 'COMPLETED' AND OLD.status <> 'COMPLETED' THEN
            here := NEW.stage_type;
        END IF;
    ELSIF NEW.download_status = 'COMPLETED' AND OLD.download_status <> 'COMPLETED' THEN
        here := 'DOWNLOAD';
    ELSIF NEW.processed_video_path IS NOT NULL AND OLD.processed_video_path IS NULL THEN
        here := 'CUT';
    END IF;
    IF EXISTS (SELECT 1 FROM kill_points WHERE name = here) THEN PERFORM pg_sleep(300); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stop_stage BEFORE UPDATE ON processing_stages
    FOR EACH ROW EXECUTE FUNCTION stop_here();
CREATE TRIGGER stop_recording BEFORE UPDATE ON recordings
    FOR EACH ROW EXECUTE FUNCTION stop_here();
"""


@dataclass
class Pipeline:
    """One home with its database; every command runs as a process of its own."""

    settings: Settings
    database: Database
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return child_environment(
            {
                "LEAP_HOME": str(self.settings.home),
                "LEAP_STORAGE_ROOT": str(self.settings.storage),
                "LEAP_DATABASE_URL": str(self.settings.database_url),
                "LEAP_DAGSTER_PORT": str(self.settings.dagster_port),
                "LEAP_CODE_SERVER_PORT": str(self.settings.code_server_port),
                "LEAP_AUTOMATION_SERVER_PORT": str(self.settings.automation_server_port),
            }
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`leap …` in the background."""
        child = subprocess.Popen(
            [sys.executable, "-m", "leap_pipeline", *arguments],
            cwd=CHECKOUT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        return child

    def leap(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`leap …`, waited for."""
        child = self.start(*arguments)
        out, err = child.communicate(timeout=PATIENCE * 2)
        return subprocess.CompletedProcess(list(arguments), child.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        """`leap … --json`, which must succeed."""
        done = self.leap(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ingest(self, file: Path) -> int:
        """The recording that `leap ingest` would make of it."""
        storage = LocalStorage(self.settings.storage)
        found = ingest_file(
            self.database, storage, self.settings, file, email="lecturer@example.org"
        )
        return found.recording_id

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(plain(self.database.urls.migration), autocommit=True)

    def summary(self, recording_id: int) -> Summary:
        with self.database.system() as session:
            return summarize(session, recording_id)

    def arm(self, *names: str) -> None:
        """Make workers stop at these points, and at no others."""
        with self.connect() as connection:
            connection.execute("DELETE FROM kill_points")
            for name in names:
                connection.execute("INSERT INTO kill_points VALUES (%s)", [name])

    def worker(self, recording_id: int) -> psutil.Process | None:
        """The process that holds the recording's lock, found by its connection's port."""
        query = (
            "SELECT activity.client_port FROM pg_locks AS locks "
            "JOIN pg_stat_activity AS activity USING (pid) "
            "WHERE locks.locktype = 'advisory' AND locks.objid = %s AND locks.granted "
            "AND activity.datname = current_database() AND activity.application_name = 'leap-lock'"
        )
        with self.connect() as connection:
            row = connection.execute(query, [recording_id]).fetchone()
        if row is None:
            return None
        for found in psutil.net_connections(kind="tcp"):
            if found.laddr and found.laddr.port == row[0] and found.pid:
                return psutil.Process(found.pid)
        return None

    def wait_stopped(self) -> None:
        """Until a worker stands at an armed point."""
        query = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE wait_event = 'PgSleep' AND datname = current_database()"
        )
        with self.connect() as connection:
            until(lambda: connection.execute(query).fetchone() == (1,), "a worker to stop")

    def free_server(self) -> None:
        """What the server does when it notices that a killed client is gone."""
        with self.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE wait_event = 'PgSleep' AND datname = current_database()"
            )

    def kill_worker(self, recording_id: int) -> None:
        worker = self.worker(recording_id)
        assert worker is not None, "nobody works on the recording"
        worker.send_signal(signal.SIGKILL)
        until(lambda: not alive(worker), "the worker to die")
        self.free_server()

    def files(self) -> dict[str, tuple[int, int, int]]:
        """Every stored file but thumbnails: inode, modification time, bytes."""
        root = self.settings.storage
        return {
            str(path.relative_to(root)): (
                path.stat().st_ino,
                path.stat().st_mtime_ns,
                path.stat().st_size,
            )
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.parent.name != "thumbnails"
        }

    def ffmpegs(self) -> list[psutil.Process]:
        """FFmpeg processes that work in this storage."""
        root = str(self.settings.storage)
        found = []
        for process in psutil.process_iter(["name", "cmdline"]):
            line = process.info["cmdline"] or []
            if "ffmpeg" in (process.info["name"] or "") and any(root in each for each in line):
                found.append(process)
        return found

    def close(self) -> None:
        for child in self.children:
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    child.kill()
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()
            child.wait()


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def until(holds: Callable[[], bool], what: str, *, patience: float = PATIENCE) -> float:
    """Wait for a condition; the seconds it took."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > patience:
            message = f"waited {patience:.0f} s in vain for {what}"
            raise AssertionError(message)
        time.sleep(0.05)
    return time.monotonic() - begun


@contextmanager
def pipeline(settings: Settings, database: Database) -> Iterator[Pipeline]:
    found = Pipeline(settings, database)
    with found.connect() as connection:
        connection.execute(STOP_POINTS)
    try:
        yield found
    finally:
        found.close()
