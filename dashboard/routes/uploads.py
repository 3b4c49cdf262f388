"""Files that people upload from the console.

    GET  /uploads                       a small page of our own, for a frame
    POST /uploads/check?name=&size=     may it come? asked before a byte is sent
    POST /uploads?name=&modified=       the file itself as the body; answers with its recording

A body goes straight to the disk. Whatever ends it early leaves nothing there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
from anyio import to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from ulid import ULID

from dashboard.console import Console
from dashboard.pages_html import page
from dashboard.routes.answers import actor_of, answered, in_thread, language_of, who_of
from dashboard.routes.forms import Refused
from dashboard.routes.player import theme_in
from leap_pipeline.services.ingest import Ingested
from leap_pipeline.services.uploads import (
    ABANDONED_SECONDS,
    SCRATCH_PREFIX,
    require_disk,
    require_uploadable,
    take_upload,
    too_large,
)

PIECE = 1024 * 1024
# After so many bytes the disk is asked for room again.
ASK_EVERY = 64 * 1024**2
IDLE_SECONDS = 60.0
MOST_AT_ONCE = 3
VERIFIED_AT_ONCE = 2
# So much of a body that is refused is read, since a browser shows no answer before it has sent all.
READ_ANYWAY = 1024 * 1024
READ_ANYWAY_SECONDS = 30.0


class UploadRoutes:
    """The routes; they count what each person is sending."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._sending: Counter[str] = Counter()
        self._verifying = anyio.CapacityLimiter(VERIFIED_AT_ONCE)

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/uploads", self._page, methods=["GET"]),
            Route("/uploads", self._upload, methods=["POST"]),
            Route("/uploads/check", self._check, methods=["POST"]),
        ]

    async def _page(self, request: Request) -> Response:
        return page("upload.html", language=language_of(request), theme=theme_in(request))

    async def _check(self, request: Request) -> Response:
        async def act() -> Response:
            await self._allowed(request, _whole(request.query_params.get("size"), "size"))
            return JSONResponse({})

        return await answered(request, act)

    async def _upload(self, request: Request) -> Response:
        async def act() -> Response:
            try:
                size = _whole(request.headers.get("content-length"), "length")
                name = await self._allowed(request, size)
                self._require_turn(who_of(request).user_id)
            except Exception:
                await _read_anyway(request)
                raise
            with self._counted(who_of(request).user_id):
                found = await self._received(request, name, size)
            answer = {"recording_id": found.recording_id, "created": found.created}
            return JSONResponse(answer, 201 if found.created else 200)

        return await answered(request, act)

    async def _allowed(self, request: Request, size: int | None) -> str:
        """The file's name; raises where it may not come."""
        console, who = self._console, who_of(request)
        return await run_in_threadpool(
            require_uploadable,
            console.database,
            console.storage,
            console.settings,
            who.user_id,
            request.query_params.get("name", ""),
            size,
        )

    async def _received(self, request: Request, name: str, size: int | None) -> Ingested:
        storage = self._console.storage
        await run_in_threadpool(
            lambda: storage.sweep_scratch(SCRATCH_PREFIX, idle=ABANDONED_SECONDS)
        )
        async with in_thread(storage.scratch(f"{SCRATCH_PREFIX}{ULID()}")) as folder:
            path = folder / "received"
            came = await self._written(request, path, name)
            if came == 0 or size not in (None, came):
                raise Refused(400, f"“{name}” did not arrive whole: upload it again.")
            return await to_thread.run_sync(
                lambda: self._taken(request, path, name), limiter=self._verifying
            )

    async def _written(self, request: Request, path: Path, name: str) -> int:
        """The bytes that came."""
        most = self._console.settings.download_max_bytes
        came, ask_at = 0, ASK_EVERY
        file = await run_in_threadpool(path.open, "xb", buffering=0)
        async with in_thread(file):
            async for piece in _pieces(request):
                came += len(piece)
                if came > most:
                    raise too_large(name, self._console.settings)
                if came >= ask_at:
                    ask_at = came + ASK_EVERY
                    await run_in_threadpool(require_disk, self._console.storage, name)
                await run_in_threadpool(_write, file, piece)
        return came

    def _taken(self, request: Request, path: Path, name: str) -> Ingested:
        console = self._console
        return take_upload(
            console.database,
            console.storage,
            console.settings,
            path,
            name=name,
            email=who_of(request).email,
            actor=actor_of(request),
            modified=_seconds(request.query_params.get("modified", "")),
        )

    def _require_turn(self, user_id: str) -> None:
        if self._sending[user_id] >= MOST_AT_ONCE:
            msg = f"You are uploading {MOST_AT_ONCE} files already: wait until one is there."
            raise Refused(429, msg)

    @contextmanager
    def _counted(self, user_id: str) -> Iterator[None]:
        self._sending[user_id] += 1
        try:
            yield
        finally:
            self._sending[user_id] -= 1
            if not self._sending[user_id]:
                del self._sending[user_id]


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a thread's while; raises where none comes any more."""
    stream = request.stream()
    gathered = bytearray()
    while True:
        try:
            gathered += await asyncio.wait_for(anext(stream), IDLE_SECONDS)
        except StopAsyncIteration:
            break
        except TimeoutError:
            msg = f"Nothing came for {IDLE_SECONDS:.0f} seconds: upload the file again."
            raise Refused(408, msg) from None
        if len(gathered) >= PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


async def _read_anyway(request: Request) -> None:
    came = 0
    # Whoever goes away or is slow meanwhile hears nothing of the refusal: it is still the answer.
    with suppress(TimeoutError, Refused):
        async with asyncio.timeout(READ_ANYWAY_SECONDS):
            async for piece in _pieces(request):
                came += len(piece)
                if came > READ_ANYWAY:
                    return


def _write(file: object, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[file.write(view) :]  # type: ignore[attr-defined]


def _seconds(text: str) -> float | None:
    """When the browser says that the file was written; a date before 1970 or none is no error."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= 18
    return int(text) / 1000 if is_number else None


def _whole(text: str | None, what: str) -> int | None:
    """A number that a browser sends; None where it sends none."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Refused(400, f"The file's {what} is no whole number: load the page again.")
    return int(text)
