"""What was spent of YouTube's quota on the last days, as the ledger has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.publishing import QuotaSpent
from leap_pipeline.domain.permissions import Rights, require_admin
from leap_pipeline.domain.youtube_quota import pacific_day

DAYS = 14


@dataclass(frozen=True)
class Spending:
    """Calls and units of one kind on one day of the Pacific; `refused_at`: Google said no."""

    project: str
    day: date
    bucket: str
    kind: str
    calls: int
    units: int
    refused_at: datetime | None


def spendings(
    session: Session, rights: Rights, now: datetime, *, days: int = DAYS
) -> list[Spending]:
    """The last days, newest first; one statement, in the system's scope."""
    require_admin(rights)
    since = pacific_day(now) - timedelta(days=days - 1)
    rows = session.execute(
        select(
            QuotaSpent.project,
            QuotaSpent.day,
            QuotaSpent.bucket,
            QuotaSpent.kind,
            func.sum(QuotaSpent.calls),
            func.sum(QuotaSpent.units),
            func.max(QuotaSpent.refused_at),
        )
        .where(QuotaSpent.day >= since)
        .group_by(QuotaSpent.project, QuotaSpent.day, QuotaSpent.bucket, QuotaSpent.kind)
        .order_by(QuotaSpent.day.desc(), QuotaSpent.project, QuotaSpent.bucket, QuotaSpent.kind)
    )
    return [Spending(*row) for row in rows]
