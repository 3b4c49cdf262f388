"""Where recordings come from: `input_sources.config` and `source_metadata.meta`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, field_validator

from leap_pipeline.domain.shapes.base import Partial, Shape

Minutes = Annotated[int, Field(ge=0, le=10_080)]


class ZoomSource(Partial):
    """`input_sources.config` of a Zoom account.

    `user_id` is Zoom's: an id, an address, or `me`. What is said of duration and blank recordings
    overrides the settings of the installation; both bounds belong to the range.
    """

    user_id: str = Field(default="me", min_length=1, max_length=320, pattern=r"^[^\s/]+$")
    sync_from_date: AwareDatetime | None = None
    min_duration_minutes: Minutes | None = None
    max_duration_minutes: Minutes | None = None
    skip_blank_recordings: bool = True
    skip_unmatched: bool = False
    poll_interval_minutes: int | None = Field(default=None, ge=1, le=10_080)
    lookback_days: int | None = Field(default=None, ge=0, le=365)

    @field_validator("max_duration_minutes")
    @classmethod
    def _not_below_min(cls, most: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("min_duration_minutes")
        if most is not None and least is not None and most < least:
            msg = f"is {most}, below `min_duration_minutes` {least}; nothing would be taken"
            raise ValueError(msg)
        return most


class SyncCursor(Shape):
    """`input_sources.cursor`: every recording that began before `read_to` was listed once.

    A sync that ended before its time goes on with `resume_on` (a day in UTC). `window_days` is how
    many days it lists at once, where a usual window took too long.
    """

    read_to: AwareDatetime | None = None
    resume_on: date | None = None
    window_days: int | None = Field(default=None, ge=1, le=30)


Count = Annotated[int, Field(ge=0)]


class SyncCounts(Shape):
    """What a sync found; `input_sources.last_result` of the last one.

    `found` is every part of a meeting that was listed, `pending` those that their source still
    prepares, `skipped` those left alone because they were deleted here for good.
    """

    found: Count = 0
    new: Count = 0
    updated: Count = 0
    blank: Count = 0
    matched: Count = 0
    unmatched: Count = 0
    pending: Count = 0
    skipped: Count = 0


class LocalFileSource(Partial):
    """`input_sources.config` of handed-over files: there is nothing to say."""


def _within_storage(path: str) -> str:
    if "\\" in path or path.startswith("/") or ".." in path.split("/"):
        msg = "must be a path within the storage, relative to its root"
        raise ValueError(msg)
    return path


class LocalFileMeta(Shape):
    """`source_metadata.meta` of a handed-over file; `stored_path` relative to the storage root."""

    file_name: str = Field(min_length=1)
    stored_path: Annotated[str, Field(min_length=1), AfterValidator(_within_storage)]
    bytes: int = Field(ge=0)


def _secret(key: str) -> bool:
    return key == "download_url" or key.endswith(("token", "password", "passcode"))


def _open(value: Any) -> Any:
    """A document without what opens a recording to whoever reads it."""
    if isinstance(value, Mapping):
        return {key: _open(inner) for key, inner in value.items() if not _secret(key)}
    return [_open(each) for each in value] if isinstance(value, list) else value


def _no_secrets(details: dict[str, Any]) -> dict[str, Any]:
    if _open(details) != details:
        msg = "holds a token, a password or a link that downloads; leave it out"
        raise ValueError(msg)
    return details


class ZoomView(Shape):
    """One video file of a part of a meeting, as Zoom lists it. `file_size` in bytes."""

    file_id: str | None = None
    recording_type: str | None = None
    file_size: int | None = Field(default=None, ge=0)
    status: str | None = None


class ZoomMeta(Shape):
    """`source_metadata.meta` of a part of a Zoom meeting. Tokens and passcodes have no place here.

    `meeting_id` is the meeting's UUID, `topic` its name as Zoom wrote it, signs that cannot be seen
    included. `better_view` came after the download. `details` is whatever else Zoom said.
    """

    schema_version: ClassVar[int] = 2

    meeting_id: str | None = None
    meeting_number: int | None = Field(default=None, ge=0)
    topic: str | None = None
    timezone: str | None = None
    account: str | None = None
    host_id: str | None = None
    host_email: str | None = None
    recording_start: AwareDatetime | None = None
    recording_end: AwareDatetime | None = None
    view: ZoomView | None = None
    better_view: ZoomView | None = None
    details: Annotated[dict[str, Any], AfterValidator(_no_secrets)] = Field(default_factory=dict)

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform had the view's facts on top, and secrets beside them."""
        kept = {key: value for key, value in document.items() if key in cls.model_fields}
        old = _open({key: value for key, value in document.items() if key not in kept})
        if "video_file_size" in old and "view" not in kept:
            size, kind = old.pop("video_file_size"), old.pop("recording_type", None)
            kept["view"] = {"recording_type": kind, "file_size": size}
        meeting = old.get("zoom_api_meeting")
        if isinstance(meeting, Mapping):
            kept.setdefault("topic", meeting.get("topic"))
        details = {key: old.pop(key) for key in _OLD_DETAILS if key in old}
        return {**({"details": details} if details else {}), **kept, **old}


_OLD_DETAILS = (
    "video_file_type",
    "zoom_api_details",
    "zoom_api_meeting",
    "zoom_processing_incomplete",
)
