"""A tenant whose prepared lecture is published to fakes of YouTube and VK, run by run."""

from __future__ import annotations

import functools
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.orm import lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.publishing import TargetStep, UploadSession
from leap_pipeline.db.models.recordings import ProcessingStage
from leap_pipeline.db.models.runs import RecordingHold
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.planner import DONE, UPLOADS
from leap_pipeline.domain.states import Phase, Platform, Stage, StageStatus
from leap_pipeline.errors import LeapError, MustWaitError, Superseded, TransientError
from leap_pipeline.publishing.uploader import Publisher
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from leap_pipeline.security.keys import new_key
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.holds import live_holds
from leap_pipeline.services.platform_accounts import PlatformAccounts
from leap_pipeline.services.publish_run import Published, publish_target
from leap_pipeline.services.targets import ensure_targets, request_publishing
from leap_pipeline.services.work import Work
from leap_pipeline.settings import Settings
from leap_pipeline.storage.paths import RecordingPaths
from tests.support.bench import Bench, die
from tests.support.clips import make_clip

Y, V = Platform.YOUTUBE, Platform.VK
PERSON = Editor(SYSTEM, Rights())
UNIT = 256 * 1024
SRT = "1\n00:00:00,000 --> 00:00:02,000\nДобрый день\n"
TOPICS = [
    {"topic": "Введение", "start": 0.0, "end": 700.0},
    {"topic": "Градиентный спуск", "start": 700.0, "end": 1500.0},
    {"topic": "Вопросы", "start": 1500.0, "end": 1990.0},
]
STAGES: dict[Stage, Any] = {
    Stage.TRIM: {"timeline": {"duration": 2000.0, "keep": [[0.0, 1990.0]], "no_speech": False}},
    Stage.TRANSCRIBE: None,
    Stage.EXTRACT_TOPICS: None,
    Stage.GENERATE_SUBTITLES: {"cues": 1},
}
SIZE = 5 * UNIT + 12_345
"""Bytes of a lecture, unless a test says otherwise: five whole chunks, and a rest."""


@dataclass(frozen=True)
class Addresses:
    """Where the platforms are."""

    youtube: str
    vk: str


class Died(BaseException):
    """The process of a worker ends here; nothing more is written."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `error` is what ended it, `published` what is there, if it came so far."""

    state: str
    published: Published | None = None
    error: LeapError | None = None

    @property
    def due_at(self) -> datetime:
        assert isinstance(self.error, MustWaitError), self
        return self.error.due_at


class Accounts(PlatformAccounts):
    """Sends to YouTube in the smallest chunks, so that a small file is several of them."""

    def publisher(self, user_id: str, credential_id: int, platform: Platform) -> Publisher:
        made = super().publisher(user_id, credential_id, platform)
        if isinstance(made, YouTubePublisher):
            made._chunk = UNIT
        return made


@functools.cache
def clip() -> bytes:
    """A real MP4 of a second."""
    with tempfile.TemporaryDirectory() as folder:
        made = make_clip(Path(folder) / "clip.mp4", pattern=[("speech", 1.0)], size="64x36")
        return made.read_bytes()


def lecture(size: int = SIZE, seed: int = 0) -> bytes:
    """An MP4 of so many bytes: a clip, and behind it a `free` box whose content is the seed's."""
    left = size - len(clip()) - 8
    filling = f"{seed:016x}".encode() * (left // 16 + 1)
    return clip() + (left + 8).to_bytes(4, "big") + b"free" + filling[:left]


@dataclass
class Studio:
    """`recording` is prepared, with a preset and an account on each platform it was given."""

    bench: Bench
    settings: Settings
    addresses: Addresses
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    http: httpx.Client
    recording: int = 0
    credentials: dict[Platform, int] = field(default_factory=dict)
    presets: dict[Platform, int] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.bench.database

    @property
    def vault(self) -> Vault:
        return load_vault(self.settings)

    def account(self, platform: Platform, token: str, name: str = "") -> int:
        """A stored credential by its access token alone."""
        about = name or f"{platform} {token[-6:]}"
        document: dict[str, Any] = {"access_token": token}
        if platform is Y:
            number = zlib.crc32(about.encode())
            document["client_id"] = f"{number}-leap.apps.googleusercontent.com"
        with self.database.tenant(self.bench.user_id) as session:
            made = Credentials(session, self.bench.user_id, self.vault).create(
                str(platform).lower(), document, PERSON, account_name=about
            )
            return made.id

    def preset(self, platform: Platform, credential_id: int, **metadata: Any) -> int:
        with self.database.tenant(self.bench.user_id) as session:
            row = OutputPreset(
                user_id=self.bench.user_id,
                name=f"Preset {platform} {credential_id}",
                platform=platform,
                credential_id=credential_id,
                preset_metadata=metadata,
            )
            session.add(row)
            session.flush()
            self.presets[platform], self.credentials[platform] = row.id, credential_id
            return row.id

    def use(self, platform: Platform, credential_id: int) -> None:
        """Another account for the preset of a platform."""
        with self.database.tenant(self.bench.user_id) as session:
            session.execute(
                update(OutputPreset)
                .where(OutputPreset.id == self.presets[platform])
                .values(credential_id=credential_id)
            )

    def prepare(self, *, size: int = SIZE, seed: int = 0, name: str = "Лекция") -> int:
        """A recording that is downloaded, trimmed, transcribed, chaptered and subtitled."""
        bench = self.bench
        number = bench.recording(
            display_name=f"{name} {seed}",
            download_status="COMPLETED",
            duration=2000,
            template_id=bench.template(
                None,
                metadata_config={
                    "title_template": "{display_name}",
                    "thumbnail_name": "lecture.png",
                    "tags": ["ML"],
                },
                output_config={"preset_ids": list(self.presets.values())},
            ),
        )
        paths = RecordingPaths(bench.slug, number)
        bench.set(
            number,
            local_video_path=paths.source(),
            processed_video_path=paths.video,
            transcription_info={"language": "ru", "words": 9000},
            topic_timestamps=TOPICS,
            main_topics=["Градиентный спуск"],
        )
        with self.database.tenant(bench.user_id) as session:
            for stage, meta in STAGES.items():
                session.execute(
                    update(ProcessingStage)
                    .where(
                        ProcessingStage.recording_id == number, ProcessingStage.stage_type == stage
                    )
                    .values(status=StageStatus.COMPLETED, stage_meta=meta)
                )
            ensure_targets(session, number)
        self.write(paths.source(), clip())
        self.write(paths.video, lecture(size, seed))
        self.write(paths.srt, SRT.encode())
        self.recording = number
        return number

    def write(self, relative: str, content: bytes) -> Path:
        path = self.bench.storage.path(relative)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    @property
    def paths(self) -> RecordingPaths:
        return RecordingPaths(self.bench.slug, self.recording)

    def request(self, platform: Platform) -> None:
        with self.database.system() as session:
            request_publishing(session, self.recording, requested_by="test", platforms=[platform])

    def publish(self, platform: Platform) -> Outcome:
        """A run as a worker carries it out: the waiting or dead one, or a new one."""
        work = self.bench.claim(self.recording, phase=Phase.PUBLISH, platform=platform)
        return self.carry_out(work)

    def carry_out(self, work: Work) -> Outcome:
        """What the asset of a platform does with a piece of work, up to the end of its run."""
        assert work.platform is not None
        asset, begun = UPLOADS[work.platform], None
        published: Published | None = None
        ended: LeapError | None = None
        try:
            begun = work.begin(asset)
            assert begun.left_out in (None, DONE), begun.left_out
            published = self.send(work)
            if published is None:
                work.let_go()
            else:
                work.complete(asset, begun)
        except MustWaitError as wait:
            ended = wait
            work.wait_until(wait.due_at, str(wait))
        except (TransientError, Superseded) as error:
            ended = error
        except LeapError as error:
            ended = error
            work.fail(asset, begun, str(error))
        except Died:
            die(work)
            raise
        work.close()
        return Outcome(self.bench.run(self.recording).state, published, ended)

    def send(self, work: Work) -> Published | None:
        with self.accounts() as accounts:
            return publish_target(work, self.vault, accounts, now=self.clock)

    def accounts(self) -> Accounts:
        return Accounts(
            self.database,
            self.vault,
            self.settings,
            http=self.http,
            clock=self.clock,
            sleep=self.sleep,
        )

    def upload(self, platform: Platform) -> UploadSession | None:
        """The row of the upload as everybody sees it now."""
        target = self.bench.target_row(self.recording, platform)
        with self.database.system() as session:
            return session.scalars(
                select(UploadSession)
                .where(UploadSession.target_id == target.id)
                .options(lazyload("*"))
            ).one_or_none()

    def steps(self, platform: Platform) -> dict[str, TargetStep]:
        target = self.bench.target_row(self.recording, platform)
        with self.database.system() as session:
            rows = session.scalars(
                select(TargetStep)
                .where(TargetStep.target_id == target.id)
                .order_by(TargetStep.id)
                .options(lazyload("*"))
            )
            return {row.kind: row for row in rows}

    def holds(self) -> list[RecordingHold]:
        with self.database.system() as session:
            return live_holds(session, self.recording)

    def is_held(self, platform: Platform) -> RecordingHold | None:
        found = [row for row in self.holds() if row.target_type == platform]
        return found[0] if found else None


def studio_settings(home: Path, addresses: Addresses) -> Settings:
    return Settings(
        home=home,
        encryption_keys=SecretStr(new_key()),
        youtube_api_url=addresses.youtube,
        vk_api_url=addresses.vk,
    )
