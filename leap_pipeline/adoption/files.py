"""The files of the other platform: linked, copied or left, before the rows that name them.

Whatever the database there says, only regular files below a recording's own folder and a user's
folder of thumbnails are taken; a symbolic link is not followed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.storage.local import LocalStorage, disk_full_explained
from leap_pipeline.storage.paths import user_folder

SCRATCH = "adopt"
KINDS = {
    "source": "raw_video",
    "video": "trimmed_video",
    "audio": "audio",
    "master": "transcript",
    "topics": "topics",
    "srt": "subtitles_srt",
    "vtt": "subtitles_vtt",
}


class FileMode(StrEnum):
    LINK = "link"
    COPY = "copy"
    LEAVE = "leave"


@dataclass(frozen=True)
class Stored:
    """A file that is in LEAP's storage; `path` relative to its root."""

    path: str
    kind: str
    bytes: int


class Files:
    """Takes folders from an old storage root; `old` is None where files are left."""

    def __init__(
        self, storage: LocalStorage, mode: FileMode, old: Path | None, *, dry: bool
    ) -> None:
        if mode is not FileMode.LEAVE and (old is None or not old.is_dir()):
            msg = f"To {mode} files, name the folder that holds them: --storage-root FOLDER."
            raise InputError(msg)
        self._storage = storage
        self._mode = mode
        self._old = old
        self._dry = dry

    @property
    def are_brought(self) -> bool:
        return self._mode is not FileMode.LEAVE

    def take(self, old_folder: str, new_folder: str) -> list[Stored]:
        """Bring a folder over and tell what of it is in the storage now.

        Where files are left, what lies at its place already counts: the two roots may be one.
        """
        if self._old is None or not self.are_brought:
            root = self._storage.path(new_folder)
            return [_stored(root, path, new_folder) for path in _regular(root)]
        source, found = self._old / old_folder, []
        for path in _regular(source):
            stored = _stored(source, path, new_folder)
            if not self._dry:
                self._bring(path, self._storage.path(stored.path))
            found.append(stored)
        return found

    def take_thumbnails(self, old_slug: int, new_slug: int) -> list[Stored]:
        """A user's own pictures."""
        return self.take(
            f"{user_folder(old_slug)}/thumbnails", f"{user_folder(new_slug)}/thumbnails"
        )

    def _bring(self, old: Path, new: Path) -> None:
        if new.exists():
            return  # whole, by an earlier run, one that was killed, or LEAP's own work since
        with disk_full_explained(self._storage.root):
            new.parent.mkdir(parents=True, exist_ok=True)
            if self._mode is FileMode.COPY:
                self._copy(old, new)
            else:
                _link(old, new)

    def _copy(self, old: Path, new: Path) -> None:
        with self._storage.scratch(SCRATCH) as folder:
            made = folder / "file"
            shutil.copy2(old, made)
            self._storage.settle(made)
            made.replace(new)


def _link(old: Path, new: Path) -> None:
    """A second name of the same bytes; LEAP never writes into a stored file, but replaces it."""
    try:
        os.link(old, new)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        msg = f"{old} cannot be linked into {new.parent} ({error.strerror}): use --files copy."
        raise UserActionError(msg) from error


def _regular(folder: Path) -> Iterator[Path]:
    """The regular files below a folder that is none of a link, in order."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(where) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _stored(root: Path, path: Path, new_folder: str) -> Stored:
    inner = path.relative_to(root).as_posix()
    known = KINDS.get(path.stem) or KINDS.get(path.suffix.removeprefix("."))
    kind = "thumbnail" if new_folder.endswith("thumbnails") else known or "other"
    return Stored(f"{new_folder}/{inner}", kind, path.stat().st_size)
