"""Small files by which a home's processes find each other: locks, private state, logs."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leap_pipeline.errors import TransientError

LOCK_POLL_SECONDS = 0.02


@contextmanager
def file_lock(path: Path, *, timeout: float, what: str) -> Iterator[int]:
    """Hold an exclusive lock on `path` (made where missing); yields its descriptor.

    The lock ends with the last process that has the descriptor, however it ends.

    Raises TransientError when somebody else still holds it after `timeout` seconds.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _give_to_owner_of_folder(path)
        deadline = time.monotonic() + timeout
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                msg = f"{what} is busy: another process has held {path} for {timeout:.0f} s."
                raise TransientError(msg)
            time.sleep(LOCK_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, text: str) -> None:
    """Put `text` under `path` in one step, readable by the owner of its folder alone."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _give_to_owner_of_folder(Path(name))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def bound_log(path: Path, limit: int) -> None:
    """Keep a log that others append to below about twice `limit` bytes.

    Its content moves to `<path>.1`; writers that opened it for appending go on at its new
    beginning. Lines written in that instant may be lost.
    """
    if not path.exists() or path.stat().st_size <= limit:
        return
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def _give_to_owner_of_folder(path: Path) -> None:
    """What root writes into somebody's home must not lock that person out of it."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)
