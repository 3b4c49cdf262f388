"""Resumable uploads, to the letter of the guide.

https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.youtube import methods
from tests.support.youtube.errors import HungUp, Refused
from tests.support.youtube.world import UNIT, Session, Video

if TYPE_CHECKING:
    from tests.support.youtube.fake import Call, FakeYouTube

_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
LARGEST = 274_877_906_944


def name_of(verb: str, headers: Mapping[str, str]) -> str:
    if verb == "DELETE":
        return "session.cancel"
    return "session.probe" if "*/" in headers.get("content-range", "") else "session.put"


def opened(
    fake: FakeYouTube, call: Call, parts: tuple[str, ...], document: dict[str, Any]
) -> httpx.Response:
    """A new session; no byte of the video."""
    methods.check_video(document, parts)
    kind = call.headers.get("x-upload-content-type", "application/octet-stream")
    if not kind.startswith("video/") and kind != "application/octet-stream":
        raise Refused(400, "badContent", f"Media type '{kind}' is not supported.")
    told = call.headers.get("x-upload-content-length")
    if told is not None and not told.isdecimal():
        raise Refused(400, "badRequest", "X-Upload-Content-Length is no number.")
    size = None if told is None else int(told)
    if size is not None and not 0 < size <= LARGEST:
        raise Refused(400, "mediaBodyRequired" if size == 0 else "uploadTooLarge")
    session = Session(fake.new_id(40), call.channel, size, parts, document, call.now)
    fake.world.sessions[session.id] = session
    call.note(did="opened", session=session.id)
    query = f"uploadType=resumable&upload_id={session.id}"
    location = f"{fake.root_url}/upload/youtube/v3/videos?{query}"
    return httpx.Response(200, headers={"Location": location, "Content-Length": "0"})


def answer(fake: FakeYouTube, call: Call) -> httpx.Response:
    """A request to a session's address."""
    upload_id = call.url.params["upload_id"]
    fault = call.fault
    call.note(session=upload_id)
    if fault is not None and fault.kind == "gone":
        fake.world.sessions.pop(upload_id, None)
    session = fake.world.sessions.get(upload_id)
    if session is None or call.now > session.opened_at + fake.world.session_life:
        raise Refused(404, "notFound", "Not Found", domain="global")
    if session.channel != call.channel:
        raise Refused(403, "forbidden", "The session is of another channel.")
    if session.cancelled:
        return httpx.Response(499, headers={"Content-Length": "0"})
    if call.name == "session.cancel":
        return _cancelled(call, session)
    try:
        if call.name == "session.probe":
            return _probed(fake, call, session)
        return _put(fake, call, session)
    finally:
        call.note(kept=session.content.size, video=session.video)
        if fault is not None and fault.kind == "gone_after":
            fake.world.sessions.pop(upload_id, None)


def _cancelled(call: Call, session: Session) -> httpx.Response:
    """Google's way everywhere, though not written down for YouTube."""
    if session.video is None:
        session.cancelled = True
        call.note(did="cancelled")
    return httpx.Response(499, headers={"Content-Length": "0"})


def _probed(fake: FakeYouTube, call: Call, session: Session) -> httpx.Response:
    found = _RANGE.fullmatch(call.headers["content-range"])
    if found is None or call.headers.get("content-length") != "0":
        raise Refused(400, "badRequest", "A probe is empty and says `bytes */SIZE`.")
    _check_total(session, found[3])
    return _so_far(fake, session)


def _put(fake: FakeYouTube, call: Call, session: Session) -> httpx.Response:
    first, last, total = _range(call, session)
    if session.video is not None:
        return _so_far(fake, session)
    if first != session.content.size:
        raise Refused(400, "invalidRange", f"It has {session.content.size} bytes, not {first}.")
    length = last - first + 1
    if last + 1 != total and length % UNIT:
        raise Refused(400, "invalidChunk", f"{length} bytes are no multiple of {UNIT}.")
    fault = call.fault
    stops = fault is not None and fault.kind in ("cut", "less", "status")
    limit = min(length, fault.at) if fault is not None and stops else length
    arrived = _receive(fake, call, session, limit, whole=first + limit == total)
    if session.content.size == total:
        session.size = total
        _finish(fake, call, session)
    if fault is not None and fault.kind == "cut":
        raise HungUp(early=True)
    if fault is not None and fault.kind == "status":
        raise fault.refusal()
    if arrived < limit:
        raise HungUp  # the client is gone
    return _so_far(fake, session, status=201)


def _range(call: Call, session: Session) -> tuple[int, int, int]:
    length = call.headers.get("content-length")
    if length is None or not length.isdecimal():
        raise Refused(411, "contentLengthRequired", "A chunk has a Content-Length.")
    told = call.headers.get("content-range", f"bytes 0-{int(length) - 1}/{length}")
    found = _RANGE.fullmatch(told)
    if found is None or found[1] is None:
        raise Refused(400, "invalidRange", f"There is no such range: {told}")
    first, last = int(found[1]), int(found[2])
    _check_total(session, found[3])
    total = last + 2 if found[3] == "*" else int(found[3])
    if last < first or last >= total or last - first + 1 != int(length):
        raise Refused(400, "invalidRange", f"{told} has not {length} bytes.")
    return first, last, total


def _check_total(session: Session, told: str) -> None:
    if session.size is not None and told not in ("*", str(session.size)):
        raise Refused(400, "invalidRange", f"The session is for {session.size} bytes, not {told}.")


def _receive(fake: FakeYouTube, call: Call, session: Session, limit: int, *, whole: bool) -> int:
    """Reads the body and keeps up to `limit` bytes of it; what is not whole in units of 256 KiB."""
    arrived, waiting = 0, bytearray()
    stops = call.fault is not None and call.fault.kind == "cut"
    call.note(did="kept")
    for block in call.body:
        wanted = block[: max(0, limit - arrived)]
        arrived += len(block)
        waiting += wanted
        units = len(waiting) // UNIT * UNIT
        _keep(fake, session, waiting, units)
        if stops and arrived >= limit:
            break
    call.note(received=min(arrived, limit) if stops else arrived)
    if whole and arrived >= limit:
        _keep(fake, session, waiting, len(waiting))
    return min(arrived, limit)


def _keep(fake: FakeYouTube, session: Session, waiting: bytearray, length: int) -> None:
    if length:
        with fake.lock:
            session.content.add(bytes(waiting[:length]))
        del waiting[:length]


def _finish(fake: FakeYouTube, call: Call, session: Session) -> None:
    with fake.lock:
        now = fake.clock()
        snippet = {"categoryId": "22", **session.document.get("snippet", {})}
        status = {"privacyStatus": "public", **session.document.get("status", {})}
        video = Video(
            id=fake.new_id(11),
            channel=session.channel,
            made_at=now,
            sha256=session.content.digest.hexdigest(),
            size=session.content.size,
            snippet=snippet,
            status=status,
            processed_at=now + fake.world.processing_time,
            seconds=fake.world.seconds,
            session=session.id,
        )
        fake.world.videos[video.id] = video
        session.video = video.id
        call.note(did="finished", video=video.id)


def _so_far(fake: FakeYouTube, session: Session, status: int = 200) -> httpx.Response:
    if session.video is not None:
        parts = ("id", *session.part)
        body = methods.video_body(fake, fake.world.videos[session.video], parts)
        told = {"Content-Type": "application/json; charset=UTF-8"}
        return httpx.Response(status, content=json.dumps(body).encode(), headers=told)
    kept = session.content.size
    told = {"Content-Length": "0"}
    if kept:
        told["Range"] = f"bytes=0-{kept - 1}"
    return httpx.Response(308, headers=told)
