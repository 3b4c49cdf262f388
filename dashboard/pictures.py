"""Stored pictures made small, to be shown beside other things."""

from __future__ import annotations

from functools import lru_cache

from leap_pipeline.errors import DataError, InputError
from leap_pipeline.media.thumbnails import small_jpeg
from leap_pipeline.storage.local import LocalStorage

KEPT = 256


def small_picture(storage: LocalStorage, path: str) -> bytes | None:
    """A stored picture as a small JPEG; None where it is gone or broken.

    `path` comes from a row that its reader may see.
    """
    try:
        state = storage.path(path).stat()
        return _small(storage, path, state.st_mtime_ns, state.st_size)
    except (OSError, DataError, InputError):
        return None


@lru_cache(maxsize=KEPT)
def _small(storage: LocalStorage, path: str, _changed: int, _size: int) -> bytes:
    return small_jpeg(storage.fetch(path).read_bytes(), path.rpartition("/")[2])
