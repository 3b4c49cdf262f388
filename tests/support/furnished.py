"""An account that has everything there is, with one text wherever people or services put one.

Columns are filled from the metadata: a new one has the text without anybody thinking of it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from PIL import Image
from sqlalchemy import (
    Column,
    ColumnElement,
    String,
    Table,
    Text,
    cast,
    func,
    insert,
    literal,
    update,
)
from sqlalchemy.orm import Session
from streamlit.testing.v1 import AppTest

from leap_pipeline.db.metadata import metadata
from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.db.models.bulk import BulkAction
from leap_pipeline.db.models.notices import Notice
from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage
from leap_pipeline.db.models.runs import RecordingHold, RecordingRun
from leap_pipeline.db.models.templates import InputSource, OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import BaseConfig, UserConfig
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.services.audit import SYSTEM, Actor, record
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.subscriptions import Change, assign_plan
from leap_pipeline.services.thumbnails import add_thumbnail
from tests.support.console import Desk
from tests.support.watched import watchable

HOSTILE = (
    '<img src=x onerror="alert(1)"><script>alert(2)</script><b>fat</b> **fat** '
    "[link](https://evil.test/a) ![picture](https://evil.test/b.png) https://evil.test/c "
    ":red[red] :material/home: javascript:alert(3)"
)
# Texts of the program, and those that have a form of their own.
FORMED = {
    "action",
    "address",
    "email",
    "encrypted_data",
    "external_id",
    "fact",
    "hashed_password",
    "path",
    "search_name",
    "session",
    "skip_reason",  # says that a recording is skipped
    "source_key",
    "token",
    "transcription_dir",
    "wanted",
}
FORMED_BESIDE = ("crontab_", "_path")
SHARED = ("subscription_plans", "base_configs")
SHORTEST = 100
NUMBER = 27  # characters of an id, and a space
PICTURE = "hers.png"
SIDEBAR = 1  # its place in Streamlit's RootContainer.proto


@dataclass(frozen=True)
class Furnished:
    """Ids of what there is; `failed`, `skipped` and `binned` are recordings too."""

    user_id: str
    email: str
    recording: int
    failed: int
    skipped: int
    binned: int
    template: int
    preset: int
    source: int
    credential: int
    job: int
    bulk: int
    hold: int

    def of(self, page: str) -> int | str:
        """What `id` in that page's address names."""
        named: dict[str, int | str] = {
            "template": self.template,
            "templates": self.template,
            "presets": self.preset,
            "automation": self.job,
            "sources": self.source,
            "connections": self.credential,
            "user": self.user_id,
        }
        return named.get(page, self.recording)


def furnish(desk: Desk, email: str, said: str, **shared: Any) -> Furnished:
    """Everything for that person, with what is `said` in it."""
    user_id = desk.id_of(email)
    with desk.database.system() as session:
        assign_plan(session, user_id, "Enterprise", change=Change(SYSTEM, datetime.now(UTC)))
    accounts = _accounts(desk, user_id, said)
    with desk.database.tenant(user_id) as session:
        rows = _catalogue(session, user_id, said, accounts)
    recordings = _recordings(desk, user_id, said, rows)
    _picture(desk, user_id)
    with desk.database.tenant(user_id) as session:
        bulk, hold = _beside(session, user_id, said, rows, recordings)
    with desk.database.system() as session:
        _audited(session, user_id, said)
        fill(session, user_id, said)
    ids = {name: row for name, row in rows.items() if name != "firing"}
    return Furnished(
        user_id, email, **recordings, **ids, credential=accounts["youtube"], bulk=bulk, hold=hold
    )


def free_texts(table: Table) -> Iterator[Column[Any]]:
    """Columns in which anybody may have written anything."""
    for column in table.columns:
        kind = column.type
        if not isinstance(kind, String) or column.foreign_keys or column.computed is not None:
            continue
        formed = column.name in FORMED or any(part in column.name for part in FORMED_BESIDE)
        if not formed and (kind.length is None or kind.length >= SHORTEST):
            yield column


def fill(session: Session, user_id: str, said: str) -> None:
    """Every free text of the user's rows, and of those that all share."""
    for table in metadata.sorted_tables:
        owner = "id" if table.name == "users" else "user_id"
        if owner not in table.columns and table.name not in SHARED:
            continue
        texts = {column.name: _text(table, column, said) for column in free_texts(table)}
        if texts:
            statement = update(table).values(texts)
            if owner in table.columns and table.name not in SHARED:
                statement = statement.where(table.columns[owner] == user_id)
            session.execute(statement)


def _text(table: Table, column: Column[Any], said: str) -> ColumnElement[str]:
    """As long as the column takes it, and unlike that of another row."""
    room = (getattr(column.type, "length", None) or len(said) + NUMBER) - NUMBER
    return func.left(literal(said), room).op("||")(literal(" ") + cast(table.columns["id"], Text))


def everything(page: AppTest) -> str:
    """All that a page sent to its browser, words and data alike, but for the sidebar's."""
    beside = [each for key, each in page._tree.children.items() if key != SIDEBAR]
    return "\n".join(text for each in beside for text in _sent(each))


def _sent(node: Any) -> Iterator[str]:
    proto = getattr(node, "proto", None)
    if proto is not None:
        yield str(proto)
    for child in (getattr(node, "children", None) or {}).values():
        yield from _sent(child)


def _accounts(desk: Desk, user_id: str, said: str) -> dict[str, int]:
    given = {
        "youtube": {"access_token": "token-of-hers", "refresh_token": "renews-hers"},
        "vk": {"access_token": "vk1.a.token-of-hers"},
        "deepseek": {"api_key": "sk-of-hers-0123456789"},
    }
    with desk.database.tenant(user_id) as session:
        store = Credentials(session, user_id, desk.console.vault)
        return {
            platform: store.create(
                platform, document, Editor(SYSTEM, Rights()), account_name=said[:255]
            ).id
            for platform, document in given.items()
        }


def _catalogue(
    session: Session, user_id: str, said: str, accounts: dict[str, int]
) -> dict[str, int]:
    """Template, preset, source and job."""
    template = RecordingTemplate(
        user_id=user_id,
        name=said[:255],
        matching_rules={"keywords": [said]},
        metadata_config={
            "title_template": said,
            "description_template": said,
            "thumbnail_name": PICTURE,
        },
    )
    preset = OutputPreset(
        user_id=user_id,
        name=said[:255],
        platform="YOUTUBE",
        credential_id=accounts["youtube"],
        preset_metadata={"description_template": said},
    )
    source = InputSource(
        user_id=user_id, name=said[:255], source_type="LOCAL_FILE", last_error=said, failures=1
    )
    second = OutputPreset(
        user_id=user_id, name=f"{said[:250]} 2", platform="VK", credential_id=accounts["vk"]
    )
    session.add_all([template, preset, second, source])
    session.flush()
    template.output_config = {"preset_ids": [preset.id, second.id]}
    job = AutomationJob(
        user_id=user_id,
        name=said[:255],
        job_type="sync_and_process",
        schedule_type="interval",
        interval_every=1,
        interval_period="days",
        template_id=template.id,
        last_run_status="failed",
        last_run_error=said,
        enabled=True,
    )
    session.add(job)
    defaults = {"description_template": said}
    session.execute(
        update(UserConfig).where(UserConfig.user_id == user_id).values(metadata_config=defaults)
    )
    session.flush()
    at = datetime.now(UTC)
    session.add(
        AutomationFiring(
            user_id=user_id,
            job_id=job.id,
            due_at=at - timedelta(hours=1),
            state="failed",
            fired_by="schedule",
            error=said,
            finished_at=at,
        )
    )
    return {"template": template.id, "preset": preset.id, "source": source.id, "job": job.id}


def _picture(desk: Desk, user_id: str) -> None:
    buffer, console = io.BytesIO(), desk.console
    Image.new("RGB", (640, 360), "red").save(buffer, "PNG")
    content, now = buffer.getvalue(), datetime.now(UTC)
    add_thumbnail(desk.database, console.storage, user_id, PICTURE, content, actor=SYSTEM, at=now)


def _recordings(desk: Desk, user_id: str, said: str, rows: dict[str, int]) -> dict[str, int]:
    """One that is done and published, one that failed, one that is not wanted, one in the bin."""
    common = {"template_id": rows["template"], "input_source_id": rows["source"], "is_mapped": True}
    topics = [{"topic": said, "start": 0.0, "end": 30.0}]
    done = watchable(
        desk,
        user_id,
        said,
        **common,
        main_topics=[said],
        topic_timestamps=topics,
        processing_preferences={"metadata_config": {"description_template": said}},
    )
    failed = watchable(
        desk,
        user_id,
        said,
        **common,
        status="FAILED",
        failed=True,
        failed_at_stage="TRANSCRIBE",
        failed_reason=said,
    )
    skipped = watchable(desk, user_id, said, status="SKIPPED", skip_reason=said)
    now = datetime.now(UTC)
    gone = {"deleted": True, "delete_state": "soft_deleted", "deletion_reason": "manual"}
    times = {"deleted_at": now, "soft_deleted_at": now, "hard_delete_at": now + timedelta(days=9)}
    binned = watchable(desk, user_id, said, **gone, **times)
    return {"recording": done, "failed": failed, "skipped": skipped, "binned": binned}


def _beside(
    session: Session, user_id: str, said: str, rows: dict[str, int], recordings: dict[str, int]
) -> tuple[int, int]:
    """What happened to the recordings; a bulk action and a hold."""
    done, failed = recordings["recording"], recordings["failed"]
    session.execute(
        update(ProcessingStage)
        .where(ProcessingStage.recording_id == failed, ProcessingStage.stage_type == "TRANSCRIBE")
        .values(status="FAILED", failed=True, failed_reason=said)
    )
    sent = {"title": said, "description": said, "tags": [said]}
    there = {"video_id": "abc", "url": "https://youtu.be/abc", "sent": sent}
    hold = RecordingHold(
        user_id=user_id, recording_id=done, kind="quality", reason=said, held_by=said[:255]
    )
    bulk = BulkAction(
        user_id=user_id,
        action="skip",
        asked_by=user_id,
        requested_by=said[:255],
        total=2,
        done=1,
        refused=1,
        refusals=[{"recording_id": done, "sentence": said}],
        recording_ids=[done, failed],
        parameters={"reason": said},
        state="done",  # or a console that is served would carry it out
        finished_at=datetime.now(UTC),
    )
    run = {"user_id": user_id, "phase": "prepare", "reason": said, "requested_by": said[:255]}
    session.add_all(
        [
            hold,
            bulk,
            OutputTarget(
                user_id=user_id,
                recording_id=done,
                target_type="YOUTUBE",
                status="UPLOADED",
                preset_id=rows["preset"],
                target_meta=there,
                uploaded_at=datetime.now(UTC),
            ),
            OutputTarget(
                user_id=user_id,
                recording_id=done,
                target_type="VK",
                status="FAILED",
                failed=True,
                failed_reason=said,
            ),
            RecordingRun(recording_id=failed, state="failed", **run),
            RecordingRun(recording_id=done, state="waiting", **run),
            *(
                Notice(
                    user_id=user_id,
                    kind=kind,
                    fact=f"{kind} of hers",
                    recording_id=done,
                    subject=said,
                    about="TRIM",
                    reason=said,
                )
                for kind in ("failed", "held", "ready", "connect")
            ),
        ]
    )
    session.flush()
    return bulk.id, hold.id


def _audited(session: Session, user_id: str, said: str) -> None:
    """An entry of the audit log, in which texts stay as they were; and what all share."""
    actor = Actor(user_id, said[:255], "192.0.2.7", said)
    values = {"full_name": said, said[:60]: said}
    record(
        session,
        actor,
        "user.update",
        "user",
        user_id,
        owner_id=user_id,
        before=values,
        after=values,
    )
    exists = session.query(BaseConfig).filter(BaseConfig.user_id.is_(None)).first()
    if exists is None:
        shared = {"name": said[:255], "description": said, "config_type": "metadata"}
        config = {"description_template": said}
        session.execute(insert(BaseConfig).values(**shared, config_data=config))
