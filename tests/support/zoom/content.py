"""What a file holds: bytes made from a seed, which cost no memory, or those of a real file."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

BLOCK = 1 << 20
CHUNK = 1 << 16


@lru_cache(maxsize=8)
def _noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(BLOCK)


@dataclass(frozen=True)
class Content:
    """`size` bytes: of `data`, of the file at `path`, or made from `seed`; `etag` is their name."""

    size: int
    seed: int = 0
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None
    etag: str = ""

    def __post_init__(self) -> None:
        if not self.etag:
            named = f"{self.size}/{self.seed}/{self.path}".encode() + (self.data or b"")
            object.__setattr__(self, "etag", f'"{hashlib.sha256(named).hexdigest()[:32]}"')

    @classmethod
    def of(cls, data: bytes) -> Content:
        return cls(len(data), data=data)

    @classmethod
    def of_file(cls, path: Path) -> Content:
        return cls(path.stat().st_size, path=path)

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to, not including, `stop`."""
        stop = min(stop, self.size)
        if self.data is not None:
            return self.data[start:stop]
        if self.path is not None:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(max(0, stop - start))
        return self._made(start, stop)

    def _made(self, start: int, stop: int) -> bytes:
        parts = []
        while start < stop:
            block, offset = divmod(start, BLOCK)
            length = min(stop - start, BLOCK - offset)
            # Each block begins with its number, so that a block at a wrong place shows.
            head = f"{self.seed:016x}{block:016x}".encode()
            whole = head + _noise(self.seed)[len(head) :] if offset < len(head) else None
            parts.append((whole or _noise(self.seed))[offset : offset + length])
            start += length
        return b"".join(parts)

    def chunks(self, start: int, stop: int, size: int = CHUNK) -> Iterator[bytes]:
        for at in range(start, stop, size):
            yield self.read(at, min(at + size, stop))

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for chunk in self.chunks(0, self.size, BLOCK):
            digest.update(chunk)
        return digest.hexdigest()
