"""Moves of stages, downloads and run rows: one compare-and-set UPDATE each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import InstrumentedAttribute, Session

from leap_pipeline.db.models.recordings import ProcessingStage, Recording
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.states import (
    DOWNLOAD_MOVES,
    RUN_MOVES,
    STAGE_MOVES,
    DownloadStatus,
    RunState,
    Stage,
    StageStatus,
    require_move,
    sources_of,
)
from leap_pipeline.domain.status import DOWNLOAD
from leap_pipeline.errors import DataError

REASON_LIMIT = 1000
SKIP_LIMIT = 500

Values = Mapping[str, Any]


def storable(said: str, limit: int = REASON_LIMIT) -> str:
    """A text that PostgreSQL takes: no NUL, no half characters, cut to `limit` characters.

    Reasons quote file names and what other programs wrote, which may hold anything.
    """
    whole = said.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return whole[:limit]


def move_stage(
    session: Session, recording_id: int, stage: Stage, wanted: StageStatus, reason: str = ""
) -> None:
    """Move a stage; `reason` belongs to FAILED and SKIPPED. Raises `IllegalMove`."""
    values: dict[str, Any] = {"status": wanted, "skip_reason": None}
    if wanted is StageStatus.FAILED:
        values |= {
            "failed": True,
            "failed_at": func.now(),
            "failed_reason": storable(reason),
            "retry_count": func.coalesce(ProcessingStage.retry_count, 0) + 1,
        }
    else:
        values |= {"failed": False, "failed_at": None, "failed_reason": None}
    if wanted is StageStatus.COMPLETED:
        values |= {"completed_at": func.now(), "retry_count": 0}
    elif wanted is not StageStatus.FAILED:
        values |= {"completed_at": None}
    if wanted is StageStatus.SKIPPED:
        # What an earlier run noted of it, such as a map of cuts, is true no more.
        values |= {"skip_reason": storable(reason, SKIP_LIMIT), "stage_meta": None}
    where = (ProcessingStage.recording_id == recording_id, ProcessingStage.stage_type == stage)
    allowed = sources_of(STAGE_MOVES, wanted)
    if _changed(session, ProcessingStage, where, ProcessingStage.status, allowed, values):
        return
    current = session.scalar(select(ProcessingStage.status).where(*where))
    what = f"stage {stage} of recording {recording_id}"
    if current is None:
        msg = f"There is no {what}."
        raise DataError(msg)
    require_move(what, STAGE_MOVES, StageStatus(current), wanted)


def move_download(
    session: Session,
    recording_id: int,
    wanted: DownloadStatus,
    *,
    reason: str = "",
    values: Values | None = None,
) -> None:
    """Move a recording's download, writing `values` of `recordings` with it."""
    changed: dict[str, Any] = {"download_status": wanted, **(values or {})}
    if wanted is DownloadStatus.FAILED:
        changed |= {
            "failed_at_stage": DOWNLOAD,
            "failed_at": func.now(),
            "failed_reason": storable(reason),
            "retry_count": func.coalesce(Recording.retry_count, 0) + 1,
        }
    if wanted is DownloadStatus.COMPLETED:
        changed |= {"downloaded_at": func.now()}
    where = (Recording.id == recording_id,)
    allowed = sources_of(DOWNLOAD_MOVES, wanted)
    if _changed(session, Recording, where, Recording.download_status, allowed, changed):
        return
    current = session.scalar(select(Recording.download_status).where(*where))
    require_move(
        f"the download of recording {recording_id}",
        DOWNLOAD_MOVES,
        DownloadStatus(current or DownloadStatus.PENDING),
        wanted,
    )


def move_run(session: Session, run_id: int, wanted: RunState, values: Values | None = None) -> None:
    """Move a run row, writing `values` with it. Raises `IllegalMove`."""
    changed: dict[str, Any] = {"state": wanted, **(values or {})}
    if wanted in (RunState.DONE, RunState.FAILED, RunState.CANCELLED):
        changed |= {"finished_at": func.now()}
    where = (RecordingRun.id == run_id,)
    allowed = sources_of(RUN_MOVES, wanted)
    if _changed(session, RecordingRun, where, RecordingRun.state, allowed, changed):
        return
    current = session.scalar(select(RecordingRun.state).where(*where))
    if current is None:
        msg = f"There is no run {run_id}."
        raise DataError(msg)
    require_move(f"run {run_id}", RUN_MOVES, RunState(current), wanted)


def _changed(
    session: Session,
    model: type[Any],
    where: tuple[Any, ...],
    column: InstrumentedAttribute[Any],
    allowed: tuple[StrEnum, ...],
    values: Values,
) -> bool:
    statement = update(model).where(*where, column.in_([str(each) for each in allowed]))
    result = session.execute(
        statement.values(**values).execution_options(synchronize_session=False)
    )
    return isinstance(result, CursorResult) and result.rowcount == 1
