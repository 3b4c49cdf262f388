"""An outside witness: Google's own Python client works with the fake as it does with YouTube."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google_auth_httplib2 import AuthorizedHttp  # type: ignore[import-untyped]
from googleapiclient.discovery import build_from_document  # type: ignore[import-untyped]
from googleapiclient.errors import HttpError  # type: ignore[import-untyped]
from googleapiclient.http import (  # type: ignore[import-untyped]
    MediaFileUpload,
    MediaIoBaseUpload,
    build_http,
)

from tests.support.youtube import faults
from tests.support.youtube.desk import SRT, picture, video
from tests.support.youtube.discovery import document
from tests.support.youtube.fake import FakeYouTube
from tests.support.youtube.serve import serving
from tests.support.youtube.world import UNIT


class WithToken(AnonymousCredentials):
    """A token that is sent as it is."""

    def __init__(self, token: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._given = token

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        headers["authorization"] = f"Bearer {self._given}"


@pytest.fixture
def fake() -> FakeYouTube:
    return FakeYouTube()


@pytest.fixture
def youtube(fake: FakeYouTube) -> Iterator[Any]:
    token = fake.add_grant(fake.add_channel())
    with serving(fake) as served:
        described = {**document(), "rootUrl": f"{served.root_url}/"}
        described["baseUrl"] = described["rootUrl"]
        http = AuthorizedHttp(WithToken(token), http=build_http())
        with build_from_document(described, http=http) as service:
            yield service


def _insert(youtube: Any, path: Path, chunk: int) -> Any:
    body = {
        "snippet": {"title": "Graphs", "description": "0:00 Begin", "categoryId": "27"},
        "status": {"privacyStatus": "private", "selfDeclaredMadeForKids": False},
    }
    media = MediaFileUpload(str(path), mimetype="video/mp4", chunksize=chunk, resumable=True)
    return youtube.videos().insert(part="snippet,status", body=body, media_body=media)


def test_it_uploads_a_video_and_decorates_it(
    fake: FakeYouTube, youtube: Any, tmp_path: Path
) -> None:
    file = video(tmp_path, 5 * UNIT + 99)
    request, answer, steps = _insert(youtube, file.path, 2 * UNIT), None, []
    while answer is None:
        status, answer = request.next_chunk()
        steps.append(status.resumable_progress if status else file.size)
    (made,) = fake.videos()
    assert steps == [2 * UNIT, 4 * UNIT, file.size]
    assert (answer["id"], made.sha256, made.size) == (made.id, file.sha256, file.size)

    jpeg = MediaIoBaseUpload(io.BytesIO(picture()), mimetype="image/jpeg")
    youtube.thumbnails().set(videoId=made.id, media_body=jpeg).execute()
    assert hashlib.sha256(made.picture or b"").digest() == hashlib.sha256(picture()).digest()

    snippet = {"videoId": made.id, "language": "ru", "name": "Русский"}
    srt = MediaIoBaseUpload(io.BytesIO(SRT), mimetype="application/octet-stream")
    track = (
        youtube.captions()
        .insert(part="snippet", body={"snippet": snippet}, media_body=srt)
        .execute()
    )
    assert [(each.id, each.content) for each in made.tracks] == [(track["id"], SRT)]

    playlist = fake.add_playlist(fake.world.channels[made.channel])
    resource = {"kind": "youtube#video", "videoId": made.id}
    entry = {"snippet": {"playlistId": playlist.id, "resourceId": resource}}
    added = youtube.playlistItems().insert(part="snippet", body=entry).execute()
    assert [each[0] for each in playlist.entries] == [added["id"]]

    mine = youtube.channels().list(part="contentDetails", mine=True).execute()
    uploads = mine["items"][0]["contentDetails"]["relatedPlaylists"]["uploads"]
    listed = youtube.playlistItems().list(part="snippet", playlistId=uploads).execute()
    assert listed["items"][0]["snippet"]["resourceId"]["videoId"] == made.id
    assert fake.ledger.refused() == []


def test_it_goes_on_from_what_was_kept(fake: FakeYouTube, youtube: Any, tmp_path: Path) -> None:
    file = video(tmp_path, 6 * UNIT)
    fake.fail(faults.less(UNIT, after=1))
    request, answer, steps = _insert(youtube, file.path, 2 * UNIT), None, []
    while answer is None:
        status, answer = request.next_chunk()
        steps.append(status.resumable_progress if status else file.size)
    assert steps == [2 * UNIT, 3 * UNIT, 5 * UNIT, 6 * UNIT]
    assert fake.videos()[0].sha256 == file.sha256


def test_it_understands_a_refusal(fake: FakeYouTube, youtube: Any) -> None:
    body = {"id": "none", "snippet": {"title": "Graphs", "categoryId": "27"}}
    with pytest.raises(HttpError) as refused:
        youtube.videos().update(part="snippet", body=body).execute()
    assert refused.value.status_code == 404
    assert refused.value.error_details[0]["reason"] == "videoNotFound"
    assert fake.ledger.of("videos.update")[0].reason == "videoNotFound"
