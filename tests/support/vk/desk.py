"""A fake of VK, an account at it, and LEAP's client and publisher in front of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.publishing.uploader import Opened, Upload, Video, VideoFile
from leap_pipeline.publishing.vk.client import VkClient
from leap_pipeline.publishing.vk.publisher import VkPublisher
from leap_pipeline.web.errors import CredentialRefused
from tests.support.callbacks import unheard
from tests.support.vk.fake import API, FakeVK
from tests.support.vk.world import Person, Token
from tests.support.zoom.clock import Clock

NOW = datetime.fromisoformat("2026-11-23T09:00:00+00:00")
SENT = Sent(
    title="Graphs",
    description="Trees and paths",
    settings={"privacy_view": ["only_me"], "privacy_comment": ["all"], "wallpost": 0},
)


@dataclass
class Tokens:
    """A token of the fake's; the next ones come with each renewal, and after them none."""

    now: str
    next: list[str] = field(default_factory=list)
    refused: int = 0

    def get(self) -> SecretStr:
        return SecretStr(self.now)

    def renew(self, refused: SecretStr) -> SecretStr:
        self.refused += 1
        if not self.next:
            msg = "connect the VK account again"
            raise CredentialRefused(msg, gone=True)
        self.now = self.next.pop(0)
        return self.get()


@dataclass
class Gate:
    """Lets all through and keeps what it was told."""

    passed: int = 0
    blocks: list[datetime] = field(default_factory=list)

    def wait(self) -> None:
        self.passed += 1

    def block(self, until: datetime) -> None:
        self.blocks.append(until)


class Desk:
    """`desk.publisher` and `desk.client` as `desk.person`, on `desk.clock`."""

    def __init__(self, *, larger: bool = False, **fake: Any) -> None:
        self.clock = Clock(NOW)
        self.vk = FakeVK(self.clock, sleep=self.clock.sleep, **fake)
        self.person: Person = self.vk.world.add_person()
        self.token: Token = self.vk.world.grant(self.person)
        self.tokens, self.gate = Tokens(self.token.value), Gate()
        self.http = self.vk.client()
        self.client = self.client_for(self.http)
        self.publisher = VkPublisher(self.client, larger=larger, clock=self.clock)

    def client_for(self, http: httpx.Client, api_url: str = API) -> VkClient:
        return VkClient(
            http,
            self.tokens,
            gate=self.gate,
            api_url=api_url,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def call(self, method: str, token: str | None = None, **form: Any) -> Any:
        """A bare request, as somebody else's client would send it."""
        said = {"access_token": token or self.token.value, "v": "5.199", **form}
        return self.http.post(f"{API}/{method}", data=said).json()

    def announce(self, **form: Any) -> dict[str, Any]:
        said: dict[str, Any] = self.call("video.save", **{"name": "Graphs", **form})["response"]
        return said

    def open(self, file: VideoFile, sent: Sent = SENT) -> Upload:
        """A session, as the engine stores it."""
        return stored(self.publisher.open(file, sent, "cafe"), file, self.clock())

    def published(self, file: VideoFile, sent: Sent = SENT) -> Video:
        return self.publisher.send(self.open(file, sent), file, 0, lambda _fraction: None, unheard)

    def later(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))


def stored(opened: Opened, file: VideoFile, at: datetime) -> Upload:
    return Upload(
        marker="cafe",
        size=file.size,
        account=opened.account,
        session=opened.session,
        opened_at=at,
        video_id=opened.video_id,
        owner_id=opened.owner_id,
    )


def lecture(
    folder: Path, content: bytes = b"a lecture " * 90_000, name: str = "l.mp4"
) -> VideoFile:
    """A file of about 900 kB: four pieces."""
    path = folder / name
    path.write_bytes(content)
    return VideoFile(path, len(content), hashlib.sha256(content).hexdigest(), 60.0)
