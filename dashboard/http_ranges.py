"""Which part of a file a request asks for, and whether anything is sent at all. Pure: no files.

Conditions as RFC 9110 has them in section 13, ranges as in section 14: a Range counts for GET
alone, one of an unknown unit or that cannot be read is ignored, and so is one of several parts,
which a server need not send (14.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

_PART = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)
_TAG = re.compile(r'(W/)?("[^"]*")')
Span = tuple[int, int]
"""(start, stop) in bytes, half open."""


@dataclass(frozen=True)
class Version:
    """What is stored: `etag` strong and quoted, `modified` in whole seconds of the epoch."""

    etag: str
    modified: int
    size: int

    @property
    def last_modified(self) -> str:
        return formatdate(self.modified, usegmt=True)


@dataclass(frozen=True)
class Part:
    """The answer's status, and the bytes that it has: 200, 206, or without any 304, 412, 416."""

    status: int
    start: int = 0
    stop: int = 0


def part_wanted(method: str, headers: Mapping[str, str], stored: Version) -> Part:
    """What a GET or HEAD gets; names of headers in lower case."""
    if not _may_be_sent(headers, stored):
        return Part(412)
    if _is_known(headers, stored):
        return Part(304)
    wanted = headers.get("range") if method == "GET" and _range_counts(headers, stored) else None
    spans = None if wanted is None else _spans(wanted, stored.size)
    if spans is None or len(spans) > 1:
        return Part(200, 0, stored.size)
    return Part(206, *spans[0]) if spans else Part(416)


def _may_be_sent(headers: Mapping[str, str], stored: Version) -> bool:
    """If-Match, or else If-Unmodified-Since."""
    match = headers.get("if-match")
    if match is not None:
        return match.strip() == "*" or stored.etag in _tags(match, weak=False)
    since = _seconds(headers.get("if-unmodified-since"))
    return since is None or stored.modified <= since


def _is_known(headers: Mapping[str, str], stored: Version) -> bool:
    """If-None-Match, or else If-Modified-Since."""
    match = headers.get("if-none-match")
    if match is not None:
        return match.strip() == "*" or stored.etag in _tags(match, weak=True)
    since = _seconds(headers.get("if-modified-since"))
    return since is not None and stored.modified <= since


def _range_counts(headers: Mapping[str, str], stored: Version) -> bool:
    """If-Range: the part is of use only beside others of the same version."""
    said = headers.get("if-range")
    return said is None or said.strip() in (stored.etag, stored.last_modified)


def _spans(header: str, size: int) -> list[Span] | None:
    """The satisfiable parts; None where the header is to be ignored."""
    unit, _, parts = header.partition("=")
    if unit.strip().lower() != "bytes":
        return None
    found: list[Span] = []
    for each in parts.split(","):
        said = _PART.fullmatch(each.strip())
        if said is None or each.strip() == "-":
            return None
        first, last = said.groups()
        start = int(first) if first else max(size - int(last), 0)
        stop = min(int(last) + 1, size) if first and last else size
        if first and last and int(last) < start:
            return None
        if start < stop:
            found.append((start, stop))
    return found


def _tags(header: str, *, weak: bool) -> list[str]:
    return [tag for weakness, tag in _TAG.findall(header) if weak or not weakness]


def _seconds(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
