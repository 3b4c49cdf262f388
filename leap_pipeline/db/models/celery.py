"""Tables of celery-sqlalchemy-scheduler, kept for platforms that still run Celery Beat.

Triggers mirror each automation job here (017): nothing else writes the rows of jobs but how they
ran.

https://github.com/AngelLiang/celery-sqlalchemy-scheduler
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from leap_pipeline.db.base import (
    Base,
    EmptyArray,
    EmptyObject,
    SerialId,
    TrueByDefault,
    UpdatedAt,
    ZeroByDefault,
)


class CeleryCrontabSchedule(Base):
    """Five crontab fields and the time zone they are meant in."""

    __tablename__ = "celery_crontab_schedule"

    id: Mapped[SerialId]
    minute: Mapped[str] = mapped_column(String(240), server_default="*")
    hour: Mapped[str] = mapped_column(String(96), server_default="*")
    day_of_week: Mapped[str] = mapped_column(String(64), server_default="*")
    day_of_month: Mapped[str] = mapped_column(String(124), server_default="*")
    month_of_year: Mapped[str] = mapped_column(String(64), server_default="*")
    timezone: Mapped[str] = mapped_column(String(64), server_default="UTC")


class CeleryIntervalSchedule(Base):
    """Every so many of a period (days, hours, minutes, seconds, microseconds)."""

    __tablename__ = "celery_interval_schedule"

    id: Mapped[SerialId]
    every: Mapped[int]
    period: Mapped[str] = mapped_column(String(24))


class CeleryBeatScheduleEntry(Base):
    """One periodic task; either `crontab_id` or `interval_id` says when."""

    __tablename__ = "celery_beat_schedule_entry"
    __table_args__ = (  # beyond the design (017)
        Index("idx_celery_beat_schedule_entry_job", text("(kwargs ->> 'job_id')")),
    )

    id: Mapped[SerialId]
    name: Mapped[str] = mapped_column(String(255), unique=True)
    task: Mapped[str] = mapped_column(String(255))
    crontab_id: Mapped[int | None]
    interval_id: Mapped[int | None]
    args: Mapped[EmptyArray | None]
    kwargs: Mapped[EmptyObject | None]
    queue: Mapped[str | None] = mapped_column(String(255))
    exchange: Mapped[str | None] = mapped_column(String(255))
    routing_key: Mapped[str | None] = mapped_column(String(255))
    expires: Mapped[datetime | None]
    enabled: Mapped[TrueByDefault | None]
    last_run_at: Mapped[datetime | None]
    total_run_count: Mapped[ZeroByDefault | None]
    date_changed: Mapped[UpdatedAt | None]
    description: Mapped[str | None] = mapped_column(Text)
