"""What became of the recordings that each template has."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.automation import AutomationJob
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.domain.states import RecordingStatus

PREPARED = (RecordingStatus.PROCESSED, RecordingStatus.UPLOADING, RecordingStatus.READY)


@dataclass(frozen=True)
class TemplateUse:
    """Recordings that are not deleted, as numbers; `published` have all of their targets.

    `last_used` is when the newest of them came in; `automations` are names.
    """

    matched: int = 0
    processed: int = 0
    failed: int = 0
    published: int = 0
    last_used: datetime | None = None
    automations: tuple[str, ...] = ()


def template_uses(session: Session, user_id: str) -> dict[int, TemplateUse]:
    """By template, those without any use left out: 2 statements."""
    found: defaultdict[int, TemplateUse] = defaultdict(TemplateUse)
    statuses = (
        select(
            Recording.template_id,
            Recording.status,
            func.count(),
            func.max(Recording.created_at),
        )
        .where(
            Recording.user_id == user_id,
            Recording.template_id.is_not(None),
            Recording.deleted.is_not(True),
        )
        .group_by(Recording.template_id, Recording.status)
    )
    for template_id, status, number, last in session.execute(statuses):
        if template_id is not None:
            found[template_id] = _more(found[template_id], status, number, last)
    jobs = (
        select(AutomationJob.template_id, AutomationJob.name)
        .where(AutomationJob.user_id == user_id, AutomationJob.template_id.is_not(None))
        .order_by(AutomationJob.name)
    )
    for template_id, name in session.execute(jobs):
        if template_id is not None:
            use = found[template_id]
            found[template_id] = replace(use, automations=(*use.automations, name))
    return dict(found)


def _more(use: TemplateUse, status: str, number: int, last: datetime | None) -> TemplateUse:
    return replace(
        use,
        matched=use.matched + number,
        processed=use.processed + (number if status in PREPARED else 0),
        failed=use.failed + (number if status == RecordingStatus.FAILED else 0),
        published=use.published + (number if status == RecordingStatus.READY else 0),
        last_used=max(filter(None, (use.last_used, last)), default=None),
    )
