"""What there is at the fake YouTube: channels, videos, sessions, tracks, playlists, grants."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

UNIT = 256 * 1024
PACIFIC = ZoneInfo("America/Los_Angeles")
SCOPE = "https://www.googleapis.com/auth/"
UPLOAD_SCOPES = frozenset({f"{SCOPE}youtube.upload", f"{SCOPE}youtube.force-ssl"})
# https://developers.google.com/youtube/v3/determine_quota_cost; everything else costs 1.
COSTS: Mapping[str, int] = {
    "captions.list": 50,
    "captions.insert": 400,
    "captions.update": 450,
    "captions.delete": 50,
    "thumbnails.set": 50,
    "playlistItems.insert": 50,
    "playlistItems.delete": 50,
    "videos.update": 50,
    "videos.delete": 50,
}


@dataclass
class Channel:
    id: str
    title: str

    @property
    def uploads(self) -> str:
        return "UU" + self.id.removeprefix("UC")


@dataclass
class Grant:
    """A token: None as `channel` is a Google account without one."""

    channel: str | None
    scopes: frozenset[str]
    project: str
    until: datetime | None = None


@dataclass
class Content:
    """The bytes that were kept, without them: how many, and their digest block by block."""

    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256, repr=False)

    def add(self, data: bytes) -> None:
        self.digest.update(data)
        self.size += len(data)


@dataclass
class Session:
    id: str
    channel: str
    size: int | None
    part: tuple[str, ...]
    document: dict[str, Any]
    opened_at: datetime
    content: Content = field(default_factory=Content)
    video: str | None = None
    cancelled: bool = False


@dataclass
class Track:
    id: str
    language: str
    name: str
    content: bytes
    is_draft: bool
    updated_at: datetime


@dataclass
class Video:
    """`sha256` and `size` are of the file as it arrived."""

    id: str
    channel: str
    made_at: datetime
    sha256: str
    size: int
    snippet: dict[str, Any]
    status: dict[str, Any]
    processed_at: datetime
    seconds: float
    failure: str | None = None
    picture: bytes | None = None
    picture_size: tuple[int, int] | None = None
    tracks: list[Track] = field(default_factory=list)
    deleted: bool = False
    session: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "channel": self.channel,
            "made_at": self.made_at.isoformat(),
            "sha256": self.sha256,
            "size": self.size,
            "snippet": self.snippet,
            "status": self.status,
            "picture": None if self.picture is None else hashlib.sha256(self.picture).hexdigest(),
            "tracks": [
                {
                    "id": each.id,
                    "language": each.language,
                    "name": each.name,
                    "sha256": hashlib.sha256(each.content).hexdigest(),
                }
                for each in self.tracks
            ],
            "deleted": self.deleted,
            "session": self.session,
        }


@dataclass
class Playlist:
    """Entries are (id, video, added at)."""

    id: str
    channel: str
    entries: list[tuple[str, str, datetime]] = field(default_factory=list)


@dataclass
class Spending:
    """A project's quota: both buckets go back to nothing at midnight Pacific."""

    inserts: int = 100
    units: int = 10_000
    spent: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, method: str, now: datetime) -> bool:
        """Whether it fits; what does is spent."""
        bucket = "inserts" if method == "videos.insert" else "units"
        cost = 1 if bucket == "inserts" else COSTS.get(method, 1)
        key = now.astimezone(PACIFIC).date().isoformat(), bucket
        limit = self.inserts if bucket == "inserts" else self.units
        if self.spent.get(key, 0) + cost > limit:
            return False
        self.spent[key] = self.spent.get(key, 0) + cost
        return True

    def of(self, bucket: str, now: datetime) -> int:
        return self.spent.get((now.astimezone(PACIFIC).date().isoformat(), bucket), 0)


@dataclass
class World:
    channels: dict[str, Channel] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    videos: dict[str, Video] = field(default_factory=dict)
    playlists: dict[str, Playlist] = field(default_factory=dict)
    projects: dict[str, Spending] = field(default_factory=dict)
    processing_time: timedelta = timedelta(minutes=1)
    lag: timedelta = timedelta(0)
    """So long the uploads playlist does not show a new video."""
    seconds: float = 60.0
    """Playing time of what is uploaded: nothing here decodes it."""
    session_life: timedelta = timedelta(days=7)
