"""One upload of one target: exactly once, whatever dies, on whatever machine it goes on.

The intent is stored, then the session, then that the last bytes go out, then the receipt; in
between the platform is asked, and nothing is ever sent on a guess. What asking cannot decide waits
for a person, with the facts.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from leap_pipeline.domain.absences import look_due
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.domain.states import Platform, TargetStatus, UploadState
from leap_pipeline.domain.wanted import gap_after
from leap_pipeline.errors import DataError, MustWaitError, TransientError, UserActionError
from leap_pipeline.progress import ProgressCallback
from leap_pipeline.publishing.uploader import (
    Absent,
    Doubtful,
    Found,
    Kept,
    SessionGone,
    Uploader,
    VideoFile,
)
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.holds import hold
from leap_pipeline.services.later import later
from leap_pipeline.services.moves import move_target
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.upload_rows import StoredUpload, UploadRows
from leap_pipeline.services.work import Work

ONCE_MORE = "Its session is gone: the video is looked for once more before it is sent again"
ROUNDS = 8
BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Undecided:
    """A person must decide; the target is held with the facts."""

    reason: str


class Publishing:
    """Drives the upload of the target that `work` holds."""

    def __init__(
        self,
        work: Work,
        rows: UploadRows,
        uploader: Uploader,
        *,
        now: Callable[[], datetime],
        dice: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if work.platform is None:
            msg = "Only a publish run has an upload."
            raise DataError(msg)
        self._work = work
        self._platform: Platform = work.platform
        self._rows = rows
        self._uploader = uploader
        self._now = now
        self._dice = dice

    def upload(
        self, file: VideoFile, sent: Sent, credential_id: int, progress: ProgressCallback
    ) -> Undecided | None:
        """Until the platform has confirmed the video; None where it has.

        Raises MustWaitError where it cannot go on now, UserActionError where the platform refuses.
        """
        fresh = False
        for _ in range(ROUNDS):
            stored = self._rows.read()
            if stored is None:
                self._rows.plan(file, sent, credential_id)
                continue
            if stored.state is UploadState.UPLOADED:
                return None
            if doubt := self._another_account(stored, credential_id):
                return self._held(doubt)
            if stored.state is UploadState.PLANNED:
                planned = (stored.sha256, stored.sent, stored.credential_id)
                if planned != (file.sha256, sent, credential_id):
                    self._rows.refiled(file, sent, credential_id)
                with self._asking(stored):
                    opened = self._uploader.open(file, sent, stored.upload.marker)
                self._rows.opened(opened, self._now())
                fresh = True
                continue
            if stored.state is UploadState.OPEN:
                doubt = self._go_on(stored, file, sent, credential_id, progress, fresh=fresh)
            else:
                doubt = self._look_for(stored, file, sent, credential_id)
            if doubt is not None:
                return self._held(doubt)
            fresh = False
        name = PLATFORM_NAMES[self._platform]
        msg = f"The upload to {name} begins over and over: see whether {name} works, then retry."
        raise DataError(msg)

    def _go_on(
        self,
        stored: StoredUpload,
        file: VideoFile,
        sent: Sent,
        credential_id: int,
        progress: ProgressCallback,
        *,
        fresh: bool,
    ) -> Doubtful | None:
        """With an open session: ask how far it is, and send the rest."""
        if fresh:
            verdict: object = Kept()
        else:
            with self._asking(stored):
                verdict = self._uploader.ask(stored.upload)
        if isinstance(verdict, Found):
            self._rows.uploaded(verdict.video, self._now())
        elif isinstance(verdict, Doubtful):
            return verdict
        elif not isinstance(verdict, Kept):
            self._rows.lost()
        elif stored.sha256 != file.sha256:
            with self._asking(stored):
                same_session = self._uploader.discard(stored.upload)
            if same_session:  # it was opened with its texts: new ones come beside the video
                self._rows.refiled(file, stored.sent, credential_id)
            elif stored.closing_at is not None:  # its last bytes may be on their way even now
                self._rows.lost()
            else:
                self._rows.planned_again(file, sent, credential_id)
        else:
            self._send(stored, file, verdict.offset, progress)
        return None

    def _send(
        self, stored: StoredUpload, file: VideoFile, offset: int, progress: ProgressCallback
    ) -> None:
        try:
            with self._asking(stored):
                video = self._uploader.send(
                    stored.upload, file, offset, progress, self._closing(stored)
                )
        except SessionGone:
            self._rows.lost()
        else:
            self._rows.uploaded(video, self._now())

    def _closing(self, stored: StoredUpload) -> Callable[[], None]:
        """Stores that from now on the video may come to be; the first time counts."""
        told = stored.closing_at is not None

        def closing() -> None:
            nonlocal told
            if not told:
                self._rows.closing(self._now())
                told = True

        return closing

    def _look_for(
        self, stored: StoredUpload, file: VideoFile, sent: Sent, credential_id: int
    ) -> Doubtful | None:
        """The session is gone: is the video there all the same?"""
        due = look_due(self._platform, stored.closing_at, stored.absences, stored.absent_at)
        if due is None:
            self._begin_anew(stored, file, sent, credential_id)
            return None
        if self._now() < due:
            raise later(ONCE_MORE, due, self._dice)
        with self._asking(stored):
            verdict = self._uploader.search(stored.upload)
        if isinstance(verdict, Found):
            self._rows.uploaded(verdict.video, self._now())
        elif isinstance(verdict, Absent):
            now = self._now()
            due = look_due(self._platform, stored.closing_at, stored.absences + 1, now)
            if due is not None:
                self._rows.absent(now)
                raise later(ONCE_MORE, due, self._dice)
            self._begin_anew(stored, file, sent, credential_id)
        else:
            return verdict
        return None

    def _begin_anew(
        self, stored: StoredUpload, file: VideoFile, sent: Sent, credential_id: int
    ) -> None:
        """What was opened has no video: given up, and planned again."""
        with self._asking(stored):
            self._uploader.discard(stored.upload)
        self._rows.planned_again(file, sent, credential_id)

    def _another_account(self, stored: StoredUpload, credential_id: int) -> Doubtful | None:
        """A session is of one account: another one's answers would prove nothing."""
        begun = stored.state in (UploadState.OPEN, UploadState.LOST)
        if not begun or stored.credential_id in (credential_id, None):
            return None
        name = PLATFORM_NAMES[self._platform]
        return Doubtful(
            f"the upload was begun with another {name} account than its preset has now: see "
            "whether the video is there, then settle it with `leap publish settle`",
            {"account": stored.upload.account, "credential": stored.credential_id},
        )

    def _held(self, doubt: Doubtful) -> Undecided:
        work = self._work
        with work.fenced() as session:
            lock_recording(session, work.recording_id)
            move_target(session, work.recording_id, self._platform, TargetStatus.NOT_UPLOADED)
            hold(
                session,
                work.recording_id,
                HoldKind.DOUBTFUL_UPLOAD,
                doubt.reason,
                platform=self._platform,
                facts=doubt.facts,
                actor=SYSTEM,
            )
            refresh_status(session, work.recording_id)
        return Undecided(doubt.reason)

    @contextmanager
    def _asking(self, stored: StoredUpload) -> Iterator[None]:
        """Around every call: what the platform cannot answer now is asked again later, for a day.

        Of the database's own faults only those of `_closing` pass here; they end the work anyhow.
        """
        try:
            yield
        except TransientError as failed:
            gap = gap_after(stored.failures)
            self._rows.failed(0 if gap is None else stored.failures + 1)
            if gap is None:
                msg = f"{failed} That went on for a day: see whether it works again, then retry."
                raise UserActionError(msg) from failed
            raise later(str(failed), self._now() + gap, self._dice) from failed
        except MustWaitError as wait:
            raise later(str(wait), wait.due_at, self._dice) from wait


def video_file(path: Path, seconds: float) -> VideoFile:
    """A stored video as it is sent; reads all of it for its digest."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += len(block)
    return VideoFile(path, size, digest.hexdigest(), seconds)
