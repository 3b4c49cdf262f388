"""Actions on many recordings: asked for once, carried out one recording after the other.

The recordings are chosen when it is asked for. Each one's effect and the step of the row's position
past it are one transaction under the row's lock: whoever dies in the middle loses nothing, whoever
goes on repeats nothing, and of several consoles none does what another one has done. Who asked is
looked up again for each recording, and may then do what that person may do then.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.connection_errors import interrupted
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.bulk import BulkAction
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.recordings import RecordingFilter, Recordings
from leap_pipeline.domain.bulk import LIVE_BULK_STATES, NEEDED, BulkKind, BulkState
from leap_pipeline.domain.permissions import Rights, require, require_admin
from leap_pipeline.domain.shapes.bulk import BulkParameters
from leap_pipeline.domain.shapes.registry import read_column, validate_column
from leap_pipeline.errors import (
    DataError,
    InputError,
    NotFound,
    StaleChange,
    TransientError,
    UserActionError,
)
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.bulk_effects import EFFECTS, Done, Given, PartlyRefused, match_again
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.liveness import let_go_when_frozen, wait_little
from leap_pipeline.services.moves import storable
from leap_pipeline.services.users import rights_of

logger = logging.getLogger(__name__)

MOST = 100_000
TOLD_REFUSALS = 20
MATCHED_AT_ONCE = 500
TURN_SECONDS = 0.5
LOCK_SECONDS = 10
KEPT = timedelta(days=90)
SHOWN_FOR = timedelta(hours=1)
LIVE = BulkAction.state.in_([str(state) for state in LIVE_BULK_STATES])
OWN_ERROR = "This met an error of LEAP's own; it is in the log."


@dataclass(frozen=True)
class Choice:
    """The recordings of an action: these, or all that meet the criteria.

    `owner_id` None is every owner's, for admins.
    """

    owner_id: str | None
    ids: tuple[int, ...] | None = None
    criteria: RecordingFilter | None = None


@dataclass(frozen=True)
class Asked:
    """The rows that were made, one an owner, and how many recordings they are about."""

    rows: tuple[int, ...]
    total: int


def may_ask(rights: Rights, kind: BulkKind) -> bool:
    """Is this kind of action anything for that person?"""
    return kind not in NEEDED or rights.may(NEEDED[kind])


def count_chosen(database: Database, editor: Editor, choice: Choice) -> int:
    """How many recordings there are to act upon; ids that are not there do not count."""
    with _scope(database, editor, choice.owner_id) as session:
        if choice.ids is None:
            return Recordings(session, choice.owner_id).count(choice.criteria)
        return sum(map(len, _chosen(session, choice).values()))


def ask(
    database: Database,
    editor: Editor,
    choice: Choice,
    kind: BulkKind,
    parameters: Mapping[str, Any],
    *,
    expected: int | None = None,
) -> Asked:
    """Freeze the choice and queue the action.

    Raises UserActionError where the person may not, InputError for an empty or too large choice or
    wrong parameters, and StaleChange where there are more recordings than `expected`, the number
    that the person confirmed.
    """
    if kind in NEEDED:
        require(editor.rights, NEEDED[kind])
    checked = _checked(kind, parameters)
    with _scope(database, editor, choice.owner_id) as session:
        found = _chosen(session, choice)
        total = sum(map(len, found.values()))
        if not total:
            msg = "No recording was chosen: select some, or change the filter."
            raise InputError(msg)
        if expected is not None and total > expected:
            msg = f"There are {total} recordings now, not {expected}: look at them and ask again."
            raise StaleChange(msg)
        rows = tuple(
            _queue(session, editor.actor, owner, ids, kind, checked)
            for owner, ids in sorted(found.items())
        )
    return Asked(rows, total)


def shown_to(
    session: Session,
    user_id: str,
    now: datetime,
    *,
    most: int = 5,
    without: Collection[int] = (),
) -> list[BulkAction]:
    """What a person asked for, or others did with that person's recordings: what goes on, then what
    ended within the last hour (but for the ids in `without`), the newest first.
    """
    concerned = or_(BulkAction.asked_by == user_id, BulkAction.user_id == user_id)
    ended = and_(BulkAction.finished_at > now - SHOWN_FOR, BulkAction.id.not_in(without))
    return list(
        session.scalars(
            select(BulkAction)
            .where(concerned, or_(LIVE, ended))
            .order_by(LIVE.desc(), BulkAction.created_at.desc(), BulkAction.id.desc())
            .limit(most)
        )
    )


def cancel_rest(database: Database, editor: Editor, action_id: int) -> bool:
    """End an action after the recording that it is at; False where it had ended.

    Owners may, those who asked, and admins. Raises NotFound for everybody else.
    """
    with database.system() as session:
        row = session.scalars(
            select(BulkAction).where(BulkAction.id == action_id).with_for_update()
        ).one_or_none()
        concerned = row is not None and editor.actor.id in (row.user_id, row.asked_by)
        if row is None or not (concerned or editor.rights.is_admin):
            msg = f"There is no action {action_id}."
            raise NotFound(msg)
        if row.state not in LIVE_BULK_STATES:
            return False
        _end(row, BulkState.CANCELLED, f"{editor.actor.name} cancelled the rest.")
        _tell(session, editor.actor, "bulk.cancel", row, {"done": row.done, "total": row.total})
    return True


# Carrying out


def carry_out_next(database: Database, *, seconds: float = TURN_SECONDS) -> bool:
    """Give the action that waited longest its turn; False where none is to be carried out.

    Raises TransientError where the database is away, or a recording is held up by others. Whatever
    goes wrong, the action waits behind the others: one that cannot be carried out stops no other.
    """
    with database.system() as session:
        found = session.execute(
            select(BulkAction.id, BulkAction.user_id, BulkAction.asked_by)
            .where(LIVE)
            .order_by(BulkAction.updated_at, BulkAction.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
    if found is None:
        return False
    action_id, owner_id, asked_by = found
    until = time.monotonic() + seconds
    try:
        while _step(database, action_id, owner_id, asked_by) and time.monotonic() < until:
            pass
    except Exception:
        _go_behind(database, action_id)
        raise
    return True


def _step(database: Database, action_id: int, owner_id: str, asked_by: str) -> bool:
    """One recording's effect and the row's step past it; False where nothing is left to do, or
    another console is at it.

    An admin's work on others' recordings is of the system's scope, that of all others of their own.
    """
    own = owner_id == asked_by
    with database.tenant(owner_id) if own else database.system() as session:
        let_go_when_frozen(session)
        wait_little(session, LOCK_SECONDS)
        row = session.scalars(
            select(BulkAction)
            .where(BulkAction.id == action_id, BulkAction.user_id == owner_id, LIVE)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if row is None:
            return False
        now = datetime.now(UTC)
        row.started_at = row.started_at or now
        try:
            given = _given(session, row, now)
        except UserActionError as refused:
            _end(row, BulkState.CANCELLED, str(refused))
            return False
        size = MATCHED_AT_ONCE if row.action == BulkKind.REMATCH else 1
        part = _next(session, row, size)
        _count(row, part, _effect(database, given, BulkKind(row.action), part))
        more = row.done < row.total
        row.state = BulkState.RUNNING
        if not more:
            _end(row, BulkState.DONE)
    return more


def _next(session: Session, row: BulkAction, size: int) -> list[int]:
    """The database cuts them out: all of them, at each step, would be too many to send."""
    cut = BulkAction.recording_ids[row.done + 1 : row.done + size]
    return session.scalar(select(cut).where(BulkAction.id == row.id)) or []


def _given(session: Session, row: BulkAction, now: datetime) -> Given:
    """Who asked, as that account is now. Raises UserActionError where it may not any more."""
    user = session.get(User, row.asked_by, options=[lazyload("*")])
    if user is None or not user.is_active:
        msg = f"The account of {row.requested_by}, who asked for it, was switched off."
        raise UserActionError(msg)
    rights = rights_of(user)
    if row.user_id != user.id:
        require_admin(rights)
    kind = BulkKind(row.action)
    if kind in NEEDED:
        require(rights, NEEDED[kind])
    parameters = read_column("bulk_actions", "parameters", row.parameters).value
    if not isinstance(parameters, BulkParameters):
        msg = f"The parameters of action {row.id} cannot be read."
        raise InputError(msg)
    return Given(session, row.user_id, Actor(user.id, user.email), rights, parameters, now)


def _effect(database: Database, given: Given, kind: BulkKind, part: Sequence[int]) -> Done:
    done = Done()
    try:
        with given.session.begin_nested():
            if kind is BulkKind.REMATCH:
                done.changed = len(match_again(given.session, given.owner_id, list(part)))
                return done
            [recording_id] = part
            _require_of_owner(given, recording_id)
            try:
                done.changed = int(EFFECTS[kind](given, recording_id))
            except PartlyRefused as error:
                done.changed = int(error.changed)
                done.refused[recording_id] = str(error)
    except TransientError:
        raise
    except UserActionError as error:
        done.refused = dict.fromkeys(part, str(error))
    except DataError as error:
        logger.exception("A bulk action met bad data")
        done.refused = dict.fromkeys(part, str(error))
    except Exception as error:  # a bug over one recording: told, and the others go on
        if isinstance(error, DBAPIError) and interrupted(error, database.urls.application):
            raise
        logger.exception("A bulk action met an error")
        done.refused = dict.fromkeys(part, OWN_ERROR)
    return done


def _require_of_owner(given: Given, recording_id: int) -> None:
    """In the system's scope too: what was deleted with its owner meanwhile may be another's now."""
    found = select(Recording.id).where(
        Recording.id == recording_id, Recording.user_id == given.owner_id
    )
    if given.session.scalar(found) is None:
        msg = f"There is no recording {recording_id}."
        raise NotFound(msg)


def _count(row: BulkAction, part: Sequence[int], done: Done) -> None:
    row.done += len(part)
    row.changed += done.changed
    row.refused += len(done.refused)
    told = [
        {"recording_id": recording_id, "sentence": storable(sentence)}
        for recording_id, sentence in done.refused.items()
    ]
    if told and len(row.refusals) < TOLD_REFUSALS:
        kept = [*row.refusals, *told][:TOLD_REFUSALS]
        row.refusals = validate_column("bulk_actions", "refusals", kept)


def _end(row: BulkAction, state: BulkState, reason: str | None = None) -> None:
    row.state, row.reason, row.finished_at = state, reason, datetime.now(UTC)
    row.recording_ids = []


def _go_behind(database: Database, action_id: int) -> None:
    with database.system() as session:
        session.execute(
            update(BulkAction).where(BulkAction.id == action_id).values(updated_at=func.now())
        )


# Asking


@contextmanager
def _scope(database: Database, editor: Editor, owner_id: str | None) -> Iterator[Session]:
    if owner_id is not None and owner_id == editor.actor.id:
        with database.tenant(owner_id) as session:
            yield session
        return
    require_admin(editor.rights)
    with database.system() as session:
        yield session


def _checked(kind: BulkKind, parameters: Mapping[str, Any]) -> Any:
    checked = validate_column("bulk_actions", "parameters", dict(parameters))
    if kind is BulkKind.SKIP and not str(checked.get("reason") or "").strip():
        msg = "Skipping recordings needs a reason: say why they are not wanted."
        raise InputError(msg)
    if (kind is BulkKind.FORCE) != bool(checked.get("stage")):
        msg = "A forced run, and no other action, needs the stage that it begins at: choose one."
        raise InputError(msg)
    return checked


def _chosen(session: Session, choice: Choice) -> dict[str, list[int]]:
    """The ids by owner; those of other scopes are not among them."""
    found = Recordings(session, choice.owner_id).by_owner(
        choice.criteria, ids=choice.ids, limit=MOST + 1
    )
    if sum(map(len, found.values())) > MOST:
        msg = f"More than {MOST:,} recordings cannot be changed at once: narrow the filter."
        raise InputError(msg)
    return found


def _queue(
    session: Session,
    actor: Actor,
    owner_id: str,
    ids: list[int],
    kind: BulkKind,
    parameters: Any,
) -> int:
    old = and_(BulkAction.user_id == owner_id, BulkAction.finished_at < datetime.now(UTC) - KEPT)
    session.execute(delete(BulkAction).where(old))
    row = BulkAction(
        user_id=owner_id,
        action=kind,
        parameters=parameters,
        recording_ids=ids,
        asked_by=actor.id,
        requested_by=actor.name,
        total=len(ids),
    )
    session.add(row)
    session.flush()
    said = {"action": kind, "recordings": len(ids), "parameters": parameters}
    _tell(session, actor, "bulk.ask", row, said)
    return row.id


def _tell(
    session: Session, actor: Actor, action: str, row: BulkAction, after: Mapping[str, Any]
) -> None:
    record(session, actor, action, "bulk_action", row.id, owner_id=row.user_id, after=after)
