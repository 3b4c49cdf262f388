"""The outermost boxes of an MP4 or MOV file: enough to see whether its end is there.

Source: ISO/IEC 14496-12, 4.2 (object structure): a 32-bit size and a type; size 1 means that a
64-bit size follows, size 0 that the box reaches to the end of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FIRST = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"pnot"}


@dataclass(frozen=True)
class MissingEnd:
    """`bytes` of the last box are not in the file; `index` says whether its moov box is."""

    bytes: int
    index: bool


def missing_end(path: Path) -> MissingEnd | None:
    """What an MP4 lacks at its end; None where nothing is missing or the file is no MP4."""
    size = path.stat().st_size
    seen: set[bytes] = set()
    end = 0
    for kind, end in _boxes(path, size):
        if not seen and kind not in FIRST:
            return None
        if end <= size:
            seen.add(kind)
        elif kind != b"mdat" and not seen & {b"moov"}:
            return MissingEnd(end - size, index=False)
    if not seen and not end:
        return None
    if b"moov" not in seen:
        return MissingEnd(max(end - size, 0), index=False)
    return MissingEnd(end - size, index=True) if end > size else None


def _boxes(path: Path, size: int) -> Iterator[tuple[bytes, int]]:
    """Type and end (offset in bytes) of each outermost box."""
    position = 0
    with path.open("rb") as file:
        while position + 8 <= size:
            file.seek(position)
            header = file.read(16)
            length, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            elif length == 0:
                length = size - position
            if length < 8:
                return
            position += length
            yield kind, position
