"""What belongs to a user's account: preferences, quota history, the sources of a job."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from leap_pipeline.domain.shapes.base import Id, ListShape, Partial, Shape, each_once
from leap_pipeline.domain.shapes.sources import Count, SyncCounts

Days = Annotated[int, Field(ge=0, le=36_500)]
Limit = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Retention(Partial):
    """`expire_after_days`: after this many days a recording is deleted, null = never.

    `restore_days`: for this many days what was deleted can be restored.
    """

    expire_after_days: Days | None = None
    restore_days: Days | None = None


class Preferences(Partial):
    """`user_configs.preferences`: `language` is that of the console."""

    language: Literal["en", "ru"] | None = None
    retention: Retention = Retention()


class SourceIds(ListShape[Annotated[tuple[Id, ...], AfterValidator(each_once)]]):
    """`automation_jobs.source_ids`; none = all sources of the owner."""


class FiringCounts(Shape):
    """`automation_firings.counts`: what one firing of a job found and did.

    `synced` sums up its sources, of which `sources_failed` could not be read; `planned` recordings
    had something left to do, of which `launched` were queued and `refused` could not be.
    """

    sources: Count = 0
    sources_failed: Count = 0
    synced: SyncCounts = SyncCounts()
    matched: Count = 0
    planned: Count = 0
    launched: Count = 0
    refused: Count = 0


NoticeName = Literal["ready", "failed", "held", "connect"]


class NoticeKinds(ListShape[Annotated[tuple[NoticeName, ...], Field(max_length=4)]]):
    """`notice_channels.kinds`: of which kinds a person wants notices there."""


class PlanValue(Shape):
    """Quota history of plan_upgrade, plan_downgrade and expiry."""

    plan: str = Field(min_length=1)
    expires_at: AwareDatetime | None = None


class OverrideValue(Shape):
    """Quota history of custom_quota_override: what changed; null = what the plan says."""

    custom_max_recordings_per_month: Limit | None = None
    custom_max_storage_gb: Limit | None = None
    custom_max_concurrent_tasks: Limit | None = None
    custom_max_automation_jobs: Limit | None = None
    custom_min_automation_interval_hours: Limit | None = None


class PayAsYouGoValue(Shape):
    """Quota history of pay_as_you_go_change; the monthly limit in dollars, null = no ceiling."""

    pay_as_you_go_enabled: bool | None = None
    pay_as_you_go_monthly_limit: Decimal | None = Field(default=None, ge=0, decimal_places=2)


class BeatArgs(ListShape[tuple[()]]):
    """`celery_beat_schedule_entry.args`: always none."""


class BeatKwargs(Shape):
    """`celery_beat_schedule_entry.kwargs`: the mirrored job."""

    job_id: Id
    user_id: str = Field(pattern=r"^[0-9A-Z]{26}$")
