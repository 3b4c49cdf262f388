"""A file that a person hands over: its identity is its content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from leap_pipeline.errors import InputError
from leap_pipeline.progress import ProgressCallback, ignore

CHUNK = 4 * 1024 * 1024
# Endings by which players know a container are kept; anything else is stored as .mp4.
KNOWN_SUFFIXES = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".mpeg", ".wmv"}


def digest(path: Path, progress: ProgressCallback = ignore) -> str:
    """SHA-256 of the content, in hex."""
    hasher = hashlib.sha256()
    for chunk in _chunks(path, progress):
        hasher.update(chunk)
    return hasher.hexdigest()


def copy_verified(
    source: Path, target: Path, expected: str, progress: ProgressCallback = ignore
) -> None:
    """Copy to a new file; raises `InputError` where the content is not `expected` (SHA-256)."""
    hasher = hashlib.sha256()
    with target.open("xb") as out:
        write: Callable[[bytes], int] = out.write
        for chunk in _chunks(source, progress):
            hasher.update(chunk)
            write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if hasher.hexdigest() != expected:
        msg = f"{source} changed while it was read: wait until it is whole, then ingest it again."
        raise InputError(msg)


def storage_suffix(path: Path) -> str:
    """The ending under which the file is stored."""
    suffix = path.suffix.lower()
    return suffix if suffix in KNOWN_SUFFIXES else ".mp4"


def _chunks(path: Path, progress: ProgressCallback) -> Iterator[bytes]:
    size = max(path.stat().st_size, 1)
    done = 0
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            yield chunk
            done += len(chunk)
            progress(done / size)
