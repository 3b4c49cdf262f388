"""Which recordings are run without anybody asking: those of a job, and those that no job covers.

Both are mapped, not deleted, not blank, neither skipped nor failed nor paused, and ready at their
source. What somebody cancelled is begun again by a person only.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from leap_pipeline.domain.quotas import FREE

_RUNNABLE = """
    recording.is_mapped AND recording.template_id IS NOT NULL
    AND recording.deleted IS NOT TRUE AND COALESCE(recording.delete_state, 'active') = 'active'
    AND recording.blank_record IS NOT TRUE
    AND NOT EXISTS (SELECT FROM recording_holds AS hold
        WHERE hold.recording_id = recording.id AND hold.released_at IS NULL
            AND hold.kind = 'pause' AND hold.target_type IS NULL)
"""
# `source_ids` of NULL or [] are all sources, also of what has none.
_OF_A_JOB = """
    SELECT recording.id FROM recordings AS recording
    WHERE recording.user_id = :user_id
        AND recording.status IN ('INITIALIZED', 'DOWNLOADED', 'PROCESSING')
        AND (RUNNABLE)
        AND (CAST(:template_id AS INTEGER) IS NULL OR recording.template_id = :template_id)
        AND (:every_source OR recording.input_source_id = ANY (CAST(:source_ids AS INTEGER[])))
        AND COALESCE((SELECT run.state FROM recording_runs AS run
            WHERE run.recording_id = recording.id AND run.phase = 'prepare'
            ORDER BY run.id DESC LIMIT 1), '')
            NOT IN ('queued', 'running', 'waiting', 'cancelled')
    ORDER BY recording.start_time, recording.id LIMIT :limit
"""
# A job that its owner's plan does not have covers nothing: it would never come to run it. As in
# `services.quotas.entitlement`, a subscription counts from `starts_at` up to `expires_at`.
_OF_NO_JOB = """
    WITH allowed AS (
        SELECT owner.id AS user_id, CASE
            WHEN own.starts_at <= :now AND (own.expires_at IS NULL OR own.expires_at > :now)
            THEN COALESCE(own.custom_max_automation_jobs, plan.max_automation_jobs)
            ELSE (SELECT max_automation_jobs FROM subscription_plans WHERE name = :free)
            END AS jobs
        FROM users AS owner
        LEFT JOIN user_subscriptions AS own ON own.user_id = owner.id
        LEFT JOIN subscription_plans AS plan ON plan.id = own.plan_id
        WHERE owner.is_active AND owner.id <> ALL (CAST(:without AS VARCHAR[]))),
    ranked AS (
        SELECT job.*, row_number() OVER (PARTITION BY user_id ORDER BY created_at, id) AS place
        FROM automation_jobs AS job WHERE enabled),
    covering AS MATERIALIZED (
        SELECT ranked.user_id, ranked.template_id, NULLIF(ranked.source_ids, '[]') AS source_ids
        FROM ranked JOIN allowed USING (user_id)
        WHERE ranked.job_type IN ('sync_and_process', 'process_recordings')
            AND (allowed.jobs IS NULL OR ranked.place <= allowed.jobs))
    SELECT allowed.user_id, ready.id FROM allowed CROSS JOIN LATERAL (
        SELECT recording.id, recording.start_time FROM recordings AS recording
        WHERE recording.user_id = allowed.user_id AND recording.status = 'INITIALIZED'
            AND (RUNNABLE)
            AND NOT EXISTS (SELECT FROM recording_runs AS run
                WHERE run.recording_id = recording.id AND run.phase = 'prepare')
            AND NOT EXISTS (SELECT FROM covering
                WHERE covering.user_id = recording.user_id
                    AND (covering.template_id IS NULL
                        OR covering.template_id = recording.template_id)
                    AND (covering.source_ids IS NULL
                        OR covering.source_ids @> to_jsonb(recording.input_source_id)))
        ORDER BY recording.start_time, recording.id LIMIT :per_user) AS ready
    WHERE NOT EXISTS (SELECT FROM covering WHERE covering.user_id = allowed.user_id
        AND covering.template_id IS NULL AND covering.source_ids IS NULL)
    ORDER BY row_number() OVER (PARTITION BY allowed.user_id ORDER BY ready.start_time, ready.id),
        ready.start_time, ready.id
    LIMIT :limit
"""
_TO_PROCESS, _UNSCHEDULED = (
    text(query.replace("RUNNABLE", _RUNNABLE)) for query in (_OF_A_JOB, _OF_NO_JOB)
)


def to_process(
    session: Session,
    user_id: str,
    *,
    template_id: int | None = None,
    source_ids: Collection[int] = (),
    limit: int,
) -> list[int]:
    """The recordings of a job that have something left to do and no run, the oldest first.

    `template_id` limits them to one template, `source_ids` to some sources.
    """
    rows = session.execute(
        _TO_PROCESS,
        {
            "user_id": user_id,
            "template_id": template_id,
            "every_source": not source_ids,
            "source_ids": list(source_ids),
            "limit": limit,
        },
    )
    return [row[0] for row in rows]


def ready_unscheduled(
    session: Session,
    limit: int,
    per_user: int,
    *,
    without: Collection[str] = (),
    now: datetime | None = None,
) -> list[tuple[str, int]]:
    """Recordings that were never run and that no job of their owner covers: (user, recording).

    Each user's oldest first, at most `per_user` of one, users in turn; `without` leaves users out.
    For the system's scope.
    """
    rows = session.execute(
        _UNSCHEDULED,
        {
            "limit": limit,
            "per_user": per_user,
            "without": list(without),
            "now": now or datetime.now(UTC),
            "free": FREE,
        },
    )
    return [(row[0], row[1]) for row in rows]
