"""Files that pretend, files that are too many: what is kept of them, and how it is given out."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from starlette.applications import Starlette
from starlette.types import ASGIApp

from dashboard.asgi import guarded
from dashboard.routes import uploads
from dashboard.routes.all import Routes
from leap_pipeline.errors import InputError
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.thumbnails import add_thumbnail
from tests.support.accounts import ADA
from tests.support.clips import make_clip
from tests.support.console import Desk, upload_scope
from tests.support.neighbours import empty_desk
from tests.support.postgres import TestServer

SCRIPT = b"<script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>"
NO_PICTURES = {
    "an SVG with a script": SVG,
    "an SVG in an XML document": b'<?xml version="1.0"?>' + SVG,
    "a web page": b"<!DOCTYPE html><html>" + SCRIPT,
    "a script that begins as a GIF": b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)",
    "a script that begins as a JPEG": b"\xff\xd8\xff\xe0/*" + SCRIPT,
    "a PDF": b"%PDF-1.7\n" + SCRIPT,
    "a PostScript, which Pillow can run": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "nothing": b"",
}
NAMES = ["../x.png", "a/b.png", "..\\x.png", "x.svg", "x.html", "x.png.html", ".png", "/etc/x.png"]
NAMES += ["", ".", "..", "x.png\0.html"]
TOO_MANY = 429


@pytest.fixture(scope="module")
def desk(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Ada's, for all of these."""
    with empty_desk(postgres_server, tmp_path_factory.mktemp("desk")) as found:
        found.add(ADA)
        yield found


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("clips")
    return make_clip(folder / "c.mkv", pattern=[("speech", 1.0)], size="64x36").read_bytes()


def picture(form: str = "PNG") -> bytes:
    """A picture with a script in its comment, and another one behind its end."""
    said, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    said.add_text("Comment", SCRIPT.decode())
    Image.new("RGB", (640, 360), "red").save(buffer, form, pnginfo=said, comment=SCRIPT)
    return buffer.getvalue() + b"<html>" + SCRIPT


def keep(desk: Desk, name: str, content: bytes) -> None:
    owner, now = desk.id_of(ADA), datetime.now(UTC)
    console = desk.console
    add_thumbnail(desk.database, console.storage, owner, name, content, actor=SYSTEM, at=now)


def files(desk: Desk) -> list[Path]:
    root = desk.console.storage.root
    return [path for path in root.rglob("*") if path.is_file() and "shared" not in path.parts]


def harmless(headers: MutableMapping[str, str], kind: str) -> bool:
    """The browser takes it for nothing else, and would run nothing in it."""
    policy = headers["content-security-policy"]
    return (
        headers["content-type"].startswith(kind)
        and headers["x-content-type-options"] == "nosniff"
        and "default-src 'none'" in policy
        and "unsafe" not in policy.partition("script-src")[2].partition(";")[0]
    )


@pytest.mark.parametrize("what", NO_PICTURES)
def test_what_is_no_picture_is_not_taken_for_one(desk: Desk, what: str) -> None:
    before = files(desk)
    for name in ("x.png", "x.jpg"):
        with pytest.raises(InputError, match="cannot be read as a picture"):
            keep(desk, name, NO_PICTURES[what])
    assert files(desk) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_has_a_plain_name(desk: Desk, name: str) -> None:
    before = files(desk)
    with pytest.raises(InputError):
        keep(desk, name, picture())
    assert files(desk) == before


@pytest.mark.parametrize("name", ["a\0.png", "b\r\n.png", "\u202ec.png"])
def test_of_a_name_only_what_can_be_seen_is_kept(desk: Desk, name: str) -> None:
    before = set(files(desk))
    keep(desk, name, picture())
    (kept,) = set(files(desk)) - before
    assert kept.name.replace(" ", "") in ("a.png", "b.png", "c.png")


@pytest.mark.parametrize(("form", "name"), [("PNG", "x.png"), ("JPEG", "x.jpg")])
def test_of_a_picture_only_the_pixels_are_kept(desk: Desk, form: str, name: str) -> None:
    given = picture(form)
    assert given.count(SCRIPT) == 2
    keep(desk, name, given)
    answer = desk.client(ADA).get(f"/thumbnails/{name}")
    assert answer.status_code == 200
    assert SCRIPT not in answer.content
    assert b"<html>" not in answer.content
    assert harmless(answer.headers, f"image/{form.lower()}")
    with Image.open(io.BytesIO(answer.content)) as found:
        assert (found.format, found.size) == (form, (1280, 720))


@pytest.mark.parametrize("name", ["page.html", "x.svg", "x.js", "lecture.mkv", "x"])
def test_a_video_is_given_out_as_one_whatever_it_is_called(
    desk: Desk, clip: bytes, name: str
) -> None:
    client, given = desk.client(ADA), clip + b"<html>" + SCRIPT + name.encode()
    sent = client.post(f"/uploads?name={name}", content=given)
    assert sent.status_code == 201, sent.text
    answer = client.get(f"/recordings/{sent.json()['recording_id']}/video")
    assert answer.content == given
    assert harmless(answer.headers, "video/")
    number = sent.json()["recording_id"]
    taken = client.get(f"/recordings/{number}/files/video.mp4")
    assert taken.headers["content-disposition"].startswith("attachment; ")
    assert ".html" not in taken.headers["content-disposition"]


@dataclass
class Sending:
    """An upload whose body comes as a test wants it to."""

    app: ASGIApp
    token: str
    content: bytes
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    is_read: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    said: bytes = b""

    async def run(self) -> None:
        halves = [self.content[:1000], self.content[1000:]]

        async def receive() -> dict[str, Any]:
            if len(halves) == 1:
                self.is_read.set()
                await self.goes_on.wait()
            if not halves:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": halves.pop(0), "more_body": bool(halves)}

        async def send(message: MutableMapping[str, Any]) -> None:
            self.status = message.get("status", self.status)
            self.said += message.get("body", b"")

        await self.app(upload_scope(self.token), receive, send)


def test_nobody_sends_more_than_so_many_at_once(desk: Desk, clip: bytes) -> None:
    app = guarded(Starlette(routes=Routes(desk.console).routes()), desk.console)
    token = desk.login(ADA).token

    def another() -> Sending:
        return Sending(app, token, clip)

    async def main() -> None:
        going = [another() for _ in range(uploads.MOST_AT_ONCE)]
        tasks = [asyncio.ensure_future(each.run()) for each in going]
        await asyncio.gather(*(each.is_read.wait() for each in going))
        refused = another()
        refused.goes_on.set()
        await refused.run()
        assert refused.status == TOO_MANY
        assert "already" in json.loads(refused.said)["error"]
        for each in going:
            each.goes_on.set()
        await asyncio.gather(*tasks)
        assert sorted({each.status for each in going}) in ([200, 201], [201])
        after = another()
        after.goes_on.set()
        await after.run()
        assert after.status == 200  # the very file is there by now

    asyncio.run(asyncio.wait_for(main(), 60))
