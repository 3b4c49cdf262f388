"""Who did what, and who tried to log in: tables of the system, beyond the design."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, String, Text, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from leap_pipeline.db.base import Base, BigSerialId, CreatedAt


class AuditEntry(Base):
    """One act. Without foreign keys, because it outlives whom and what it names; append-only."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("idx_audit_log_at", text("at DESC"), text("id DESC")),
        Index("idx_audit_log_owner", "owner_id", text("at DESC")),
        Index("idx_audit_log_subject", "subject_type", "subject_id", text("at DESC")),
        Index("idx_audit_log_actor", "actor_id", text("at DESC")),
    )

    id: Mapped[BigSerialId]
    at: Mapped[CreatedAt]
    actor_id: Mapped[str | None] = mapped_column(String(26))
    actor: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(100))
    subject_type: Mapped[str] = mapped_column(String(50))
    subject_id: Mapped[str] = mapped_column(String(64))
    owner_id: Mapped[str | None] = mapped_column(String(26))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    ip_address: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[str | None] = mapped_column(Text)


class LoginAttempt(Base):
    """One try to log in, under the address that was typed, in lower case."""

    __tablename__ = "login_attempts"
    __table_args__ = (
        Index("idx_login_attempts_email", "email", "at"),
        Index("idx_login_attempts_address", "ip_address", "at"),
        Index("idx_login_attempts_at", "at"),
    )

    id: Mapped[BigSerialId]
    email: Mapped[str] = mapped_column(String(255))
    ip_address: Mapped[str | None] = mapped_column(INET)
    succeeded: Mapped[bool]
    at: Mapped[CreatedAt]
