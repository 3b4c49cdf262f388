"""What came in from outside, and how fast outside services may be asked. Of the system alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from leap_pipeline.db.base import Base, BigSerialId, EmptyObject, UpdatedAt, ZeroByDefault


class WebhookEvent(Base):
    """One event that a service sent; `digest` is SHA-256 of what makes it the same event.

    `subject` is what it is about (a meeting's UUID), `account` the service's account, and
    `payload` what is needed of the body, without anything that opens a recording. Tried from
    `due_at` on, until `finished_at` is set. `credential_id` is what its address named.
    """

    __tablename__ = "webhook_inbox"
    __table_args__ = (
        Index("idx_webhook_inbox_received", "received_at"),
        Index("idx_webhook_inbox_due", "due_at", postgresql_where=text("finished_at IS NULL")),
    )

    id: Mapped[BigSerialId]
    provider: Mapped[str] = mapped_column(String(20))
    event: Mapped[str] = mapped_column(String(100))
    account: Mapped[str | None] = mapped_column(String(255))
    subject: Mapped[str | None] = mapped_column(String(255))
    credential_id: Mapped[int | None]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    payload: Mapped[EmptyObject]
    event_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    attempts: Mapped[ZeroByDefault]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[UpdatedAt]


class RateBucket(Base):
    """When the next request of a kind may go out (GCRA), for all processes together."""

    __tablename__ = "rate_buckets"

    id: Mapped[BigSerialId]
    key: Mapped[str] = mapped_column(String(255), unique=True)
    next_free_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]
    updated_at: Mapped[UpdatedAt]
