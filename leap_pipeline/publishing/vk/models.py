"""VK's answers as the publisher needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from leap_pipeline.errors import TransientError


@dataclass(frozen=True)
class Saved:
    """A video that was announced with video.save; `owner_id` is negative for a community."""

    video_id: int
    owner_id: int
    upload_url: str = field(repr=False)
    access_key: str | None = field(repr=False)

    @classmethod
    def read(cls, said: object) -> Self:
        """Raises TransientError for an answer without what an upload needs."""
        body = said if isinstance(said, Mapping) else {}
        video, owner, url = body.get("video_id"), body.get("owner_id"), body.get("upload_url")
        if not (isinstance(video, int) and isinstance(owner, int) and isinstance(url, str)):
            msg = "VK's answer to a new video names no place to send it to: try again later."
            raise TransientError(msg)
        key = body.get("access_key")
        return cls(video, owner, url, key if isinstance(key, str) else None)


@dataclass(frozen=True)
class VkVideo:
    """A video as video.get lists it; `seconds` is 0 while VK does not know it."""

    owner_id: int
    video_id: int
    seconds: int
    in_work: bool
    refused: str | None = None

    @property
    def has_content(self) -> bool:
        """A file has arrived; otherwise it is a mere announcement."""
        return self.in_work or self.seconds > 0

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        why = said.get("content_restricted_message") or "VK shows it to nobody."
        return cls(
            owner_id=int(said.get("owner_id") or 0),
            video_id=int(said.get("id") or said.get("video_id") or 0),
            seconds=int(said.get("duration") or 0),
            in_work=bool(said.get("processing") or said.get("converting")),
            refused=str(why)[:200] if said.get("content_restricted") else None,
        )
