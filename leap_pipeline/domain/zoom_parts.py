"""A Zoom meeting's files as recordings: its parts, the best view of each, and their keys.

A meeting that was stopped and started again has several parts, each with the moment it began
(`recording_start`), and each in several views. Only MP4s are videos. A meeting without any is kept
as a placeholder under its bare UUID until it has some.
https://developers.zoom.us/docs/api/meetings/#tag/cloud-recording
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

VIDEO = "mp4"
PREPARING = "processing"
_KEY = re.compile(r"(.+)@([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)", re.DOTALL)

_ORDER = (
    ("shared_screen_with_speaker_view",),
    ("shared_screen_with_speaker_view(cc)",),
    ("shared_screen_with_gallery_view",),
    ("shared_screen",),
    ("active_speaker", "speaker_view"),
    ("gallery_view",),
    ("production_studio",),
    ("host_video",),
)
_RANK = {kind: rank for rank, kinds in enumerate(_ORDER) for kind in kinds}


class File(Protocol):
    """A file as Zoom lists it; `file_size` in bytes, times timezone-aware."""

    @property
    def id(self) -> str | None: ...
    @property
    def recording_start(self) -> datetime | None: ...
    @property
    def recording_end(self) -> datetime | None: ...
    @property
    def file_type(self) -> str: ...
    @property
    def file_size(self) -> int | None: ...
    @property
    def recording_type(self) -> str | None: ...
    @property
    def status(self) -> str | None: ...


F = TypeVar("F", bound=File)
F_co = TypeVar("F_co", bound=File, covariant=True)


@dataclass(frozen=True)
class Part(Generic[F_co]):
    """`files` are its videos, best view first; those that Zoom still prepares come last.

    `start` has whole seconds, in UTC; None where Zoom does not tell it, for which the key is the
    bare UUID.
    """

    key: str
    start: datetime | None
    files: tuple[F_co, ...]

    @property
    def best(self) -> F_co | None:
        """The view to download; None while Zoom prepares every one."""
        return self.files[0] if is_ready(self.files[0]) else None

    @property
    def seconds(self) -> int | None:
        """How long it is, as its files tell."""
        ends = [file.recording_end for file in self.files if file.recording_end is not None]
        if self.start is None or not ends:
            return None
        end = self.files[0].recording_end or max(ends)
        length = round((in_seconds(end) - self.start).total_seconds())
        return length if length > 0 else None


def parts_of(uuid: str, files: Iterable[F]) -> tuple[Part[F], ...]:
    """The parts of a meeting in their order; none where it has no video.

    Videos that do not say when they began count only where none does: they are one part then.
    """
    views: defaultdict[datetime | None, list[F]] = defaultdict(list)
    for file in files:
        if file.file_type.strip().lower() == VIDEO:
            start = file.recording_start
            views[None if start is None else in_seconds(start)].append(file)
    dated = sorted(start for start in views if start is not None)
    starts: list[datetime | None] = [*dated] or [*views]
    return tuple(
        Part(part_key(uuid, start), start, tuple(sorted(views[start], key=_best_first)))
        for start in starts
    )


def is_ready(file: File) -> bool:
    """Whether a file can be fetched. A state that nobody knows counts once the file has bytes."""
    status = (file.status or "").strip().lower()
    return status in ("", "completed") or (status != PREPARING and bool(file.file_size))


def rank(recording_type: str | None) -> int:
    """The place of a view among all; 0 is the best, and unknown ones come last."""
    return _RANK.get((recording_type or "").replace(" ", "").lower(), len(_ORDER))


def is_better(
    kind: str | None, size: int | None, than_kind: str | None, than_size: int | None
) -> bool:
    """Is a view better than another, given their types and sizes in bytes?"""
    if rank(kind) != rank(than_kind):
        return rank(kind) < rank(than_kind)
    return bool(than_size) and (size or 0) > (than_size or 0)


def part_key(uuid: str, start: datetime | None) -> str:
    """`source_metadata.source_key` of a part; the bare UUID where it has no beginning."""
    return uuid if start is None else f"{uuid}@{moment(start)}"


def uuid_of(key: str) -> str:
    """The meeting's UUID in a key."""
    found = _KEY.fullmatch(key)
    return found.group(1) if found else key


def in_seconds(at: datetime) -> datetime:
    """A moment without fractions of a second, in UTC."""
    if at.tzinfo is UTC and not at.microsecond:
        return at
    return at.astimezone(UTC).replace(microsecond=0)


def moment(at: datetime) -> str:
    """A moment as keys and documents have it: 2026-11-01T10:00:00Z."""
    return in_seconds(at).isoformat()[:19] + "Z"


def _best_first(file: File) -> tuple[bool, int, int, str]:
    return not is_ready(file), rank(file.recording_type), -(file.file_size or 0), file.id or ""
