"""What publishing asks of a platform, so that a video gets there once, whatever dies.

An upload goes through: `open` (its session is stored before the first byte), `send`, and the id is
stored. After a death `ask` tells what became of the session; where it is gone, `search` tells
whether the video is there all the same. Nothing is ever sent again without one of these answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.errors import LeapError, UserActionError
from leap_pipeline.progress import ProgressCallback


@dataclass(frozen=True)
class VideoFile:
    """A file to send: `size` in bytes, `sha256` in hex, `seconds` of playing time."""

    path: Path
    size: int
    sha256: str
    seconds: float


@dataclass(frozen=True)
class Video:
    """A video on a platform; `owner_id` is VK's, negative for a group."""

    video_id: str
    url: str
    owner_id: int | None = None


@dataclass(frozen=True)
class Upload:
    """What is stored of an upload: enough to ask the platform about it from any machine.

    `session` is the secret document that `open` gave; None: none was opened, or it is gone.
    """

    marker: str
    size: int
    account: str | None
    session: Mapping[str, Any] | None = field(repr=False)
    opened_at: datetime | None
    video_id: str | None = None
    owner_id: int | None = None


@dataclass(frozen=True)
class Opened:
    """A session that was just opened; `account` is the channel or the owner it belongs to."""

    session: Mapping[str, Any] = field(repr=False)
    account: str
    video_id: str | None = None
    owner_id: int | None = None


@dataclass(frozen=True)
class Found:
    """The video is there, whole."""

    video: Video


@dataclass(frozen=True)
class Kept:
    """The session lives; the platform has so many bytes from the beginning of the file."""

    offset: int = 0


@dataclass(frozen=True)
class Gone:
    """The session is no more, which does not tell whether the video arrived."""


@dataclass(frozen=True)
class Absent:
    """The platform was searched, and surely has no such video now."""


@dataclass(frozen=True)
class Doubtful:
    """It cannot be decided by asking; `reason` and `facts` are for the person who has to."""

    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class SessionGone(LeapError):
    """The platform does not know the session any more, while something was sent."""


class NotOffered(UserActionError):
    """The platform has no such thing, or offers it to no app; the sentence says so."""


@dataclass(frozen=True)
class Processing:
    """What the platform says of a published video: processing, processed, failed or gone.

    `seconds` is its playing time there, None while it is not told.
    """

    state: str
    seconds: float | None = None
    reason: str | None = None


class Uploader(Protocol):
    """One account at one platform. Not shared between threads.

    All methods raise TransientError and MustWaitError where the platform cannot answer now,
    UserActionError where a person must act first, and whatever `progress` raises.
    """

    def open(self, file: VideoFile, sent: Sent, marker: str) -> Opened:
        """Ask for a session; no byte is sent. Asked again it opens another one."""

    def ask(self, upload: Upload) -> Found | Kept | Gone | Doubtful:
        """What became of an open session."""

    def search(self, upload: Upload) -> Found | Absent | Doubtful:
        """Whether the video is there though its session is gone."""

    def send(
        self,
        upload: Upload,
        file: VideoFile,
        offset: int,
        progress: ProgressCallback,
        closing: Callable[[], None],
    ) -> Video:
        """Send the file from `offset` on; raises SessionGone. `progress` gets the fraction.

        `closing` is told ahead of each request that could complete the video, perhaps in another
        thread; what it raises stops the upload before that request.
        """

    def discard(self, upload: Upload) -> bool:
        """Give up an unfinished session, before another file or session takes its place.

        True where the same session may be given the new file.
        """

    def processing(self, video: Video) -> Processing:
        """How far the platform is with it."""

    def retract(self, video: Video) -> None:
        """Delete it; one that is gone already is no error."""


class Publisher(Uploader, Protocol):
    """An account that can also change what stands beside a published video.

    Each of these may be repeated without harm. They raise as those of Uploader do; NotOffered where
    the platform has no such thing.
    """

    def restate(self, video: Video, sent: Sent, marker: str) -> None:
        """Make title, description, tags and settings what `sent` says."""

    def set_thumbnail(self, video: Video, picture: Path) -> None:
        """Give it this picture: a JPEG or PNG within the platform's limits."""

    def put_captions(
        self, video: Video, captions: Path, language: str, name: str, known: str | None
    ) -> str:
        """Give it this SRT in a language (BCP 47); returns the id of the track.

        `known` is the track of an earlier time, which is replaced. There is never a second one.
        """

    def collect(self, video: Video, collection: str) -> str | None:
        """Put it into a playlist or an album, unless it is there; the id of the entry, if any."""

    def take_out(self, video: Video, collection: str, entry: str | None) -> None:
        """Take it out of a playlist or an album; one that is not there is no error."""
