"""Work that a user has scheduled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leap_pipeline.db.base import Base, CreatedAt, SerialId, TrueByDefault, UpdatedAt
from leap_pipeline.db.models.templates import RecordingTemplate
from leap_pipeline.db.models.users import OwnerId


class AutomationJob(Base):
    """A crontab or an interval, and what runs then (`source_ids` [] = all sources)."""

    __tablename__ = "automation_jobs"
    __table_args__ = (
        UniqueConstraint("user_id", "name", name="unique_user_job_name"),
        Index("idx_automation_jobs_user", "user_id", "enabled"),
        Index("idx_automation_jobs_template", "template_id"),
        Index("idx_automation_jobs_enabled", "enabled"),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId]
    template_id: Mapped[int | None] = mapped_column(
        ForeignKey(RecordingTemplate.id, ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    job_type: Mapped[str] = mapped_column(String(50))

    schedule_type: Mapped[str] = mapped_column(String(20))
    crontab_minute: Mapped[str | None] = mapped_column(String(100))
    crontab_hour: Mapped[str | None] = mapped_column(String(100))
    crontab_day_of_week: Mapped[str | None] = mapped_column(String(100))
    crontab_day_of_month: Mapped[str | None] = mapped_column(String(100))
    crontab_month_of_year: Mapped[str | None] = mapped_column(String(100))
    interval_every: Mapped[int | None]
    interval_period: Mapped[str | None] = mapped_column(String(20))

    source_ids: Mapped[list[Any] | None]
    enabled: Mapped[TrueByDefault | None]
    last_run_at: Mapped[datetime | None]
    last_run_status: Mapped[str | None] = mapped_column(String(50))
    last_run_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    template: Mapped[RecordingTemplate | None] = relationship(lazy="raise", viewonly=True)
