"""What Zoom says of recordings, read leniently: an unknown or odd value is left out, never a crash.

https://developers.zoom.us/docs/api/meetings/#tag/cloud-recording
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

LARGEST = 2**63 - 1
Raw = Mapping[str, Any]


def _text(value: object) -> str | None:
    """As it can be stored: no half of a surrogate pair, no NUL; all else as Zoom wrote it."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        return None
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "�")


def _number(value: object) -> int | None:
    try:
        found = int(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and 0 <= found <= LARGEST else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        # Zoom's times are in UTC, also where one does not say so.
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


Text = Annotated[str | None, BeforeValidator(_text)]
Number = Annotated[int | None, BeforeValidator(_number)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Secret = Annotated[SecretStr | None, BeforeValidator(_text)]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ZoomFile(_Read):
    """One file of a recording; several of one start are views of the same part.

    Times are in UTC, `file_size` is in bytes. CC and TIMELINE files have hardly any of this.
    """

    id: Text = None
    recording_start: Moment = None
    recording_end: Moment = None
    file_type: Annotated[str, BeforeValidator(lambda value: _text(value) or "")] = ""
    """MP4, M4A, CHAT, TRANSCRIPT, CC, …; "" where Zoom does not say."""
    file_extension: Text = None
    file_size: Number = None
    recording_type: Text = None
    status: Text = None
    """`completed`, `processing`, or whatever else Zoom says."""
    download_url: Secret = None


def _files(value: object) -> tuple[Any, ...]:
    items = value if isinstance(value, list | tuple) else ()
    return tuple(each for each in items if isinstance(each, Mapping | ZoomFile))


class ZoomMeeting(_Read):
    """One instance of a meeting with its files, in Zoom's order.

    `topic` is raw: it may hold signs that cannot be seen. `start_time` is in UTC.
    """

    model_config = ConfigDict(populate_by_name=True)

    uuid: Annotated[str, BeforeValidator(_text)]
    number: Number = Field(default=None, alias="id")
    topic: Annotated[str, BeforeValidator(lambda value: _text(value) or "")] = ""
    start_time: Annotated[datetime, BeforeValidator(_moment)]
    timezone: Text = None
    duration_minutes: Number = Field(default=None, alias="duration")
    host_id: Text = None
    host_email: Text = None
    account_id: Text = None
    files: Annotated[tuple[ZoomFile, ...], BeforeValidator(_files)] = Field(
        default=(), alias="recording_files"
    )
    download_access_token: Secret = None


def read_meeting(said: object) -> ZoomMeeting | None:
    """A meeting of an answer; None where not even its UUID and its time can be told."""
    if not isinstance(said, Mapping):
        return None
    try:
        return ZoomMeeting.model_validate({**said, "start_time": _start(said)})
    except ValidationError:
        return None


def _start(said: Raw) -> object:
    """Where the meeting's own start cannot be read, that of its first file."""
    if _moment(said.get("start_time")) is not None:
        return said["start_time"]
    starts = [_moment(each.get("recording_start")) for each in _files(said.get("recording_files"))]
    first = min((each for each in starts if each is not None), default=None)
    return first.isoformat() if first is not None else None
