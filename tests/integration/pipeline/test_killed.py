"""`kill -9` of a run's process at its worst instants, with a daemon and without; and a freeze."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from leap_pipeline.media.probe import probe
from leap_pipeline.speech.transcript import read_transcript
from tests.support.pipeline import Pipeline, alive, until

# In the order of a run; each is the end of an asset's work, its files just put in place.
POINTS = ("DOWNLOAD", "CUT", "TRIM", "TRANSCRIBE", "GENERATE_SUBTITLES", "EXTRACT_TOPICS")
ASSETS = ("raw_video", "trimmed_video", "audio", "transcript", "topics", "subtitles")
RECONCILED_SECONDS = 60.0


def _is_whole(leap: Pipeline, recording_id: int) -> None:
    """Every artifact is there and opens, every row names what is there, nothing else is left."""
    summary = leap.summary(recording_id)
    assert summary.status == "PROCESSED"
    assert {line.status for line in summary.stages} == {"COMPLETED"}
    assert summary.run_state == "done"
    root = leap.settings.storage
    video = probe(root / summary.files["trimmed_video"])
    spoken = read_transcript(root / summary.files["transcriptions"] / "master.json")
    assert spoken.segments
    assert abs(probe(root / summary.files["audio"]).duration - video.duration) < 0.1
    with leap.connect() as connection:
        rows = connection.execute(
            "SELECT path, bytes FROM stored_objects WHERE recording_id IS NOT NULL"
        ).fetchall()
    stored = {path: size for path, (_, _, size) in leap.files().items()}
    assert dict(rows) == stored
    assert not leap.ffmpegs()


def _times_started(leap: Pipeline) -> dict[str, int]:
    """How often Dagster started each asset's step."""
    url = leap.database.urls.dagster.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        rows = connection.execute(
            "SELECT step_key, count(*) FROM event_logs "
            "WHERE dagster_event_type = 'STEP_START' GROUP BY step_key"
        ).fetchall()
    return {str(step): int(count) for step, count in rows}


def test_without_a_daemon_the_next_run_finishes_it(leap: Pipeline, short_lecture: Path) -> None:
    recording_id = leap.ingest(short_lecture)
    for point in POINTS:
        leap.arm(point)
        running = leap.start("run", str(recording_id))
        leap.wait_stopped()
        leap.kill_worker(recording_id)
        _, error = running.communicate(timeout=60)
        assert running.returncode != 0
        assert "killed by signal 9" in error
        assert not leap.ffmpegs()
    leap.arm()
    done = leap.leap("run", str(recording_id))
    assert done.returncode == 0, done.stderr
    _is_whole(leap, recording_id)
    assert _times_started(leap) == dict.fromkeys(ASSETS, 2)
    assert leap.json("run", str(recording_id))["status"] == "PROCESSED"
    assert _times_started(leap) == dict.fromkeys(ASSETS, 2), "a finished recording is left alone"


def test_ffmpeg_dies_with_its_worker_and_both_with_their_command(
    leap: Pipeline, short_lecture: Path
) -> None:
    recording_id = leap.ingest(short_lecture)
    leap.start("run", str(recording_id))
    until(lambda: bool(leap.ffmpegs()), "FFmpeg")
    leap.kill_worker(recording_id)
    until(lambda: not leap.ffmpegs(), "FFmpeg to die", patience=3)
    running = leap.start("run", str(recording_id))
    until(lambda: bool(leap.ffmpegs()), "FFmpeg")
    worker = leap.worker(recording_id)
    assert worker is not None
    running.kill()
    until(lambda: not alive(worker) and not leap.ffmpegs(), "all of it to die", patience=5)
    assert leap.leap("run", str(recording_id)).returncode == 0
    _is_whole(leap, recording_id)


def test_a_frozen_worker_that_wakes_writes_nothing(leap: Pipeline, short_lecture: Path) -> None:
    """Its lock is gone with its connection, as after a restart of the database."""
    recording_id = leap.ingest(short_lecture)
    frozen = leap.start("run", str(recording_id))
    until(lambda: bool(leap.ffmpegs()), "FFmpeg")
    worker = leap.worker(recording_id)
    assert worker is not None
    worker.send_signal(signal.SIGSTOP)
    os.kill(frozen.pid, signal.SIGSTOP)
    with leap.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert leap.leap("run", str(recording_id)).returncode == 0
    files, summary = leap.files(), leap.summary(recording_id)
    worker.send_signal(signal.SIGCONT)
    until(lambda: not alive(worker), "the woken worker to end")
    os.kill(frozen.pid, signal.SIGCONT)
    frozen.communicate(timeout=60)
    assert leap.files() == files
    assert leap.summary(recording_id) == summary
    _is_whole(leap, recording_id)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_with_a_daemon_nobody_has_to_act(leap: Pipeline, short_lecture: Path) -> None:
    """At some of the points: all of them are gone through without a daemon."""
    points = POINTS[::3]
    recording_id = leap.ingest(short_lecture)
    leap.arm(points[0])
    leap.start("up")
    until(lambda: leap.json("status")["running"], "LEAP to be up")
    leap.start("run", str(recording_id))
    for point, following in zip(points, [*points[1:], None], strict=True):
        leap.wait_stopped()
        leap.arm(*([following] if following else []))
        leap.kill_worker(recording_id)
        until(
            lambda: leap.worker(recording_id) is not None,
            f"a worker after {point}",
            patience=RECONCILED_SECONDS,
        )
    until(
        lambda: leap.summary(recording_id).status == "PROCESSED",
        "the recording to be finished",
        patience=RECONCILED_SECONDS,
    )
    until(lambda: leap.summary(recording_id).run_state == "done", "the run to end")
    _is_whole(leap, recording_id)
    killed = ("raw_video", "transcript")
    assert _times_started(leap) == {each: 2 if each in killed else 1 for each in ASSETS}
