"""What each call to the YouTube Data API costs, and who keeps the account of it.

https://developers.google.com/youtube/v3/determine_quota_cost
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Literal, Protocol

Bucket = Literal["inserts", "units"]


class QuotaCall(Enum):
    """A kind of call: its name, its bucket, its cost there, and how early it is served.

    Inserts have a bucket of their own; all else shares the other. Priority 0 is served first: what
    settles a doubt about a video or takes it away, then what stands beside it, then changes and
    looks.
    """

    VIDEO_INSERT = ("videos.insert", "inserts", 1, 0)
    VIDEO_DELETE = ("videos.delete", "units", 50, 0)
    CHANNEL = ("channels.list", "units", 1, 0)
    SEARCH_UPLOADS = ("playlistItems.list of uploads", "units", 1, 0)
    SEARCH_VIDEOS = ("videos.list by marker", "units", 1, 0)
    THUMBNAIL_SET = ("thumbnails.set", "units", 50, 1)
    PLAYLIST_LIST = ("playlistItems.list", "units", 1, 2)
    PLAYLIST_INSERT = ("playlistItems.insert", "units", 50, 2)
    PLAYLIST_DELETE = ("playlistItems.delete", "units", 50, 2)
    CAPTIONS_LIST = ("captions.list", "units", 50, 3)
    CAPTIONS_INSERT = ("captions.insert", "units", 400, 3)
    CAPTIONS_UPDATE = ("captions.update", "units", 450, 3)
    CAPTIONS_DELETE = ("captions.delete", "units", 50, 3)
    VIDEO_LIST = ("videos.list", "units", 1, 4)
    VIDEO_UPDATE = ("videos.update", "units", 50, 4)

    def __init__(self, method: str, bucket: Bucket, units: int, priority: int) -> None:
        self.method = method
        self.bucket: Bucket = bucket
        self.units = units
        self.priority = priority


class Quota(Protocol):
    """The account of one Google project. Safe to share between threads."""

    def spend(self, call: QuotaCall) -> None:
        """Before the call; raises MustWaitError where it does not fit today."""

    def refused(self, call: QuotaCall) -> datetime:
        """Google says that the day's quota is gone; returns when it comes back."""
