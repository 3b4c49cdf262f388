"""One YouTube channel, an account of LEAP's that may upload to it, and a file to send."""

from __future__ import annotations

import hashlib
import io
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from PIL import Image
from pydantic import SecretStr

from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.errors import MustWaitError
from leap_pipeline.publishing.uploader import Opened, Upload, VideoFile
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from leap_pipeline.publishing.youtube.quota import QuotaCall
from leap_pipeline.web.errors import CredentialRefused
from tests.support.youtube.fake import FakeYouTube
from tests.support.youtube.world import UNIT, Channel
from tests.support.zoom.clock import Clock

MARKER = "0123456789abcdef0123"
SENT = Sent(
    title="Графы · лекция 1",
    description="0:00 Начало",
    tags=("graphs", "a lecture"),
    settings={
        "categoryId": "27",
        "defaultLanguage": "ru",
        "privacyStatus": "unlisted",
        "selfDeclaredMadeForKids": False,
        "embeddable": True,
    },
)
SRT = b"1\n00:00:00,000 --> 00:00:02,500\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nagain\n"


@dataclass
class Tokens:
    """A TokenSource over a fake: gets another token where one was refused, while `left` lasts."""

    make: Callable[[], str]
    left: int = 3
    renewed: int = 0
    _token: SecretStr | None = field(default=None, repr=False)

    def get(self) -> SecretStr:
        if self._token is None:
            self._token = SecretStr(self.make())
        return self._token

    def renew(self, refused: SecretStr) -> SecretStr:
        if self._token != refused:
            return self.get()
        self.left -= 1
        if self.left < 0:
            msg = "The grant is gone."
            raise CredentialRefused(msg, gone=True)
        self.renewed += 1
        self._token = None
        return self.get()


@dataclass
class Spent:
    """A Quota that counts; `full` refuses, as a ledger does where nothing fits any more."""

    clock: Clock
    calls: Counter[QuotaCall] = field(default_factory=Counter)
    refusals: list[QuotaCall] = field(default_factory=list)
    full: frozenset[QuotaCall] = frozenset()

    def spend(self, call: QuotaCall) -> None:
        if call in self.full:
            msg = "It does not fit today."
            raise MustWaitError(msg, self.reset)
        self.calls[call] += 1

    def refused(self, call: QuotaCall) -> datetime:
        self.refusals.append(call)
        return self.reset

    @property
    def reset(self) -> datetime:
        return self.clock() + timedelta(hours=5)

    def units(self) -> int:
        return sum(
            call.units * times for call, times in self.calls.items() if call.bucket != "inserts"
        )


class Desk:
    """`publisher` is a fresh one each time, as after a death."""

    def __init__(self, *, chunk: int = UNIT) -> None:
        self.clock = Clock()
        self.fake = FakeYouTube(self.clock, sleep=self.clock.sleep)
        self.channel = self.fake.add_channel()
        self.http = self.fake.client()
        self.quota = Spent(self.clock)
        self.tokens = self.tokens_of(self.channel)
        self._chunk = chunk

    def tokens_of(self, channel: Channel | None) -> Tokens:
        return Tokens(lambda: self.fake.add_grant(channel))

    def publisher(self, tokens: Tokens | None = None) -> YouTubePublisher:
        return YouTubePublisher(
            self.http,
            tokens or self.tokens,
            self.quota,
            chunk=self._chunk,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def upload(self, opened: Opened, file: VideoFile) -> Upload:
        """What the engine stores of it."""
        return Upload(MARKER, file.size, opened.account, opened.session, self.clock())

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.call("GET", path, params=params)

    def call(self, verb: str, path: str, **request: object) -> httpx.Response:
        """A request of its own, with a good token."""
        headers = {"Authorization": f"Bearer {self.tokens.get().get_secret_value()}"}
        return self.http.request(
            verb,
            f"{self.fake.root_url}{path}",
            headers={**headers, **request.pop("headers", {})},  # type: ignore[dict-item]
            **request,  # type: ignore[arg-type]
        )


def video(folder: Path, size: int, seed: int = 0) -> VideoFile:
    """A file of random bytes: the fake plays nothing."""
    content = random.Random(seed).randbytes(size)
    path = folder / f"{seed}-{size}.mp4"
    path.write_bytes(content)
    return VideoFile(path, size, hashlib.sha256(content).hexdigest(), 60.0)


def picture(form: str = "JPEG", size: tuple[int, int] = (1280, 720)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "navy").save(buffer, form)
    return buffer.getvalue()


def reason(response: httpx.Response) -> tuple[int, str]:
    """Status and Google's own reason."""
    return response.status_code, response.json()["error"]["errors"][0]["reason"]
