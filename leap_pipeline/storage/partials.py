"""Files that are not whole yet and outlive the worker that brings them.

    .partial/NAME/SLOT/lock         held (flock) by whoever writes here
    .partial/NAME/SLOT/state.json   the version, and which of its bytes are there
    .partial/NAME/SLOT/3.part       the bytes; another version is another file

A worker takes a slot that nobody holds. One that is frozen keeps its slot, should it ever wake up:
its successor copies the bytes that are there and goes on in a slot of its own.

A process that is killed leaves its writes with the system, so all bytes that the state names are
there afterwards; where the machine itself began anew, only those that were waited for count.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ulid import ULID

from leap_pipeline.domain.byte_ranges import ByteRanges
from leap_pipeline.domain.file_versions import FileVersion

PARTIALS = ".partial"
COPY_BYTES = 1 << 20
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Partial:
    """One slot, held by this process. Safe to use from many threads."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self.version: FileVersion | None = None
        self.done = ByteRanges()
        self._synced = ByteRanges()
        self._guard = threading.RLock()
        self._lock = lock
        self._data = 0
        self._files: list[int] = []
        self._load()

    @property
    def path(self) -> Path:
        return self.folder / f"{self._data}.part"

    @property
    def complete(self) -> bool:
        """Whether every byte of the version is there."""
        with self._guard:
            version = self.version
            return version is not None and self.done.count == version.total

    def begin(self, version: FileVersion) -> int:
        """Start over with a version; returns the file to hand to `write`.

        Whoever still writes to an earlier version's file spoils nothing.
        """
        with self._guard:
            old, self._data = self.path, self._data + 1
            self.version, self.done, self._synced = version, ByteRanges(), ByteRanges()
            self.note()
            old.unlink(missing_ok=True)
            return self.open()

    def set_total(self, total: int) -> None:
        """What is only known when the last byte has come."""
        with self._guard:
            if self.version is not None:
                told = self.version
                self.version = FileVersion(total, told.etag, told.modified, told.identity)

    def open(self) -> int:
        """The file of the present version, as a number that stays good until `close`."""
        with self._guard:
            self._files.append(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644))
            return self._files[-1]

    def write(self, file: int, offset: int, data: bytes) -> None:
        """Write to a file that `open` or `begin` gave; `note_done` then says that it counts."""
        view = memoryview(data)
        while view:
            written = os.pwrite(file, view, offset)
            view, offset = view[written:], offset + written

    def note(self) -> None:
        """Write down what is there, good for the death of this process."""
        with self._guard:
            state = {
                "data": self._data,
                "version": None if self.version is None else self.version.to_json(),
                "boot": _boot(),
                "done": list(self.done),
                "synced": list(self._synced),
            }
            beside = self.folder / "state.new"
            beside.write_text(json.dumps(state))
            beside.replace(self.folder / "state.json")

    def sync(self) -> None:
        """Wait until what is there is on the disk, and write that down; slow."""
        with self._guard:
            done, data = self.done.copy(), self._data
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.fdatasync(file)
        finally:
            os.close(file)
        with self._guard:
            if data == self._data:
                self._synced = done
                self.note()

    def recover(self, final: Path) -> None:
        """Where the whole file was put in place and its worker died before that counted: back."""
        with self._guard:
            whole = self.complete and self.version is not None
            if whole and not self.path.exists() and final.is_file():
                with suppress(OSError):  # not every file system has second names
                    os.link(final, self.path)
            self._forget_unless_there()

    def discard(self) -> None:
        """Remove the slot; nothing can be done with it afterwards but `close`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.parent.rmdir()

    def close(self) -> None:
        for file in (*self._files, self._lock):
            os.close(file)
        self._files.clear()

    def adopt(self, folder: Path) -> None:
        """Copy what is there from a slot that another process holds."""
        other = _State(folder)
        if other.version is None or not other.done.count:
            return
        try:
            source = (folder / f"{other.data}.part").open("rb")
        except FileNotFoundError:
            return
        with source:
            target = self.begin(other.version)
            for start, stop in other.done:
                self._copy(source.fileno(), target, start, stop)
        self.note()

    def _copy(self, source: int, target: int, start: int, stop: int) -> None:
        at = start
        while at < stop:
            data = os.pread(source, min(COPY_BYTES, stop - at), at)
            if not data:
                return
            self.write(target, at, data)
            self.done.add(at, at + len(data))
            at += len(data)

    def _load(self) -> None:
        state = _State(self.folder)
        self._data, self.version = state.data, state.version
        self.done, self._synced = state.done, state.synced.copy()

    def _forget_unless_there(self) -> None:
        there = self.path.stat().st_size if self.path.exists() else 0
        if any(stop > there for _, stop in self.done):
            self.version, self.done, self._synced = None, ByteRanges(), ByteRanges()


class _State:
    """A slot's state as its file tells it; what cannot be read counts for nothing."""

    def __init__(self, folder: Path) -> None:
        self.data = 0
        self.version: FileVersion | None = None
        self.done, self.synced = ByteRanges(), ByteRanges()
        with suppress(OSError, ValueError, KeyError, TypeError):
            state = json.loads((folder / "state.json").read_text())
            synced = ByteRanges(tuple(span) for span in state["synced"])
            done = ByteRanges(tuple(span) for span in state["done"])
            version = state["version"] and FileVersion(**state["version"])
            self.data, self.version, self.synced = int(state["data"]), version, synced
            self.done = done if state["boot"] and state["boot"] == _boot() else synced.copy()


@contextmanager
def partial(root: Path, name: str) -> Iterator[Partial]:
    """The unfinished file of that name, for this process alone for the length of the block.

    Whatever ends the block with an exception leaves it for the next one; otherwise it is removed.
    """
    home = root / PARTIALS / name
    held = [made for made in map(_try_hold, _slots(home)) if made is not None]
    held.sort(key=lambda each: each.done.count)
    chosen = held.pop() if held else None
    for poorer in held:
        poorer.discard()
        poorer.close()
    if chosen is None:
        frozen = sorted(_slots(home), key=lambda slot: _State(slot).done.count)
        chosen = _new_slot(home)
        if frozen:
            chosen.adopt(frozen[-1])
    try:
        yield chosen
        chosen.discard()
    finally:
        chosen.close()


def sweep_partials(root: Path, prefix: str, *, idle: float = 0.0, exact: bool = False) -> list[str]:
    """See `LocalStorage.sweep_partials`."""
    swept = []
    newest = time.time() - idle
    for home in sorted((root / PARTIALS).glob(prefix if exact else f"{prefix}*")):
        for slot in _slots(home):
            held = _try_hold(slot) if not idle or _written(slot) < newest else None
            if held is not None:
                held.discard()
                held.close()
                swept.append(home.name)
        with suppress(OSError):
            home.rmdir()
    return sorted(set(swept))


def partial_names(root: Path) -> list[str]:
    return sorted(home.name for home in (root / PARTIALS).glob("*"))


def _slots(home: Path) -> list[Path]:
    return sorted(slot for slot in home.glob("*") if slot.is_dir())


def _new_slot(home: Path) -> Partial:
    while True:
        folder = home / str(ULID())
        folder.mkdir(parents=True)
        made = _try_hold(folder)
        if made is not None:
            return made


def _try_hold(slot: Path) -> Partial | None:
    """None where another process holds the slot or has just removed it."""
    path = slot / "lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_ino == path.stat().st_ino:
            return Partial(slot, lock)
    except OSError:
        pass
    os.close(lock)
    return None


def _written(slot: Path) -> float:
    times = [0.0]
    for path in (slot, *slot.glob("*")):
        with suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times)


def _boot() -> str:
    """Names the machine's present life; empty where the system does not tell."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
