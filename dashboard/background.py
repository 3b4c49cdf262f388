"""Work that a page begins and looks at again, in threads of this process.

Each piece has an owner and a name. It ends by itself, within a time that whoever wrote it bounds;
how it ended is kept until the same piece begins anew, or others have come after it.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dashboard.texts import mark
from leap_pipeline.errors import AlreadyRunning, LeapError
from leap_pipeline.redaction import redact

AT_ONCE, OF_ONE_OWNER = 8, 2
REMEMBERED = 1000
BROKEN = mark("This met an error: the server's log says which.")
logger = logging.getLogger("leap.console")


@dataclass(frozen=True)
class Piece:
    """`result` or `error` (a sentence), once `ended_at` is there."""

    began_at: datetime
    ended_at: datetime | None = None
    result: Any = None
    error: str | None = None

    @property
    def is_running(self) -> bool:
        return self.ended_at is None


class Background:
    """Safe between threads; the threads do not keep the process alive."""

    def __init__(self, at_once: int = AT_ONCE, of_one_owner: int = OF_ONE_OWNER) -> None:
        self._at_once, self._of_one_owner = at_once, of_one_owner
        self._pieces: OrderedDict[tuple[str, str], Piece] = OrderedDict()
        self._guard = threading.Lock()

    def begin(self, owner: str, name: str, work: Callable[[], Any]) -> None:
        """Raises AlreadyRunning where it runs, or too much else does."""
        key = (owner, name)
        with self._guard:
            self._require_room(key)
            piece = self._pieces[key] = Piece(datetime.now(UTC))
            self._pieces.move_to_end(key)
            self._forget_old()
        threading.Thread(
            target=self._run, args=(key, piece, work), name=f"work-{name}", daemon=True
        ).start()

    def look(self, owner: str, name: str) -> Piece | None:
        """How a piece is doing; None where it never began, or is forgotten."""
        with self._guard:
            return self._pieces.get((owner, name))

    def forget(self, owner: str, name: str) -> None:
        """Drop what ended; what runs goes on."""
        with self._guard:
            piece = self._pieces.get((owner, name))
            if piece is not None and not piece.is_running:
                del self._pieces[owner, name]

    def _require_room(self, key: tuple[str, str]) -> None:
        running = [each for each, piece in self._pieces.items() if piece.is_running]
        if key in running:
            msg = "This is under way already: wait for it to end."
            raise AlreadyRunning(msg)
        mine = sum(owner == key[0] for owner, _ in running)
        if mine >= self._of_one_owner or len(running) >= self._at_once:
            msg = "Other work is under way: begin this when it has ended."
            raise AlreadyRunning(msg)

    def _forget_old(self) -> None:
        ended = [key for key, piece in self._pieces.items() if not piece.is_running]
        for key in ended[: max(0, len(self._pieces) - REMEMBERED)]:
            del self._pieces[key]

    def _run(self, key: tuple[str, str], piece: Piece, work: Callable[[], Any]) -> None:
        result, error = None, None
        try:
            result = work()
        except LeapError as failed:
            error = redact(str(failed))
        except Exception:  # a bug: its text may name what nobody but an admin shall read
            logger.exception("%s failed", key[1])
            error = BROKEN
        ended = Piece(piece.began_at, datetime.now(UTC), result, error)
        with self._guard:
            self._pieces[key] = ended


BACKGROUND = Background()
"""Of this process."""
