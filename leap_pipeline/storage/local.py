"""Artifacts on a local disk: written in a scratch folder, then put in place in one step."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from leap_pipeline.errors import DataError, UserActionError
from leap_pipeline.storage.partials import Partial, partial, partial_names, sweep_partials

SCRATCH = ".scratch"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class LocalStorage:
    """A storage root in a file system; scratch lies in it too, so that a rename is atomic."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, relative: str) -> Path:
        """The file behind a relative path; raises `DataError` for the root and what is outside."""
        root = self.root.resolve()
        found = (root / relative).resolve()
        if found == root or not found.is_relative_to(root):
            msg = f"The stored path “{relative}” names nothing inside the storage root."
            raise DataError(msg)
        return found

    def fetch(self, relative: str) -> Path:
        """A stored file to read; raises `DataError` where it is gone."""
        found = self.path(relative)
        if not found.is_file():
            msg = f"The stored file {relative} is missing: force the stage that makes it."
            raise DataError(msg)
        return found

    def settle(self, made: Path) -> None:
        """Wait until the bytes of a scratch file are on the disk; slow, so not in a transaction."""
        with made.open("rb") as handle:
            os.fsync(handle.fileno())

    def put(self, made: Path, relative: str) -> int:
        """Move a whole, verified and settled scratch file to its final name; its bytes."""
        final = self.path(relative)
        _make_folder(final.parent)
        made.replace(final)
        _sync_folder(final.parent)
        return final.stat().st_size

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """An empty folder of that name for the length of the block."""
        folder = self.root / SCRATCH / name
        shutil.rmtree(folder, ignore_errors=True)
        with disk_full_explained(self.root):
            self._make(folder)
        try:
            with disk_full_explained(self.root):
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise
            msg = (
                f"The storage {self.root} cannot be written ({error.strerror}): "
                "set LEAP_STORAGE_ROOT to a folder that can."
            )
            raise UserActionError(msg) from error

    def partial(self, name: str) -> AbstractContextManager[Partial]:
        """An unfinished file that outlives its worker, for this process alone; see `partials`."""
        return partial(self.root, name)

    def partials(self) -> list[str]:
        """The names of all unfinished files."""
        return partial_names(self.root)

    def sweep_partials(self, prefix: str, *, idle: float = 0.0, exact: bool = False) -> list[str]:
        """Remove unfinished files that nobody writes and whose names begin so; their names.

        `idle` spares those in which something was written in the last so many seconds; `exact`
        means the one of that name alone.
        """
        return sweep_partials(self.root, prefix, idle=idle, exact=exact)

    def sweep_scratch(self, prefix: str, *, idle: float = 0.0) -> None:
        """Remove what dead workers left under scratch names that begin with `prefix`.

        `idle` spares folders in which something was written in the last so many seconds.
        """
        newest_swept = time.time() - idle
        for left in (self.root / SCRATCH).glob(f"{prefix}*"):
            if not idle or _last_written(left) < newest_swept:
                shutil.rmtree(left, ignore_errors=True)

    def remove(self, relative: str) -> None:
        """Remove a file or a folder; what is not there is no error."""
        target = self.path(relative)
        if target.is_dir():
            shutil.rmtree(target)
        else:
            with suppress(FileNotFoundError):
                target.unlink()


@contextmanager
def disk_full_explained(where: Path) -> Iterator[None]:
    """Turns the system's “no space” into a sentence that says where and how much is left."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        there = next(folder for folder in (where, *where.absolute().parents) if folder.exists())
        free = shutil.disk_usage(there).free // 2**20
        msg = f"The disk that holds {where} is full ({free} MiB left): free some space and retry."
        raise UserActionError(msg) from error


def _make_folder(folder: Path) -> None:
    """Make a folder and have its name, and those of new folders above it, on the disk."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _last_written(folder: Path) -> float:
    """Seconds since the epoch; 0.0 where it is gone."""
    times = [0.0]
    for path in (folder, *folder.glob("*")):
        with suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
