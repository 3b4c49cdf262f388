"""What waits for YouTube, of all tenants, by the project at Google whose quota it will spend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from leap_pipeline.db.models.publishing import TargetStep, UploadSession
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.credentials import CredentialPlatform, YouTube, parse_credential
from leap_pipeline.domain.states import LIVE_RUN_STATES, Phase, Platform, StepState, UploadState
from leap_pipeline.domain.youtube_quota import Step, next_reset, pacific_day, project_of
from leap_pipeline.errors import LeapError
from leap_pipeline.publishing.youtube.quota import QuotaCall
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.target_steps import CAPTIONS, COLLECTION, LISTING, THUMBNAIL

LONGEST_PROJECT = 255


def _step(kind: str, *calls: QuotaCall) -> Step:
    return Step(kind, sum(call.units for call in calls), calls[-1].priority)


# What settles a doubt about an upload: the channel, pages of its uploads, their markers.
DOUBT = Step("doubt", 5, QuotaCall.SEARCH_UPLOADS.priority)
STEPS: Mapping[str, Step] = {
    THUMBNAIL: _step(THUMBNAIL, QuotaCall.THUMBNAIL_SET),
    COLLECTION: _step(COLLECTION, QuotaCall.PLAYLIST_LIST, QuotaCall.PLAYLIST_INSERT),
    CAPTIONS: _step(CAPTIONS, QuotaCall.CAPTIONS_INSERT),
    LISTING: _step(LISTING, QuotaCall.VIDEO_LIST, QuotaCall.VIDEO_UPDATE),
}
# Before a video is there nobody knows which of them it will have, so that all are counted.
OF_EACH_VIDEO = (STEPS[THUMBNAIL], STEPS[COLLECTION], STEPS[CAPTIONS])


@dataclass(frozen=True)
class Waiting:
    """A target with a live publish run; `session` is open where its insert is spent already."""

    credential_id: int | None
    session: str | None
    uploaded_at: datetime | None
    due_at: datetime | None
    steps: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        return self.session == UploadState.OPEN

    def before(self, reset: datetime) -> bool:
        """Whether it wants to go on before the quota comes back."""
        return self.due_at is None or self.due_at < reset


def waiting(session: Session) -> list[Waiting]:
    """Everything that waits for YouTube or is at work there; for a transaction of the system."""
    steps = (
        select(func.array_agg(aggregate_order_by(TargetStep.kind, TargetStep.id)))
        .where(TargetStep.target_id == OutputTarget.id, TargetStep.state == StepState.PENDING)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            func.coalesce(UploadSession.credential_id, OutputPreset.credential_id),
            UploadSession.state,
            OutputTarget.uploaded_at,
            RecordingRun.due_at,
            steps,
        )
        .join(
            OutputTarget,
            and_(
                OutputTarget.recording_id == RecordingRun.recording_id,
                OutputTarget.target_type == RecordingRun.target_type,
            ),
        )
        .outerjoin(UploadSession, UploadSession.target_id == OutputTarget.id)
        .outerjoin(OutputPreset, OutputPreset.id == OutputTarget.preset_id)
        .where(
            RecordingRun.phase == Phase.PUBLISH,
            RecordingRun.target_type == Platform.YOUTUBE,
            RecordingRun.state.in_(LIVE_RUN_STATES),
        )
    )
    return [Waiting(row[0], row[1], row[2], row[3], tuple(row[4] or ())) for row in rows]


def needed_today(
    found: Iterable[Waiting], inserts_left: int, now: datetime
) -> list[tuple[Step, int]]:
    """What videos that are planned or uploaded today still need of today's units.

    No more of them are planned for today than can still be uploaded.
    """
    reset, today = next_reset(now), pacific_day(now)
    mine = [each for each in found if each.before(reset)]
    planned = [each for each in mine if each.uploaded_at is None]
    opened = sum(each.is_open for each in planned)
    videos = opened + min(len(planned) - opened, max(0, inserts_left))
    needs = [(DOUBT, videos), *((step, videos) for step in OF_EACH_VIDEO)]
    fresh = [
        each
        for each in mine
        if each.uploaded_at is not None and pacific_day(each.uploaded_at) == today
    ]
    return needs + list(pending(fresh).items())


def pending(found: Iterable[Waiting]) -> dict[Step, int]:
    """The steps that are left beside videos which are there."""
    counts: dict[Step, int] = {}
    for each in found:
        for kind in each.steps:
            if kind in STEPS:
                counts[STEPS[kind]] = counts.get(STEPS[kind], 0) + 1
    return counts


def project_name(
    user_id: str, credential_id: int, credential: YouTube, app_client_id: str | None
) -> str:
    """The project whose quota a credential of a user spends; `app_client_id`: LEAP's own app.

    Tenants share the project of LEAP's own app alone. Any other is named by what its owner wrote
    down, so that it counts for that owner only; one of which nothing tells it counts for itself.
    """
    if app_client_id is not None and _is_of_own_app(credential, app_client_id):
        found = project_of(None, app_client_id) or app_client_id
    else:
        named = project_of(credential.project_id, credential.client_id)
        found = f"{user_id}:{named or f'credential-{credential_id}'}"
    return found[:LONGEST_PROJECT]


def _is_of_own_app(credential: YouTube, app_client_id: str) -> bool:
    """A token that nothing renews may be any app's, whatever stands beside it."""
    is_renewed = credential.refresh_token is not None and credential.client_secret is None
    return is_renewed and credential.client_id in (None, app_client_id)


class Projects:
    """The projects of stored credentials, read once as long as they stay the same."""

    def __init__(self, vault: Vault, app_client_id: str | None) -> None:
        self._vault = vault
        self._app_client_id = app_client_id
        self._known: dict[int, tuple[str, str | None]] = {}

    def of(self, session: Session, credential_ids: Sequence[int] | None) -> dict[int, str]:
        """By credential, of these or of all that are active; what cannot be read is left out."""
        wanted = and_(
            UserCredential.platform == CredentialPlatform.YOUTUBE,
            or_(UserCredential.is_active.is_(None), UserCredential.is_active.is_(True)),
        )
        if credential_ids is not None:
            wanted &= UserCredential.id.in_(credential_ids)
        rows = session.execute(
            select(UserCredential.id, UserCredential.user_id, UserCredential.encrypted_data).where(
                wanted
            )
        ).all()
        found = {row.id: self._project(row.user_id, row.id, row.encrypted_data) for row in rows}
        return {number: project for number, project in found.items() if project is not None}

    def _project(self, user_id: str, credential_id: int, sealed: str) -> str | None:
        known = self._known.get(credential_id)
        if known is None or known[0] != sealed:
            read = self._read(user_id, credential_id, sealed)
            known = self._known[credential_id] = (sealed, read)
        return known[1]

    def _read(self, user_id: str, credential_id: int, sealed: str) -> str | None:
        try:
            document = self._vault.decrypt(sealed)
            credential = parse_credential(CredentialPlatform.YOUTUBE, document)
        except LeapError:
            return None  # nothing can be spent with it; whoever uses it is told
        assert isinstance(credential, YouTube)  # noqa: S101 - of its platform
        return project_name(user_id, credential_id, credential, self._app_client_id)
