"""One user's recordings, so many a transaction: their files first, then their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.adoption.coverage import say_unread
from leap_pipeline.adoption.files import Files, Stored
from leap_pipeline.adoption.outcome import Entry, Notes, Row, chunks, left
from leap_pipeline.adoption.parts import keys_of
from leap_pipeline.adoption.places import Place
from leap_pipeline.adoption.recordings import New, Old, Owner, entries, recording
from leap_pipeline.adoption.target import existing
from leap_pipeline.adoption.tenants import Move, Tenant
from leap_pipeline.db.base import Base
from leap_pipeline.db.models.recordings import (
    OutputTarget,
    ProcessingStage,
    Recording,
    SourceMetadata,
)
from leap_pipeline.db.models.runs import RecordingHold, StoredObject
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.storage.paths import RecordingPaths

BATCH = 500
PART_TABLES = ("processing_stages", "output_targets", "source_metadata")
LATER = "LEAP has its recording since an earlier run, and goes on with it from there"


def take_recordings(
    move: Move, files: Files, tenant: Tenant, slugs: tuple[int, int], batch: int = BATCH
) -> None:
    """`slugs` number the user's folder there and here."""
    for some in chunks(move.source.ids("recordings", "user_id", tenant.id), batch):
        with move.target.database.system() as session:
            done = move.ledger.taken(session, "recordings", some)
            fresh = [each for each in some if str(each) not in done]
            _late_parts(move, session, [each for each in some if str(each) in done])
            if files.are_brought:
                _late_files(move, session, tenant, files, slugs, done)
            if fresh:
                _Batch(move, session, tenant, files, slugs).take(fresh)


def take_thumbnails(move: Move, files: Files, tenant: Tenant, slugs: tuple[int, int]) -> None:
    """The user's own pictures; those that are stored already stay as they are."""
    found = files.take_thumbnails(*slugs)
    with move.target.database.system() as session:
        known = set(
            session.scalars(
                select(StoredObject.path).where(
                    StoredObject.user_id == tenant.id, StoredObject.recording_id.is_(None)
                )
            )
        )
        fresh = [each for each in found if each.path not in known]
        move.target.insert(session, StoredObject, _objects(tenant.id, None, fresh))


def _objects(user_id: str, recording_id: int | None, files: list[Stored]) -> list[dict[str, Any]]:
    return [
        {
            "user_id": user_id,
            "recording_id": recording_id,
            "kind": each.kind,
            "path": each.path,
            "bytes": each.bytes,
        }
        for each in files
    ]


def _late_parts(move: Move, session: Session, recording_ids: list[int]) -> None:
    """What was added there to a recording that an earlier run took is left."""
    for table in PART_TABLES if recording_ids else ():
        keys = [row["id"] for row in move.source.rows(table, "recording_id", recording_ids)]
        known = move.ledger.noted(session, table, keys)
        late = [left(table, key, LATER) for key in keys if str(key) not in known]
        move.ledger.write(session, late)


def _late_files(
    move: Move,
    session: Session,
    tenant: Tenant,
    files: Files,
    slugs: tuple[int, int],
    taken: Mapping[str, str],
) -> None:
    """Bring what an earlier run left of the files of recordings that are still here."""
    new_ids = [int(each) for each in taken.values()]
    here = set(
        session.scalars(
            select(Recording.id).where(
                Recording.id.in_(new_ids),
                Recording.user_id == tenant.id,
                Recording.delete_state != DeleteState.HARD_DELETED,
            )
        )
    )
    known = set(
        session.scalars(select(StoredObject.path).where(StoredObject.recording_id.in_(here)))
    )
    for old, new in taken.items():
        if int(new) in here:
            folders = RecordingPaths(slugs[0], int(old)), RecordingPaths(slugs[1], int(new))
            found = files.take(*(each.folder for each in folders))
            fresh = [each for each in found if each.path not in known]
            move.target.insert(session, StoredObject, _objects(tenant.id, int(new), fresh))


class _Batch:
    """Rows by table, written together at the end of one transaction."""

    def __init__(
        self, move: Move, session: Session, tenant: Tenant, files: Files, slugs: tuple[int, int]
    ) -> None:
        self._move = move
        self._session = session
        self._owner = Owner(tenant.id, tenant.references, tenant.presets)
        self._files = files
        self._slugs = slugs
        self._rows: dict[type[Base], list[dict[str, Any]]] = defaultdict(list)
        self._entries: list[Entry] = []
        self._done: list[tuple[Old, New, Notes]] = []
        self._keys = tenant.source_keys

    def take(self, old_ids: list[int]) -> None:
        olds = self._read(old_ids)
        self._keys |= self._keys_here(olds)
        new_ids = self._new_ids(old_ids)
        for old in olds:
            self._one(old, new_ids[old.recording["id"]])
        self._number_parts()
        for model in (
            Recording,
            SourceMetadata,
            ProcessingStage,
            OutputTarget,
            RecordingHold,
            StoredObject,
        ):
            self._move.target.insert(self._session, model, self._rows[model])
        self._move.ledger.write(self._session, self._entries)

    def _read(self, old_ids: list[int]) -> list[Old]:
        def parts(table: str) -> dict[int, list[Row]]:
            found: dict[int, list[Row]] = defaultdict(list)
            for row in self._move.source.rows(table, "recording_id", old_ids):
                found[row["recording_id"]].append(row)
            return found

        stages, targets, sources = (parts(table) for table in PART_TABLES)
        return [
            Old(row, stages[row["id"]], targets[row["id"]], next(iter(sources[row["id"]]), None))
            for row in self._move.source.rows("recordings", "id", old_ids)
        ]

    def _new_ids(self, old_ids: list[int]) -> dict[int, int]:
        """An id is kept where it is free, since it names the folder of the files."""
        taken = existing(self._session, Recording.id, old_ids)
        drawn = iter(self._move.target.new_ids(self._session, "recordings", len(taken)))
        return {each: next(drawn) if each in taken else each for each in old_ids}

    def _keys_here(self, olds: list[Old]) -> set[tuple[str, str]]:
        """Which of the source keys that come the owner has already."""
        coming = [key for old in olds if old.source is not None for key in keys_of(old.source)]
        found = self._session.execute(
            select(SourceMetadata.source_type, SourceMetadata.source_key).where(
                SourceMetadata.user_id == self._owner.user_id,
                SourceMetadata.source_key.in_(coming),
            )
        )
        return {(kind, key) for kind, key in found}

    def _one(self, old: Old, new_id: int) -> None:
        notes = Notes()
        place = Place(
            RecordingPaths(self._slugs[0], old.recording["id"]),
            RecordingPaths(self._slugs[1], new_id),
        )
        if place.old.recording_id != new_id:
            notes.say("another id", f"{place.old.recording_id} was taken, now {new_id}")
        new = recording(old, place, self._owner, notes)
        say_unread("recordings", old.recording, notes)
        self._own_key(new)
        self._rows[Recording].append(new.recording)
        self._rows[RecordingHold] += new.holds
        if new.recording["delete_state"] != DeleteState.HARD_DELETED:
            files = self._files.take(place.old.folder, place.new.folder)
            self._rows[StoredObject] += _objects(self._owner.user_id, new_id, files)
            if not files and new.recording["local_video_path"] is not None:
                notes.say("no files", f"{place.old.folder} belongs at {place.new.folder}")
        self._done.append((old, new, notes))

    def _own_key(self, new: New) -> None:
        """A source key is unique for its owner; a second one gets the recording's id behind it."""
        if new.source is None:
            return
        _, values, notes = new.source
        kind, key = values["source_type"], values["source_key"]
        if (kind, key) in self._keys:
            values["source_key"] = f"{key[:980]}#{new.recording['id']}"
            notes.say("source_key", "another recording has it, so an id is behind it")
        self._keys.add((kind, values["source_key"]))

    def _number_parts(self) -> None:
        """Give all parts their ids at once, and note what came of which row."""
        stages = [values for _, new, _ in self._done for _, values, _ in new.stages]
        targets = [values for _, new, _ in self._done for _, values, _ in new.targets]
        sources = [new.source[1] for _, new, _ in self._done if new.source is not None]
        for model, rows in (
            (ProcessingStage, stages),
            (OutputTarget, targets),
            (SourceMetadata, sources),
        ):
            ids = self._move.target.new_ids(self._session, model.__tablename__, len(rows))
            for values, new_id in zip(rows, ids, strict=True):
                values["id"] = new_id
            self._rows[model] = rows
        for old, new, notes in self._done:
            self._entries += entries(old, new, notes)
