import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import ffmpeg
import psutil
import pytest

from leap_pipeline.errors import DataError, TransientError
from leap_pipeline.media import ffmpeg as runner

ENDLESS = ["ffmpeg", "-re", "-f", "lavfi", "-i", "testsrc=size=64x36", "-f", "null", "-"]

PARENT = """
import sys
from leap_pipeline.media import ffmpeg
print("up", flush=True)
ffmpeg.run(sys.argv[1:], None)
"""


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "ffmpeg" in p.name()]


def wait_for(found: list[psutil.Process], seconds: float = 5.0) -> list[psutil.Process]:
    """Those that are still alive after `seconds`."""
    _, alive = psutil.wait_procs(found, timeout=seconds)
    return [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


def test_progress_comes_twice_a_second_and_ends_at_one() -> None:
    told: list[tuple[float, float]] = []
    source = ffmpeg.input("testsrc=size=64x36:duration=2", f="lavfi", re=None)
    args = source.output("-", f="null").compile(cmd="ffmpeg")
    report = runner.run(args, 2.0, lambda fraction: told.append((time.monotonic(), fraction)))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any(0.0 < fraction < 1.0 for fraction in fractions)
    gaps = [after - before for (before, _), (after, _) in itertools.pairwise(told)]
    assert max(gaps) < 1.0
    assert report.seconds == pytest.approx(2.0, abs=0.1)


def test_a_flood_on_stderr_blocks_nothing_and_is_not_kept() -> None:
    source = ffmpeg.input("testsrc=size=64x36:duration=40", f="lavfi")
    args = source.filter("showinfo").output("-", f="null").compile(cmd="ffmpeg")
    noisy = [args[0], "-loglevel", "debug", *args[1:]]
    report = runner.run(noisy, 40.0)
    assert report.seconds == pytest.approx(40.0, abs=0.1)
    assert 0 < len(report.tail) <= runner.TAIL_BYTES


def test_an_exception_in_the_callback_ends_ffmpeg() -> None:
    seen: list[psutil.Process] = []

    def stop(fraction: float) -> None:
        seen.extend(children())
        if seen:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        runner.run(ENDLESS, None, stop)
    assert seen
    assert not wait_for(seen)


def test_a_hung_ffmpeg_is_ended(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    args = ["ffmpeg", "-i", str(pipe), "-f", "null", "-"]
    with pytest.raises(DataError, match="stood still"):
        runner.run(args, None, stall_seconds=1.0)
    assert not children()


def test_long_work_without_output_is_no_stall() -> None:
    """Dropping every frame moves no counter, but it takes processor time."""
    source = ffmpeg.input("testsrc=size=640x360:duration=100000:rate=1000", f="lavfi")
    args = source.filter("select", "0").output("-", f="null").compile(cmd="ffmpeg")
    begun = time.monotonic()

    def stop(fraction: float) -> None:
        if time.monotonic() - begun > 3.0:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        runner.run(args, None, stop, stall_seconds=1.5)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ended_from_outside_is_transient(number: signal.Signals) -> None:
    def kill() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (found := children()):
            time.sleep(0.05)
        time.sleep(0.5)
        found[0].send_signal(number)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises((TransientError, DataError)) as caught:
        runner.run(ENDLESS, None)
    thread.join()
    # At SIGTERM FFmpeg closes its output and says so in its own words, with code 255.
    if number == signal.SIGKILL:
        assert isinstance(caught.value, TransientError)


def test_ffmpeg_dies_with_its_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *ENDLESS], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = psutil.Process(parent.pid).children(recursive=True)
            if any("ffmpeg" in p.name() for p in found):
                break
            time.sleep(0.05)
        assert any("ffmpeg" in p.name() for p in found)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert not wait_for(found)


def test_a_bad_argument_is_told_in_ffmpegs_words() -> None:
    with pytest.raises(DataError, match="code 254: Error opening input: No such file"):
        runner.run(["ffmpeg", "-i", "nonesuch.mp4", "-f", "null", "-"], None)
