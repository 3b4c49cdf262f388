"""A storage whose disk fills up: one sentence, nothing half-made left, and it goes on later."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leap_pipeline.settings import CHECKOUT
from tests.support.disks import can_mount
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.skipif(not can_mount(), reason="this user may not mount a small disk")

LEAP = f"{sys.executable} -m leap_pipeline"


def _on_a_disk_of(leap: Pipeline, kilobytes: int, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the storage on a file system of that size."""
    unshare = shutil.which("unshare")
    assert unshare is not None, "util-linux is part of every Debian"
    leap.settings.storage.mkdir(parents=True, exist_ok=True)
    mount = f'mount -t tmpfs -o size={kilobytes}k none "{leap.settings.storage}"'
    return subprocess.run(
        [unshare, "-rm", "sh", "-c", f"{mount} && {script}"],
        cwd=CHECKOUT,
        env=leap.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_file_that_does_not_fit_is_not_ingested(leap: Pipeline, short_lecture: Path) -> None:
    size = short_lecture.stat().st_size // 1024
    ingest = f'{LEAP} ingest "{short_lecture}" --user lecturer@example.org'
    done = _on_a_disk_of(leap, size // 2, f'{ingest}; echo "code $?"; find . -path "*/.scratch/*"')
    errors = [line for line in done.stderr.splitlines() if line.startswith("leap: ")]
    assert len(errors) == 1, done.stderr
    assert "full" in errors[0]
    assert "Traceback" not in done.stderr
    assert "code 1" in done.stdout
    assert ".scratch" not in done.stdout
    with leap.connect() as connection:
        assert connection.execute("SELECT count(*) FROM recordings").fetchone() == (0,)


def test_a_run_fails_with_the_reason_and_is_finished_once_there_is_room(
    leap: Pipeline, short_lecture: Path
) -> None:
    room = short_lecture.stat().st_size // 1024 + 80
    number = leap.ingest(short_lecture)
    stored = next(leap.settings.storage.rglob("source.mp4"))
    aside = leap.settings.home / "source.mp4"
    shutil.copy(stored, aside)
    place = f'mkdir -p "{stored.parent}" && cp "{aside}" "{stored}"'
    listing = f'find "{leap.settings.storage}" -type f'
    done = _on_a_disk_of(leap, room, f'{place} && {LEAP} run {number}; echo "code $?"; {listing}')
    assert "code 1" in done.stdout, done.stderr
    assert "full" in done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("/")] == [str(stored)]
    summary = leap.summary(number)
    assert summary.status == "FAILED"
    assert summary.failed_reason is not None
    assert "full" in summary.failed_reason
    assert leap.json("run", str(number))["status"] == "PROCESSED"
