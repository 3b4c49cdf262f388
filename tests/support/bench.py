"""A user, a storage and recordings in a real database, and the life of a worker in single steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage, Recording
from leap_pipeline.db.models.runs import RecordingRun, StoredObject
from leap_pipeline.db.models.templates import InputSource, OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import User, UserCredential
from leap_pipeline.domain.planner import PREPARE_ASSETS, Asset
from leap_pipeline.domain.states import Phase, Platform, Stage
from leap_pipeline.domain.status import project
from leap_pipeline.services import reconcile as reconciling
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.claim import Token, claim
from leap_pipeline.services.launching import Launch, launch
from leap_pipeline.services.planning import ensure_stages
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.reconcile import Asked, Ended, Engine, reconcile
from leap_pipeline.services.runs import Requested, request_run
from leap_pipeline.services.subscriptions import Change, assign_plan
from leap_pipeline.services.users import add_user
from leap_pipeline.services.work import Artifact, Begun, Work
from leap_pipeline.storage.local import LocalStorage
from tests.support.homes import wait_for

ATTEMPTS, SLOTS = 3, 10
COLUMNS = {
    Asset.RAW_VIDEO: "local_video_path",
    Asset.TRIMMED_VIDEO: "processed_video_path",
    Asset.AUDIO: "processed_audio_path",
}


@dataclass(frozen=True)
class Picture:
    """What the database says of a recording at one moment."""

    status: str
    projected: str
    failed: tuple[str | None, str | None, int]
    download: str
    stages: dict[str, str]
    reasons: dict[str, str]
    targets: dict[str, str]
    runs: tuple[tuple[str, int, int], ...]
    """(state, generation, attempts) of each run row, oldest first."""


@dataclass
class Report(reconciling.Report):
    """What a pass of `reconcile` and one of `launch` after it did."""

    launches: list[Launch] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class FakeEngine(Engine):
    """A Dagster of which one answer is known beforehand."""

    lost_all: Ended | None = None
    ended_all: Ended | None = None

    def lost(self, asked: Sequence[Asked]) -> Mapping[int, Ended]:
        return {each.run_id: self.lost_all for each in asked if self.lost_all}

    def ended(self, dagster_run_ids: Sequence[str]) -> Mapping[str, Ended]:
        return {run_id: self.ended_all for run_id in dagster_run_ids if self.ended_all}


@dataclass
class Bench:
    database: Database
    storage: LocalStorage
    user_id: str
    slug: int
    names: int = field(default=0)

    def recording(self, **columns: Any) -> int:
        """A recording with its four stages, as ingest leaves one."""
        self.names += 1
        values = {
            "display_name": f"Lecture {self.names}",
            "start_time": datetime(2026, 11, 1, tzinfo=UTC),
            "duration": 90,
        }
        with self.database.tenant(self.user_id) as session:
            row = Recording(user_id=self.user_id, **(values | columns))
            session.add(row)
            session.flush()
            ensure_stages(session, lock_recording(session, row.id))
            refresh_status(session, row.id)
            return row.id

    def template(self, processing: Mapping[str, Any] | None, **columns: Any) -> int:
        self.names += 1
        values = {"name": f"Template {self.names}", "processing_config": processing}
        with self.database.tenant(self.user_id) as session:
            row = RecordingTemplate(user_id=self.user_id, **(values | columns))
            session.add(row)
            session.flush()
            return row.id

    def preset(self, platform: Platform) -> int:
        """A preset with an account whose document nobody can open."""
        self.names += 1
        with self.database.tenant(self.user_id) as session:
            account = UserCredential(
                user_id=self.user_id,
                platform=platform.lower(),
                account_name=f"Account {self.names}",
                encrypted_data="sealed",
            )
            session.add(account)
            session.flush()
            row = OutputPreset(
                user_id=self.user_id,
                name=f"Preset {self.names}",
                platform=platform,
                credential_id=account.id,
            )
            session.add(row)
            session.flush()
            return row.id

    def source(self) -> int:
        self.names += 1
        with self.database.tenant(self.user_id) as session:
            row = InputSource(
                user_id=self.user_id, name=f"Source {self.names}", source_type="LOCAL_FILE"
            )
            session.add(row)
            session.flush()
            return row.id

    def target(self, recording_id: int, platform: Platform, status: str) -> None:
        with self.database.tenant(self.user_id) as session:
            session.add(
                OutputTarget(
                    recording_id=recording_id,
                    user_id=self.user_id,
                    target_type=platform,
                    status=status,
                )
            )
            refresh_status(session, recording_id)

    def set(self, recording_id: int, **columns: Any) -> None:
        """Change facts of a recording by hand, and its status with them."""
        with self.database.tenant(self.user_id) as session:
            session.execute(update(Recording).where(Recording.id == recording_id).values(**columns))
            refresh_status(session, recording_id)

    def permit(self, **permissions: bool) -> None:
        with self.database.system() as session:
            session.execute(update(User).where(User.id == self.user_id).values(**permissions))

    def configure(self, recording_id: int, **blocks: Any) -> None:
        self.set(recording_id, processing_preferences=blocks)

    def request(self, recording_id: int, force: Stage | None = None, **given: Any) -> Requested:
        with self.database.system() as session:
            return request_run(session, recording_id, requested_by="test", force=force, **given)

    def claim(self, recording_id: int, token: Token | None = None, **given: Any) -> Work:
        return claim(
            self.database,
            self.storage,
            recording_id,
            phase=given.pop("phase", Phase.PREPARE),
            token=token,
            **given,
        )

    def start(self, recording_id: int, **given: Any) -> Work:
        """Request a run and claim it as its launch would."""
        requested = self.request(recording_id, **given)
        assert requested.run_id is not None
        piece = {name: value for name, value in given.items() if name in ("phase", "platform")}
        return self.claim(recording_id, Token(requested.run_id, requested.generation), **piece)

    def reconcile(
        self, now: datetime | None = None, *, lost: bool = False, engine: Engine | None = None
    ) -> Report:
        """A turn of both sensors."""
        now = now or datetime.now(UTC)
        told = engine or FakeEngine(lost_all=Ended() if lost else None)
        found = reconcile(self.database, now=now, max_attempts=ATTEMPTS, engine=told)
        made = launch(self.database, now=now, slots=SLOTS)
        report = Report(**vars(found), launches=made.launches, ended=made.ended)
        report.passed_over = [*found.passed_over, *made.passed_over]
        return report

    def picture(self, recording_id: int) -> Picture:
        with self.database.system() as session:
            locked = lock_recording(session, recording_id)
            row, projection = locked.recording, project(locked.facts)
            runs = session.scalars(
                select(RecordingRun)
                .where(RecordingRun.recording_id == recording_id)
                .order_by(RecordingRun.id)
                .options(lazyload("*"))
            ).all()
            return Picture(
                status=row.status,
                projected=projection.status,
                failed=(row.failed_at_stage, row.failed_reason, row.retry_count or 0),
                download=row.download_status,
                stages={str(stage): locked.stages[stage].status for stage in Stage},
                reasons={
                    str(stage): found.skip_reason or found.failed_reason or ""
                    for stage, found in locked.stages.items()
                    if found.skip_reason or found.failed_reason
                },
                targets={str(each): found.status for each, found in locked.targets.items()},
                runs=tuple((run.state, run.generation, run.attempts) for run in runs),
            )

    def terminate(self, pid: int) -> None:
        """End a connection of the server's, as an administrator or a restart would."""
        with closing(self.database.lock_connection()) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        wait_till_gone(self.database, [pid])

    def cut_locks(self) -> None:
        """Take every worker's lock away, and with it the only sign that it lives."""
        with closing(self.database.lock_connection()) as connection:
            cut = connection.execute(
                "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                "pg_backend_pid() AND application_name = 'leap-lock' "
                "AND datname = current_database()"
            ).fetchall()
        wait_till_gone(self.database, [row[0] for row in cut])

    def run(self, recording_id: int) -> RecordingRun:
        """The newest run row."""
        with self.database.system() as session:
            return session.scalars(
                select(RecordingRun)
                .where(RecordingRun.recording_id == recording_id)
                .order_by(RecordingRun.id.desc())
                .limit(1)
                .options(lazyload("*"))
            ).one()

    def row(self, recording_id: int) -> Recording:
        with self.database.system() as session:
            return session.get_one(Recording, recording_id, options=[lazyload("*")])

    def stage(self, recording_id: int, stage: Stage) -> ProcessingStage:
        with self.database.system() as session:
            return session.scalars(
                select(ProcessingStage)
                .where(
                    ProcessingStage.recording_id == recording_id,
                    ProcessingStage.stage_type == stage,
                )
                .options(lazyload("*"))
            ).one()

    def target_row(self, recording_id: int, platform: Platform) -> OutputTarget:
        with self.database.system() as session:
            return lock_recording(session, recording_id).targets[platform]

    def stored(self, recording_id: int) -> dict[str, int]:
        """Path and bytes of each stored object, as the database has them."""
        with self.database.system() as session:
            rows = session.scalars(
                select(StoredObject).where(StoredObject.recording_id == recording_id)
            )
            return {row.path: row.bytes for row in rows}

    def files(self) -> dict[str, str]:
        """Every file under the storage root that is in place, and its text."""
        root = self.storage.root
        return {
            str(path.relative_to(root)): path.read_text("utf-8")
            for path in sorted(root.rglob("*"))
            if path.is_file() and ".scratch" not in path.parts
        }


def make_bench(database: Database, root: Path, email: str = "owner@example.org") -> Bench:
    with database.system() as session:
        user = add_user(session, email, "Owner")
        user_id, slug = user.id, user.user_slug
        assign_plan(session, user_id, "Enterprise", change=Change(SYSTEM, datetime.now(UTC)))
    return Bench(database, LocalStorage(root), user_id, slug)


def path_of(work: Work, asset: Asset) -> str:
    paths = work.paths
    return {
        Asset.RAW_VIDEO: paths.source(),
        Asset.TRIMMED_VIDEO: paths.video,
        Asset.AUDIO: paths.audio,
        Asset.TRANSCRIPT: paths.transcript,
        Asset.TOPICS: paths.topics,
        Asset.SUBTITLES: paths.srt,
    }[asset]


def finish(work: Work, asset: Asset, begun: Begun, text: str = "") -> None:
    """Make one asset's file and commit it, as an asset does."""
    with work.scratch(asset) as folder:
        made = folder / "made"
        made.write_text(text or f"{asset} by {work.generation}", encoding="utf-8")
        path = path_of(work, asset)
        column = COLUMNS.get(asset)
        work.complete(
            asset,
            begun,
            [Artifact(made, str(asset), path)],
            columns={column: path} if column else {},
        )


def do(work: Work, *assets: Asset) -> list[Asset]:
    """Carry assets out one after the other (all of the phase by default); those that were made."""
    done = []
    for asset in assets or PREPARE_ASSETS:
        begun = work.begin(asset)
        if begun.left_out is None:
            finish(work, asset, begun)
            done.append(asset)
    return done


def die(work: Work) -> None:
    """End a worker as SIGKILL does: its connection drops, and that is all that happens."""
    connection = work.lock._connection
    pids = [] if connection.closed else [connection.info.backend_pid]
    work.lock.release()
    wait_till_gone(work.database, pids)


def wait_till_gone(database: Database, pids: list[int]) -> None:
    """Wait until the server has ended these connections of its own, and freed their locks."""

    def gone() -> bool:
        with database.system() as session:
            statement = text("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(:pids)")
            return bool(session.scalar(statement, {"pids": pids}) == 0)

    if pids:
        wait_for(gone, seconds=10, what="the end of connections")
