"""What a person does about a published video, with the account that it takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.db.models.recordings import OutputTarget, Recording
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.domain.permissions import Permission, require
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import UserActionError
from leap_pipeline.publishing.uploader import Video
from leap_pipeline.security.vault import Vault
from leap_pipeline.services import published
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.platform_accounts import PlatformAccounts
from leap_pipeline.services.targets import Asked, request_publishing
from leap_pipeline.settings import Settings


@dataclass(frozen=True)
class Desk:
    """What it takes to speak with a platform."""

    database: Database
    vault: Vault
    settings: Settings

    def accounts(self) -> PlatformAccounts:
        return PlatformAccounts(self.database, self.vault, self.settings)


def publish(
    session: Session,
    recording_id: int,
    editor: Editor,
    platforms: Iterable[Platform] | None = None,
) -> Asked:
    """As `request_publishing`, by a person who may."""
    require(editor.rights, Permission.UPLOAD)
    return request_publishing(
        session, recording_id, requested_by=editor.actor.name, platforms=platforms
    )


def retract_video(
    desk: Desk, user_id: str, recording_id: int, platform: Platform, editor: Editor, reason: str
) -> None:
    """Delete the video on its platform, by the account that sent it; as `published.retract`."""
    require(editor.rights, Permission.UPDATE_UPLOADED_VIDEOS)
    credential_id = _account(desk, user_id, recording_id, platform, of_upload=True)
    with desk.accounts() as accounts:
        publisher = accounts.publisher(user_id, credential_id, platform)
        published.retract(desk.database, publisher, user_id, recording_id, platform, editor, reason)


def settle_upload(
    desk: Desk,
    user_id: str,
    recording_id: int,
    platform: Platform,
    named: str | None,
    editor: Editor,
) -> Video | None:
    """Decide a doubtful upload: `named` is the id of the video that is there, None that there is
    none and it is sent again. The video; raises as `published.settle_doubt` and `known_video`.
    """
    require(editor.rights, Permission.UPLOAD)
    found: Video | None = None
    if named is not None:
        credential_id = _account(desk, user_id, recording_id, platform)
        with desk.accounts() as accounts:
            found = accounts.known_video(user_id, credential_id, platform, named)
    with desk.database.tenant(user_id) as session:
        now = datetime.now(UTC)
        published.settle_doubt(session, recording_id, platform, found, now, editor)
    return found


def _account(
    desk: Desk, user_id: str, recording_id: int, platform: Platform, *, of_upload: bool = False
) -> int:
    """The credential that the target's preset has; or that the video was sent with."""
    with desk.database.tenant(user_id) as session:
        found = _credential(session, recording_id, platform, of_upload=of_upload)
    if found is None:
        msg = (
            f"Recording {recording_id} has no preset with a {PLATFORM_NAMES[platform]} account: "
            "choose one in its template's preset."
        )
        raise UserActionError(msg)
    return found


def _credential(
    session: Session, recording_id: int, platform: Platform, *, of_upload: bool
) -> int | None:
    of_preset = OutputPreset.credential_id
    account = func.coalesce(UploadSession.credential_id, of_preset) if of_upload else of_preset
    found: int | None = session.scalar(
        select(account)
        .select_from(Recording)
        .join(OutputTarget, OutputTarget.recording_id == Recording.id)
        .outerjoin(OutputPreset, OutputPreset.id == OutputTarget.preset_id)
        .outerjoin(UploadSession, UploadSession.target_id == OutputTarget.id)
        .where(Recording.id == recording_id, OutputTarget.target_type == platform)
    )
    return found
