"""Every move of a stored state machine: one compare-and-set UPDATE each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, case, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations

from leap_pipeline.db.base import Base
from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage, Recording
from leap_pipeline.db.models.runs import RecordingHold, RecordingRun
from leap_pipeline.domain.deletion import DELETION_MOVES, DeleteState
from leap_pipeline.domain.shapes.registry import validate_column
from leap_pipeline.domain.states import (
    DOWNLOAD_MOVES,
    HOLD_MOVES,
    LIVE_RUN_STATES,
    RUN_MOVES,
    STAGE_MOVES,
    TARGET_MOVES,
    DownloadStatus,
    HoldState,
    Platform,
    RunState,
    Stage,
    StageStatus,
    TargetStatus,
    require_move,
    sources_of,
)
from leap_pipeline.domain.status import DOWNLOAD
from leap_pipeline.errors import DataError

REASON_LIMIT = 1000
SKIP_LIMIT = 500
NAME_LIMIT = 255
SOUND = {"failed": False, "failed_at": None, "failed_reason": None}

Values = Mapping[str, Any]
Changed = dict[str, Any]
Where = tuple[ColumnElement[bool], ...]
S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True)
class _Machine(Generic[S]):
    """A table of rows, what says the state of one, and the moves it may make."""

    model: type[Base]
    state: SQLCoreOperations[str]
    moves: Mapping[S, Mapping[S, str]]


_STAGES = _Machine(ProcessingStage, ProcessingStage.status, STAGE_MOVES)
_TARGETS = _Machine(OutputTarget, OutputTarget.status, TARGET_MOVES)
_DOWNLOADS = _Machine(Recording, Recording.download_status, DOWNLOAD_MOVES)
_RUNS = _Machine(RecordingRun, RecordingRun.state, RUN_MOVES)
_DELETIONS = _Machine(
    Recording, func.coalesce(Recording.delete_state, str(DeleteState.ACTIVE)), DELETION_MOVES
)
_HELD = RecordingHold.released_at.is_(None)
_HOLDS = _Machine(
    RecordingHold, case((_HELD, str(HoldState.LIVE)), else_=str(HoldState.RELEASED)), HOLD_MOVES
)


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
    row = ProcessingStage
    values: Changed = {"status": wanted, "skip_reason": None, "completed_at": None, **SOUND}
    if wanted is StageStatus.FAILED:
        values |= _failure(reason, row.retry_count)
    if wanted is StageStatus.COMPLETED:
        values |= {"completed_at": func.now(), "retry_count": 0}
    if wanted is StageStatus.SKIPPED:
        # What an earlier run noted of it, such as a map of cuts, is true no more.
        values |= {"skip_reason": storable(reason, SKIP_LIMIT), "stage_meta": None}
    where = (row.recording_id == recording_id, row.stage_type == stage)
    what = f"stage {stage} of recording {recording_id}"
    _move(session, _STAGES, what, where, wanted, values)


def move_target(
    session: Session,
    recording_id: int,
    platform: Platform,
    wanted: TargetStatus,
    *,
    reason: str = "",
    meta: Values | None = None,
) -> None:
    """Move a target; `reason` belongs to FAILED and NOT_UPLOADED, `meta` is merged into what is
    known of it.

    What was published stays known while its update runs or fails; when it is gone from the
    platform, it goes to `target_meta.history`. Raises `IllegalMove`.
    """
    row = OutputTarget
    values: Changed = {"status": wanted, **SOUND}
    if wanted is TargetStatus.FAILED:
        values |= _failure(reason, row.retry_count)
    if wanted is TargetStatus.UPLOADED:
        # An update changes what is shown beside a video, not when the video came there.
        values |= {"uploaded_at": func.coalesce(row.uploaded_at, func.now()), "retry_count": 0}
    if wanted is TargetStatus.NOT_UPLOADED:
        values |= {"uploaded_at": None, "target_meta": _into_history(row, reason)}
    elif meta:
        values |= {"target_meta": _known_of(row).op("||")(_json(meta))}
    where = (row.recording_id == recording_id, row.target_type == platform)
    what = f"target {platform} of recording {recording_id}"
    _move(session, _TARGETS, what, where, wanted, values)


def note_sent(
    session: Session, recording_id: int, platform: Platform, sent: Mapping[str, Any]
) -> None:
    """What a published video says from now on (a `Sent`); where it is stays as it was."""
    row = OutputTarget
    meta = validate_column("output_targets", "target_meta", {"sent": sent}, kind=platform)
    session.execute(
        update(row)
        .where(row.recording_id == recording_id, row.target_type == platform)
        .values(target_meta=_known_of(row).op("||")(_json(meta)))
        .execution_options(synchronize_session=False)
    )


def move_download(
    session: Session,
    recording_id: int,
    wanted: DownloadStatus,
    *,
    reason: str = "",
    values: Values | None = None,
) -> None:
    """Move a recording's download, writing `values` of `recordings` with it."""
    changed: Changed = {"download_status": wanted, "downloaded_at": None, **(values or {})}
    if wanted is DownloadStatus.IN_PROGRESS:
        # Until the first failure of its own, the column counted for a stage that failed.
        own = func.coalesce(Recording.failed_at_stage, DOWNLOAD) == DOWNLOAD
        changed |= {"retry_count": case((own, Recording.retry_count), else_=0)}
    if wanted is DownloadStatus.FAILED:
        failure = _failure(reason, Recording.retry_count)
        changed |= {**failure, "failed_at_stage": DOWNLOAD}
    if wanted is DownloadStatus.COMPLETED:
        changed |= {"downloaded_at": func.now()}
    what = f"the download of recording {recording_id}"
    _move(session, _DOWNLOADS, what, (Recording.id == recording_id,), wanted, changed)


def move_run(session: Session, run_id: int, wanted: RunState, values: Values | None = None) -> None:
    """Move a run row, writing `values` with it. Raises `IllegalMove`."""
    changed: Changed = {"state": wanted, **(values or {})}
    if wanted not in LIVE_RUN_STATES:
        changed |= {"finished_at": func.now(), "progress": None}
    _move(session, _RUNS, f"run {run_id}", (RecordingRun.id == run_id,), wanted, changed)


def move_deletion(session: Session, recording_id: int, wanted: DeleteState, values: Values) -> None:
    """Move a recording's deletion, writing `values` with it. Raises `IllegalMove`."""
    changed: Changed = {**values, "delete_state": wanted}
    what = f"the deletion of recording {recording_id}"
    _move(session, _DELETIONS, what, (Recording.id == recording_id,), wanted, changed)


def move_hold(session: Session, hold_id: int, wanted: HoldState, *, by: str) -> None:
    """Move a hold, whose state is whether `released_at` is set. Raises `IllegalMove`."""
    values = {"released_at": func.now(), "released_by": storable(by, NAME_LIMIT)}
    _move(session, _HOLDS, f"hold {hold_id}", (RecordingHold.id == hold_id,), wanted, values)


def _failure(reason: str, retries: SQLCoreOperations[int | None]) -> Changed:
    return {
        "failed": True,
        "failed_at": func.now(),
        "failed_reason": storable(reason),
        "retry_count": func.coalesce(retries, 0) + 1,
    }


def _json(value: Any) -> Any:
    return literal(value, JSONB)


def _known_of(target: type[OutputTarget]) -> Any:
    return func.coalesce(target.target_meta, _json({}))


def _into_history(target: type[OutputTarget], reason: str) -> ColumnElement[Any]:
    """`target_meta` of a target that is not, or no longer, on its platform."""
    known = _known_of(target)
    dates = func.jsonb_build_object("uploaded_at", target.uploaded_at, "retracted_at", func.now())
    gone = known.op("-")("history").op("||")(dates)
    if reason:
        gone = gone.op("||")(_json({"reason": storable(reason)}))
    earlier = func.coalesce(known.op("->")("history"), _json([]))
    history = earlier.op("||")(func.jsonb_build_array(gone))
    was_there = or_(target.status == TargetStatus.UPLOADED, target.uploaded_at.is_not(None))
    return case((was_there, func.jsonb_build_object("history", history)), else_=target.target_meta)


def _move(
    session: Session, machine: _Machine[S], what: str, where: Where, wanted: S, values: Values
) -> None:
    """An UPDATE that finds the row only in a state from which the move is legal."""
    allowed = machine.state.in_([str(each) for each in sources_of(machine.moves, wanted)])
    statement = update(machine.model).where(*where, allowed).values(**values)
    while True:
        result = session.execute(statement.execution_options(synchronize_session=False))
        if isinstance(result, CursorResult) and result.rowcount == 1:
            return
        current = session.scalar(select(machine.state).where(*where))
        if current is None:
            msg = f"There is no {what}."
            raise DataError(msg)
        # Legal now: somebody moved it after the UPDATE looked, so that is tried again.
        require_move(what, machine.moves, current, wanted)
