"""Which bytes of a download are there, which are asked for, and of which version they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leap_pipeline.domain.file_versions import FileVersion
from leap_pipeline.errors import TransientError, UserActionError

if TYPE_CHECKING:
    from leap_pipeline.sources.http_file import Tuning, UnfinishedFile

EMPTY = "The file at the source is empty (0 bytes): wait until it is there, then retry."
ENDLESS = 2**62


@dataclass(frozen=True)
class Piece:
    """What one request asks for; `version` None means the first of a version not known yet.

    `number` is the connection's; `stop` is None where all is asked for, without a range.
    """

    number: int
    epoch: int
    start: int
    stop: int | None
    version: FileVersion | None


class Pieces:
    """Shared by the connections of a download; one epoch is the bringing of one version."""

    def __init__(
        self, target: UnfinishedFile, tuning: Tuning, admit: Callable[[int], None]
    ) -> None:
        self._target = target
        self._tuning = tuning
        self._admit = admit
        self._guard = threading.RLock()
        self._epoch = 0
        self._claims: dict[int, tuple[int, int]] = {}
        self._sizes: dict[int, int] = {}
        self._noted = 0
        self._alone = False
        """The one request is under way that finds out what there is to bring."""
        version = target.version
        self._agreed = version is not None and version.validator is not None
        self._file = target.open() if self._agreed else -1
        self.whole = False
        """All is to be asked for at once: pieces could not be told from another version's."""
        self.restarts = 0
        self.finished = threading.Event()
        self._look_whether_finished()

    @property
    def fraction(self) -> float:
        version = self._target.version
        total = version.total if version is not None else None
        return self._target.done.count / total if total else 0.0

    @property
    def left(self) -> int | None:
        """Bytes still to come; None while that, or a second connection's use, is unknown."""
        version = self._resumable
        if version is None or version.total is None:
            return None
        return version.total - self._target.done.count

    @property
    def _resumable(self) -> FileVersion | None:
        """The version whose bytes count and can be asked for in pieces."""
        version = self._target.version
        return version if self._agreed and version is not None and version.validator else None

    def take(self, number: int, wanted: int) -> Piece | None:
        """What a connection of `wanted` many is to ask for; None while there is nothing for it."""
        with self._guard:
            if self._look_whether_finished() or self._alone:
                return None
            version = self._resumable
            if version is None or version.total is None:
                if self._claims:
                    return None
                self._alone = True
                stop = None if self.whole else self._tuning.first_piece
                return Piece(number, self._epoch, 0, stop, None)
            taken = self._target.done.copy()
            for claim in self._claims.values():
                taken.add(*claim)
            gap = taken.first_gap(version.total)
            if gap is None:
                return None
            span = (gap[0], min(gap[1], gap[0] + self._size(number, wanted)))
            self._claims[number] = span
            return Piece(number, self._epoch, *span, version)

    def give_back(self, piece: Piece) -> None:
        """Its request has ended, whatever it brought."""
        with self._guard:
            self._claims.pop(piece.number, None)
            if piece.version is None:
                self._alone = False
            self._look_whether_finished()

    def file_of(self, epoch: int) -> int | None:
        """Where bytes of an epoch go; None where another has begun."""
        with self._guard:
            return self._file if self._epoch == epoch else None

    def is_past(self, epoch: int) -> bool:
        return self._epoch != epoch

    def drop(self, piece: Piece) -> None:
        """The file at the server is another than the one this piece was asked of."""
        with self._guard:
            if self._epoch == piece.epoch:
                self._agreed = False
                self._epoch += 1

    def begin(self, piece: Piece, version: FileVersion) -> int | None:
        """Start over with a version; its epoch, None where another connection was first."""
        with self._guard:
            if self._epoch != piece.epoch:
                return None
            if version.total == 0:
                raise UserActionError(EMPTY)
            self.restarts += bool(self._target.done.count)
            if self.restarts > self._tuning.restarts:
                msg = "The file could not be fetched in one go, or changed, too often: retry later."
                raise TransientError(msg)
            self._admit(version.total or 0)
            self._file = self._target.begin(version)
            self._epoch += 1
            self._agreed, self._noted = True, 0
            self._claims.clear()
            self._claims[piece.number] = (0, version.total or ENDLESS)
            return self._epoch

    def count(self, epoch: int, start: int, size: int) -> None:
        """Bytes of an epoch have been written."""
        with self._guard:
            if self._epoch != epoch:
                return
            self._target.done.add(start, start + size)
            self._noted += size
            if self._noted >= self._tuning.note_bytes:
                self._noted = 0
                self._target.note()

    def end(self, epoch: int, size: int) -> None:
        """The answer that did not say how long it is has ended properly."""
        with self._guard:
            if self._epoch != epoch:
                return
            if size == 0:
                raise UserActionError(EMPTY)
            self._admit(size)
            self._target.set_total(size)

    def measure(self, piece: Piece, seconds: float) -> None:
        """Make the connection's next piece about as long as the tuning says."""
        if piece.stop is None or seconds <= 0:
            return
        size = piece.stop - piece.start
        wanted = int(size / seconds * self._tuning.piece_seconds)
        longest = min(self._tuning.most_piece, 4 * size)
        self._sizes[piece.number] = max(min(wanted, longest), self._tuning.least_piece)

    def _size(self, number: int, wanted: int) -> int:
        size, left = self._sizes.get(number, self._tuning.first_piece), self.left or 0
        if wanted > 1:  # nobody should have much to do when the others have nothing left
            size = min(size, max(left // (2 * wanted), self._tuning.least_piece))
        return max(size, 1)

    def _look_whether_finished(self) -> bool:
        if self._agreed and self._target.complete:
            self.finished.set()
        return self.finished.is_set()
