"""Videos, subtitles, pictures and the player: right, whole, and for their owner alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from leap_pipeline.db.models.recordings import ProcessingStage, Recording
from leap_pipeline.domain.permissions import Role
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.thumbnails import add_thumbnail
from tests.support.accounts import ADA
from tests.support.console import Desk
from tests.support.watched import HOSTILE, ORIGINAL, PROCESSED, TOPICS, watchable

EVE, BOSS = "eve@example.org", "boss@example.org"
PATHS = (
    "video",
    "video?kind=original",
    "subtitles.vtt",
    "subtitles.srt?kind=original",
    "thumbnail",
    "player",
    "player.json",
    "files/transcript.txt",
    "files/video.mp4",
)


@pytest.fixture
def number(desk: Desk) -> int:
    return watchable(desk, desk.add(ADA))


@pytest.fixture
def ada(desk: Desk, number: int) -> TestClient:
    assert number
    return desk.client(ADA)


def test_scripts_are_looked_at_again_each_time(ada: TestClient) -> None:
    script = ada.get("/assets/player.js")
    assert script.headers["cache-control"] == "no-cache"
    known = ada.get("/assets/player.js", headers={"If-None-Match": script.headers["etag"]})
    assert (known.status_code, known.headers["cache-control"]) == (304, "no-cache")


def test_a_video_comes_whole_in_parts_or_not_again(ada: TestClient, number: int) -> None:
    url = f"/recordings/{number}/video"
    whole = ada.get(url)
    assert whole.content == PROCESSED
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "private" in whole.headers["cache-control"]
    part = ada.get(f"{url}?kind=original", headers={"Range": "bytes=250-259"})
    assert (part.status_code, part.content) == (206, ORIGINAL[250:260])
    assert part.headers["content-range"] == f"bytes 250-259/{len(ORIGINAL)}"
    assert part.headers["content-type"] == "video/x-matroska"
    head = ada.head(url)
    assert head.content == b""
    assert head.headers["content-length"] == str(len(PROCESSED))
    etag = whole.headers["etag"]
    known = ada.get(url, headers={"If-None-Match": etag})
    assert (known.status_code, known.content) == (304, b"")
    beyond = ada.get(url, headers={"Range": "bytes=5000-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */1000")
    stale = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert ada.get(url, headers=stale).status_code == 200
    assert ada.get(f"{url}?kind=all").status_code == 400


def test_what_belongs_to_others_is_not_there(desk: Desk, number: int) -> None:
    desk.add(EVE)
    eve = desk.client(EVE)
    for path in PATHS:
        strange = eve.get(f"/recordings/{number}/{path}")
        missing = eve.get(f"/recordings/999999/{path}")
        assert strange.status_code == missing.status_code == 404, path
        assert strange.text.replace(str(number), "N") == missing.text.replace("999999", "N")
        assert desk.client().get(f"/recordings/{number}/{path}").status_code == 401
    for odd in ("0", "-1", "1e3", "99999999999", "٣", "%2e%2e", "2147483648"):
        assert eve.get(f"/recordings/{odd}/video").status_code == 404, odd


def test_an_admin_sees_all(desk: Desk, number: int) -> None:
    desk.add(BOSS, role=Role.ADMIN)
    boss = desk.client(BOSS)
    for path in PATHS:
        expected = 404 if path == "thumbnail" else 200  # none is configured
        assert boss.get(f"/recordings/{number}/{path}").status_code == expected, path


def test_what_is_deleted_or_gone_is_not_there(desk: Desk, ada: TestClient, number: int) -> None:
    with desk.database.system() as session:
        row = session.get_one(Recording, number)
        desk.console.storage.path(row.local_video_path or "").unlink()
    assert ada.get(f"/recordings/{number}/video?kind=original").status_code == 404
    with desk.database.system() as session:
        gone = {"deleted": True, "delete_state": "soft_deleted", "deleted_at": datetime.now(UTC)}
        session.execute(update(Recording).values(**gone))
    for path in PATHS:
        assert ada.get(f"/recordings/{number}/{path}").status_code == 404, path


def test_subtitles_are_right_for_each_video(ada: TestClient, number: int) -> None:
    url = f"/recordings/{number}/subtitles.vtt"
    cut = ada.get(url)
    assert cut.headers["content-type"] == "text/vtt; charset=utf-8"
    assert "\n00:00:01.000 --> " in cut.text
    assert "&lt;script&gt;" in cut.text
    assert "<script>" not in cut.text
    original = ada.get(f"{url}?kind=original")
    assert "\n00:00:11.000 --> " in original.text
    assert "\n00:01:00.000 --> " in original.text
    again = ada.get(f"{url}?kind=original", headers={"If-None-Match": original.headers["etag"]})
    assert again.status_code == 304
    srt = ada.get(f"/recordings/{number}/subtitles.srt?kind=original")
    assert srt.text.startswith("1\n00:00:11,000 --> ")
    assert ada.get(f"/recordings/{number}/subtitles.exe").status_code == 404


def test_the_player_knows_both_timelines(ada: TestClient, number: int) -> None:
    found = ada.get(f"/recordings/{number}/player.json").json()
    processed, original = found["videos"]
    assert found["lines"] == ["alpha", "beta", HOSTILE]
    assert processed["times"] == [[1.0, 2.0], [29.0, 30.0], [30.0, 31.0]]
    assert original["times"] == [[11.0, 12.0], [39.0, 40.0], [60.0, 61.0]]
    assert [each["start"] for each in processed["chapters"]] == [0.0, 30.0]
    assert [each["start"] for each in original["chapters"]] == [10.0, 60.0]
    assert original["chapters"][1]["title"] == TOPICS[1]["topic"]
    assert original["captions"] == f"/recordings/{number}/subtitles.vtt?kind=original"
    page = ada.get(f"/recordings/{number}/player?theme=dark", headers={"Accept": "text/html"})
    assert 'data-theme="dark"' in page.text
    assert "alert(1)" not in page.text


def test_texts_of_an_earlier_cut_are_not_shown(desk: Desk, ada: TestClient, number: int) -> None:
    """While it is cut anew, the old transcript fits no video."""
    with desk.database.system() as session:
        session.execute(update(Recording).values(processed_video_path=None))
        session.execute(update(ProcessingStage).values(status="PENDING"))
    found = ada.get(f"/recordings/{number}/player.json").json()
    (original,) = found["videos"]
    assert (found["lines"], original["chapters"], original["captions"]) == ([], [], None)
    assert ada.get(f"/recordings/{number}/subtitles.vtt").status_code == 404
    assert ada.get(f"/recordings/{number}/video?kind=processed").status_code == 404


def test_pictures_are_found_by_name_and_lead_nowhere_else(
    desk: Desk, ada: TestClient, number: int
) -> None:
    desk.add(BOSS, role=Role.ADMIN)
    shared = ada.get("/thumbnails/lecture.png")
    assert (shared.status_code, shared.headers["content-type"]) == (200, "image/png")
    user_id, console = desk.id_of(ADA), desk.console
    now = datetime.now(UTC)
    add_thumbnail(
        desk.database, console.storage, user_id, "mine.png", shared.content, actor=SYSTEM, at=now
    )
    assert ada.get("/thumbnails/mine.png").status_code == 200
    assert desk.client(BOSS).get("/thumbnails/mine.png").status_code == 404
    assert desk.client(BOSS).get(f"/thumbnails/mine.png?of={user_id}").status_code == 200
    assert ada.get(f"/thumbnails/mine.png?of={desk.id_of(BOSS)}").status_code == 404
    for name in ("..%2f..%2fvideo.mp4", "%2e%2e", "x%00.png", "a.svg", "nowhere.png"):
        assert ada.get(f"/thumbnails/{name}").status_code in (400, 404), name
    with desk.database.system() as session:
        row = session.get_one(Recording, number)
        row.processing_preferences = {"metadata_config": {"thumbnail_name": "mine.png"}}
    assert ada.get(f"/recordings/{number}/thumbnail").headers["content-type"] == "image/png"
