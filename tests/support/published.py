"""Rows of targets that wait for a platform, or are published there, under accounts of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import lazyload

from leap_pipeline.db.models.publishing import TargetStep, UploadSession
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Credentials, Editor
from tests.support.bench import Bench

PERSON = Editor(SYSTEM, Rights())
CLIENT = "407408718192-leap.apps.googleusercontent.com"
DOCUMENTS: Mapping[Platform, Mapping[str, Any]] = {
    Platform.YOUTUBE: {"refresh_token": "1//a-refresh-token", "client_id": CLIENT},
    Platform.VK: {"access_token": "vk1.a.a-token-of-a-user"},
}


@dataclass
class Shelf:
    """What a user publishes; every preset has an account of its own."""

    bench: Bench
    vault: Vault
    presets: dict[int, int] = field(default_factory=dict)
    """The preset of each credential."""

    def account(self, platform: Platform = Platform.YOUTUBE, **document: Any) -> int:
        """A credential with a preset that publishes by it."""
        number = len(self.presets)
        with self.bench.database.tenant(self.bench.user_id) as session:
            made = Credentials(session, self.bench.user_id, self.vault).create(
                str(platform).lower(),
                {**DOCUMENTS[platform], **document},
                PERSON,
                account_name=f"Account {number}",
            )
            preset = OutputPreset(
                user_id=self.bench.user_id,
                name=f"Preset {number}",
                platform=platform,
                credential_id=made.id,
            )
            session.add(preset)
            session.flush()
            self.presets[made.id] = preset.id
        return made.id

    def target(
        self,
        credential_id: int,
        *,
        uploaded_at: datetime | None = None,
        steps: Mapping[str, str] | None = None,
        run: str | None = "queued",
        due_at: datetime | None = None,
        platform: Platform = Platform.YOUTUBE,
        **upload: Any,
    ) -> int:
        """A target, with its publish run (None: no live one), steps by kind, and upload."""
        bench = self.bench
        recording = bench.recording(download_status="COMPLETED")
        with bench.database.tenant(bench.user_id) as session:
            target = OutputTarget(
                recording_id=recording,
                user_id=bench.user_id,
                target_type=platform,
                preset_id=self.presets[credential_id],
                status="UPLOADED" if uploaded_at else "NOT_UPLOADED",
                uploaded_at=uploaded_at,
                target_meta={"url": f"https://video.example/{recording}"} if uploaded_at else None,
            )
            session.add(target)
            session.flush()
            for kind, state in (steps or {}).items():
                session.add(
                    TargetStep(user_id=bench.user_id, target_id=target.id, kind=kind, state=state)
                )
            if run is not None:
                session.add(
                    RecordingRun(
                        recording_id=recording,
                        user_id=bench.user_id,
                        phase=Phase.PUBLISH,
                        target_type=platform,
                        state=run,
                        due_at=due_at,
                    )
                )
            if upload or uploaded_at:
                values = {
                    "state": "uploaded" if uploaded_at else "planned",
                    "credential_id": credential_id,
                    "marker": f"marker-{recording}",
                    "bytes": 1000,
                    "sha256": "0" * 64,
                    "uploaded_at": uploaded_at,
                    **upload,
                }
                session.add(UploadSession(user_id=bench.user_id, target_id=target.id, **values))
            return target.id

    def video(self, credential_id: int, video_id: str, at: datetime, **changed: Any) -> int:
        """A published video that was uploaded `at` and is due to be looked at then."""
        values = {
            "video_id": video_id,
            "duration": 90.0,
            "processing": "processing",
            "next_look_at": at,
            "run": None,
            **changed,
        }
        return self.target(credential_id, uploaded_at=at, **values)

    def upload(self, target_id: int) -> UploadSession:
        """The row of a target's upload."""
        with self.bench.database.system() as session:
            return session.scalars(
                select(UploadSession)
                .where(UploadSession.target_id == target_id)
                .options(lazyload("*"))
            ).one()

    def recording(self, target_id: int) -> int:
        """The recording of a target."""
        with self.bench.database.system() as session:
            return session.get_one(OutputTarget, target_id, options=[lazyload("*")]).recording_id

    def change(self, target_id: int, **values: Any) -> None:
        with self.bench.database.system() as session:
            session.execute(
                update(UploadSession).where(UploadSession.target_id == target_id).values(**values)
            )
