"""Workers that are killed (SIGKILL) at a named point of a publish run, and what is left of it.

A point is named by what is about to happen, in the order in which a whole run meets them: the n-th
commit that writes to some tables (before it, and after it), and the n-th request to an address
(before it, in the middle of what is sent, when all of it was sent, and after the answer).
"""

from __future__ import annotations

import gc
import os
import random
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import httpx
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

WRITE = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")
BEFORE, MIDDLE, SENT, ANSWERED, COMMITTED = "before", "middle of", "all sent of", "after", "after"
NUMBERS = re.compile(r"\d{3,}")


@dataclass
class Points:
    """Every point that a process comes by, and the one at which it ends.

    `fatal` is a name, or the number of the point from 1 on; `seen` writes the names down.
    """

    fatal: str | int | None = None
    seen: list[str] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, what: str) -> int:
        """Which one of its kind it is, from 1 on."""
        with self._lock:
            self._counts[what] += 1
            return self._counts[what]

    def pass_by(self, name: str) -> None:
        with self._lock:
            self.seen.append(name)
            number = len(self.seen)
        if self.fatal in (name, number):
            os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()  # a signal to oneself may take a moment


class WatchedTransport(httpx.BaseTransport):
    """Tells the points around each request, and in it where it has a body."""

    def __init__(self, points: Points, inner: httpx.BaseTransport) -> None:
        self._points = points
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        kind = _kind(request)
        what = f"{kind} {self._points.next(kind)}"
        self._points.pass_by(f"{BEFORE} {what}")
        assert isinstance(request.stream, httpx.SyncByteStream)
        length = int(request.headers.get("content-length", 0))
        if length:
            request.stream = _Body(request.stream, length, self._points, what)
        response = self._inner.handle_request(request)
        self._points.pass_by(f"{ANSWERED} {what}")
        return response

    def close(self) -> None:
        self._inner.close()


class _Body(httpx.SyncByteStream):
    """The same bytes; its middle is a border between two pieces."""

    def __init__(self, inner: httpx.SyncByteStream, length: int, points: Points, what: str) -> None:
        self._inner, self._middle, self._points, self._what = inner, length // 2, points, what

    def __iter__(self) -> Iterator[bytes]:
        sent, middle = 0, self._middle
        for piece in self._inner:
            if sent < middle <= sent + len(piece):
                if middle > sent:
                    yield piece[: middle - sent]
                self._points.pass_by(f"{MIDDLE} {self._what}")
                yield piece[middle - sent :]
            else:
                yield piece
            sent += len(piece)
        self._points.pass_by(f"{SENT} {self._what}")


def watch_commits(points: Points) -> None:
    """Of this process, from now on: those of transactions that write."""
    tables: WeakKeyDictionary[Any, list[str]] = WeakKeyDictionary()
    committing: dict[Session, str] = {}

    def executed(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        transaction = connection.get_transaction()
        if transaction is not None and (found := WRITE.match(statement)):
            written = tables.setdefault(transaction, [])
            if found[1] not in written:
                written.append(found[1])

    def before(session: Session) -> None:
        written = tables.pop(session.connection().get_transaction(), [])
        if written:
            kind = "commit to " + "+".join(written)
            what = committing[session] = f"{kind} {points.next(kind)}"
            points.pass_by(f"{BEFORE} {what}")

    def after(session: Session) -> None:
        if what := committing.pop(session, None):
            points.pass_by(f"{COMMITTED} {what}")

    event.listen(Engine, "before_cursor_execute", executed)
    event.listen(Session, "before_commit", before)
    event.listen(Session, "after_commit", after)


@dataclass(frozen=True)
class Ended:
    """How a forked worker ended; `seen` are the points it came by, `told` what it returned."""

    killed: bool
    seen: tuple[str, ...]
    told: str


def forked(
    act: Callable[[Points], str], folder: Path, fatal: str | int | None, seconds: float | None
) -> Ended:
    """`act(points)` in a child of this process, which must have no threads of its own.

    It ends at the point `fatal`, or so many seconds after its start, or by itself. Raises
    RuntimeError where it failed.
    """
    names, answer = folder / "points", folder / "answer"
    for path in (names, answer):
        path.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _in_child(act, Points(fatal), names, answer, seconds)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    told = answer.read_text("utf-8") if answer.exists() else ""
    if not killed and (not os.WIFEXITED(status) or os.WEXITSTATUS(status) != 0):
        msg = f"a worker failed ({status}): {told}"
        raise RuntimeError(msg)
    seen = tuple(names.read_text("utf-8").splitlines()) if names.exists() else ()
    return Ended(killed, seen, told)


def _in_child(
    act: Callable[[Points], str],
    points: Points,
    names: Path,
    answer: Path,
    seconds: float | None,
) -> None:
    """Never returns."""
    status = 1
    try:
        gc.disable()  # it would copy all that this process shares with its parent
        random.seed()
        if seconds is not None:
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            signal.setitimer(signal.ITIMER_REAL, seconds)
        watch_commits(points)
        answer.write_text(act(points), "utf-8")
        names.write_text("\n".join(points.seen), "utf-8")
        status = 0
    except BaseException as error:  # noqa: BLE001 - the border of a process
        answer.write_text(f"{type(error).__name__}: {error}", "utf-8")
    finally:
        os._exit(status)


def _kind(request: httpx.Request) -> str:
    """A name for requests of one kind: no ids, no secrets."""
    path = NUMBERS.sub("N", request.url.path)
    if request.method == "PUT" and "upload_id" in request.url.params:
        probes = "*/" in request.headers.get("content-range", "")
        return "probe" if probes else "chunk"
    return f"{request.method} {path}"
