"""Brings a file over HTTP, whole and of one version, however often the way breaks.

No HEAD is asked: the first bytes say what there is to know. A file whose version has a strong
validator is asked for in pieces (Range with If-Range), each about four seconds long, on one
connection and on more where more are faster; what has come is kept over cuts, deaths of this
process and expired links. Any other file comes in one answer or from its beginning again.

    RFC 9110, 13 and 14: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from leap_pipeline.domain.byte_ranges import ByteRanges
from leap_pipeline.domain.file_versions import FileVersion
from leap_pipeline.errors import MustWaitError, TransientError, UserActionError
from leap_pipeline.progress import ProgressCallback, ignore
from leap_pipeline.sources.http_file_network import CheckedNetwork
from leap_pipeline.sources.http_file_pace import Pace
from leap_pipeline.sources.http_file_requests import FileSource, Requests
from leap_pipeline.sources.http_file_transfer import Transfer

MIB = 2**20
TICK_SECONDS = 0.1
SYNC_SECONDS = 5.0
JOIN_SECONDS = 20.0
STORM_GAP = timedelta(minutes=2)
KEPT_FREE = 256 * MIB


class UnfinishedFile(Protocol):
    """Where the bytes go, see `storage.partials.Partial`."""

    version: FileVersion | None
    done: ByteRanges

    @property
    def path(self) -> Path: ...
    @property
    def complete(self) -> bool: ...
    def begin(self, version: FileVersion) -> int: ...
    def set_total(self, total: int) -> None: ...
    def open(self) -> int: ...
    def write(self, file: int, offset: int, data: bytes) -> None: ...
    def note(self) -> None: ...
    def sync(self) -> None: ...


@dataclass(frozen=True)
class Tuning:
    """Bytes and seconds. `patience` is how long nothing may come before it counts as failed."""

    connections: int = 4
    private_addresses: bool = False
    most_bytes: int = 64 * 1024 * MIB
    first_piece: int = MIB
    least_piece: int = MIB
    most_piece: int = 64 * MIB
    piece_seconds: float = 4.0
    note_bytes: int = 4 * MIB
    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    patience: float = 60.0
    progress_bytes: int = 16 * 1024
    """So much must come within `patience`."""
    slow_seconds: float = 30.0
    slow_bytes: int = 256 * 1024
    """A connection that brings less in `slow_seconds` is left for a new one; nothing is lost."""
    measure_seconds: float = 2.0
    longest_backoff: float = 8.0
    restarts: int = 8
    """Of one process: changes of the file, and cuts of one that cannot be resumed."""


@dataclass(frozen=True)
class Fetched:
    """`fetched` and `resumed` in bytes: what came over the line now, and what was there before."""

    path: Path
    size: int
    fetched: int
    resumed: int
    seconds: float
    connections: int
    restarts: int

    @property
    def speed(self) -> float:
        """Bytes a second; 0.0 where nothing was left to fetch."""
        return self.fetched / self.seconds if self.fetched and self.seconds > 0 else 0.0


Admit = Callable[[int], None]


def download(
    source: FileSource,
    target: UnfinishedFile,
    *,
    tuning: Tuning | None = None,
    admit: Admit | None = None,
    progress: ProgressCallback = ignore,
) -> Fetched:
    """Fetch what is missing; `target.path` is then whole, of one version and not yet settled.

    `admit` is asked for room for so many bytes, once for each version, and may raise. `progress`
    is called in this thread about ten times a second and at the end; what it raises stops the
    download.
    Raises `TransientError` where nothing came for `patience` seconds, `MustWaitError` where the
    server asks for a longer pause, `UserActionError` for a file that cannot be had.
    """
    tuning = tuning or Tuning()
    network = CheckedNetwork(private_addresses=tuning.private_addresses)
    requests = Requests(
        network, tuning.connections + 1, tuning.connect_seconds, tuning.read_seconds
    )
    transfer = Transfer(source, target, requests, tuning, _room_checked(target, tuning, admit))
    run = _Run(transfer, target, tuning, progress)
    resumed, begun = target.done.count, time.monotonic()
    try:
        run.follow()
    finally:
        transfer.stopped.set()
        network.cut()
        run.join()
        requests.close()
        target.note()
    return Fetched(
        path=target.path,
        size=target.done.count,
        fetched=transfer.fetched,
        resumed=resumed if not transfer.pieces.restarts else 0,
        seconds=time.monotonic() - begun,
        connections=run.most_at_once,
        restarts=transfer.pieces.restarts,
    )


class _Run:
    """The threads of one download, watched from the thread that asked for it."""

    def __init__(
        self,
        transfer: Transfer,
        target: UnfinishedFile,
        tuning: Tuning,
        progress: ProgressCallback,
    ) -> None:
        self._transfer = transfer
        self._target = target
        self._tuning = tuning
        self._progress = progress
        self._threads: list[threading.Thread] = []
        self._pace = Pace(tuning.connections, tuning.measure_seconds)
        self._mark = (time.monotonic(), 0)
        self._synced = time.monotonic()
        self.most_at_once = 1

    def follow(self) -> None:
        """Until the file is whole; raises what went wrong."""
        transfer = self._transfer
        self._add_thread()
        while not transfer.pieces.finished.wait(TICK_SECONDS):
            self._raise_failure()
            self._progress(transfer.pieces.fraction)
            self._look_at_clock()
            self._adapt()
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self._target.sync()
                self._synced = time.monotonic()
        self._raise_failure()
        self._progress(transfer.pieces.fraction)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _raise_failure(self) -> None:
        if self._transfer.failure is not None:
            raise self._transfer.failure

    def _add_thread(self) -> None:
        number = len(self._threads)
        thread = threading.Thread(
            target=self._transfer.serve, args=(number,), name=f"leap-download-{number}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _adapt(self) -> None:
        transfer = self._transfer
        transfer.wanted = self._pace.wanted(
            time.monotonic(),
            transfer.fetched,
            transfer.pieces.left,
            refused=transfer.refusal_taken(),
        )
        while len(self._threads) < transfer.wanted:
            self._add_thread()
        self.most_at_once = max(self.most_at_once, transfer.wanted)

    def _look_at_clock(self) -> None:
        now, gained = time.monotonic(), self._transfer.fetched
        since, before = self._mark
        if gained - before >= self._tuning.progress_bytes:
            self._mark = (now, gained)
            return
        left = self._tuning.patience - (now - since)
        until = self._transfer.paused_until
        if until is not None and (until - datetime.now(UTC)).total_seconds() > left:
            msg = "The server of the file wants a longer pause; the download goes on after it."
            raise MustWaitError(msg, until)
        if left > 0:
            return
        why = self._transfer.trouble or "almost nothing came"
        if self._transfer.stormed:
            msg = f"The server of the file is busy ({why}); the download goes on later."
            raise MustWaitError(msg, datetime.now(UTC) + STORM_GAP)
        msg = f"The download stands still for {self._tuning.patience:.0f} s: {why}."
        raise TransientError(msg)


def _room_checked(target: UnfinishedFile, tuning: Tuning, admit: Admit | None) -> Admit:
    def check(total: int) -> None:
        if total > tuning.most_bytes:
            msg = (
                f"The file has {total} bytes and LEAP_DOWNLOAD_MAX_BYTES allows "
                f"{tuning.most_bytes}: raise it, or skip the recording."
            )
            raise UserActionError(msg)
        free = shutil.disk_usage(target.path.parent).free
        if total + KEPT_FREE > free:
            msg = (
                f"The file has {total / 1e9:.2f} GB and the disk of the storage only "
                f"{free / 1e9:.2f} GB left: free some space and retry."
            )
            raise UserActionError(msg)
        if admit is not None:
            admit(total)

    return check
