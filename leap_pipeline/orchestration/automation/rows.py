"""The enabled automation jobs as Dagster shows them, read in one query and kept for bad days."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Text, column, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.identity import job_name
from leap_pipeline.errors import LeapError
from leap_pipeline.runtime_files import write_private
from leap_pipeline.settings import Settings

# One document: what is loaded, what is kept and what is compared are the same bytes.
_READ = text("""
SELECT coalesce(json_agg(job ORDER BY job.id), '[]')::text AS document FROM (
    SELECT jobs.id, jobs.user_id, users.user_slug, users.email AS owner, jobs.name AS title,
        jobs.description, jobs.job_type, jobs.schedule_type, jobs.crontab_minute,
        jobs.crontab_hour, jobs.crontab_day_of_week, jobs.crontab_day_of_month,
        jobs.crontab_month_of_year, jobs.interval_every, jobs.interval_period, jobs.anchored_at,
        coalesce(jobs.timezone, users.timezone) AS timezone, templates.name AS template,
        (
            SELECT coalesce(json_agg(sources.name ORDER BY sources.id), '[]')
            FROM input_sources AS sources
            WHERE sources.user_id = jobs.user_id AND jobs.source_ids @> to_jsonb(sources.id)
        ) AS sources
    FROM automation_jobs AS jobs
    JOIN users ON users.id = jobs.user_id
    LEFT JOIN recording_templates AS templates ON templates.id = jobs.template_id
    WHERE jobs.enabled AND users.is_active
    ORDER BY jobs.id
    LIMIT :limit
) AS job
""").columns(column("document", Text))
_FOUND = _READ.subquery("found").c.document
_FINGERPRINT = select(
    func.left(func.encode(func.sha256(func.convert_to(_FOUND, "UTF8")), "hex"), 16)
)


@dataclass(frozen=True)
class JobRow:
    """An enabled job with what people know it by; `sources` [] = all of the owner's."""

    id: int
    user_id: str
    user_slug: int
    owner: str
    title: str
    description: str | None
    job_type: str
    schedule_type: str
    crontab_minute: str | None
    crontab_hour: str | None
    crontab_day_of_week: str | None
    crontab_day_of_month: str | None
    crontab_month_of_year: str | None
    interval_every: int | None
    interval_period: str | None
    anchored_at: str
    timezone: str
    template: str | None
    sources: list[str]

    @property
    def name(self) -> str:
        """Its schedule's or sensor's name in Dagster."""
        return job_name(self.user_slug, self.id)

    @property
    def values(self) -> dict[str, Any]:
        """The row as `domain.due_times.parse` reads it."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return found | {"anchored_at": datetime.fromisoformat(self.anchored_at)}


@dataclass(frozen=True)
class Loaded:
    """The rows, their fingerprint, and why they may be old."""

    rows: tuple[JobRow, ...]
    fingerprint: str
    stale: str | None = None


def load_rows(settings: Settings) -> Loaded:
    """The first `settings.mirrored_jobs` enabled jobs by id.

    Where the database cannot be asked, those that were last read; none where there are none.
    """
    try:
        database = Database(resolve(settings))
        with database.system() as session:
            document = str(session.scalar(_READ, {"limit": settings.mirrored_jobs}))
    except (LeapError, SQLAlchemyError) as error:
        return _decoded(_kept(settings), stale=str(error))
    _keep(settings, document)
    return _decoded(document)


def read_fingerprint(session: Session, limit: int) -> str:
    """The fingerprint that `load_rows` would return now."""
    return str(session.scalar(_FINGERPRINT, {"limit": limit}))


def _decoded(document: str, stale: str | None = None) -> Loaded:
    rows = tuple(JobRow(**row) for row in json.loads(document))
    digest = hashlib.sha256(document.encode()).hexdigest()[:16]
    return Loaded(rows, digest, stale)


def _file(settings: Settings) -> Path:
    return settings.home.absolute() / "run" / "automation_jobs.json"


def _keep(settings: Settings, document: str) -> None:
    file = _file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text(encoding="utf-8") != document:
        write_private(file, document)


def _kept(settings: Settings) -> str:
    try:
        return _file(settings).read_text(encoding="utf-8")
    except FileNotFoundError:
        return "[]"
