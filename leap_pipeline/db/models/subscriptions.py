"""Plans, who has which, what was used, and who changed it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Index, Numeric, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leap_pipeline.db.base import (
    Base,
    CreatedAt,
    FalseByDefault,
    SerialId,
    TrueByDefault,
    UpdatedAt,
    ZeroByDefault,
)
from leap_pipeline.db.models.users import AuthorId, OwnerId


class SubscriptionPlan(Base):
    """A plan: quotas (NULL = unlimited) and prices in US dollars."""

    __tablename__ = "subscription_plans"
    __table_args__ = (Index("idx_subscription_plans_active", "is_active", "sort_order"),)

    id: Mapped[SerialId]
    name: Mapped[str] = mapped_column(String(50), unique=True)
    display_name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(Text)

    included_recordings_per_month: Mapped[int | None]
    included_storage_gb: Mapped[int | None]
    max_concurrent_tasks: Mapped[int | None]
    max_automation_jobs: Mapped[int | None]
    min_automation_interval_hours: Mapped[int | None]

    price_monthly: Mapped[Decimal] = mapped_column(server_default=text("0"))
    price_yearly: Mapped[Decimal] = mapped_column(server_default=text("0"))
    overage_price_per_unit: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    overage_unit_type: Mapped[str | None] = mapped_column(String(50))

    is_active: Mapped[TrueByDefault]
    sort_order: Mapped[ZeroByDefault | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]


class UserSubscription(Base):
    """A user's plan with the user's own limits (NULL = the plan's)."""

    __tablename__ = "user_subscriptions"
    __table_args__ = (
        Index("idx_user_subscriptions_user", "user_id"),
        Index("idx_user_subscriptions_plan", "plan_id"),
        Index("idx_user_subscriptions_expires", "expires_at"),
        Index("idx_user_subscriptions_created_by", "created_by"),
        Index("idx_user_subscriptions_modified_by", "modified_by"),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId] = mapped_column(unique=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey(SubscriptionPlan.id, ondelete="RESTRICT"))

    custom_max_recordings_per_month: Mapped[int | None]
    custom_max_storage_gb: Mapped[int | None]
    custom_max_concurrent_tasks: Mapped[int | None]
    custom_max_automation_jobs: Mapped[int | None]
    custom_min_automation_interval_hours: Mapped[int | None]

    pay_as_you_go_enabled: Mapped[FalseByDefault]
    pay_as_you_go_monthly_limit: Mapped[Decimal | None]

    starts_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]

    created_by: Mapped[AuthorId | None]
    modified_by: Mapped[AuthorId | None]
    notes: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    plan: Mapped[SubscriptionPlan] = relationship(lazy="joined", innerjoin=True)


class QuotaUsage(Base):
    """What a user used in one month; `period` is `YYYYMM` in UTC, storage is in GB."""

    __tablename__ = "quota_usage"
    __table_args__ = (
        UniqueConstraint("user_id", "period", name="unique_user_period"),
        Index("idx_quota_usage_user_period", "user_id", text("period DESC")),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId]
    period: Mapped[str] = mapped_column(String(6))
    recordings_count: Mapped[ZeroByDefault | None]
    storage_used_gb: Mapped[Decimal | None] = mapped_column(server_default=text("0"))
    tasks_run_count: Mapped[ZeroByDefault | None]
    automation_runs_count: Mapped[ZeroByDefault | None]
    last_updated_at: Mapped[UpdatedAt | None]


class QuotaChange(Base):
    """Who changed whose plan or limits, from what to what, and why."""

    __tablename__ = "quota_change_history"
    __table_args__ = (
        Index("idx_quota_history_user", "user_id", text("created_at DESC")),
        Index("idx_quota_history_admin", "admin_user_id"),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId]
    admin_user_id: Mapped[AuthorId | None]
    change_type: Mapped[str] = mapped_column(String(50))
    old_value: Mapped[dict[str, Any] | None]
    new_value: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt | None]
