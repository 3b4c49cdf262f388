"""A form that a small page of ours sends, and the status of a refusal."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from starlette.requests import Request

from dashboard.texts import mark
from leap_pipeline.errors import (
    DataError,
    InputError,
    LeapError,
    MustWaitError,
    NotAllowed,
    NotFound,
    TransientError,
)

FORM = "application/x-www-form-urlencoded"
LARGEST_FORM = 16 * 1024
MOST_FIELDS = 50
# A small form comes at once; forms are read before anybody has logged in.
LONGEST_SECONDS = 10.0


class Refused(Exception):
    """A request that is answered before anything is done."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def status_of(error: LeapError) -> int:
    """The HTTP status that tells what kind of error it is (RFC 9110, section 15)."""
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, NotAllowed):
        return 403
    if isinstance(error, TransientError | MustWaitError):
        return 503
    if isinstance(error, DataError):
        return 500
    return 400 if isinstance(error, InputError) else 409


async def read_form(request: Request) -> dict[str, str]:
    """The fields, of which the last of a name counts; raises `Refused`."""
    found = await read_body(request)
    try:
        text = found.decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise Refused(400, mark("The form cannot be read: load the page again.")) from None


async def read_body(request: Request) -> bytes:
    """A form as it was sent; raises `Refused`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", FORM):
        raise Refused(415, f"Send the form as {FORM}.")
    found = bytearray()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            async for piece in request.stream():
                found += piece
                if len(found) > LARGEST_FORM:
                    raise Refused(413, f"The form is larger than {LARGEST_FORM} bytes.")
    except TimeoutError:
        raise Refused(408, mark("The form did not arrive in time: send it again.")) from None
    return bytes(found)
