"""The served fakes as the kill matrix asks them: one client for all, and what a case left there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from tests.support.published_truth import There
from tests.support.vk.serve import Served
from tests.support.youtube.serve import CONTROL, Remote

JSON = dict[str, Any]


class Youtube(Remote):
    """Asks by one client: a new one a question costs more than the question."""

    def __init__(self, port: int, http: httpx.Client) -> None:
        super().__init__(port)
        self._http = http

    def next_entry(self) -> int:
        """The number of the ledger's next one."""
        return _after(self.ledger(-1))

    def there(self, channel: str, playlist: str, since: int) -> tuple[list[There], int]:
        """The videos of a channel, and how many bytes of videos came from an entry on."""
        state, ledger = self.state(channel), self.ledger(since)
        there = [
            There(
                each["id"],
                each["sha256"],
                each["picture"] is not None,
                len(each["tracks"]),
                state["playlists"][playlist].count(each["id"]),
            )
            for each in state["videos"]
            if not each["deleted"]
        ]
        return there, sum(each["received"] for each in ledger if each["call"] == "session.put")

    def _ask(self, what: str, **values: Any) -> Any:
        answer = self._http.post(f"{self.root_url}{CONTROL}", json={**values, "do": what})
        return answer.raise_for_status().json()


class Vk:
    """As `Served`, by one client; `album` and `token` are the account's that is there."""

    def __init__(self, served: Served, http: httpx.Client, album: int, token: str) -> None:
        self.api = served.api
        self.album = album
        self.token = token
        self._root = served.root
        self._http = http

    def next_entry(self) -> int:
        """The number of the ledger's next one."""
        return _after(self._ledger(-1))

    def ahead(self, by: timedelta) -> None:
        self._http.post(f"{self._root}/_ahead", json=by.total_seconds()).raise_for_status()

    def there(self, title: str, since: int) -> tuple[list[There], int]:
        """The whole videos of a title, and how many bytes of videos came from an entry on."""
        videos: list[JSON] = self._http.get(f"{self._root}/_videos").json()
        there = [
            There(
                each["name"],
                each["sha256"],
                each["thumb"] is not None,
                0,
                self._albums(each["name"]).count(self.album),
            )
            for each in videos
            if each["title"] == title and each["sha256"] is not None
        ]
        ledger = self._ledger(since)
        return there, sum(each["received"] for each in ledger if each["route"] == "upload")

    def _ledger(self, since: int) -> list[JSON]:
        read: list[JSON] = self._http.get(f"{self._root}/_ledger?since={since}").json()
        return read

    def _albums(self, name: str) -> list[int]:
        """As anybody else's client would ask."""
        owner, _, video = name.rpartition("_")
        form = {"target_id": owner, "owner_id": owner, "video_id": video}
        secret = {"access_token": self.token, "v": "5.199"}
        answer = self._http.post(f"{self.api}/video.getAlbumsByVideo", data=form | secret)
        found: list[int] = answer.json()["response"]
        return found


def _after(last: list[JSON]) -> int:
    return int(last[-1]["number"]) + 1 if last else 0
