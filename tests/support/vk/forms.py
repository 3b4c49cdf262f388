"""Multipart forms as they come in: one file, read piece by piece and never kept whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

_BOUNDARY = re.compile(
    r'multipart/form-data;\s*boundary="?([\w\'()+,./:=?-]{1,70})"?', re.IGNORECASE
)
_NAME = re.compile(r'[;\s]name="?([^";]+)"?')
_FILE_NAME = re.compile(r'[;\s]filename="?([^";]+)"?')
LONGEST_HEAD = 8192


class BadForm(Exception):
    """The form is not what the service takes; the text says why."""


@dataclass(frozen=True)
class FilePart:
    """The one file of a form; `content` is kept only where that was asked for."""

    field: str
    name: str
    size: int
    sha256: str
    content: bytes


def read_form(
    headers: httpx.Headers, pieces: Iterator[bytes], field: str, *, keep: bool = False
) -> FilePart:
    """Reads all of `pieces`. Raises BadForm for anything but one file in the field `field`."""
    if "content-length" not in headers:
        msg = "no Content-Length"
        raise BadForm(msg)
    found = _BOUNDARY.match(headers.get("content-type", ""))
    if found is None:
        msg = "no multipart/form-data"
        raise BadForm(msg)
    boundary = b"--" + found[1].encode()
    head, rest = _head(pieces, boundary)
    name, file_name = _NAME.search(head), _FILE_NAME.search(head)
    if name is None or name[1] != field or file_name is None:
        msg = f"no file in the field {field}"
        raise BadForm(msg)
    digest, size, kept = hashlib.sha256(), 0, bytearray()
    for piece in _body(rest, pieces, b"\r\n" + boundary):
        digest.update(piece)
        size += len(piece)
        if keep:
            kept += piece
    return FilePart(field, file_name[1], size, digest.hexdigest(), bytes(kept))


def _head(pieces: Iterator[bytes], boundary: bytes) -> tuple[str, bytes]:
    """The headers of the first part, and what was read after them."""
    buffer = b""
    for piece in pieces:
        buffer += piece
        if b"\r\n\r\n" in buffer or len(buffer) > LONGEST_HEAD:
            break
    head, blank, rest = buffer.partition(b"\r\n\r\n")
    if not blank or not head.startswith(boundary + b"\r\n"):
        msg = "the form does not begin with its boundary"
        raise BadForm(msg)
    return head.decode("utf-8", "replace"), rest


def _body(rest: bytes, pieces: Iterator[bytes], mark: bytes) -> Iterator[bytes]:
    buffer = rest
    while mark not in buffer:
        safe = max(0, len(buffer) - len(mark) + 1)
        yield buffer[:safe]
        buffer = buffer[safe:]
        following = next(pieces, None)
        if following is None:
            msg = "the form has no end"
            raise BadForm(msg)
        buffer += following
    content, _, after = buffer.partition(mark)
    yield content
    for piece in pieces:
        after += piece
        if len(after) > LONGEST_HEAD:
            break
    if after.rstrip(b"\r\n") != b"--":
        msg = "the form has more than one part"
        raise BadForm(msg)
