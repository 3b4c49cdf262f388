"""What is asked for, and the path at which Zoom has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from leap_pipeline.errors import DataError

LONGEST_DAYS = 30


@dataclass(frozen=True)
class Window:
    """Days in UTC, both ends included; Zoom lists at most a month at once, so 30 are the most."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if not 0 <= (self.end - self.start).days < LONGEST_DAYS:
            msg = (
                f"A window from {self.start} to {self.end} cannot be listed: 1 to {LONGEST_DAYS} "
                "days can."
            )
            raise DataError(msg)


@dataclass(frozen=True)
class Who:
    """Whose recordings: those of one person, or of all people of an account."""

    kind: str
    id: str

    @classmethod
    def user(cls, user: str = "me") -> Who:
        """A person: `me`, Zoom's id, or an address."""
        return cls("users", user)

    @classmethod
    def account(cls, account: str = "me") -> Who:
        """All of an account, which needs a scope that only its admins can give."""
        return cls("accounts", account)

    @property
    def path(self) -> str:
        return f"/{self.kind}/{_segment(self.id)}/recordings"

    @property
    def scope(self) -> str:
        """The granular scope that the listing needs."""
        if self.kind == "accounts":
            return "cloud_recording:read:list_account_recordings:admin"
        return "cloud_recording:read:list_user_recordings[:admin]"


def meeting_path(uuid: str) -> str:
    """The path of a meeting's recordings.

    A UUID that begins with `/` or contains `//` is encoded twice, any other once. A number is
    refused: it would name the latest instance of a recurring meeting, whichever that is.
    https://developers.zoom.us/docs/api/using-zoom-apis/#meeting-id-and-uuid
    """
    if uuid.isdecimal():
        msg = f"The number {uuid:.20} names no instance of a Zoom meeting: use its UUID."
        raise DataError(msg)
    encoded = _segment(uuid)
    if uuid.startswith("/") or "//" in uuid:
        encoded = quote(encoded, safe="")
    return f"/meetings/{encoded}/recordings"


def _segment(name: str) -> str:
    """One segment of a path, which can lead nowhere else."""
    if name.strip(".") == "":
        msg = f"“{name:.20}” names nothing at Zoom: use an id, an address or a UUID."
        raise DataError(msg)
    return quote(name, safe="")
