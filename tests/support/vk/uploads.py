"""The servers that files are sent to: videos and their pictures."""

from __future__ import annotations

import hashlib
import io
import secrets
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from PIL import Image

from tests.support.vk.errors import UploadRefused
from tests.support.vk.forms import FilePart
from tests.support.vk.methods import Methods
from tests.support.vk.world import Content, Video

VIDEOS = (".avi", ".mp4", ".3gp", ".mpeg", ".mov", ".mp3", ".flv", ".wmv")
LARGEST_PICTURE = 5 * 1024 * 1024


@dataclass
class Uploads:
    """`seconds_of` says how long a file plays, by its digest and size; `refused` names digests
    that VK takes and then cannot make a video of.
    """

    methods: Methods
    seconds_of: Callable[[str, int], int] = lambda _sha256, _size: 60
    refused: set[str] = field(default_factory=set)

    def target(self, signature: str, now: datetime) -> Video:
        """The video that an address stands for. Raises UploadRefused."""
        address = self.methods.addresses.get(signature)
        if address is None:
            words = "Invalid signature"
            raise UploadRefused(words, 104)
        if now >= address.ends_at:
            words = "Upload link has expired"
            raise UploadRefused(words, 105)
        video = self.methods.world.videos[address.video]
        if video.deleted_at is not None:
            words = "Video not found"
            raise UploadRefused(words, 50)
        return video

    def store(self, video: Video, part: FilePart, now: datetime) -> tuple[str, dict[str, Any]]:
        """Put a whole file into the video: what happened, and the answer."""
        if part.size == 0 or not part.name.lower().endswith(VIDEOS):
            words = "Unsupported format"
            raise UploadRefused(words, 22)
        did = "stored" if video.content is None else "replaced"
        rules = self.methods.rules
        video.content = Content(
            sha256=part.sha256,
            size=part.size,
            seconds=self.seconds_of(part.sha256, part.size),
            arrived_at=now,
            ready_at=now + rules.working,
            listed_at=now + rules.lag,
            refused="The video cannot be read." if part.sha256 in self.refused else None,
        )
        video.posted += int(bool(video.settings.get("wallpost")) and did == "stored")
        answer = {
            "video_hash": hashlib.sha256(part.sha256.encode()).hexdigest()[:18],
            "size": part.size,
            "owner_id": video.owner_id,
            "video_id": video.id,
        }
        return did, answer

    def picture(self, signature: str, part: FilePart) -> dict[str, Any]:
        """Take a picture in; the answer is what video.saveUploadedThumb wants."""
        owner_id = self.methods.thumb_addresses.get(signature)
        if owner_id is None:
            words = "Invalid signature"
            raise UploadRefused(words, 104)
        if part.size > LARGEST_PICTURE:
            words = "File is too large"
            raise UploadRefused(words, 9)
        width, height = _size(part.content)
        digest = secrets.token_hex(8)
        self.methods.pictures[digest] = (owner_id, part.sha256)
        return {"photo_hash": digest, "width": width, "height": height, "owner_id": owner_id}


def _size(content: bytes) -> tuple[int, int]:
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content)) as image:
            image.load()
            if image.format not in ("JPEG", "PNG", "GIF"):
                raise OSError
            return image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        words = "Bad image"
        raise UploadRefused(words, 8) from None
