"""Accounts at the platforms to which tenants publish, as publishers that are ready to work.

with PlatformAccounts(database, vault, settings) as accounts:
    publisher = accounts.publisher(user_id, preset.credential_id, Platform.YOUTUBE)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.credentials import Credential, VKId, VKToken, YouTube
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, NotFound
from leap_pipeline.publishing.uploader import Publisher, Video
from leap_pipeline.publishing.vk.client import VkClient
from leap_pipeline.publishing.vk.publisher import VkPublisher
from leap_pipeline.publishing.vk.publisher import address as vk_address
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from leap_pipeline.publishing.youtube.publisher import address as youtube_address
from leap_pipeline.security.tokens import fingerprint
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.credentials import Credentials
from leap_pipeline.services.grants import token_source
from leap_pipeline.services.rate_limits import vk_bucket
from leap_pipeline.services.youtube_needs import project_name
from leap_pipeline.services.youtube_quota import YouTubeQuota, quota_limits
from leap_pipeline.settings import Settings
from leap_pipeline.web.calls import TIMEOUT


class PlatformAccounts:
    """Publishers for stored credentials; close it at the end. `http` stays the caller's."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        settings: Settings,
        *,
        http: httpx.Client | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._vault = vault
        self._settings = settings
        self._own_http = http is None
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._clock = clock
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._own_http:
            self._http.close()

    def publisher(self, user_id: str, credential_id: int, platform: Platform) -> Publisher:
        """Nothing is asked of the platform yet.

        Raises InputError where there is no such credential or it is another platform's,
        UserActionError where it is inactive, Undecryptable where its key is gone.
        """
        credential = self._credential(user_id, credential_id)
        tokens = token_source(
            self._database,
            self._vault,
            self._settings,
            user_id,
            credential_id,
            http=self._http,
            clock=self._clock,
            sleep=self._sleep,
        )
        if platform is Platform.YOUTUBE and isinstance(credential, YouTube):
            app = self._settings.google_client_id
            quota = YouTubeQuota(
                self._database,
                self._vault,
                project_name(user_id, credential_id, credential, app),
                limits=quota_limits(self._settings),
                app_client_id=app,
                clock=self._clock,
            )
            url = self._settings.youtube_api_url
            return YouTubePublisher(
                self._http, tokens, quota, root_url=url, clock=self._clock, sleep=self._sleep
            )
        if platform is Platform.VK and isinstance(credential, VKId | VKToken):
            # Its owner may have written down anybody's number.
            whose = f"{user_id}:{credential.user_id or f'credential-{credential_id}'}"
            gate = vk_bucket(
                self._database, fingerprint(whose), sleep=self._sleep, clock=self._clock
            )
            client = VkClient(
                self._http,
                tokens,
                gate=gate,
                api_url=self._settings.vk_api_url,
                clock=self._clock,
                sleep=self._sleep,
            )
            return VkPublisher(client, larger=self._settings.vk_larger_files, clock=self._clock)
        name = PLATFORM_NAMES[platform]
        msg = f"Credential {credential_id} is no {name} account: give the preset one that is."
        raise InputError(msg)

    def known_video(
        self, user_id: str, credential_id: int, platform: Platform, named: str
    ) -> Video:
        """A video that a person names by its id (VK: owner and video, `-1_2`).

        Raises NotFound where the account has no such video.
        """
        video = _named(platform, named)
        publisher = self.publisher(user_id, credential_id, platform)
        is_foreign = isinstance(publisher, VkPublisher) and not publisher.is_own(video)
        if is_foreign or publisher.processing(video).state == "gone":
            name = PLATFORM_NAMES[platform]
            msg = f"The {name} account has no video {named}: look at its address again."
            raise NotFound(msg)
        return video

    def _credential(self, user_id: str, credential_id: int) -> Credential:
        with self._database.tenant(user_id) as session:
            return Credentials(session, user_id, self._vault).open(credential_id)


def _named(platform: Platform, named: str) -> Video:
    if platform is Platform.YOUTUBE:
        return Video(named, youtube_address(named))
    owner, _, video = named.rpartition("_")
    try:
        return Video(str(int(video)), vk_address(int(owner), video), int(owner))
    except ValueError:
        msg = f"“{named:.60}” names no VK video: say owner and video, as in -1_456239017."
        raise InputError(msg) from None
