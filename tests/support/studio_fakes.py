"""Both fakes in this process, one clock, and a studio in front of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import delete

from leap_pipeline.db.models.inbox import RateBucket
from leap_pipeline.db.models.publishing import QuotaSpent
from leap_pipeline.domain.states import Platform
from tests.support.bench import Bench
from tests.support.studio import Addresses, Outcome, Studio, V, Y, studio_settings
from tests.support.vk.fake import API as VK_API
from tests.support.vk.fake import FakeVK
from tests.support.vk.world import Album, Person
from tests.support.vk.world import Video as VkVideo
from tests.support.youtube.fake import FakeTransport, FakeYouTube
from tests.support.youtube.world import Channel, Playlist
from tests.support.youtube.world import Video as YouTubeVideo
from tests.support.zoom.clock import Clock


class Network(httpx.BaseTransport):
    """Leads to the fake whose host it is; `watch` sees each request before it goes out."""

    def __init__(self, youtube: FakeYouTube, vk: FakeVK) -> None:
        self._youtube, self._vk = FakeTransport(youtube), vk.transport()
        self.watch: Any = lambda _request: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.watch(request)
        google = request.url.host.endswith("googleapis.com")
        return (self._youtube if google else self._vk).handle_request(request)


@dataclass
class Fakes:
    """The platforms with one account each, and a studio that publishes to them."""

    clock: Clock
    youtube: FakeYouTube
    vk: FakeVK
    network: Network
    channel: Channel
    playlist: Playlist
    person: Person
    album: Album
    studio: Studio

    def publish(self, platform: Platform) -> Outcome:
        return self.studio.publish(platform)

    def publish_until_done(self, platform: Platform, runs: int = 3) -> Outcome:
        """Publish, wait until it is due, and go on, at most so many runs."""
        for _ in range(runs):
            found = self.publish(platform)
            if found.state != "waiting":
                return found
            self.clock.set(max(self.clock(), found.due_at))
        return found

    def requests(self, platform: Platform) -> int:
        """How many the platform has seen."""
        return len((self.youtube if platform is Y else self.vk).ledger.entries)

    def videos(self, platform: Platform) -> list[YouTubeVideo] | list[VkVideo]:
        """What a viewer may see."""
        return self.youtube.videos() if platform is Y else self.vk.world.whole()

    def video(self, platform: Platform) -> Any:
        (found,) = self.videos(platform)
        return found

    def later(self, **by: float) -> datetime:
        return self.clock.advance(timedelta(**by))

    def token(self, platform: Platform) -> str:
        """Another one of the account that is there."""
        if platform is Y:
            return self.youtube.add_grant(self.channel)
        return self.vk.world.grant(self.person).value


def make_fakes(bench: Bench, folder: Path, now: datetime, **lecture: Any) -> Fakes:
    clock = Clock(now)
    youtube = FakeYouTube(clock, sleep=clock.sleep)
    vk = FakeVK(clock, sleep=clock.sleep)
    channel = youtube.add_channel()
    playlist = youtube.add_playlist(channel)
    person = vk.world.add_person()
    album = vk.world.add_album(person.id)
    network = Network(youtube, vk)
    addresses = Addresses(youtube.root_url, VK_API)
    studio = Studio(
        bench,
        studio_settings(folder / "home", addresses),
        addresses,
        clock,
        clock.sleep,
        httpx.Client(transport=network),
    )
    with bench.database.system() as session:
        session.execute(delete(RateBucket))
        session.execute(delete(QuotaSpent))
    studio.preset(
        Y,
        studio.account(Y, youtube.add_grant(channel), "channel"),
        playlist_id=playlist.id,
        privacy="unlisted",
    )
    token = vk.world.grant(person).value
    studio.preset(V, studio.account(V, token, "person"), album_id=str(album.id))
    studio.prepare(**lecture)
    return Fakes(clock, youtube, vk, network, channel, playlist, person, album, studio)
