"""Work that a user has scheduled, and each time that it was due."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leap_pipeline.db.base import (
    Base,
    BigSerialId,
    CreatedAt,
    EmptyObject,
    FalseByDefault,
    SerialId,
    TrueByDefault,
    UpdatedAt,
    ZeroByDefault,
)
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

    # Beyond the design (016): the time zone of the crontab (NULL = the owner's), the instant from
    # which the interval is counted, and the one before which nothing is due: when it was switched
    # on, or its schedule was changed.
    timezone: Mapped[str | None] = mapped_column(String(50))
    anchored_at: Mapped[datetime] = mapped_column(server_default=func.now())
    armed_at: Mapped[datetime] = mapped_column(server_default=func.now())

    template: Mapped[RecordingTemplate | None] = relationship(lazy="raise", viewonly=True)


class AutomationFiring(Base):
    """One time that a job was due, claimed by whoever fired it.

    `state` is claimed, running, done or failed; `fired_by` is schedule, sensor, dispatcher or
    person; `missed` counts the due times before it that nobody was there for.
    """

    __tablename__ = "automation_firings"
    __table_args__ = (
        UniqueConstraint("job_id", "due_at", name="uq_automation_firings_due"),
        Index("idx_automation_firings_user", "user_id", text("due_at DESC")),
        Index(
            "idx_automation_firings_live",
            "state",
            "requested_at",
            postgresql_where=text("state IN ('claimed', 'running')"),
        ),
    )

    id: Mapped[BigSerialId]
    user_id: Mapped[OwnerId]
    job_id: Mapped[int] = mapped_column(ForeignKey(AutomationJob.id, ondelete="CASCADE"))
    due_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20), server_default="claimed")
    fired_by: Mapped[str] = mapped_column(String(50))
    dry_run: Mapped[FalseByDefault]
    missed: Mapped[ZeroByDefault]
    attempts: Mapped[ZeroByDefault]
    dagster_run_id: Mapped[str | None] = mapped_column(String(64))
    counts: Mapped[EmptyObject]
    error: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    job: Mapped[AutomationJob] = relationship(lazy="raise", viewonly=True)
