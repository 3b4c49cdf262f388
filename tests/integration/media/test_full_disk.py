"""A disk that fills up: one sentence, and nothing stays behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.disks import can_mount

CHECKOUT = Path(__file__).resolve().parents[3]

WORK = """
import resource, sys
from pathlib import Path
from leap_pipeline.errors import UserActionError
from leap_pipeline.media.audio import extract_audio
from leap_pipeline.media.cut import cut
from leap_pipeline.media.silence import Interval
from leap_pipeline.media.timeline import CutPlan

step, source, folder, limit = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
whole, part = (Interval(0.0, 17.54),), (Interval(1.0, 17.0),)
try:
    if step == "audio":
        extract_audio(source, folder / "audio.mp3")
    else:
        cut(source, folder / "out.mp4", CutPlan(17.54, whole if step == "copy" else part))
except UserActionError as error:
    print(error)
print(sorted(path.name for path in folder.iterdir()))
"""


@pytest.mark.parametrize("step", ["cut", "copy", "audio"])
def test_a_full_disk_is_told_and_left_clean(step: str, lecture: Path, tmp_path: Path) -> None:
    """On a real file system of 40 kB; where mounting is not permitted, under a size limit."""
    script = [sys.executable, "-c", WORK, step, str(lecture), str(tmp_path)]
    if can_mount():
        mount = 'mount -t tmpfs -o size=40k none "$0" && exec "$@"'
        command = ["unshare", "-rm", "sh", "-c", mount, str(tmp_path), *script, "0"]
    else:
        command = [*script, "40000"]
    assert_told(command)


@pytest.mark.parametrize("step", ["cut", "copy", "audio"])
def test_a_size_limit_is_told_like_a_full_disk(step: str, lecture: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORK, step, str(lecture), str(tmp_path), "40000"]
    assert_told(command)


def assert_told(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr
    sentence, left = done.stdout.splitlines()
    assert sentence.startswith("The disk of ")
    assert "bytes are free" in sentence
    assert left == "[]"
