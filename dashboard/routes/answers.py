"""What the routes share: who asks, which row is meant, and how a refusal is answered."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import TypeVar

import anyio
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from dashboard.console import Console
from dashboard.gate import WHO
from dashboard.pages_html import page
from dashboard.routes.forms import Refused, status_of
from dashboard.routes.login import origin_of
from dashboard.texts import mark, preferred
from leap_pipeline.errors import DataError, LeapError, NotFound, TransientError
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.sessions import SignedIn

T = TypeVar("T")
logger = logging.getLogger("leap.console")
HIGHEST_ID = 2**31 - 1
RETRY_SECONDS = 3


def who_of(request: Request) -> SignedIn:
    """The person whom the gate let in."""
    found: SignedIn = request.scope[WHO]
    return found


def actor_of(request: Request) -> Actor:
    who, origin = who_of(request), origin_of(request)
    return Actor(who.user_id, who.email, origin.ip_address, origin.user_agent)


def language_of(request: Request) -> str:
    """What the person chose, or else what the browser prefers."""
    return who_of(request).language or preferred(request.headers.get("accept-language", ""))


def number_in(request: Request, name: str = "id") -> int:
    """A row's number in the address; what is none is the number of no row."""
    text = request.path_params[name]
    found = int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
    if not 0 < found <= HIGHEST_ID:
        msg = f"There is no recording {text:.20}."
        raise NotFound(msg)
    return found


@contextmanager
def scope_of(console: Console, who: SignedIn) -> Iterator[Session]:
    """A transaction that sees what the person may look at: one's own rows, for an admin all."""
    database = console.database
    with database.system() if who.rights.is_admin else database.tenant(who.user_id) as session:
        yield session


@asynccontextmanager
async def in_thread(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """A context manager that works on the disk, begun and ended off the event loop."""
    entered = await run_in_threadpool(manager.__enter__)
    try:
        yield entered
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            told = type(error), error, error.__traceback__
            if not await run_in_threadpool(lambda: manager.__exit__(*told)):
                raise
    else:
        await run_in_threadpool(manager.__exit__, None, None, None)


async def answered(request: Request, act: Callable[[], Awaitable[Response]]) -> Response:
    """What `act` answers, or its refusal: a page for a person, JSON for a script."""
    try:
        return await act()
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    except Refused as error:
        return _refusal(request, error.status, str(error))
    except TransientError as error:
        logger.warning("An answer has to wait: %s", error)
        found = _refusal(
            request, 503, mark("LEAP's database does not answer at the moment: try again.")
        )
        found.headers["retry-after"] = str(RETRY_SECONDS)
        return found
    except DataError as error:
        logger.exception("A request met bad data")
        return _refusal(request, 500, str(error))
    except LeapError as error:
        return _refusal(request, status_of(error), str(error))


def _refusal(request: Request, status: int, sentence: str) -> Response:
    if request.method != "POST" and "text/html" in request.headers.get("accept", ""):
        language = language_of(request)
        title = mark("This did not work")
        return page(
            "message.html", status, language=language, title=title, sentence=sentence, reload=None
        )
    return JSONResponse({"error": sentence}, status, headers={"Cache-Control": "no-store"})
