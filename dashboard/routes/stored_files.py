"""A stored file, or a text made from one, as an answer: whole or in part, under its version.

The file is opened once, so that all of an answer is of one version though another is put in its
place meanwhile. It is read in pieces by threads, and no faster than the browser takes them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from dashboard.http_ranges import Part, Version, part_wanted
from leap_pipeline.domain.file_names import ascii_name, name_to_keep
from leap_pipeline.errors import NotFound

PIECE = 256 * 1024
TYPES: Mapping[str, str] = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".ts": "video/mp2t",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".wmv": "video/x-ms-wmv",
    ".vtt": "text/vtt; charset=utf-8",
    ".srt": "application/x-subrip; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
logger = logging.getLogger("leap.console")


def type_of(name: str) -> str:
    """The media type of a file by its ending; what is unknown is only good for keeping."""
    return TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


async def file_answer(request: Request, path: Path, *, save_as: str | None = None) -> Response:
    """A file of the storage; `save_as` makes it one to keep. Raises `NotFound` where it is gone."""
    descriptor, stored = await run_in_threadpool(_open, path)
    part = part_wanted(request.method, request.headers, stored)
    headers = _headers(stored, part, save_as)
    if request.method == "HEAD" or part.start == part.stop:
        os.close(descriptor)
        return Response(None, part.status, headers, _type(part, path.name))
    return _Streamed(descriptor, part, headers, type_of(path.name))


def text_answer(request: Request, name: str, text: str, *, save_as: str | None = None) -> Response:
    """A text that is made when it is asked for, under a name that tells its type."""
    content = text.encode()
    stored = Version(f'"{hashlib.sha256(content).hexdigest()[:32]}"', 0, len(content))
    part = part_wanted(request.method, request.headers, stored)
    headers = _headers(stored, part, save_as)
    del headers["last-modified"]
    body = None if request.method == "HEAD" else content[part.start : part.stop]
    return Response(body, part.status, headers, _type(part, name))


def disposition(name: str) -> str:
    """`Content-Disposition` of a file to keep (RFC 6266, 4.3 and appendix D)."""
    safe = name_to_keep(name)
    said = f'attachment; filename="{ascii_name(safe)}"'
    return said if safe == ascii_name(safe) else f"{said}; filename*=UTF-8''{quote(safe, safe='')}"


class _Streamed(StreamingResponse):
    """Some bytes of an open file, which is closed at the end whatever happens."""

    def __init__(
        self, descriptor: int, part: Part, headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(_pieces(descriptor, part), part.status, headers, media_type)
        self._descriptor = descriptor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            os.close(self._descriptor)


async def _pieces(descriptor: int, part: Part) -> AsyncIterator[bytes]:
    at = part.start
    while at < part.stop:
        piece = await run_in_threadpool(os.pread, descriptor, min(PIECE, part.stop - at), at)
        if not piece:
            msg = "A stored file became shorter while it was sent."
            raise OSError(msg)
        yield piece
        at += len(piece)


def _open(path: Path) -> tuple[int, Version]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        logger.warning("A stored file cannot be read: %s", error)
        msg = "The stored file is missing: force the stage that makes it."
        raise NotFound(msg) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        msg = "The stored file is missing: force the stage that makes it."
        raise NotFound(msg)
    etag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    return descriptor, Version(etag, int(found.st_mtime), found.st_size)


def _headers(stored: Version, part: Part, save_as: str | None) -> dict[str, str]:
    headers = {
        "etag": stored.etag,
        "last-modified": stored.last_modified,
        "accept-ranges": "bytes",
        # It is asked for again each time: rights end, and stages are done again.
        "cache-control": "private, no-cache",
    }
    if part.status in (200, 206):
        headers["content-length"] = str(part.stop - part.start)
        if save_as is not None:
            headers["content-disposition"] = disposition(save_as)
    if part.status == 206:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{stored.size}"
    if part.status == 416:
        headers["content-range"] = f"bytes */{stored.size}"
    return headers


def _type(part: Part, name: str) -> str | None:
    return type_of(name) if part.status in (200, 206) else None
