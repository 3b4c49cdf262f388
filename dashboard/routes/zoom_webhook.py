"""`POST /webhooks/zoom` for LEAP's own app, `/webhooks/zoom/{credential}` for a user's own.

Answers within 3 seconds, as Zoom demands, or 503, after which Zoom sends the event again. A request
costs a row at most; what an event asks for is done by the sensor `webhook_inbox`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leap_pipeline.errors import LeapError
from leap_pipeline.services.webhooks import REFUSED, TOO_MANY, Answer, ZoomWebhooks

logger = logging.getLogger(__name__)

LARGEST_BODY = 512 * 1024
BODY_SECONDS = 5.0
# Zoom waits for 3.
ANSWER_SECONDS = 2.5
WORKERS = 8
WAITING_AT_MOST = 64


class _Refused(Exception):
    """A request that is answered before it is looked at."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


class ZoomWebhookRoutes:
    """The routes, and the threads in which the database is asked. `close` ends them."""

    def __init__(self, webhooks: ZoomWebhooks) -> None:
        self._webhooks = webhooks
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="webhook")
        self._waiting = 0

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/webhooks/zoom", self._of_own_app, methods=["POST"]),
            Route("/webhooks/zoom/{credential_id}", self._of_credential, methods=["POST"]),
        ]

    def close(self) -> None:
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def _of_own_app(self, request: Request) -> Response:
        return await self._answered(request, None)

    async def _of_credential(self, request: Request) -> Response:
        return await self._answered(request, _number(request.path_params["credential_id"]))

    async def _answered(self, request: Request, credential_id: int | None) -> Response:
        try:
            answer = await self._answer(request, credential_id)
        except _Refused as refused:
            return JSONResponse({"error": str(refused)}, refused.status)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return JSONResponse(answer.body, answer.status)

    async def _answer(self, request: Request, credential_id: int | None) -> Answer:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise _Refused(415, "Send the event as application/json.")
        timestamp = request.headers.get("x-zm-request-timestamp", "")
        signature = request.headers.get("x-zm-signature", "")
        if self._webhooks.refuse_early(timestamp, signature):
            return REFUSED
        body = await _body(request)
        if self._waiting >= WAITING_AT_MOST:
            return TOO_MANY
        return await self._received(
            lambda: self._webhooks.receive(credential_id, timestamp, signature, body)
        )

    async def _received(self, receive: Callable[[], Answer]) -> Answer:
        self._waiting += 1
        work = asyncio.get_running_loop().run_in_executor(self._workers, receive)
        work.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(work), ANSWER_SECONDS)
        except TimeoutError:
            raise _Refused(503, "LEAP is busy: send the event again later.") from None
        except LeapError as error:
            logger.warning("A webhook could not be stored: %s", error)
            raise _Refused(503, "LEAP cannot store the event now: send it again later.") from None

    def _done(self, work: asyncio.Future[Answer]) -> None:
        self._waiting -= 1
        if not work.cancelled():
            work.exception()  # looked at, so that nothing is said of one that nobody waits for


def _number(text: str) -> int:
    """A credential's number; 0, which none has, for what is no number."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0


async def _body(request: Request) -> bytes:
    told = request.headers.get("content-length", "0")
    if not told.isascii() or not told.isdigit() or int(told[:12]) > LARGEST_BODY:
        raise _too_large()
    return await _within(_read(request), BODY_SECONDS)


async def _within(reading: Awaitable[bytes], seconds: float) -> bytes:
    try:
        return await asyncio.wait_for(reading, seconds)
    except TimeoutError:
        raise _Refused(408, "The body came too slowly: send it again.") from None


async def _read(request: Request) -> bytes:
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > LARGEST_BODY:
            raise _too_large()
    return bytes(found)


def _too_large() -> _Refused:
    return _Refused(413, f"The body is larger than {LARGEST_BODY} bytes.")
