"""Topics as people change them: an edit is a version of `topics.json`, and any version can count.

The file is read and written under the recording's lock. Whoever finds topics says so under that
lock before reading the file, and meanwhile nobody edits: so neither loses what the other wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session, lazyload
from ulid import ULID

from leap_pipeline.db.models.recordings import ProcessingStage, Recording
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.names import clean_name
from leap_pipeline.domain.shapes.registry import read_column, validate_column
from leap_pipeline.domain.shapes.results import (
    MainTopics,
    TopicsMeta,
    TopicTimestamp,
    TopicTimestamps,
)
from leap_pipeline.domain.states import Stage, StageStatus
from leap_pipeline.errors import AlreadyRunning, DataError, InputError, NotFound, StaleChange
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.projection import Locked, lock_recording
from leap_pipeline.services.quotas import refresh_storage
from leap_pipeline.services.stored_objects import store_object
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.paths import RecordingPaths
from leap_pipeline.topics.document import (
    MANUAL,
    TopicsDocument,
    activate,
    add_version,
    read_document,
    write_document,
)
from leap_pipeline.topics.shapes import Granularity, Topics

KIND = "topics"
UNKNOWN = "unknown"
"""The model of topics that came without a file, from whom nobody knows."""
MOST_VERSIONS = 200
MOST_MAIN_TOPICS = 20


def load_versions(
    session: Session, storage: LocalStorage, recording_id: int
) -> TopicsDocument | None:
    """Every version of a recording's topics; None where nothing was found or written yet.

    Raises `NotFound` for a recording that the scope does not have.
    """
    row = session.get(Recording, recording_id, options=[lazyload("*")])
    if row is None:
        msg = f"There is no recording {recording_id}."
        raise NotFound(msg)
    stage = next((each for each in row.stages if each.stage_type == Stage.EXTRACT_TOPICS), None)
    return _document(storage, _paths(session, row), row, stage)


def edit_topics(
    session: Session,
    storage: LocalStorage,
    recording_id: int,
    topics: Sequence[TopicTimestamp],
    main_topics: Sequence[str],
    *,
    seen: str | None,
    actor: Actor,
) -> str:
    """A person's version, which counts from now on; its id.

    `seen` is the version that counted when the person began. Raises `StaleChange` where another
    person's counts by now, `AlreadyRunning` while topics are being found, `InputError` for what
    cannot be stored. Every earlier version stays.
    """
    opened = _open(session, storage, recording_id)
    document = opened.document
    active = document.active if document is not None else None
    if active is not None and active.id != seen and active.model == MANUAL:
        msg = (
            "Somebody else has changed these topics meanwhile: copy what you wrote, load the "
            "page again and compare."
        )
        raise StaleChange(msg)
    if document is not None and len(document.versions) >= MOST_VERSIONS:
        msg = f"These topics have {MOST_VERSIONS} versions already: use one of them."
        raise InputError(msg)
    granularity: Granularity = active.granularity if active is not None else "long"
    made = Topics(
        main_topics=_named(main_topics),
        topic_timestamps=list(topics),
        pauses=active.pauses if active is not None else [],
        model=MANUAL,
    )
    changed = add_version(document, made, recording_id=recording_id, granularity=granularity)
    after = {
        "version": changed.active_version,
        "topics": [each.topic for each in topics],
        "main_topics": made.main_topics,
    }
    before = {"version": active.id if active is not None else None}
    opened.save(changed, Told(actor, "topics.edit", before, after))
    return changed.active_version


def switch_topics(
    session: Session, storage: LocalStorage, recording_id: int, version_id: str, *, actor: Actor
) -> None:
    """Another version counts from now on; raises as `edit_topics`."""
    opened = _open(session, storage, recording_id)
    if opened.document is None:
        msg = f"Recording {recording_id} has no topics yet: run it, or write them."
        raise InputError(msg)
    was = opened.document.active_version
    if was == version_id:
        return
    told = Told(actor, "topics.switch", {"version": was}, {"version": version_id})
    opened.save(activate(opened.document, version_id), told)


@dataclass(frozen=True)
class Told:
    """Who did what, as the audit log tells it."""

    actor: Actor
    action: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True)
class _Opened:
    """The topics of a recording that is locked, where nobody else can write them."""

    session: Session
    storage: LocalStorage
    locked: Locked
    paths: RecordingPaths
    document: TopicsDocument | None

    def save(self, document: TopicsDocument, told: Told) -> None:
        """The rows first, the file last of all: what a row refuses leaves the file alone, and so
        what counts there is what is published.
        """
        row = self.locked.recording
        columns = {
            "topic_timestamps": [each.model_dump() for each in document.active.topic_timestamps],
            "main_topics": list(document.active.main_topics),
        }
        for name, value in columns.items():
            setattr(row, name, validate_column("recordings", name, value))
        with self.storage.scratch(f"{row.id}-topics-{ULID()}") as folder:
            made = folder / "topics.json"
            write_document(document, made)
            self._write_rows(made.stat().st_size, told)
            self.storage.put(made, self.paths.topics)

    def _write_rows(self, size: int, told: Told) -> None:
        row = self.locked.recording
        owner = row.user_id or ""
        store_object(self.session, owner, KIND, self.paths.topics, size, recording_id=row.id)
        row.transcription_dir = row.transcription_dir or self.paths.transcriptions
        self.session.flush()
        refresh_storage(self.session, owner, datetime.now(UTC))
        record(
            self.session,
            told.actor,
            told.action,
            "recording",
            row.id,
            owner_id=row.user_id,
            before=told.before,
            after=told.after,
        )
        self.session.flush()


def _open(session: Session, storage: LocalStorage, recording_id: int) -> _Opened:
    locked = lock_recording(session, recording_id)
    row = locked.recording
    if row.deleted:
        msg = f"Recording {recording_id} is deleted: restore it before you change its topics."
        raise InputError(msg)
    stage = locked.stages.get(Stage.EXTRACT_TOPICS)
    if stage is not None and stage.status == StageStatus.IN_PROGRESS:
        msg = (
            f"The topics of recording {recording_id} are being found just now: "
            "save again in a moment."
        )
        raise AlreadyRunning(msg)
    paths = _paths(session, row)
    return _Opened(session, storage, locked, paths, _document(storage, paths, row, stage))


def _paths(session: Session, row: Recording) -> RecordingPaths:
    owner = session.get(User, row.user_id, options=[lazyload("*")])
    if owner is None:
        msg = f"Recording {row.id} has no owner, so it has no files."
        raise DataError(msg)
    return RecordingPaths(owner.user_slug, row.id)


def _document(
    storage: LocalStorage, paths: RecordingPaths, row: Recording, stage: ProcessingStage | None
) -> TopicsDocument | None:
    stored = storage.path(paths.topics)
    if stored.is_file():
        try:
            return read_document(stored)
        except InputError as error:
            msg = (
                f"The stored file {paths.topics} cannot be read: remove it, then force "
                "EXTRACT_TOPICS to find the topics again."
            )
            raise DataError(msg) from error
    return _of_columns(row, stage)


def _of_columns(row: Recording, stage: ProcessingStage | None) -> TopicsDocument | None:
    """What the columns alone know, as rows have it that came without a file."""
    spans = read_column("recordings", "topic_timestamps", row.topic_timestamps).value
    named = read_column("recordings", "main_topics", row.main_topics).value
    topics = list(spans.root) if isinstance(spans, TopicTimestamps) else []
    main = list(named.root) if isinstance(named, MainTopics) else []
    if not topics and not main:
        return None
    told = read_column(
        "processing_stages",
        "stage_meta",
        stage.stage_meta if stage is not None else None,
        kind=Stage.EXTRACT_TOPICS,
    ).value
    meta = told if isinstance(told, TopicsMeta) else TopicsMeta()
    found = Topics(main_topics=main, topic_timestamps=_apart(topics), model=meta.model or UNKNOWN)
    return add_version(
        None,
        found,
        recording_id=row.id,
        granularity="short" if meta.granularity == "short" else "long",
        created_at=(stage.completed_at if stage is not None else None) or row.created_at,
    )


def _apart(topics: Sequence[TopicTimestamp]) -> list[TopicTimestamp]:
    """Topics of an older platform may reach into the next one."""
    return [
        each.model_copy(update={"end": min(each.end, topics[place + 1].start)})
        if place + 1 < len(topics)
        else each
        for place, each in enumerate(topics)
    ]


def _named(main_topics: Sequence[str]) -> list[str]:
    named = list(dict.fromkeys(clean_name(each) for each in main_topics if each.strip()))
    if len(named) > MOST_MAIN_TOPICS:
        msg = f"There are {len(named)} main topics: name at most {MOST_MAIN_TOPICS}."
        raise InputError(msg)
    return named
