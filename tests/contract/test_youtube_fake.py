"""The fake of YouTube refuses what YouTube refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from leap_pipeline.progress import ignore
from tests.support.callbacks import unheard
from tests.support.youtube import faults
from tests.support.youtube.desk import MARKER, SENT, SRT, Desk, picture, reason, video
from tests.support.youtube.world import PACIFIC, SCOPE, UNIT

API = "/youtube/v3"
UPLOAD = "/upload/youtube/v3"
BOUNDARY = "mark"
SNIPPET = {"title": "Graphs", "categoryId": "27"}
STATUS = {"privacyStatus": "private"}
TRACK = {"videoId": "", "language": "en", "name": "English"}


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def video_id(desk: Desk, tmp_path: Path) -> str:
    file = video(tmp_path, 1000)
    publisher = desk.publisher()
    upload = desk.upload(publisher.open(file, SENT, MARKER), file)
    return publisher.send(upload, file, 0, ignore, unheard).video_id


def _open(desk: Desk, body: Any, **changes: Any) -> httpx.Response:
    """videos.insert, right but for the changes."""
    params = {"uploadType": "resumable", "part": "snippet,status", **changes.pop("params", {})}
    headers = {"X-Upload-Content-Length": "1000", "X-Upload-Content-Type": "video/mp4"}
    headers |= changes.pop("headers", {})
    return desk.call("POST", f"{UPLOAD}/videos", params=params, headers=headers, json=body)


def _session(desk: Desk, size: int = 2 * UNIT + 10) -> str:
    answer = _open(desk, {"snippet": SNIPPET}, headers={"X-Upload-Content-Length": str(size)})
    assert answer.status_code == 200
    return answer.headers["Location"].removeprefix(desk.fake.root_url)


def _put(desk: Desk, session: str, told: str, length: int, verb: str = "PUT") -> httpx.Response:
    return desk.call(verb, session, content=b"x" * length, headers={"Content-Range": told})


def _multipart(document: Mapping[str, Any], content: bytes, kind: str) -> bytes:
    mark = f"--{BOUNDARY}\r\nContent-Type: "
    told = f"{mark}application/json\r\n\r\n{json.dumps(document)}\r\n{mark}{kind}\r\n\r\n"
    return told.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def _captions(
    desk: Desk,
    document: Mapping[str, Any],
    content: bytes = SRT,
    verb: str = "POST",
    part: str = "snippet",
) -> httpx.Response:
    return desk.call(
        verb,
        f"{UPLOAD}/captions",
        params={"uploadType": "multipart", "part": part},
        headers={"Content-Type": f"multipart/related; boundary={BOUNDARY}"},
        content=_multipart(document, content, "application/octet-stream"),
    )


WRONG_VIDEOS = [
    ({"snippet": {**SNIPPET, "title": ""}}, "invalidTitle"),
    ({"snippet": {**SNIPPET, "title": "x" * 101}}, "invalidTitle"),
    ({"snippet": {**SNIPPET, "title": "a < b"}}, "invalidTitle"),
    ({"snippet": {"categoryId": "27"}}, "invalidTitle"),
    ({"snippet": {**SNIPPET, "description": "я" * 2501}}, "invalidDescription"),
    ({"snippet": {**SNIPPET, "description": "<b>"}}, "invalidDescription"),
    ({"snippet": {**SNIPPET, "tags": ["x" * 501]}}, "invalidTags"),
    ({"snippet": {**SNIPPET, "tags": ["a b" for _ in range(84)]}}, "invalidTags"),
    ({"snippet": {**SNIPPET, "tags": ["a", " "]}}, "invalidTags"),
    ({"snippet": {**SNIPPET, "tags": "graphs"}}, "invalidValue"),
    ({"snippet": {**SNIPPET, "categoryId": "99"}}, "invalidCategoryId"),
    ({"snippet": {**SNIPPET, "categoryId": 27}}, "invalidValue"),
    ({"snippet": {**SNIPPET, "defaultLanguage": "nb"}}, "invalidVideoMetadata"),
    ({"snippet": {**SNIPPET, "titel": "Graphs"}}, "badRequest"),
    ({"snippet": "Graphs"}, "invalidValue"),
    ({"snippet": SNIPPET, "settings": {}}, "badRequest"),
    ({"snippet": SNIPPET, "recordingDetails": {}}, "unexpectedPart"),
    ({"snippet": SNIPPET, "status": {"privacyStatus": "secret"}}, "invalidValue"),
    ({"snippet": SNIPPET, "status": {"embeddable": "true"}}, "invalidValue"),
    (
        {"snippet": SNIPPET, "status": {**STATUS, "publishAt": "2026-12-01 10:00"}},
        "invalidValue",
    ),
    (
        {
            "snippet": SNIPPET,
            "status": {"privacyStatus": "public", "publishAt": "2026-12-01T10:00:00Z"},
        },
        "invalidPublishAt",
    ),
    ([SNIPPET], "parseError"),
]


@pytest.mark.parametrize(("body", "why"), WRONG_VIDEOS)
def test_a_wrong_video_opens_no_session(desk: Desk, body: Any, why: str) -> None:
    assert reason(_open(desk, body)) == (400, why)
    assert desk.fake.world.sessions == {}
    assert len(desk.fake.ledger.refused()) == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"params": {"part": ""}}, "missingRequiredParameter"),
        ({"params": {"part": "snippet,everything"}}, "unknownPart"),
        ({"params": {"part": "status"}}, "unexpectedPart"),
        ({"params": {"uploadType": "chunked"}}, "badRequest"),
        ({"params": {"notify": "true"}}, "unexpectedParameter"),
        ({"params": {"notifySubscribers": "yes"}}, "invalidValue"),
        ({"headers": {"X-Upload-Content-Length": "0"}}, "mediaBodyRequired"),
        ({"headers": {"X-Upload-Content-Length": "many"}}, "badRequest"),
        ({"headers": {"X-Upload-Content-Length": str(2**40)}}, "uploadTooLarge"),
        ({"headers": {"X-Upload-Content-Type": "text/plain"}}, "badContent"),
        ({"headers": {"Content-Type": "text/plain"}}, "badRequest"),
    ],
)
def test_a_wrong_request_opens_no_session(desk: Desk, changes: Any, why: str) -> None:
    assert reason(_open(desk, {"snippet": SNIPPET}, **changes)) == (400, why)


@pytest.mark.parametrize(
    ("told", "length", "why"),
    [
        ("bytes 0-99999/524298", 100_000, "invalidChunk"),
        (f"bytes {UNIT}-{2 * UNIT - 1}/524298", UNIT, "invalidRange"),
        (f"bytes 0-{UNIT - 1}/524299", UNIT, "invalidRange"),
        (f"bytes 0-{UNIT - 1}/524298", UNIT - 1, "invalidRange"),
        ("bytes 5-4/524298", 0, "invalidRange"),
        ("bytes 0-524298/524298", 524_299, "invalidRange"),
        ("0-1/524298", 2, "invalidRange"),
        ("bytes */524298", 10, "badRequest"),
        ("bytes */1", 0, "invalidRange"),
    ],
)
def test_a_wrong_chunk_is_refused(desk: Desk, told: str, length: int, why: str) -> None:
    session = _session(desk)
    assert reason(_put(desk, session, told, length)) == (400, why)
    probe = _put(desk, session, "bytes */524298", 0)
    assert (probe.status_code, "range" in probe.headers) == (308, False)


def test_a_session_keeps_what_came_and_ends_with_one_video(desk: Desk) -> None:
    session = _session(desk)
    first = _put(desk, session, f"bytes 0-{UNIT - 1}/524298", UNIT)
    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{UNIT - 1}")
    again = _put(desk, session, f"bytes 0-{UNIT - 1}/524298", UNIT)
    assert reason(again) == (400, "invalidRange")
    last = _put(desk, session, f"bytes {UNIT}-524297/524298", UNIT + 10)
    probe = _put(desk, session, "bytes */524298", 0)
    assert (last.status_code, probe.status_code) == (201, 200)
    assert last.json()["id"] == probe.json()["id"]
    assert len(desk.fake.videos()) == 1


def test_a_session_belongs_to_its_channel_and_ends(desk: Desk) -> None:
    session = _session(desk)
    other = desk.fake.add_grant(desk.fake.add_channel("Another"))
    told = {"Authorization": f"Bearer {other}", "Content-Range": "bytes */524298"}
    assert desk.http.put(f"{desk.fake.root_url}{session}", headers=told).status_code == 403
    desk.clock.advance(desk.fake.world.session_life * 2)
    assert _put(desk, session, "bytes */524298", 0).status_code == 404
    unknown = f"{UPLOAD}/videos?uploadType=resumable&upload_id=made-up"
    assert _put(desk, unknown, "bytes */10", 0).status_code == 404


@pytest.mark.parametrize(
    ("path", "params", "status", "why"),
    [
        ("/channels", {"part": "id"}, 400, "missingRequiredParameter"),
        ("/channels", {"mine": "true"}, 400, "missingRequiredParameter"),
        ("/channels", {"part": "id", "mine": "1"}, 400, "invalidValue"),
        ("/channels", {"part": "uploads", "mine": "true"}, 400, "unknownPart"),
        ("/videos", {"part": "snippet"}, 400, "missingRequiredParameter"),
        ("/videos", {"part": "snippet", "id": ",".join("a" * 51)}, 400, "invalidFilters"),
        ("/videos", {"part": "id", "id": "a", "maxResults": "9"}, 400, "incompatibleParameters"),
        ("/videos", {"part": "id", "ids": "a"}, 400, "unexpectedParameter"),
        ("/playlistItems", {"part": "id"}, 400, "missingRequiredParameter"),
        ("/playlistItems", {"part": "id", "playlistId": "PLnone"}, 404, "playlistNotFound"),
        (
            "/playlistItems",
            {"part": "id", "playlistId": "UU", "maxResults": "51"},
            400,
            "invalidValue",
        ),
        ("/captions", {"part": "snippet"}, 400, "missingRequiredParameter"),
        ("/captions", {"part": "snippet", "videoId": "none"}, 404, "videoNotFound"),
        ("/films", {"part": "id"}, 404, "notFound"),
    ],
)
def test_a_wrong_listing_is_refused(
    desk: Desk, path: str, params: dict[str, str], status: int, why: str
) -> None:
    assert reason(desk.get(f"{API}{path}", **params)) == (status, why)


@pytest.mark.parametrize(
    ("body", "part", "status", "why"),
    [
        ({"id": "none", "snippet": SNIPPET}, "snippet", 404, "videoNotFound"),
        ({"snippet": SNIPPET}, "snippet", 400, "required"),
        ({"id": "", "snippet": {"title": "Graphs"}}, "snippet", 400, "invalidVideoMetadata"),
        ({"id": "", "snippet": {"categoryId": "27"}}, "snippet", 400, "invalidVideoMetadata"),
        ({"id": "", "snippet": {**SNIPPET, "title": "x>"}}, "snippet", 400, "invalidTitle"),
        ({"id": "", "snippet": SNIPPET, "status": {}}, "snippet", 400, "unexpectedPart"),
    ],
)
def test_a_wrong_change_is_refused(
    desk: Desk, video_id: str, body: dict[str, Any], part: str, status: int, why: str
) -> None:
    document = {**body, "id": body["id"] or video_id} if "id" in body else body
    answer = desk.call("PUT", f"{API}/videos", params={"part": part}, json=document)
    assert reason(answer) == (status, why)
    assert desk.fake.videos()[0].snippet["title"] == SENT.title


@pytest.mark.parametrize(
    ("change", "content", "status", "why"),
    [
        ({"language": ""}, SRT, 400, "required"),
        ({"language": "English"}, SRT, 400, "invalidMetadata"),
        ({"name": "x" * 151}, SRT, 400, "nameTooLong"),
        ({"videoId": "none"}, SRT, 404, "videoNotFound"),
        ({"kind": "asr"}, SRT, 400, "badRequest"),
        ({}, b"", 400, "contentRequired"),
        ({}, b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello", 400, "invalidMetadata"),
        ({}, b"1\n00:00:02,000 --> 00:00:01,000\nbackwards", 400, "invalidMetadata"),
        ({}, "1\n00:00:01,000 --> 00:00:02,000\nщ".encode("cp1251"), 400, "invalidMetadata"),
    ],
)
def test_wrong_captions_are_refused(
    desk: Desk, video_id: str, change: dict[str, str], content: bytes, status: int, why: str
) -> None:
    snippet = {**TRACK, "videoId": video_id, **change}
    assert reason(_captions(desk, {"snippet": snippet}, content)) == (status, why)
    assert desk.fake.videos()[0].tracks == []


def test_captions_are_there_once(desk: Desk, video_id: str) -> None:
    document = {"snippet": {**TRACK, "videoId": video_id}}
    made = _captions(desk, document)
    assert made.status_code == 200
    assert reason(_captions(desk, document)) == (409, "captionExists")
    track_id = made.json()["id"]
    renamed = {"id": track_id, "snippet": {"language": "de"}}
    assert reason(_captions(desk, renamed, verb="PUT")) == (400, "invalidMetadata")
    missing = {"id": "none"}
    assert reason(_captions(desk, missing, verb="PUT")) == (404, "captionNotFound")


@pytest.mark.parametrize(
    ("content", "kind", "status", "why"),
    [
        (b"", "image/jpeg", 400, "mediaBodyRequired"),
        (b"GIF89a", "image/png", 400, "invalidImage"),
        (picture("GIF"), "image/png", 400, "invalidImage"),
        (picture("JPEG")[:500], "image/jpeg", 400, "invalidImage"),
        (picture("PNG"), "image/jpeg", 400, "invalidImage"),
        (picture("PNG"), "image/gif", 400, "badContent"),
        (picture("PNG") + bytes(2 * 1024 * 1024), "image/png", 413, "uploadTooLarge"),
    ],
)
def test_a_wrong_picture_is_refused(
    desk: Desk, video_id: str, content: bytes, kind: str, status: int, why: str
) -> None:
    answer = desk.call(
        "POST",
        f"{UPLOAD}/thumbnails/set",
        params={"videoId": video_id, "uploadType": "media"},
        headers={"Content-Type": kind},
        content=content,
    )
    assert reason(answer) == (status, why)


@pytest.mark.parametrize(
    ("snippet", "status", "why"),
    [
        ({"playlistId": "PLnone"}, 404, "playlistNotFound"),
        ({"playlistId": ""}, 400, "required"),
        ({"resourceId": {"kind": "youtube#channel", "videoId": "x"}}, 400, "resourceIdRequired"),
        ({"resourceId": {"kind": "youtube#video", "videoId": "none"}}, 404, "videoNotFound"),
        ({"position": "first"}, 400, "invalidValue"),
    ],
)
def test_a_wrong_entry_is_refused(
    desk: Desk, video_id: str, snippet: dict[str, Any], status: int, why: str
) -> None:
    playlist = desk.fake.add_playlist(desk.channel)
    resource = {"kind": "youtube#video", "videoId": video_id}
    document = {"snippet": {"playlistId": playlist.id, "resourceId": resource, **snippet}}
    answer = desk.call("POST", f"{API}/playlistItems", params={"part": "snippet"}, json=document)
    assert reason(answer) == (status, why)
    assert playlist.entries == []


def test_an_entry_that_is_asked_for_twice_is_there_twice(desk: Desk, video_id: str) -> None:
    playlist = desk.fake.add_playlist(desk.channel)
    resource = {"kind": "youtube#video", "videoId": video_id}
    document = {"snippet": {"playlistId": playlist.id, "resourceId": resource}}
    for _ in range(2):
        desk.call("POST", f"{API}/playlistItems", params={"part": "snippet"}, json=document)
    assert len(playlist.entries) == 2


@pytest.mark.parametrize(
    ("scope", "path", "taken"),
    [
        ("youtube.upload", "/videos", False),
        ("youtube.force-ssl", "/videos", True),
        ("youtube.readonly", "/videos", True),
        ("youtube.readonly", "/captions", False),
        ("youtube.upload", "/captions", False),
    ],
)
def test_scopes_are_the_documented_ones(
    desk: Desk, video_id: str, scope: str, path: str, taken: bool
) -> None:
    token = desk.fake.add_grant(desk.channel, scopes=[SCOPE + scope])
    params = {"part": "snippet", "videoId" if path == "/captions" else "id": video_id}
    headers = {"Authorization": f"Bearer {token}"}
    answer = desk.http.get(f"{desk.fake.root_url}{API}{path}", params=params, headers=headers)
    assert answer.status_code == (200 if taken else 403)


def test_a_token_is_needed_and_ends(desk: Desk) -> None:
    address = f"{desk.fake.root_url}{API}/channels"
    for told in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic abc"}):
        assert desk.http.get(address, headers=told, params={"part": "id"}).status_code in (400, 401)
        answer = desk.http.get(address, headers=told, params={"part": "id", "mine": "true"})
        assert reason(answer) == (401, "authError")


def test_methods_are_the_documented_ones(desk: Desk) -> None:
    assert desk.call("PATCH", f"{API}/videos").status_code == 405
    assert desk.call("POST", f"{API}/captions/made-up").status_code == 404


def test_quota_comes_back_at_midnight_in_california(desk: Desk, video_id: str) -> None:
    spending = desk.fake.project()
    spending.units = spending.of("units", desk.clock()) + 51
    captions = {"part": "snippet", "videoId": video_id}
    assert desk.get(f"{API}/captions", **captions).status_code == 200
    assert reason(desk.get(f"{API}/captions", **captions)) == (403, "quotaExceeded")
    assert desk.get(f"{API}/channels", part="id", mine="true").status_code == 200
    assert reason(desk.get(f"{API}/channels", part="id", mine="true")) == (403, "quotaExceeded")
    spending.inserts = 0
    assert reason(_open(desk, {"snippet": SNIPPET})) == (403, "quotaExceeded")
    day = desk.clock().astimezone(PACIFIC).date()
    while desk.clock().astimezone(PACIFIC).date() == day:
        desk.clock.sleep(600)
    assert desk.get(f"{API}/captions", **captions).status_code == 200
    assert spending.of("units", desk.clock()) == 50


def test_the_ledger_tells_what_each_request_did(desk: Desk, tmp_path: Path) -> None:
    file = video(tmp_path, 2 * UNIT)
    desk.fake.fail(faults.cut(1000))
    publisher = desk.publisher()
    upload = desk.upload(publisher.open(file, SENT, MARKER), file)
    publisher.send(upload, file, 0, ignore, unheard)
    told = [
        (each.call, each.did, each.received, each.kept, each.fault)
        for each in desk.fake.ledger.entries
        if each.call.startswith("session")
    ]
    assert told == [
        ("session.put", "kept", 1000, 0, "cut"),
        ("session.probe", None, 0, 0, None),
        ("session.put", "kept", UNIT, UNIT, None),
        ("session.put", "finished", UNIT, 2 * UNIT, None),
    ]
    assert [each.number for each in desk.fake.ledger.entries] == list(
        range(len(desk.fake.ledger.entries))
    )
    assert "ya29" not in json.dumps(desk.fake.ledger.as_json())
