"""What many processes do to one job at the same moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.errors import AlreadyRunning
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.firings import Claimed, begin, claim
from leap_pipeline.services.jobs import enable_job

OWNER = Editor(SYSTEM, Rights())


def claim_it(database: Database, argument: Any) -> None:
    """Claim a due time; raises `AlreadyRunning` where somebody else has it."""
    job_id, due_at, now = argument
    with database.system() as session:
        found = claim(session, job_id, due_at, "schedule", now=now)
    if not isinstance(found, Claimed):
        raise AlreadyRunning(found.reason)


def begin_it(database: Database, argument: Any) -> None:
    """Begin a claimed firing in a run of one's own; raises `AlreadyRunning` likewise."""
    firing_id, run_id = argument
    with database.system() as session:
        begun = begin(session, firing_id, run_id)
    if begun is None:
        msg = "It is somebody else's."
        raise AlreadyRunning(msg)


def enable_it(database: Database, argument: Any) -> None:
    """Switch a job on as its owner."""
    user_id, job_id = argument
    with database.tenant(user_id) as session:
        enable_job(session, OWNER, job_id)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)
