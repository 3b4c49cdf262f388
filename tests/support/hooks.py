"""Zoom's requests signed as Zoom signs them, and what is in the inbox."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import WebhookEvent
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings

OWN_SECRET = "canary-of-the-own-app"
USERS_SECRET = "canary-of-the-users-app"
ACCOUNT = "acc-1"
UUID = "/4444AAAi//AAAAiAiAiiAii=="
ADA = "ada@example.edu"
S2S = {"account_id": ACCOUNT, "client_id": "app", "client_secret": "canary-client-secret"}
GRANT = {"access_token": "canary-access-token", "refresh_token": "canary-refresh-token"}


def signed(
    secret: str, body: bytes, at: datetime | None = None, *, kind: str = "application/json"
) -> dict[str, str]:
    """The headers with which Zoom would send it at that time (default: now)."""
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    message = b"v0:" + timestamp.encode() + b":" + body
    signature = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return {
        "content-type": kind,
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": f"v0={signature}",
    }


def completed(uuid: str = UUID, **changes: Any) -> dict[str, Any]:
    """`recording.completed` with everything in it that must not be kept."""
    about = {
        "uuid": uuid,
        "id": 12345678901,
        "account_id": ACCOUNT,
        "host_id": "host-1",
        "host_email": ADA,
        "topic": "Лекция 1",
        "type": 8,
        "start_time": "2026-11-01T10:00:00Z",
        "password": "canary-passcode",
        "recording_play_passcode": "canary-play-passcode",
        "share_url": "https://zoom.example/rec/share/canary-share",
        "recording_files": [
            {
                "id": "f1",
                "status": "completed",
                "download_url": "https://zoom.example/rec/download/canary-file?pwd=canary",
                "play_url": "https://zoom.example/rec/play/canary-play",
            }
        ],
    }
    event = {
        "event": "recording.completed",
        "event_ts": 1735689600123,
        "download_token": "canary-download-token",
        "payload": {"account_id": ACCOUNT, "object": about},
    }
    return event | changes


def raw(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass
class Hooks:
    """A database with users, their Zoom accounts and sources."""

    database: Database
    settings: Settings
    vault: Vault
    count: int = 0

    def user(self) -> str:
        self.count += 1
        with self.database.system() as session:
            return add_user(session, f"user{self.count}@example.org").id

    def credential(self, user_id: str, document: Mapping[str, Any] = S2S) -> int:
        self.count += 1
        editor = Editor(SYSTEM, Rights())
        with self.database.tenant(user_id) as session:
            store = Credentials(session, user_id, self.vault)
            made = store.create("zoom", document, editor, account_name=f"account {self.count}")
        return made.id

    def source(self, user_id: str, credential_id: int | None, **columns: Any) -> int:
        self.count += 1
        later = datetime.now(UTC) + timedelta(hours=9)
        values = {"source_type": "ZOOM", "next_poll_at": later, "config": {}}
        with self.database.tenant(user_id) as session:
            row = InputSource(
                user_id=user_id,
                name=f"source {self.count}",
                credential_id=credential_id,
                **(values | columns),
            )
            session.add(row)
            session.flush()
            return row.id

    def events(self) -> list[WebhookEvent]:
        with self.database.system() as session:
            return list(session.scalars(select(WebhookEvent).order_by(WebhookEvent.id)))

    def is_due_for_polling(self, source_id: int, at: datetime) -> bool:
        with self.database.system() as session:
            due = session.scalar(
                select(InputSource.next_poll_at).where(InputSource.id == source_id)
            )
        return due is None or due <= at


def make_hooks(database: Database, settings: Settings) -> Hooks:
    with_secret = settings.model_copy(update={"zoom_webhook_secret": SecretStr(OWN_SECRET)})
    return Hooks(database, with_secret, load_vault(settings))
