"""A job's own clock in Dagster: a schedule for a crontab, a sensor for an interval."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from leap_pipeline.domain.due_times import Crontab, Interval, Schedule, dagster_cron, upcoming
from leap_pipeline.orchestration.automation.asking import ask, ask_newest
from leap_pipeline.orchestration.automation.rows import JobRow
from leap_pipeline.services.automation_rows import FiredBy

SHOWN_TIMES = 5


def schedule_of(
    row: JobRow, crontab: Crontab, job: dg.JobDefinition, now: datetime
) -> dg.ScheduleDefinition:
    def fire(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return ask(row.id, context.scheduled_execution_time, FiredBy.SCHEDULE)

    return dg.ScheduleDefinition(
        name=row.name,
        job=job,
        cron_schedule=dagster_cron(crontab),
        execution_timezone=crontab.timezone,
        execution_fn=fire,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=_description(row, f"at “{dagster_cron(crontab)}” in {crontab.timezone}"),
        metadata=_metadata(row, crontab, now),
        tags=_tags(row),
    )


def sensor_of(
    row: JobRow, interval: Interval, job: dg.JobDefinition, now: datetime, every: int
) -> dg.SensorDefinition:
    """Looks every `every` seconds; when it is due follows from the anchor, not from its ticks."""

    def fire(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return ask_newest(context, row.id, interval)

    said = f"every {interval.every} {interval.period}, counted from {_shown(interval.anchored_at)}"
    return dg.SensorDefinition(
        name=row.name,
        job=job,
        evaluation_fn=fire,
        minimum_interval_seconds=every,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=_description(row, said),
        metadata=_metadata(row, interval, now),
        tags=_tags(row),
    )


def _description(row: JobRow, when: str) -> str:
    """Plain text, which is how Dagster shows it."""
    lines = [
        f"{row.title}, of {row.owner}: {row.job_type}, {when}.",
        f"Sources: {_sources(row)}. Template: {row.template or 'any'}.",
        row.description or "",
    ]
    return " ".join(" ".join(lines).split())


def _metadata(row: JobRow, schedule: Schedule, now: datetime) -> dict[str, dg.MetadataValue]:
    times = [_shown(due) for due in upcoming(schedule, now, SHOWN_TIMES)]
    return {
        "title": dg.MetadataValue.text(row.title),
        "owner": dg.MetadataValue.text(row.owner),
        "type": dg.MetadataValue.text(row.job_type),
        "sources": dg.MetadataValue.text(_sources(row)),
        "template": dg.MetadataValue.text(row.template or "any"),
        f"next times after {_shown(now)}": dg.MetadataValue.text(", ".join(times)),
    }


def _tags(row: JobRow) -> dict[str, str]:
    return {"leap/job": str(row.id), "leap/owner": row.user_id}


def _sources(row: JobRow) -> str:
    return ", ".join(row.sources) if row.sources else "all"


def _shown(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
