"""What one firing of an automation does: its sources, what is unmatched, what is left to run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.domain.shapes.sources import SyncCounts
from leap_pipeline.errors import LeapError, TransientError, UserActionError
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.candidates import to_process
from leap_pipeline.services.firings import Begun
from leap_pipeline.services.matching import match_recordings, matcher_of
from leap_pipeline.services.runs import request_run
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sync import sync_source
from leap_pipeline.settings import load_settings

SYNC_AND_PROCESS = "sync_and_process"
ZOOM = "ZOOM"
# So much of a backlog is looked at by one firing; the next one goes on with the rest.
MOST_RECORDINGS = 2_000


@dataclass(frozen=True)
class Source:
    """An active source of a job that there is something to ask of."""

    id: int
    name: str


@dataclass
class Launched:
    """Run rows that were queued, what had nothing left to do, and why others could not be."""

    runs: list[int] = field(default_factory=list)
    nothing: int = 0
    refused: dict[int, str] = field(default_factory=dict)


def sources_of(session: Session, begun: Begun) -> list[Source]:
    """Those that the job syncs: its own, or all; files that were handed over have no other side."""
    if begun.job_type != SYNC_AND_PROCESS:
        return []
    query = select(InputSource.id, InputSource.name).where(
        InputSource.user_id == begun.user_id,
        InputSource.is_active.is_(True),
        InputSource.source_type == ZOOM,
    )
    if begun.source_ids:
        query = query.where(InputSource.id.in_(begun.source_ids))
    return [Source(*row) for row in session.execute(query.order_by(InputSource.id))]


def sync(database: Database, begun: Begun, source: Source, seconds: float) -> SyncCounts:
    """Ask one source what is new; after `seconds` it is left between two pages.

    A dry run writes nothing. Raises `LeapError`s as the source's client does.
    """
    settings = load_settings()
    with ZoomAccounts(database, load_vault(settings), settings) as accounts:
        return sync_source(
            database,
            accounts,
            source.id,
            now=datetime.now(UTC),
            settings=settings,
            dry_run=begun.dry_run,
            until=time.monotonic() + seconds,
        )


def match_new(database: Database, begun: Begun) -> int:
    """Give recordings that came since the firing was due their first match; how many got one.

    What a person or a rematch left without a template is older, and stays without. A dry run counts
    those that would get one.
    """
    with database.tenant(begun.user_id) as session:
        rows = session.execute(_unmapped(begun)).all()
        if begun.dry_run:
            matcher = matcher_of(session, begun.user_id)
            return sum(matcher.first(name, source) is not None for _, name, source in rows)
        ids = [row[0] for row in rows]
        return len(match_recordings(session, begun.user_id, ids).mapped)


def to_do(session: Session, begun: Begun, limit: int) -> list[int]:
    """The recordings of the job's sources and template that have something left to do."""
    return to_process(
        session,
        begun.user_id,
        template_id=begun.template_id,
        source_ids=begun.source_ids,
        limit=limit,
    )


def launch_all(database: Database, begun: Begun, recording_ids: Iterable[int]) -> Launched:
    """Queue a run for each, one transaction a recording; what cannot be run stops no other."""
    done = Launched()
    for recording_id in recording_ids:
        try:
            with database.system() as session:
                asked = request_run(session, recording_id, requested_by=f"job:{begun.job_id}")
        except (UserActionError, TransientError) as error:
            done.refused[recording_id] = str(error)
            continue
        if asked.run_id is None:
            done.nothing += 1
        else:
            done.runs.append(asked.run_id)
    return done


def failed_sources(errors: Sequence[LeapError | None]) -> str | None:
    """One sentence on the sources that could not be read; None where all could."""
    said = [str(error) for error in errors if error is not None]
    if not said:
        return None
    return f"{len(said)} of {len(errors)} sources could not be synced: {' '.join(said)}"


def _unmapped(begun: Begun) -> Select[int, str, int | None]:
    query = select(Recording.id, Recording.display_name, Recording.input_source_id).where(
        Recording.user_id == begun.user_id,
        Recording.created_at >= begun.due_at,
        Recording.template_id.is_(None),
        Recording.deleted.is_not(True),
    )
    if begun.source_ids:
        query = query.where(Recording.input_source_id.in_(begun.source_ids))
    return query.order_by(Recording.id).limit(MOST_RECORDINGS)
