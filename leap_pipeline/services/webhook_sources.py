"""Which sources an event of Zoom concerns: by its address, its account and its host."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, or_, select

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import SourceMetadata
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.models.users import User, UserCredential
from leap_pipeline.domain.credentials import CredentialPlatform, ZoomServerToServer, ZoomUser
from leap_pipeline.domain.zoom_events import RENAMED, Concern, concern_of
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.webhooks import zoom_credential
from leap_pipeline.services.zoom_sources import ZOOM

ACCOUNTS_KEPT = 5000


class ConcernedSources:
    """The sources of all tenants, for rows of the inbox. Safe to share."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._accounts = _Accounts(vault)

    def of(self, event: Row[Any]) -> list[tuple[int, bool]]:
        """The sources that an event concerns, and whether that is sure."""
        query = (
            select(
                InputSource.id,
                InputSource.config,
                UserCredential.platform,
                UserCredential.encrypted_data,
            )
            .join(UserCredential, UserCredential.id == InputSource.credential_id)
            .join(User, User.id == InputSource.user_id)
            .where(
                InputSource.source_type == ZOOM,
                InputSource.is_active.is_(True),
                UserCredential.platform == CredentialPlatform.ZOOM,
                UserCredential.is_active.is_(True),
                User.is_active,
            )
            .order_by(InputSource.id)
        )
        if event.event == RENAMED:
            # Of what was never taken, such as what is older than the source goes, nothing is.
            query = query.where(_is_known(event.subject))
        if event.credential_id is not None:
            query = query.where(UserCredential.id == event.credential_id)
        with self._database.system() as session:
            rows = session.execute(query).all()
        found = []
        for row in rows:
            account = self._accounts.get(row.platform, row.encrypted_data)
            concern = Concern.NO if account is None else _concern(event, account, row.config or {})
            if concern is not Concern.NO:
                found.append((row.id, concern is Concern.YES))
        return found


@dataclass(frozen=True)
class _Account:
    """Whose recordings a Zoom credential reads."""

    kind: type[ZoomServerToServer] | type[ZoomUser]
    account_id: str | None
    host: str | None


class _Accounts:
    """What the stored credentials say of whose they are, decrypted once for each document."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._guard = threading.Lock()
        self._known: OrderedDict[str, _Account | None] = OrderedDict()

    def get(self, platform: str, encrypted: str) -> _Account | None:
        with self._guard:
            if encrypted in self._known:
                return self._known[encrypted]
        found = zoom_credential(self._vault, platform, encrypted)
        account = None
        if found is not None:
            account = _Account(type(found), getattr(found, "account_id", None), found.host)
        with self._guard:
            self._known[encrypted] = account
            while len(self._known) > ACCOUNTS_KEPT:
                self._known.popitem(last=False)
        return account


def _is_known(meeting: str) -> ColumnElement[bool]:
    """The source's owner has a recording of the meeting."""
    key = SourceMetadata.source_key
    return exists().where(
        SourceMetadata.user_id == InputSource.user_id,
        SourceMetadata.source_type == ZOOM,
        or_(key == meeting, key.startswith(f"{meeting}@", autoescape=True)),
    )


def _is_before(at: datetime | None, first: str | None) -> bool:
    """Was it before the day from which a source is read?"""
    try:
        return at is not None and first is not None and at < datetime.fromisoformat(first)
    except (TypeError, ValueError):
        return False


def _concern(event: Row[Any], account: _Account, config: dict[str, Any]) -> Concern:
    """By the address at which the event arrived, then by whose recordings the source reads."""
    own_app = event.credential_id is None
    told = own_app or event.account is not None
    if told and account.kind is ZoomServerToServer and account.account_id != event.account:
        return Concern.NO
    if _is_before(event.event_at, config.get("sync_from_date")):
        return Concern.NO
    reads = config.get("user_id", "me")
    reads = account.host if reads == "me" else reads
    if reads is None and account.kind is ZoomUser:
        return Concern.NO if own_app else Concern.MAYBE
    payload = event.payload
    return concern_of(reads, host_id=payload.get("host_id"), host_email=payload.get("host_email"))
