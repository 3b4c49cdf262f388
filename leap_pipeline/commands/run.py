"""`leap run`: hand a recording to the queue and follow it, or carry it out right here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import lazyload

from leap_pipeline.commands.context import (
    Platform,
    known_recording,
    open_platform,
    print_json,
    say,
)
from leap_pipeline.commands.dagster_home import environment, write_dagster_home
from leap_pipeline.commands.follow import follow
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.states import LIVE_RUN_STATES, Phase, RunState, Stage
from leap_pipeline.errors import LeapError, UserActionError
from leap_pipeline.services.concurrency import may_start, owner_of, turn_of
from leap_pipeline.services.moves import move_run
from leap_pipeline.services.reconcile import put_back_if_dead
from leap_pipeline.services.runs import live_run, request_run, why_nothing
from leap_pipeline.services.summaries import Summary, summarize
from leap_pipeline.settings import CHECKOUT, child_environment
from leap_pipeline.supervisor.status import daemon_alive

PICKED_UP_SECONDS = 30.0
STOP_SECONDS = 60.0
TURN_SECONDS = 0.3


class RunFailed(LeapError):
    """A stage of the recording failed."""


def run(
    recording: Annotated[str, typer.Argument(help="Number (142) or partition (000001-142).")],
    *,
    force: Annotated[
        Stage | None,
        typer.Option(case_sensitive=False, help="Redo this stage and all that depends on it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, show no progress.")] = False,
) -> None:
    """Do what a recording still needs: only what is missing or failed."""
    platform = open_platform()
    number = known_recording(platform, recording)
    summary, nothing = run_recording(platform, number, force=force, quiet=as_json)
    if as_json:
        print_json(summary.to_json())
    else:
        say(f"{summary.name}: {summary.status}" + (f" ({nothing})" if nothing else ""))
    require_success(summary)


def run_recording(
    platform: Platform, recording_id: int, *, force: Stage | None = None, quiet: bool
) -> tuple[Summary, str | None]:
    """Run a recording to its end; the second value says why there was nothing to do."""
    put_back_dead(platform, recording_id)
    with platform.database.system() as session:
        requested = request_run(session, recording_id, requested_by="leap run", force=force)
        if requested.run_id is None:
            return summarize(session, recording_id), why_nothing(requested.plan)
    run_id = requested.run_id
    if daemon_alive(platform.settings):
        summary = _follow_queue(platform, recording_id, quiet=quiet)
        if summary.run_state not in LIVE_RUN_STATES or daemon_alive(platform.settings):
            return summary, None
    return _execute(platform, recording_id, run_id, quiet=quiet), None


def put_back_dead(platform: Platform, recording_id: int) -> None:
    """Free what a dead worker of this recording left, as `reconcile` would."""
    with platform.database.system() as session:
        row = live_run(session, recording_id, Phase.PREPARE)
        running = row.id if row is not None and row.state == RunState.RUNNING else None
    if running is not None:
        attempts = platform.settings.max_attempts
        put_back_if_dead(platform.database, running, max_attempts=attempts)


def require_success(summary: Summary) -> None:
    """Raises `RunFailed` with the reason where the recording is FAILED."""
    if summary.status == "FAILED":
        failed = next((line.name for line in summary.stages if line.status == "FAILED"), "it")
        msg = f"Recording {summary.recording_id} failed at {failed}: {summary.failed_reason}"
        raise RunFailed(msg)


def _follow_queue(platform: Platform, recording_id: int, *, quiet: bool) -> Summary:
    """Follow a queued run while the daemon lives."""
    checked = time.monotonic()

    def alive(_summary: Summary) -> bool:
        nonlocal checked
        if time.monotonic() - checked < PICKED_UP_SECONDS:
            return True
        checked = time.monotonic()
        return daemon_alive(platform.settings)

    return follow(platform.database, recording_id, alive=alive, quiet=quiet)


def _execute(platform: Platform, recording_id: int, run_id: int, *, quiet: bool) -> Summary:
    """Carry a queued run out in a child process, following it through the database."""
    write_dagster_home(platform.settings, platform.urls)
    log = platform.settings.home / "logs" / f"run-{run_id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    worker = "leap_pipeline.orchestration.execute"
    command = [sys.executable, "-m", worker, str(run_id), str(os.getpid())]
    child: subprocess.Popen[bytes] | None = None
    try:
        with log.open("ab") as out, _turn(platform, recording_id):
            child = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=child_environment(environment(platform.settings)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            _await_claim(platform, run_id, child)
        process = child
        follow(
            platform.database,
            recording_id,
            alive=lambda _summary: process.poll() is None,
            quiet=quiet,
        )
        child.wait()
    finally:
        if child is not None:
            _end(child)
        cancel_queued(platform, run_id)
    with platform.database.system() as session:
        summary = summarize(session, recording_id)
    _explain_death(child.returncode, summary, log)
    return summary


@contextmanager
def _turn(platform: Platform, recording_id: int) -> Iterator[None]:
    """Wait until the owner's plan has room; meanwhile nobody else begins for the same owner."""
    with platform.database.system() as session:
        user_id = owner_of(session, recording_id) or ""
    told = False
    while True:
        with platform.database.system() as session:
            now = datetime.now(UTC)
            if turn_of(session, user_id) and may_start(session, user_id, now):
                yield
                return
        if not told:
            sys.stderr.write("waiting: as many recordings as the plan allows are at work\n")
            told = True
        time.sleep(TURN_SECONDS)


def _await_claim(platform: Platform, run_id: int, child: subprocess.Popen[bytes]) -> None:
    """Until the worker has claimed its row, and so counts, or is gone."""
    queued = select(RecordingRun.state == RunState.QUEUED).where(RecordingRun.id == run_id)
    while child.poll() is None:
        with platform.database.system() as session:
            if not session.scalar(queued):
                return
        time.sleep(TURN_SECONDS)


def cancel_queued(platform: Platform, run_id: int) -> None:
    """Take a run back that nobody claimed, so that a later daemon does not begin it unasked."""
    with platform.database.system() as session:
        row = session.get(RecordingRun, run_id, options=[lazyload("*")])
        if row is not None and row.state == RunState.QUEUED:
            move_run(session, run_id, RunState.CANCELLED, {"reason": "its command was stopped"})


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _explain_death(code: int, summary: Summary, log: Path) -> None:
    """A worker that ended without an outcome is an error of its own."""
    unfinished = summary.run_state in LIVE_RUN_STATES
    if code != 0 and unfinished:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        msg = f"The worker {how}; the log is {log}. Run it again to go on where it stopped."
        raise UserActionError(msg)
