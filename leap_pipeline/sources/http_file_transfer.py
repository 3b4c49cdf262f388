"""What each connection of a download does: ask for a piece, receive it, try again."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leap_pipeline.domain.file_versions import FileVersion, version_of
from leap_pipeline.errors import UserActionError
from leap_pipeline.sources.http_file_pieces import EMPTY, Piece, Pieces
from leap_pipeline.sources.http_file_requests import (
    Answer,
    Busy,
    Changed,
    FileSource,
    LinkUsedUp,
    Requests,
    Route,
    Trouble,
    sort_out,
)
from leap_pipeline.sources.http_file_route import Routes

if TYPE_CHECKING:
    from leap_pipeline.sources.http_file import Tuning, UnfinishedFile

AGENT = "LEAP"
IDLE_SECONDS = 0.05
FIRST_BACKOFF = 0.25
REFUSED_AFTER = 3
OTHER_BYTES = "the server sent other bytes than it was asked for"
MORE_BYTES = "the server sent more bytes than it said"
UNSATISFIED = "the server answered 416"
CUT = "the connection was cut"
SLOW = "the connection was too slow"
CHANGED = "the file changed"
SHORTER = "the file became shorter"
ANOTHER = "the source has another file now"
_PAGES = (b"<!doctype html", b"<html")
_chance = secrets.SystemRandom()


class Transfer:
    """`serve` runs in every thread; what it finds can be read from any."""

    def __init__(
        self,
        source: FileSource,
        target: UnfinishedFile,
        requests: Requests,
        tuning: Tuning,
        admit: Callable[[int], None],
    ) -> None:
        self.pieces = Pieces(target, tuning, admit)
        self._routes = Routes(source)
        self._target = target
        self._requests = requests
        self._tuning = tuning
        self._admit = admit
        self._came: dict[int, int] = {}
        self._extra_refused = False
        self.stopped = threading.Event()
        self.failure: BaseException | None = None
        self.wanted = 1
        self.fetched = 0
        """Bytes that came over the line, whatever became of them."""
        self.trouble = ""
        self.stormed = False
        self.paused_until: datetime | None = None

    def refusal_taken(self) -> bool:
        """Whether the server refused one connection more, since this was asked last."""
        refused, self._extra_refused = self._extra_refused, False
        return refused

    def serve(self, number: int) -> None:
        """Bring piece after piece until the file is whole, or this connection is one too many."""
        failures = 0
        try:
            while not self._over(number):
                self._wait_for_pause()
                piece = self.pieces.take(number, self.wanted)
                if piece is None:
                    self.stopped.wait(IDLE_SECONDS)
                    continue
                failures = self._try(piece, failures)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that asked
            self.failure = self.failure or error

    def _over(self, number: int) -> bool:
        ended = self.pieces.finished.is_set() or self.stopped.is_set()
        return ended or number >= self.wanted

    def _wait_for_pause(self) -> None:
        until = self.paused_until
        if until is not None:
            self.stopped.wait(max((until - datetime.now(UTC)).total_seconds(), 0.0))

    def _try(self, piece: Piece, failures: int) -> int:
        """One request; how many in a row have failed without a byte."""
        begun = time.monotonic()
        self._came[piece.number] = 0
        try:
            self._bring(piece)
        except Trouble as trouble:
            failures = 1 if self._came[piece.number] else failures + 1
            self._note(piece, trouble, failures)
            longest = min(FIRST_BACKOFF * 2 ** min(failures, 10), self._tuning.longest_backoff)
            self.stopped.wait(_chance.uniform(0, longest))
            return failures
        finally:
            self.pieces.give_back(piece)
        self.pieces.measure(piece, time.monotonic() - begun)
        return 0

    def _note(self, piece: Piece, trouble: Trouble, failures: int) -> None:
        self.trouble = str(trouble)
        if isinstance(trouble, Changed):
            self.pieces.drop(piece)
        elif piece.number > 0 and (isinstance(trouble, Busy) or failures >= REFUSED_AFTER):
            self._extra_refused = True
        elif isinstance(trouble, Busy):
            self.stormed, self.paused_until = True, trouble.until

    def _bring(self, piece: Piece) -> None:
        route = self._routes.now(self.stopped)
        version = piece.version
        if version is not None and version.identity != route.link.identity:
            raise Changed(ANOTHER)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": AGENT}
        if piece.stop is not None:
            headers["Range"] = f"bytes={piece.start}-{piece.stop - 1}"
        if version is not None and version.validator is not None:
            headers["If-Range"] = version.validator
        try:
            with self._requests.get(route, headers) as answer:
                sort_out(answer)
                self._receive(piece, answer, route)
        except LinkUsedUp as trouble:
            self._routes.used_up(route, trouble)
            raise
        except Trouble:
            route.landed(None)
            raise

    def _receive(self, piece: Piece, answer: Answer, route: Route) -> None:
        if answer.status == 416:
            self._out_of_range(piece, answer)
        elif answer.status == 200:
            version = _version(answer, answer.length, route)
            self._read(piece, answer, 0, version.total, self.pieces.begin(piece, version))
        elif piece.version is None:
            self._receive_first(piece, answer, route)
        else:
            part = answer.part
            if part is None or part.start != piece.start or part.stop > (piece.stop or 0):
                raise Trouble(OTHER_BYTES)
            if not piece.version.allows(answer.headers, part.total):
                raise Changed(CHANGED)
            self._read(piece, answer, part.start, part.stop, piece.epoch)

    def _receive_first(self, piece: Piece, answer: Answer, route: Route) -> None:
        part = answer.part
        if part is None or part.start != 0:
            raise Trouble(OTHER_BYTES)
        version = _version(answer, part.total, route)
        if part.total is None or (version.validator is None and part.stop < part.total):
            self.pieces.whole = True
            return
        self._read(piece, answer, 0, part.stop, self.pieces.begin(piece, version))

    def _out_of_range(self, piece: Piece, answer: Answer) -> None:
        if piece.version is not None:
            raise Changed(SHORTER)
        if answer.unsatisfied_total == 0:
            raise UserActionError(EMPTY)
        if self.pieces.whole:
            raise Trouble(UNSATISFIED)
        self.pieces.whole = True

    def _read(
        self, piece: Piece, answer: Answer, start: int, stop: int | None, epoch: int | None
    ) -> None:
        at, file = start, None if epoch is None else self.pieces.file_of(epoch)
        if epoch is None or file is None:
            return
        window = (time.monotonic(), start)
        for chunk in answer.chunks():
            if self.stopped.is_set() or self.pieces.is_past(epoch):
                return
            if at == 0 and chunk.lstrip()[:16].lower().startswith(_PAGES):
                raise LinkUsedUp(200)
            self._store(piece, file, at, chunk, stop)
            self.pieces.count(epoch, at, len(chunk))
            at += len(chunk)
            window = self._not_too_slow(piece, window, at)
        if stop is None:
            self.pieces.end(epoch, at)
        elif at < stop:
            raise Trouble(CUT)

    def _store(self, piece: Piece, file: int, at: int, chunk: bytes, stop: int | None) -> None:
        end = at + len(chunk)
        self.fetched += len(chunk)
        self._came[piece.number] += len(chunk)
        if stop is not None and end > stop:
            raise Trouble(MORE_BYTES)
        if end > self._tuning.most_bytes:
            self._admit(end)
        self._target.write(file, at, chunk)
        self.stormed, self.paused_until = False, None
        self._routes.good()

    def _not_too_slow(self, piece: Piece, window: tuple[float, int], at: int) -> tuple[float, int]:
        """A new connection costs nothing where the bytes that came can be kept."""
        began, before = window
        now = time.monotonic()
        if now - began < self._tuning.slow_seconds:
            return window
        if piece.version is not None and at - before < self._tuning.slow_bytes:
            raise Trouble(SLOW)
        return now, at


def _version(answer: Answer, total: int | None, route: Route) -> FileVersion:
    return version_of(answer.headers, total, route.link.identity, datetime.now(UTC))
