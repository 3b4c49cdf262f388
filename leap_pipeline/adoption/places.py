"""Where a recording's files were, and where they are now. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from leap_pipeline.adoption.outcome import Notes
from leap_pipeline.storage.paths import RecordingPaths

_OLD = re.compile(r"(?:storage/)?(users/user_\d+/recordings/\d+)/(.+)")


@dataclass(frozen=True)
class Place:
    """A recording's folder on both sides, relative to the storage roots."""

    old: RecordingPaths
    new: RecordingPaths

    def moved(self, path: str | None, column: str, notes: Notes) -> str | None:
        """A stored path as it is now; one that leads elsewhere is left out."""
        if path is None:
            return None
        found = _OLD.fullmatch(path)
        inner = found[2].strip("/") if found is not None else ""
        own = found is not None and found[1] == self.old.folder
        if not own or any(part in ("", ".", "..") for part in inner.split("/")):
            notes.say(f"{column} is empty", "its path leads out of the recording's folder")
            return None
        return f"{self.new.folder}/{inner}"
