"""What Zoom sends to a webhook: is it from Zoom, and what of it is needed.

The signature is Zoom's, https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from leap_pipeline.errors import InputError

VALIDATION = "endpoint.url_validation"
# What makes a recording appear or change; all else is answered politely and forgotten.
COMPLETED, RENAMED = "recording.completed", "recording.renamed"
HEARD = frozenset({COMPLETED, RENAMED})
OLDEST = timedelta(minutes=5)
LONGEST = 255
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)
# A timestamp has seconds; one of 13 digits has milliseconds.
_TIMESTAMP = re.compile(r"[0-9]{9,13}", re.ASCII)
_MILLISECONDS = 100_000_000_000
_LATEST_MILLISECONDS = 253_402_300_799_000  # the year 9999
# No colon: what is answered to a token must never sign “v0:timestamp:body”.
_PLAIN_TOKEN = re.compile(r"[A-Za-z0-9_=+/.-]{1,200}", re.ASCII)


def is_timely(timestamp: str, now: datetime) -> bool:
    """Is it a time within 5 minutes of now, before or after?"""
    if not _TIMESTAMP.fullmatch(timestamp):
        return False
    seconds = int(timestamp)
    if seconds >= _MILLISECONDS:
        seconds //= 1000
    return abs(now.timestamp() - seconds) <= OLDEST.total_seconds()


def is_signed(secret: str, timestamp: str, signature: str, body: bytes) -> bool:
    """Does the signature fit the body as it arrived? Takes the same time either way."""
    message = b"v0:" + timestamp.encode() + b":" + body
    wanted = "v0=" + _mac(secret, message)
    return hmac.compare_digest(wanted.encode(), signature.encode())


@dataclass(frozen=True)
class Challenge:
    """Zoom asks whether this address knows the secret."""

    plain_token: str

    def answer(self, secret: str) -> dict[str, str]:
        """The body of the answer."""
        encrypted = _mac(secret, self.plain_token.encode())
        return {"plainToken": self.plain_token, "encryptedToken": encrypted}


@dataclass(frozen=True)
class Ignored:
    """An event that LEAP has no use for."""

    event: str


@dataclass(frozen=True)
class ZoomEvent:
    """A meeting's recording appeared or changed. Holds nothing that opens it."""

    event: str
    meeting: str
    """The meeting's UUID."""
    account: str | None
    host_id: str | None
    host_email: str | None
    at: datetime | None
    """When it happened, by Zoom's clock."""
    body_digest: str
    """SHA-256 of the body (hex)."""

    def digest(self, credential_id: int | None) -> str:
        """SHA-256 of what makes it the same event at the same address (hex, 64)."""
        when = self.at or self.body_digest
        pieces = (self.event, self.account, self.meeting, str(when), credential_id)
        return hashlib.sha256(repr(pieces).encode()).hexdigest()


class Concern(StrEnum):
    """Does an event concern a source?"""

    YES = "yes"
    MAYBE = "maybe"
    """It does not say enough; polling tells."""
    NO = "no"


def concern_of(reads: str | None, *, host_id: str | None, host_email: str | None) -> Concern:
    """Whether a source that reads one person's recordings (an id or an address; None: everybody's)
    is told of this host's.
    """
    if reads is None:
        return Concern.YES
    told = host_email if "@" in reads else host_id
    if told is None:
        return Concern.MAYBE
    return Concern.YES if told.casefold() == reads.casefold() else Concern.NO


def read_event(body: bytes) -> ZoomEvent | Challenge | Ignored:
    """What a signed body says. Raises InputError for one that cannot be read."""
    try:
        found = _Body.model_validate_json(body)
        if found.event == VALIDATION:
            return Challenge(_Token.model_validate(found.payload).plain_token)
        if found.event not in HEARD:
            return Ignored(found.event)
        payload = _Payload.model_validate(found.payload)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        msg = f"The event cannot be read ({where or 'body'}): send it as Zoom documents it."
        raise InputError(msg) from None
    about = payload.about
    return ZoomEvent(
        event=found.event,
        meeting=about.uuid,
        account=payload.account_id or about.account_id,
        host_id=about.host_id,
        host_email=about.host_email,
        at=_moment(found.event_ts),
        body_digest=hashlib.sha256(body).hexdigest(),
    )


def _storable(value: Any) -> str:
    """A name as Zoom gives them; PostgreSQL's text, for one, has no NUL."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable():
        return value
    msg = "is no name that Zoom gives"
    raise ValueError(msg)


def _if_storable(value: Any) -> str | None:
    try:
        return _storable(value)
    except ValueError:
        return None


def _plain_token(value: Any) -> str:
    if isinstance(value, str) and _PLAIN_TOKEN.fullmatch(value):
        return value
    msg = "is no token that Zoom makes"
    raise ValueError(msg)


_Name = Annotated[str, BeforeValidator(_storable)]
_MaybeName = Annotated[str | None, BeforeValidator(_if_storable)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Body(_Part):
    event: _Name
    event_ts: Any = None
    payload: dict[str, Any] = {}


class _Token(_Part):
    plain_token: Annotated[str, Field(alias="plainToken"), BeforeValidator(_plain_token)]


class _About(_Part):
    uuid: _Name
    account_id: _MaybeName = None
    host_id: _MaybeName = None
    host_email: _MaybeName = None


class _Payload(_Part):
    about: Annotated[_About, Field(alias="object")]
    account_id: _MaybeName = None


def _moment(milliseconds: Any) -> datetime | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int):
        return None
    if not 0 <= milliseconds <= _LATEST_MILLISECONDS:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _mac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
