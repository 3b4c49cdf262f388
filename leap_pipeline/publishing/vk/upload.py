"""A file on its way to VK's upload server: one multipart form, streamed, and what it answers.

https://dev.vk.com/api/upload/video-in-profile
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import httpx

from leap_pipeline.errors import LeapError, TransientError, UserActionError
from leap_pipeline.publishing.uploader import SessionGone
from leap_pipeline.publishing.vk.answers import refused, said_of
from leap_pipeline.web.calls import Answer

PIECE = 256 * 1024
LARGE_PIECE, LARGE_AFTER = 1024 * 1024, 4 * 1024 * 1024
"""Each piece costs a word with the caller, which a large file does not need so often."""
TOO_FAST = -12
_GONE = re.compile(
    r"expir|not found|no such|unknown (?:video|upload)|deleted|invalid (?:sig|hash|url|link)"
    r"|bad (?:sig|hash)|signature|устарел|истек",
    re.IGNORECASE,
)
_GONE_STATUS = frozenset({401, 403, 404, 410})


class FileForm:
    """A multipart form of one file, of a length that is known before; never whole in memory.

    `progress` gets the fraction ahead of each piece, and after the last one; what it raises breaks
    the request off.
    """

    def __init__(
        self, path: Path, size: int, field: str, mime: str, progress: Callable[[float], None]
    ) -> None:
        boundary = secrets.token_hex(16)
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{field}"; filename="{field}{path.suffix}"\r\n'
            f"Content-Type: {mime}\r\n\r\n"
        )
        self._path, self._size, self._progress = path, size, progress
        self._head, self._tail = head.encode(), f"\r\n--{boundary}--\r\n".encode()
        self.begun = False
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(self._head) + size + len(self._tail)),
        }

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        with self._path.open("rb") as file:
            yield self._head
            yield from self._pieces(file)
            yield self._tail

    def _pieces(self, file: IO[bytes]) -> Iterator[bytes]:
        sent = 0
        while sent < self._size:
            self._progress(sent / self._size)
            most = PIECE if sent < LARGE_AFTER else LARGE_PIECE
            piece = file.read(min(most, self._size - sent))
            if not piece:
                break
            sent += len(piece)
            yield piece
        if sent < self._size or file.read(1):
            msg = f"{self._path.name} was changed meanwhile, so that it is sent to VK anew."
            raise TransientError(msg)
        self._progress(1.0)


def upload_refusal(answer: Answer, *, old: bool) -> LeapError | None:
    """The error for the answer of an upload server; None for a good one.

    `old`: the address may well have ended by now, so whatever it refuses is taken for that.
    """
    found = refused(answer.body)
    if found is None and httpx.codes.is_success(answer.status):
        if answer.body:
            return None
        msg = "VK's upload server does not say what became of the video: it is asked later."
        return TransientError(msg)
    if answer.status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return UserActionError("VK does not take so large a video: make it smaller.")
    if found is not None and found.code == TOO_FAST:
        return TransientError("VK's upload server wants fewer uploads: try again later.")
    words = "" if found is None else found.words
    if old or answer.status in _GONE_STATUS or _GONE.search(words):
        return SessionGone("VK's upload server does not know the address of the upload any more.")
    said = "" if found is None else said_of(found)
    return UserActionError(
        f"VK's upload server does not take the video (HTTP {answer.status}): see that it plays, "
        f"then try again{said}."
    )
