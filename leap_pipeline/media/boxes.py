"""The outermost parts of an MP4, MOV, Matroska or WebM file: enough to see whether it is whole.

MP4 (ISO/IEC 14496-12, 4.2): a 32-bit size and a type; size 1 means that a 64-bit size follows,
size 0 that the box reaches to the end of the file. Matroska (RFC 8794, 4 to 6): an identifier and a
size of variable length, whose leading zeros tell how long it is; all ones is an unknown size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
FIRST = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"pnot"}


@dataclass(frozen=True)
class MissingEnd:
    """`bytes` of the last box are not in the file; `index` says whether its moov box is."""

    bytes: int
    index: bool


def missing_end(path: Path) -> MissingEnd | None:
    """What a file lacks at its end; None where nothing is missing or it is of another kind."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) == EBML:
            end = _segment_end(file)
            return MissingEnd(end - size, index=True) if end > size else None
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


def _segment_end(file: BinaryIO) -> int:
    """Where the one big element of a Matroska file ends; 0 where that is not told."""
    header = _variable(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(4) != SEGMENT:
        return 0
    length = _variable(file)
    return file.tell() + length if length is not None else 0


def _variable(file: BinaryIO) -> int | None:
    """A size of variable length; None where it is unknown."""
    first = int.from_bytes(file.read(1), "big")
    extra = 8 - first.bit_length()
    if extra > 7:
        return None
    value = int.from_bytes(bytes([first & (0x7F >> extra)]) + file.read(extra), "big")
    return None if value == (1 << 7 * (extra + 1)) - 1 else value


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
