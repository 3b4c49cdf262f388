"""A home that nobody has used, and the platforms around it: Zoom, YouTube and VK, and the OAuth
server at which people log in there.

with campus() as found:      environment set, nothing is up
    found.leap.up()
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import imageio_ffmpeg
import pytest
from pydantic import SecretStr

from leap_pipeline.settings import CHECKOUT
from tests.support import oidc
from tests.support.clockwork import LeapUp
from tests.support.homes import home_settings
from tests.support.oidc import Oidc, takes
from tests.support.supervised import with_free_ports
from tests.support.vk import serve as vk_serve
from tests.support.vk.fake import FakeVK
from tests.support.vk.world import Person
from tests.support.youtube import serve as youtube_serve
from tests.support.youtube.fake import Call, FakeYouTube
from tests.support.youtube.world import UPLOAD_SCOPES, Channel, Grant
from tests.support.zoom import serve as zoom_serve
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.world import Account

TOKEN_SECONDS = 3600
FROM, SECONDS = 24.0, 34.0
"""Of the sample: the end of its first subject and the beginning of its second."""
TRIMMED = 29
"""Seconds that are left of it."""
EXPORTED = (
    "home",
    "public_url",
    "dagster_port",
    "code_server_port",
    "automation_server_port",
    "console_port",
    "google_client_id",
    "google_auth_url",
    "google_token_url",
    "youtube_api_url",
    "vk_client_id",
    "vk_api_url",
    "zoom_api_url",
    "zoom_oauth_url",
    "blank_max_seconds",
    "blank_max_bytes",
)


class LoggedIn(FakeYouTube):
    """Takes the tokens that the OAuth server gave out: all of them are of the channel's owner."""

    def __init__(self, oauth: Oidc) -> None:
        super().__init__()
        self.oauth = oauth
        self.channel: Channel = self.add_channel("Lectures of the faculty")

    def _authorize(self, call: Call) -> None:
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.world.grants and takes(
            self.oauth.http, self.oauth.url, SecretStr(token)
        ):
            self.world.grants[token] = Grant(self.channel.id, UPLOAD_SCOPES, "100")
            self.project()
        super()._authorize(call)


@dataclass(frozen=True)
class Campus:
    """`leap` is up or not yet; the account at Zoom is an app's, `person` has an account at VK."""

    leap: LeapUp
    youtube: LoggedIn
    vk: FakeVK
    person: Person
    account: Account

    @property
    def url(self) -> str:
        return self.leap.settings.public_url

    def token_of_vk(self) -> str:
        return self.vk.world.grant(self.person).value


@contextmanager
def campus() -> Iterator[Campus]:
    """Skips where the OAuth server cannot run."""
    reason = oidc.why_not()
    if reason is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        settings = with_free_ports(stack.enter_context(home_settings()))
        public = f"http://localhost:{settings.console_port}"
        oauth = stack.enter_context(oidc.running(seconds=TOKEN_SECONDS, public=public))
        youtube, vk, zoom = LoggedIn(oauth), FakeVK(), FakeZoom()
        youtube.world.seconds, youtube.world.processing_time = TRIMMED, timedelta(0)
        vk.uploads.seconds_of = lambda _sha256, _size: TRIMMED
        on_youtube = stack.enter_context(youtube_serve.serving(youtube))
        on_vk = stack.enter_context(vk_serve.serving(vk))
        on_zoom = stack.enter_context(zoom_serve.serving(zoom))
        settings = settings.model_copy(
            update={
                "public_url": public,
                "google_client_id": "google",
                "google_auth_url": f"{oauth.url}/o/oauth2/v2/auth",
                "google_token_url": f"{oauth.url}/google",
                "youtube_api_url": on_youtube.root_url,
                "vk_client_id": "vk",
                "vk_api_url": on_vk.api,
                "zoom_api_url": on_zoom.api,
                "zoom_oauth_url": on_zoom.oauth,
                "blank_max_seconds": 1,
                "blank_max_bytes": 1,
            }
        )
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in EXPORTED:
            patch.setenv(f"LEAP_{name.upper()}", str(getattr(settings, name)))
        patch.setenv("LEAP_GOOGLE_CLIENT_SECRET", "secret-of-google")
        leap = LeapUp(settings)
        stack.callback(leap.close)
        yield Campus(leap, youtube, vk, vk.world.add_person(), zoom.add_account())


def lecture(folder: Path) -> Path:
    """A part of the sample with speech on two subjects and silence between them."""
    made = folder / "Photosynthesis lecture.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin"]
    command += ["-ss", str(FROM), "-i", str(CHECKOUT / "samples" / "lecture.mp4")]
    subprocess.run([*command, "-t", str(SECONDS), "-c", "copy", str(made)], check=True)
    return made
