"""Runs FFmpeg: never a shell, never left alone, its exit code never believed by itself."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import imageio_ffmpeg

from leap_pipeline.errors import DataError
from leap_pipeline.media.failures import failure
from leap_pipeline.progress import ProgressCallback, ignore

STALL_SECONDS = 120.0
"""FFmpeg is ended when for so long it neither told of progress nor used the processor."""
TICK = 0.5
TAIL_BYTES = 8192
MAX_ERRORS = 50

# A preexec_fn can deadlock in a process with threads, so a small interpreter asks the kernel to
# kill it with its parent, looks whether the parent died before that, and becomes FFmpeg. The
# request is bound to the thread that started the child: `run` stays in that thread until the end.
_BOUND = """
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
except AttributeError:
    pass
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass
class RunReport:
    """What FFmpeg said: error lines (at most 50), the end of its stderr, its last counters."""

    errors: list[str] = field(default_factory=list)
    tail: str = ""
    counters: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Length of the output so far, in seconds."""
        value = self.counters.get("out_time_us", "")
        return max(int(value), 0) / 1e6 if value.lstrip("-").isdigit() else 0.0


def executable() -> str:
    """Path of the FFmpeg binary that is shipped with the environment."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def threads() -> int:
    """How many threads one FFmpeg may use for coding."""
    return min(os.cpu_count() or 1, 4)


def run(
    args: Sequence[str],
    duration: float | None,
    progress: ProgressCallback = ignore,
    *,
    output: Path | None = None,
    stall_seconds: float = STALL_SECONDS,
) -> RunReport:
    """Run an argument list that ffmpeg-python compiled; `args[0]` is replaced by the binary.

    `duration` is the expected length of the output in seconds, for `progress`, which is called
    twice a second. FFmpeg is killed when anything is raised here and when this process dies.
    `output` only names the disk in an error. Raises UserActionError (disk full, not permitted),
    TransientError (killed from outside), DataError (all else). A return proves nothing about the
    output: check it.
    """
    options = ["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+warning"]
    reporting = ["-progress", "pipe:1", "-stats_period", str(TICK)]
    launcher = [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid()), executable()]
    child = subprocess.Popen(
        [*launcher, *options, *reporting, *args[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for LEAP, which then ends FFmpeg itself
    )
    watch = _Watch(child, duration, stall_seconds)
    try:
        watch.until_end(progress)
        code = child.wait()
    finally:
        child.kill()
        child.wait()
        watch.close()
    report = watch.report
    if error := failure(code, report.errors, report.tail, output):
        raise error
    progress(1.0)
    return report


class _Watch:
    """Reads both pipes of a child in one thread, so that neither can fill and block it."""

    def __init__(
        self, child: subprocess.Popen[bytes], duration: float | None, stall: float
    ) -> None:
        self.child, self.duration, self.stall = child, duration, stall
        self.report = RunReport()
        self._rest = {"out": b"", "err": b""}
        self._tail = b""
        self._alive_at, self._sign = time.monotonic(), ""
        self._selector = selectors.DefaultSelector()
        for pipe, name in ((child.stdout, "out"), (child.stderr, "err")):
            if pipe is not None:
                self._selector.register(pipe, selectors.EVENT_READ, name)

    def close(self) -> None:
        self._selector.close()
        for pipe in (self.child.stdout, self.child.stderr):
            if pipe is not None:
                pipe.close()

    def until_end(self, progress: ProgressCallback) -> None:
        told = 0.0
        while self._selector.get_map():
            for key, _ in self._selector.select(TICK):
                data = os.read(key.fd, 65536)
                if data:
                    self._take(key.data, data)
                else:
                    self._selector.unregister(key.fileobj)
            if time.monotonic() - told >= TICK:
                told = time.monotonic()
                self._look_for_life()
                progress(self._fraction())

    def _fraction(self) -> float:
        return min(self.report.seconds / self.duration, 1.0) if self.duration else 0.0

    def _take(self, name: str, data: bytes) -> None:
        if name == "err":
            self._tail = (self._tail + data)[-TAIL_BYTES:]
            self.report.tail = self._tail.decode("utf-8", "replace")
        *lines, rest = (self._rest[name] + data).split(b"\n")
        self._rest[name] = rest[-TAIL_BYTES:]
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            if name == "out":
                key, _, value = text.partition("=")
                self.report.counters[key] = value
            elif "[error]" in text or "[fatal]" in text:
                self._keep_error(text)

    def _keep_error(self, text: str) -> None:
        if len(self.report.errors) < MAX_ERRORS:
            self.report.errors.append(text)

    def _look_for_life(self) -> None:
        """Long silences that are dropped move no counter, so processor time counts as life too."""
        counters = self.report.counters
        sign = f"{counters.get('out_time_us')} {counters.get('frame')} {_cpu(self.child.pid)}"
        if sign != self._sign:
            self._sign, self._alive_at = sign, time.monotonic()
        elif time.monotonic() - self._alive_at > self.stall:
            msg = f"FFmpeg stood still for {self.stall:.0f} s and was ended; run it again."
            raise DataError(msg)


def _cpu(pid: int) -> str:
    """Processor time of a process in ticks (proc(5), fields 14 and 15); "" without /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return " ".join(fields.rpartition(")")[2].split()[11:13])
