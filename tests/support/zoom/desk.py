"""One Zoom account with a lecture of this morning, and somebody who asks for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from tests.support.zoom.clock import Clock
from tests.support.zoom.content import BLOCK
from tests.support.zoom.fake import API, FakeZoom

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SIZE = 3 * BLOCK + 17
MINE = f"{API}/users/me/recordings"


class Zoom:
    """One account, its owner, a lecture of this morning, and a client with a good token."""

    def __init__(self) -> None:
        self.clock = Clock(NOW)
        self.fake = FakeZoom(self.clock)
        self.account = self.fake.add_account()
        self.owner = self.fake.owner(self.account)
        self.lecture = self.fake.add_recording(
            self.owner, topic="Graphs", uuid=self.fake.uuid("plain"), size=SIZE
        )
        self.http = self.fake.client()
        self.token = str(self.fake.grant(self.account.app)["access_token"])

    def get(self, url: str, token: str | None = None, **params: Any) -> httpx.Response:
        query = {name.removesuffix("_"): str(value) for name, value in params.items()}
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.http.get(url, params=query, headers=headers)

    def details(self, name: str, encodings: int = 1, **params: Any) -> httpx.Response:
        for _ in range(encodings):
            name = quote(name, safe="")
        return self.get(f"{API}/meetings/{name}/recordings", **params)

    def download(self, **headers: str) -> httpx.Response:
        """The lecture's file, by way of the redirect."""
        given = self.details(self.lecture.uuid, include_fields="download_access_token").json()
        url = given["recording_files"][0]["download_url"]
        bearer = {"Authorization": f"Bearer {given['download_access_token']}"}
        moved = self.http.get(url, headers=bearer)
        assert moved.status_code == 302
        return self.http.get(moved.headers["Location"], headers=headers)


def refusal(response: httpx.Response) -> tuple[int, int]:
    """Status and Zoom's own code."""
    return response.status_code, response.json()["code"]
