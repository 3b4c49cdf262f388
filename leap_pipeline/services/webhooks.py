"""Webhooks as they arrive: who signed them, and one row in the inbox for each event.

What is answered says nothing of which credentials there are: a wrong signature, an old one, and an
address that nobody has look the same. Only who knows the secret gets any other answer.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import WebhookEvent
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.credentials import (
    CredentialPlatform,
    ZoomServerToServer,
    ZoomUser,
    parse_credential,
    secrets_of,
)
from leap_pipeline.domain.zoom_events import (
    SIGNATURE,
    Challenge,
    Ignored,
    ZoomEvent,
    is_signed,
    is_timely,
    read_event,
)
from leap_pipeline.errors import InputError, LeapError
from leap_pipeline.redaction import remember
from leap_pipeline.security.vault import Vault
from leap_pipeline.settings import Settings

ZOOM = "zoom"
LARGEST_ID = 2**31 - 1
# A secret is looked up anew after so long: one that was just entered is soon known.
SECRET_SECONDS = 5.0
SECRETS_KEPT = 1000
# Addresses that are not known yet cost a look at the database each.
LOOKUPS_PER_SECOND = 50
# Of one credential's events so many may wait; its owner, who has the secret, can sign any number.
WAITING_AT_MOST = 500
TOLD_EVERY_SECONDS = 10.0

logger = logging.getLogger(__name__)

Status = Literal[200, 400, 401, 429]


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the JSON to send with it."""

    status: Status
    body: dict[str, Any] = field(default_factory=dict)


REFUSED = Answer(401, {"error": "The signature is missing, wrong or too old."})
TOO_MANY = Answer(429, {"error": "Too many requests: send it again later."})
TAKEN = Answer(200, {"status": "accepted"})


class Busy(LeapError):
    """More is asked than is looked up at once."""


class ZoomWebhooks:
    """Takes what Zoom sends. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        own = settings.zoom_webhook_secret
        self._own = own.get_secret_value().strip() if own is not None else ""
        if self._own:
            remember(self._own)
        self._secrets = _Secrets(database, vault, monotonic)
        self._told = _Seldom(TOLD_EVERY_SECONDS, monotonic)

    def refuse_early(self, timestamp: str, signature: str) -> bool:
        """Can this be refused without a look at anything? Costs nothing."""
        return not (is_timely(timestamp, self._clock()) and SIGNATURE.fullmatch(signature))

    def receive(
        self, credential_id: int | None, timestamp: str, signature: str, body: bytes
    ) -> Answer:
        """Take one request: to the address of a credential, or of LEAP's own app (None).

        Raises TransientError or UserActionError where the database cannot be used.
        """
        if self.refuse_early(timestamp, signature):
            return self._refused(credential_id, "its time or signature is not Zoom's form")
        try:
            secret = self._own if credential_id is None else self._secrets.get(credential_id)
        except Busy:
            return TOO_MANY
        # Without a secret the same work is done, with one that nobody knows.
        right = is_signed(secret or secrets.token_hex(16), timestamp, signature, body)
        if not (right and secret):
            reason = "its signature is wrong" if secret else "no secret is known for its address"
            return self._refused(credential_id, reason)
        try:
            found = read_event(body)
        except InputError as error:
            return Answer(400, {"error": str(error)})
        if isinstance(found, Challenge):
            return Answer(200, found.answer(secret))
        if isinstance(found, Ignored):
            return Answer(200, {"status": "ignored"})
        return self._store(found, credential_id)

    def _store(self, event: ZoomEvent, credential_id: int | None) -> Answer:
        """One row, once: Zoom sends an event again until it is answered."""
        with self._database.system() as session:
            if credential_id is not None and _is_full(session, credential_id):
                return TOO_MANY
            session.execute(_new_row(event, credential_id).on_conflict_do_nothing())
        return TAKEN

    def _refused(self, credential_id: int | None, reason: str) -> Answer:
        if self._told.may():
            where = "LEAP's own app" if credential_id is None else f"credential {credential_id}"
            logger.warning("A webhook for %s was refused: %s.", where, reason)
        return REFUSED


def zoom_credential(
    vault: Vault, platform: str, encrypted: str
) -> ZoomServerToServer | ZoomUser | None:
    """A stored Zoom account; None where it is none, or cannot be read."""
    if platform != CredentialPlatform.ZOOM:
        return None
    try:
        found = parse_credential(platform, vault.decrypt(encrypted))
    except LeapError:
        return None
    remember(*secrets_of(found))
    return found if isinstance(found, ZoomServerToServer | ZoomUser) else None


def count_webhook_secrets(database: Database, vault: Vault) -> int:
    """How many Zoom accounts have a webhook secret."""
    with database.system() as session:
        rows = session.execute(
            select(UserCredential.platform, UserCredential.encrypted_data).where(
                UserCredential.platform == CredentialPlatform.ZOOM
            )
        ).all()
    found = [zoom_credential(vault, *row) for row in rows]
    return sum(each is not None and each.webhook_secret is not None for each in found)


class _Secrets:
    """The webhook secrets of credentials, remembered for seconds, and so is that there is none."""

    def __init__(self, database: Database, vault: Vault, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._vault = vault
        self._monotonic = monotonic
        self._guard = threading.Lock()
        # Apart: who tries many addresses must not drive out the ones that there are.
        self._known: OrderedDict[int, tuple[float, str]] = OrderedDict()
        self._unknown: OrderedDict[int, tuple[float, str]] = OrderedDict()
        self._second, self._lookups = 0, 0

    def get(self, credential_id: int) -> str:
        """The secret; empty where there is none. Raises Busy beyond 50 lookups in a second."""
        now = self._monotonic()
        with self._guard:
            until, found = self._remembered(credential_id)
            if now < until or (self._is_busy(int(now)) and found):
                return found
            self._count()
        found = self._look_up(credential_id) if credential_id <= LARGEST_ID else ""
        with self._guard:
            self._remember(credential_id, now + SECRET_SECONDS, found)
        return found

    def _remembered(self, credential_id: int) -> tuple[float, str]:
        nothing = (float("-inf"), "")
        return self._known.get(credential_id) or self._unknown.get(credential_id, nothing)

    def _remember(self, credential_id: int, until: float, secret: str) -> None:
        right, other = (self._known, self._unknown)[:: 1 if secret else -1]
        other.pop(credential_id, None)
        right[credential_id] = (until, secret)
        right.move_to_end(credential_id)
        while len(right) > SECRETS_KEPT:
            right.popitem(last=False)

    def _is_busy(self, second: int) -> bool:
        if second != self._second:
            self._second, self._lookups = second, 0
        return self._lookups >= LOOKUPS_PER_SECOND

    def _count(self) -> None:
        if self._lookups >= LOOKUPS_PER_SECOND:
            msg = "Too many addresses are asked for at once."
            raise Busy(msg)
        self._lookups += 1

    def _look_up(self, credential_id: int) -> str:
        with self._database.system() as session:
            row = session.execute(
                select(UserCredential.platform, UserCredential.encrypted_data).where(
                    UserCredential.id == credential_id
                )
            ).one_or_none()
        found = None if row is None else zoom_credential(self._vault, *row)
        secret = None if found is None else found.webhook_secret
        return "" if secret is None else secret.get_secret_value()


class _Seldom:
    """True at most once in so many seconds: a log is not for strangers to fill."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._next = float("-inf")

    def may(self) -> bool:
        now = self._monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def _is_full(session: Session, credential_id: int) -> bool:
    waiting = (
        select(WebhookEvent.id)
        .where(WebhookEvent.finished_at.is_(None), WebhookEvent.credential_id == credential_id)
        .limit(WAITING_AT_MOST)
        .subquery()
    )
    found = session.scalar(select(func.count()).select_from(waiting))
    return (found or 0) >= WAITING_AT_MOST


def _new_row(event: ZoomEvent, credential_id: int | None) -> Any:
    hosts = {"host_id": event.host_id, "host_email": event.host_email}
    return insert(WebhookEvent).values(
        provider=ZOOM,
        event=event.event,
        account=event.account,
        subject=event.meeting,
        credential_id=credential_id,
        digest=event.digest(credential_id),
        payload={name: value for name, value in hosts.items() if value is not None},
        event_at=event.at,
    )
