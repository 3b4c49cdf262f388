"""What Zoom says of one part of a meeting, in LEAP's terms. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from leap_pipeline.domain.names import clean_name, part_name
from leap_pipeline.domain.wanted import Bounds, Verdict, judge
from leap_pipeline.domain.zoom_parts import File, Part, in_seconds, moment

Document = dict[str, Any]
MINUTE = 60


class Meeting(Protocol):
    """A meeting as Zoom lists it; `topic` is raw, `start_time` timezone-aware."""

    @property
    def uuid(self) -> str: ...
    @property
    def number(self) -> int | None: ...
    @property
    def topic(self) -> str: ...
    @property
    def start_time(self) -> datetime: ...
    @property
    def timezone(self) -> str | None: ...
    @property
    def duration_minutes(self) -> int | None: ...
    @property
    def host_id(self) -> str | None: ...
    @property
    def host_email(self) -> str | None: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def files(self) -> Sequence[File]: ...


@dataclass(frozen=True)
class Seen:
    """One part of a meeting as it is listed now; `part` is None where the meeting has no video.

    `parts` says how many the meeting has, `number` is the one in this part's name.
    """

    meeting: Meeting
    part: Part[File] | None
    parts: int
    number: int

    @property
    def key(self) -> str:
        return key_of(self.meeting.uuid, self.part)

    @property
    def best(self) -> File | None:
        return None if self.part is None else self.part.best

    @property
    def name(self) -> str:
        return part_name(clean_name(self.meeting.topic), self.number)

    @property
    def start(self) -> datetime:
        return (self.part and self.part.start) or in_seconds(self.meeting.start_time)

    @property
    def seconds(self) -> int | None:
        if self.part is not None and self.part.seconds is not None:
            return self.part.seconds
        whole = self.meeting.duration_minutes
        return whole * MINUTE if whole and self.parts == 1 else None

    @property
    def size(self) -> int | None:
        return _natural(self.best.file_size) if self.best is not None else None

    def judged(self, bounds: Bounds) -> Verdict:
        """What the source still prepares is not judged."""
        if self.best is None:
            return Verdict(blank=False, skip=None)
        return judge(bounds, self.seconds, self.size)

    def meta(self) -> Document:
        """What is to be known of the part, without its view."""
        part, meeting = self.part, self.meeting
        end = None if self.best is None else self.best.recording_end
        said = {
            "meeting_id": meeting.uuid,
            "meeting_number": _natural(meeting.number),
            "topic": meeting.topic or None,
            "timezone": meeting.timezone,
            "account": meeting.account_id,
            "host_id": meeting.host_id,
            "host_email": meeting.host_email,
            "recording_start": None if part is None or part.start is None else moment(part.start),
            "recording_end": None if end is None else moment(end),
        }
        return _storable(said)


def key_of(uuid: str, part: Part[File] | None) -> str:
    return uuid if part is None else part.key


def view_of(file: File) -> Document:
    return _storable(
        {
            "file_id": file.id,
            "recording_type": file.recording_type,
            "file_size": _natural(file.file_size),
            "status": file.status,
        }
    )


def _natural(number: int | None) -> int | None:
    return None if number is None or number < 0 else number


def _storable(said: Document) -> Document:
    """What was said, in characters that jsonb takes."""
    return {
        key: value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
        if isinstance(value, str)
        else value
        for key, value in said.items()
        if value is not None
    }
