"""What Dagster itself costs a recording: CPU seconds a run, runs a minute, gaps between stages.

    python -m benchmarks.overhead [--recordings 8]

The same trivial lecture (2 s, silent, so that nothing is transcribed) goes through the pipeline in
three ways: the product's functions called in a fresh process without Dagster; the same in a fresh
process under Dagster (`leap run` without a daemon); and through `leap up`'s queue. The difference
of the first two is Dagster's own cost. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import psutil
import psycopg

from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import DatabaseUrls
from leap_pipeline.domain.states import Phase
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.ingest import ingest_file
from leap_pipeline.services.runs import request_run
from leap_pipeline.services.subscriptions import Change, assign_plan
from leap_pipeline.services.summaries import summarize
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import CHECKOUT, Settings, child_environment
from leap_pipeline.storage.local import LocalStorage

EMAIL = "bench@leap.example"
PATIENCE = 600


class Bench:
    """A home of its own with trivial recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(
            home=folder / "home",
            dagster_port=13999,
            code_server_port=13998,
            automation_server_port=13997,
        )
        self.urls: DatabaseUrls = prepare(self.settings)
        self.database = Database(self.urls)
        with self.database.system() as session:
            user = add_user(session, EMAIL)
            assign_plan(session, user.id, "Enterprise", change=Change(SYSTEM, datetime.now(UTC)))

    def recordings(self, count: int) -> list[int]:
        """Fresh recordings; their content differs, or they would be one."""
        storage = LocalStorage(self.settings.storage)
        found = []
        for _ in range(count):
            clip = trivial(self.folder / f"clip {time.monotonic_ns()}.mp4")
            made = ingest_file(self.database, storage, self.settings, clip, email=EMAIL)
            found.append(made.recording_id)
        return found

    def request(self, recordings: list[int]) -> list[int]:
        rows = []
        for recording_id in recordings:
            with self.database.system() as session:
                requested = request_run(session, recording_id, requested_by="bench")
            assert requested.run_id is not None
            rows.append(requested.run_id)
        return rows

    def environment(self) -> dict[str, str]:
        return child_environment(
            {
                "LEAP_HOME": str(self.settings.home),
                "LEAP_DAGSTER_PORT": str(self.settings.dagster_port),
                "LEAP_CODE_SERVER_PORT": str(self.settings.code_server_port),
                "LEAP_AUTOMATION_SERVER_PORT": str(self.settings.automation_server_port),
            }
        )

    def done(self, recordings: list[int]) -> int:
        with self.database.system() as session:
            states = [summarize(session, each) for each in recordings]
        assert not [each.failed_reason for each in states if each.status == "FAILED"]
        return sum(each.run_state == "done" for each in states)


def trivial(path: Path) -> Path:
    """Two seconds of a grey picture and no sound at all."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin"]
    picture = ["-f", "lavfi", "-i", "color=gray:s=64x36:r=5:d=2"]
    sound = ["-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-shortest"]
    comment = ["-metadata", f"comment={path.name}"]
    subprocess.run([*command, *picture, *sound, *comment, str(path)], check=True)
    return path


def one_by_one(bench: Bench, count: int, module: str) -> dict[str, float]:
    """A fresh process a recording; CPU of all of it, children included."""
    cpu, wall = [], []
    recordings = bench.recordings(count)
    for row in bench.request(recordings):
        before, begun = children_cpu(), time.monotonic()
        command = [sys.executable, "-m", module, str(row)]
        env = bench.environment() | {"DAGSTER_HOME": str(bench.settings.dagster_home)}
        subprocess.run(command, cwd=CHECKOUT, env=env, check=True, capture_output=True)
        cpu.append(children_cpu() - before)
        wall.append(time.monotonic() - begun)
    assert bench.done(recordings) == count
    return {
        "cpu_s_a_run": round(statistics.median(cpu), 2),
        "wall_s_a_run": round(statistics.median(wall), 2),
    }


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def through_the_queue(bench: Bench, count: int) -> dict[str, float]:
    """`leap up` with its daemon; the CPU is that of all its processes while the queue drains."""
    command = [sys.executable, "-m", "leap_pipeline", "up"]
    log = (bench.folder / "up.log").open("w")
    up = subprocess.Popen(command, cwd=CHECKOUT, env=bench.environment(), stdout=log, stderr=log)
    try:
        (warm,) = bench.recordings(1)
        bench.request([warm])
        wait_for(bench, [warm])
        recordings = bench.recordings(count)
        before, begun = tree_cpu(up.pid), time.monotonic()
        bench.request(recordings)
        wait_for(bench, recordings)
        wall = time.monotonic() - begun
        cpu = tree_cpu(up.pid) - before
        time.sleep(5)
        idle_before, idle_begun = tree_cpu(up.pid), time.monotonic()
        time.sleep(20)
        idle = (tree_cpu(up.pid) - idle_before) / (time.monotonic() - idle_begun)
    finally:
        up.terminate()
        up.wait()
        log.close()
    return {
        "cpu_s_a_run": round(cpu / count, 2),
        "runs_a_minute": round(count / wall * 60, 1),
        "idle_cpu_share_of_one_core": round(idle, 3),
    }


def wait_for(bench: Bench, recordings: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while bench.done(recordings) < len(recordings):
        assert time.monotonic() < deadline, "the queue does not drain"
        time.sleep(0.5)


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process tree, with what its ended and reaped children used."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def gaps(urls: DatabaseUrls) -> dict[str, float]:
    """Milliseconds from the end of a stage's step to the start of the next, over all runs."""
    url = urls.dagster.set(drivername="postgresql").render_as_string(hide_password=False)
    query = (
        "SELECT run_id, dagster_event_type, extract(epoch FROM timestamp) FROM event_logs "
        "WHERE dagster_event_type IN ('STEP_START', 'STEP_SUCCESS') ORDER BY run_id, id"
    )
    found: list[float] = []
    with psycopg.connect(url) as connection:
        ended: tuple[str, float] | None = None
        for run, kind, at in connection.execute(query):
            if kind == "STEP_SUCCESS":
                ended = (run, float(at))
            elif ended is not None and ended[0] == run:
                found.append((float(at) - ended[1]) * 1000)
    return {"median_ms": round(statistics.median(found)), "max_ms": round(max(found))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=8)
    count = parser.parse_args().recordings
    with tempfile.TemporaryDirectory(prefix="leap-bench-") as name:
        Path(name).chmod(0o755)
        bench = Bench(Path(name))
        try:
            plain = one_by_one(bench, count, "benchmarks.overhead_plain")
            dagster = one_by_one(bench, count, "leap_pipeline.orchestration.execute")
            queue = through_the_queue(bench, count)
            EmbeddedServer(bench.settings).ensure_running()  # it was stopped with the rest
            result: dict[str, Any] = {
                "machine": {"cores": os.cpu_count(), "host": os.uname().machine},
                "phase": str(Phase.PREPARE),
                "recordings": count,
                "without_dagster": plain,
                "under_dagster": dagster,
                "dagster_itself_cpu_s": round(dagster["cpu_s_a_run"] - plain["cpu_s_a_run"], 2),
                "through_the_queue": queue,
                "gap_between_stages": gaps(bench.urls),
            }
        finally:
            EmbeddedServer(bench.settings).stop()
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
