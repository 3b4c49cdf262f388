"""A publish run from its beginning to its end: the video, then all that stands beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.shapes.publishing import YouTubeMetadata
from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.domain.states import Platform, TargetStatus
from leap_pipeline.errors import DataError, UserActionError
from leap_pipeline.publishing.uploader import Publisher, Video
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.moves import note_sent
from leap_pipeline.services.platform_accounts import PlatformAccounts
from leap_pipeline.services.projection import lock_recording
from leap_pipeline.services.publication import Publication, load_publication, sent_of
from leap_pipeline.services.published import UPDATE
from leap_pipeline.services.publishing import Publishing, video_file
from leap_pipeline.services.step_rows import Desk
from leap_pipeline.services.target_steps import (
    CAPTIONS,
    COLLECTION,
    LISTING,
    THUMBNAIL,
    Decoration,
    StepLine,
    decorate,
    digest_of,
    lines,
)
from leap_pipeline.services.upload_rows import UploadRows
from leap_pipeline.services.work import Work


@dataclass(frozen=True)
class Published:
    """What is on the platform after a run."""

    video: Video
    sent: Sent
    publication: Publication
    steps: tuple[StepLine, ...]


def publish_target(
    work: Work,
    vault: Vault,
    accounts: PlatformAccounts,
    *,
    now: Callable[[], datetime],
) -> Published | None:
    """Publish the target that `work` holds; None where a person has to decide first.

    Raises MustWaitError where it goes on later, UserActionError where somebody must act.
    """
    platform = work.platform
    if platform is None:
        msg = "A publish run needs its target."
        raise DataError(msg)
    with work.fenced() as session:
        publication = load_publication(session, work.storage, work.recording_id, platform, now())
    is_there, begun_with = _known(work, platform)
    preset_account = _account_of(publication)
    # Another account than the one that uploaded it cannot change it, and may not even see it.
    credential_id = begun_with if is_there and begun_with is not None else preset_account
    publisher = accounts.publisher(work.user_id, credential_id, platform)
    sent = sent_of(publication)
    rows = UploadRows(work, vault)
    if not is_there:
        if publication.video is None:
            msg = f"Recording {work.recording_id} has no video: run it first."
            raise UserActionError(msg)
        file = video_file(work.storage.fetch(publication.video), publication.seconds)
        publishing = Publishing(work, rows, publisher, now=now)
        if publishing.upload(file, sent, credential_id, work.progress()) is not None:
            return None
    video, marker = rows.receipt()
    wanted = decorations(work, publication, publisher, video, sent, marker or "")
    undo = {COLLECTION: _take_out(publisher, video)}
    decorate(Desk(work, platform, now), wanted, undo, update=_is_update(work))
    with work.fenced() as session:
        steps = tuple(lines(session, rows.target_id(session)))
    return Published(video, sent, publication, steps)


def decorations(
    work: Work,
    publication: Publication,
    publisher: Publisher,
    video: Video,
    sent: Sent,
    marker: str,
) -> Sequence[Decoration]:
    """What is to stand beside a video, in the order of its worth."""
    restate, noted = _restate(publisher, video, sent, marker), _noted(work, publication, sent)
    found = [Decoration(LISTING, digest_of(sent), restate, noted=noted)]
    if publication.thumbnail is not None:
        picture = work.storage.fetch(publication.thumbnail)
        found.append(Decoration(THUMBNAIL, _digest(picture), _picture(publisher, video, picture)))
    collection = collection_of(publication)
    if collection is not None:
        put = _collect(publisher, video, collection)
        found.append(Decoration(COLLECTION, collection, put, name=collection))
    if publication.captions is not None:
        srt, language = work.storage.fetch(publication.captions.path), publication.captions.language
        add = _caption(publisher, video, srt, language)
        found.append(Decoration(CAPTIONS, _digest(srt), add, name=language))
    return found


def collection_of(publication: Publication) -> str | None:
    """The playlist or album that the video is to be in."""
    settings = publication.settings
    return settings.playlist_id if isinstance(settings, YouTubeMetadata) else settings.album_id


def _known(work: Work, platform: Platform) -> tuple[bool, int | None]:
    """Whether the video is there, and the account of its upload.

    What the original platform published has no upload of ours, and is there all the same.
    """
    with work.fenced() as session:
        target = lock_recording(session, work.recording_id).targets[platform]
        account = session.scalar(
            select(UploadSession.credential_id).where(UploadSession.target_id == target.id)
        )
    return target.status == TargetStatus.UPLOADED, account


def _is_update(work: Work) -> bool:
    with work.fenced() as session:
        forced = session.scalar(
            select(RecordingRun.forced_from).where(RecordingRun.id == work.run_id)
        )
    return forced == UPDATE


def _account_of(publication: Publication) -> int:
    if publication.credential_id is None:
        name = PLATFORM_NAMES[publication.platform]
        msg = (
            f"Recording {publication.recording_id} has no active {name} preset: choose one in its "
            "template (`output_config.preset_ids`), then try again."
        )
        raise UserActionError(msg)
    return publication.credential_id


def _restate(
    publisher: Publisher, video: Video, sent: Sent, marker: str
) -> Callable[[str | None], None]:
    def act(_known: str | None) -> None:
        publisher.restate(video, sent, marker)

    return act


def _noted(work: Work, publication: Publication, sent: Sent) -> Callable[[Session], None]:
    document = sent.model_dump(mode="json", exclude_unset=True)

    def note(session: Session) -> None:
        note_sent(session, work.recording_id, publication.platform, document)

    return note


def _picture(publisher: Publisher, video: Video, picture: Path) -> Callable[[str | None], None]:
    def act(_known: str | None) -> None:
        publisher.set_thumbnail(video, picture)

    return act


def _collect(
    publisher: Publisher, video: Video, collection: str
) -> Callable[[str | None], str | None]:
    def act(_known: str | None) -> str | None:
        return publisher.collect(video, collection)

    return act


def _take_out(publisher: Publisher, video: Video) -> Callable[[str, str | None], None]:
    def undo(collection: str, entry: str | None) -> None:
        publisher.take_out(video, collection, entry)

    return undo


def _caption(
    publisher: Publisher, video: Video, srt: Path, language: str
) -> Callable[[str | None], str]:
    def act(known: str | None) -> str:
        return publisher.put_captions(video, srt, language, "", known)

    return act


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
