"""Uploads: a video becomes a recording; everything else is refused and leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette

from dashboard.asgi import guarded
from dashboard.routes import uploads
from dashboard.routes.all import Routes
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.services import uploads as upload_service
from leap_pipeline.services.audit import AuditFilter, entries
from tests.support.accounts import ADA
from tests.support.clips import make_clip
from tests.support.console import Desk, upload_scope

NAME = "Лекция 3 — графы.mkv"
GIGABYTES_65 = 65 * 10**9


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return make_clip(folder / "clip.mkv", pattern=[("speech", 1.0)], size="64x36")


def upload(
    desk: Desk, content: Any, name: str = NAME, modified: str = "1756715400000", **headers: str
) -> Any:
    query = f"name={quote(name)}&modified={modified}"
    return desk.client(ADA).post(f"/uploads?{query}", content=content, headers=headers)


def left(desk: Desk) -> list[Path]:
    """Every file in the storage but for shared pictures, scratch included."""
    root = desk.console.storage.root
    files = (path for path in root.rglob("*") if path.is_file() or path.name.startswith("upload-"))
    return [path for path in files if "shared" not in path.parts and "thumbnails" not in path.parts]


def recordings(desk: Desk) -> int:
    with desk.database.system() as session:
        return session.scalar(select(func.count()).select_from(Recording)) or 0


def test_a_video_becomes_a_recording_once(desk: Desk, clip: Path) -> None:
    user_id = desk.add(ADA)
    first = upload(desk, clip.read_bytes())
    assert first.status_code == 201, first.text
    number = first.json()["recording_id"]
    # A file that was written before 1970 is one like any other.
    again = upload(desk, clip.read_bytes(), "another name.mkv", modified="-5")
    assert (again.status_code, again.json()) == (200, {"recording_id": number, "created": False})
    (stored,) = left(desk)
    assert (stored.name, stored.read_bytes()) == ("source.mkv", clip.read_bytes())
    with desk.database.system() as session:
        row = session.get_one(Recording, number)
        assert (row.user_id, row.display_name) == (user_id, "Лекция 3 — графы")
        assert row.start_time.timestamp() == 1756715400
        (entry,) = entries(session, AuditFilter(action="recording.upload"))
        assert (entry.owner_id, entry.after) == (user_id, {"file": NAME})
    # It can be watched before anything has been done with it.
    assert desk.client(ADA).get(f"/recordings/{number}/video").content == clip.read_bytes()


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"#!/bin/sh\nrm -rf /\n", "lecture.mp4", "“lecture.mp4” is a text file"),
        (b"<!DOCTYPE html><html><script>", "x.mp4", "“x.mp4” is a web page"),
        (b"\x00\x01\x02" * 5000, "x.mp4", "“x.mp4” is not a media file"),
        (b"", "x.mp4", "empty"),
        (b"...", "../../../etc/cron.d/x", "is a path"),
        (b"...", "C:\\x.mp4", "is a path"),
        (b"...", "", "no name"),
    ],
)
def test_what_is_no_video_is_refused_and_leaves_nothing(
    desk: Desk, content: bytes, name: str, said: str
) -> None:
    desk.add(ADA)
    answer = upload(desk, content, name)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert str(desk.console.storage.root) not in answer.text
    assert (left(desk), recordings(desk)) == ([], 0)


def test_what_is_too_large_is_refused_before_a_byte_comes(desk: Desk) -> None:
    desk.add(ADA)
    claim = {"content-length": str(GIGABYTES_65 + 10**10)}
    answer = upload(desk, b"x", **claim)
    assert answer.status_code == 400
    assert "larger than" in answer.json()["error"]
    check = desk.client(ADA).post(f"/uploads/check?name=x.mp4&size={GIGABYTES_65}")
    # Within the server's limit, but not within the plan's.
    assert check.status_code == 409
    assert "storage of 5 GB" in check.json()["error"]
    assert desk.client(ADA).post("/uploads/check?name=x.mp4&size=1000").status_code == 200
    assert desk.client(ADA).post("/uploads/check?name=x.mp4&size=-1").status_code == 400
    assert left(desk) == []


def test_a_body_that_goes_beyond_the_limit_is_cut_off(desk: Desk) -> None:
    desk.add(ADA)
    small = desk.console.settings.model_copy(update={"download_max_bytes": 3_000_000})
    desk.console = replace(desk.console, settings=small)

    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 100_000

    answer = upload(desk, endless())
    assert answer.status_code == 400
    assert "larger than" in answer.json()["error"]
    assert left(desk) == []


def test_a_disk_that_fills_up_meanwhile_ends_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add(ADA)
    monkeypatch.setattr(uploads, "ASK_EVERY", 2_000_000)

    def endless() -> Iterator[bytes]:
        for turn in range(64):
            if turn == 10:
                monkeypatch.setattr(upload_service, "LEFT_FREE", 2**62)
            yield b"x" * 100_000

    answer = upload(desk, endless())
    assert answer.status_code == 409
    assert "disk has no room" in answer.json()["error"]
    assert left(desk) == []


def test_another_site_uploads_nothing(desk: Desk, clip: Path) -> None:
    desk.add(ADA)
    assert upload(desk, clip.read_bytes(), Origin="https://evil.test").status_code == 403
    assert desk.client().post("/uploads?name=x.mp4", content=b"x").status_code == 401
    assert recordings(desk) == 0


def test_who_goes_away_leaves_nothing(desk: Desk, clip: Path) -> None:
    desk.add(ADA)
    content = clip.read_bytes()
    came = [
        {"type": "http.request", "body": content[:5000], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return came.pop(0) if came else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = upload_scope(desk.login(ADA).token, content_length=str(len(content)))
    app = guarded(Starlette(routes=Routes(desk.console).routes()), desk.console)
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 400
    assert (left(desk), recordings(desk)) == ([], 0)


def test_the_page_frames_the_form(desk: Desk) -> None:
    desk.add(ADA)
    page = desk.open(ADA, "upload")
    assert not page.exception
    assert any("68.7 GB" in each.value for each in page.caption)
    form = desk.client(ADA).get("/uploads?theme=dark")
    assert 'type="file"' in form.text
    assert "<script>" not in form.text
