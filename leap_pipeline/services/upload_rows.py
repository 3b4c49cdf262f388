"""The row of one upload, from its intent to its receipt; every write is fenced by its worker."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.shapes.registry import read_column, validate_column
from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.domain.states import (
    UPLOAD_MOVES,
    Platform,
    TargetStatus,
    UploadState,
    require_move,
)
from leap_pipeline.errors import DataError, UserActionError
from leap_pipeline.publishing.uploader import Opened, Upload, Video, VideoFile
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.credentials import keep_keys
from leap_pipeline.services.moves import move_target
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.target_steps import note_listing
from leap_pipeline.services.work import Work

MARKER_BYTES = 10
FIRST_LOOK = timedelta(seconds=30)


@dataclass(frozen=True)
class StoredUpload:
    """What is stored of an upload; `sha256` says which file it was begun with.

    `closing_at`: its last bytes may have gone out since; None: they surely did not. `failures`: so
    often in a row the platform could not go on with it.
    """

    state: UploadState
    upload: Upload
    sha256: str
    sent: Sent
    closing_at: datetime | None
    absences: int
    absent_at: datetime | None
    failures: int
    credential_id: int | None


class UploadRows:
    """The row of the target that a worker publishes to."""

    def __init__(self, work: Work, vault: Vault) -> None:
        if work.platform is None:
            msg = "Only a publish run has an upload."
            raise DataError(msg)
        self._work = work
        self._platform: Platform = work.platform
        self._vault = vault

    def read(self) -> StoredUpload | None:
        """None where nothing was ever planned."""
        with self._work.fenced() as session:
            row = self._row(session)
            return None if row is None else self._stored(row)

    def plan(self, file: VideoFile, sent: Sent, credential_id: int) -> None:
        """The intent: written before anything is asked of the platform."""
        with self._work.fenced() as session:
            values = {
                "user_id": self._work.user_id,
                "target_id": self.target_id(session),
                "marker": secrets.token_hex(MARKER_BYTES),
                **self._begun_with(file, sent, credential_id),
            }
            session.execute(insert(UploadSession).values(**values))

    def opened(self, opened: Opened, at: datetime) -> None:
        """The session, before its first byte."""
        with self._work.fenced() as session:
            keep_keys(session)
            values = {
                "session": self._vault.encrypt(opened.session),
                "account": opened.account,
                "video_id": opened.video_id,
                "owner_id": opened.owner_id,
                "opened_at": at,
                "absences": 0,
                "absent_at": None,
                "failures": 0,
            }
            self._move(session, UploadState.OPEN, values)

    def refiled(self, file: VideoFile, sent: Sent, credential_id: int) -> None:
        """Another file, or other texts, than it was planned or begun with."""
        with self._work.fenced() as session:
            self._update(session, self._begun_with(file, sent, credential_id))

    def closing(self, at: datetime) -> None:
        """The bytes that could complete the video go out next."""
        with self._work.fenced() as session:
            self._update(session, {"closing_at": at})

    def lost(self) -> None:
        """The session is gone; whether the video arrived is not known yet."""
        with self._work.fenced() as session:
            self._move(session, UploadState.LOST, {"session": None})

    def absent(self, at: datetime) -> None:
        """The platform surely had no such video, once more."""
        with self._work.fenced() as session:
            values = {"absences": UploadSession.absences + 1, "absent_at": at, "failures": 0}
            self._update(session, values)

    def failed(self, failures: int) -> None:
        """The platform could not go on with it, so often in a row now."""
        with self._work.fenced() as session:
            self._update(session, {"failures": failures})

    def planned_again(self, file: VideoFile, sent: Sent, credential_id: int) -> None:
        """Begin anew. The marker stays: should the video turn up after all, both are found."""
        with self._work.fenced() as session:
            values = {
                "session": None,
                "video_id": None,
                "owner_id": None,
                "account": None,
                "opened_at": None,
                "closing_at": None,
                "absences": 0,
                "absent_at": None,
                "generation": UploadSession.generation + 1,
                **self._begun_with(file, sent, credential_id),
            }
            self._move(session, UploadState.PLANNED, values)

    def uploaded(self, video: Video, at: datetime) -> None:
        """The receipt, in one step with the target's: from here on nothing is sent again."""
        recording_id = self._work.recording_id
        with self._work.fenced() as session:
            lock_recording(session, recording_id)
            row = self._row(session)
            if row is None:
                msg = f"The upload of recording {recording_id} has no row."
                raise DataError(msg)
            values = {
                "session": None,
                "video_id": video.video_id,
                "owner_id": video.owner_id,
                "uploaded_at": at,
                "processing": "processing",
                "next_look_at": at + FIRST_LOOK,
                "looks": 0,
                "searches": 0,
            }
            self._move(session, UploadState.UPLOADED, values)
            meta: dict[str, Any] = {"video_id": video.video_id, "url": video.url, "sent": row.sent}
            if video.owner_id is not None:
                meta["owner_id"] = video.owner_id
            checked = validate_column("output_targets", "target_meta", meta, kind=self._platform)
            move_target(session, recording_id, self._platform, TargetStatus.UPLOADED, meta=checked)
            note_listing(session, self._work.user_id, row.target_id, self._stored(row).sent)
            refresh_status(session, recording_id)

    def receipt(self) -> tuple[Video, str | None]:
        """The published video, and its marker; one of the original platform has none."""
        with self._work.fenced() as session:
            row = self._row(session)
            target = session.get_one(OutputTarget, self.target_id(session), options=[lazyload("*")])
            return video_of(session, target), row.marker if row is not None else None

    def _begun_with(self, file: VideoFile, sent: Sent, credential_id: int) -> dict[str, Any]:
        document = sent.model_dump(mode="json", exclude_unset=True)
        return {
            "bytes": file.size,
            "sha256": file.sha256,
            "duration": file.seconds,
            "sent": validate_column("upload_sessions", "sent", document),
            "credential_id": credential_id,
        }

    def _stored(self, row: UploadSession) -> StoredUpload:
        sent = read_column("upload_sessions", "sent", row.sent).value
        secret = None if row.session is None else self._vault.decrypt(row.session)
        return StoredUpload(
            state=UploadState(row.state),
            upload=Upload(
                marker=row.marker,
                size=row.bytes,
                account=row.account,
                session=secret,
                opened_at=row.opened_at,
                video_id=row.video_id,
                owner_id=row.owner_id,
            ),
            sha256=row.sha256,
            sent=sent if isinstance(sent, Sent) else Sent(),
            closing_at=row.closing_at,
            absences=row.absences,
            absent_at=row.absent_at,
            failures=row.failures,
            credential_id=row.credential_id,
        )

    def _row(self, session: Session) -> UploadSession | None:
        return session.scalars(
            select(UploadSession)
            .where(UploadSession.target_id == self.target_id(session))
            .options(lazyload("*"))
            .execution_options(populate_existing=True)
        ).one_or_none()

    def target_id(self, session: Session) -> int:
        return session.scalars(
            select(OutputTarget.id).where(
                OutputTarget.recording_id == self._work.recording_id,
                OutputTarget.target_type == self._platform,
            )
        ).one()

    def _update(self, session: Session, values: dict[str, Any]) -> None:
        session.execute(
            update(UploadSession)
            .where(UploadSession.target_id == self.target_id(session))
            .values(**values)
            .execution_options(synchronize_session=False)
        )

    def _move(self, session: Session, wanted: UploadState, values: dict[str, Any]) -> None:
        """The recording is locked by the fence, so nobody moves the row in between."""
        row = self._row(session)
        current = "missing" if row is None else row.state
        what = f"the upload of recording {self._work.recording_id} to {self._platform}"
        require_move(what, UPLOAD_MOVES, current, wanted)
        self._update(session, {"state": wanted, **values})


def video_of(session: Session, target: OutputTarget) -> Video:
    """The published video of a target, by what is stored of it."""
    meta = target.target_meta or {}
    if not meta.get("video_id"):
        name = PLATFORM_NAMES[Platform(target.target_type)]
        msg = (
            f"The id of the {name} video of recording {target.recording_id} is not known: "
            "change it on the platform itself."
        )
        raise UserActionError(msg)
    owner = session.scalar(
        select(UploadSession.owner_id).where(UploadSession.target_id == target.id)
    )
    return Video(meta["video_id"], meta.get("url") or "", owner or meta.get("owner_id"))
