"""A document and a file in one body: multipart/related (RFC 2387), as Google's uploads have it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.support.youtube.errors import Refused

_BOUNDARY = re.compile(r'multipart/related;.*\bboundary="?([^";]{1,70})"?', re.IGNORECASE)


@dataclass(frozen=True)
class Upload:
    document: dict[str, Any]
    media_type: str
    content: bytes


def read(content_type: str, body: bytes) -> Upload:
    """Or Refused."""
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise Refused(400, "badRequest", "The body must be multipart/related.")
    mark = b"--" + found[1].encode()
    begin, *parts = (b"\r\n" + body).split(b"\r\n" + mark)
    if begin.strip() or len(parts) != 3 or parts[2].strip() != b"--":
        parts = _loose(mark, body)
    told, media = (_part(each) for each in parts[:2])
    if not told[0].startswith("application/json"):
        raise Refused(400, "badRequest", "The first part must be application/json.")
    try:
        document = json.loads(told[1])
    except ValueError:
        raise Refused(400, "parseError", "The first part is no JSON.") from None
    if not isinstance(document, dict):
        raise Refused(400, "parseError", "The first part is no JSON object.")
    return Upload(document, media[0], media[1])


def _loose(mark: bytes, body: bytes) -> list[bytes]:
    """Google's own Python client ends its lines with LF alone."""
    begin, *parts = (b"\n" + body).split(b"\n" + mark)
    if begin.strip() or len(parts) != 3 or parts[2].strip() != b"--":
        raise Refused(400, "badRequest", "A multipart upload has two parts.")
    return parts


def _part(part: bytes) -> tuple[str, bytes]:
    """Its media type and its content."""
    found = re.search(rb"\r?\n\r?\n", part)
    if found is None:
        raise Refused(400, "badRequest", "A part has no headers.")
    kind = re.search(rb"^content-type:\s*([^\r\n]+)", part[: found.start()], re.I | re.M)
    return kind[1].decode("latin-1") if kind else "", part[found.end() :]
