"""Templates, presets and sources changed by people: rights, rules, recordings, notes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.users import UserConfig, UserCredential
from leap_pipeline.db.repositories.catalogue import AutomationJobs, Templates
from leap_pipeline.db.repositories.recordings import Recordings
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.errors import InputError, NotFound, StaleChange, UserActionError
from leap_pipeline.services import catalogue
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.users import add_user

KEYWORD = {"keywords": ["graphs"]}


@pytest.fixture
def user_id(database: Database) -> str:
    with database.system() as session:
        return add_user(session, "ada@example.org").id


@pytest.fixture
def editor(user_id: str) -> Editor:
    return Editor(Actor(user_id, "ada@example.org", "192.0.2.1"), Rights())


def lecture(session: Session, name: str) -> int:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    return Recordings(session).create(display_name=name, start_time=start, duration=3600).id


def credential(session: Session, user_id: str, platform: str = "youtube") -> int:
    row = UserCredential(user_id=user_id, platform=platform, encrypted_data="x")
    session.add(row)
    session.flush()
    return row.id


def template_of(session: Session, recording_id: int) -> tuple[int | None, bool | None]:
    row = Recordings(session).require(recording_id)
    return row.template_id, row.is_mapped


def notes(database: Database) -> list[tuple[str, Any, Any]]:
    with database.system() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [
            (row.action, row.before, row.after)
            for row in rows
            if row.subject_type in ("template", "preset", "source")
        ]


def test_a_template_takes_recordings_when_it_comes_and_leaves_them_when_it_goes(
    database: Database, user_id: str, editor: Editor
) -> None:
    with database.tenant(user_id) as session:
        fits, other = lecture(session, "On Graphs"), lecture(session, "On groups")
        draft, changes = catalogue.create_template(
            session, editor, name="Graphs", matching_rules=KEYWORD, is_draft=True
        )
        assert changes.mapped == ()
    with database.tenant(user_id) as session:
        catalogue.update_template(session, editor, draft.id, is_draft=False)
        assert template_of(session, fits) == (draft.id, True)
        assert template_of(session, other) == (None, False)
    with database.tenant(user_id) as session:
        assert catalogue.delete_template(session, editor, draft.id) == (fits,)
    with database.tenant(user_id) as session:
        assert template_of(session, fits) == (None, False)
    assert notes(database) == [
        ("template.create", None, {"name": "Graphs", "matching_rules": KEYWORD, "is_draft": True}),
        ("template.update", {"is_draft": True}, {"is_draft": False}),
        ("template.delete", {"name": "Graphs"}, {}),
    ]


def test_templates_need_the_permission(database: Database, user_id: str, editor: Editor) -> None:
    without = Rights(permissions=frozenset(Permission) - {Permission.CREATE_TEMPLATES})
    weak = Editor(editor.actor, without)
    with database.tenant(user_id) as session:
        row, _ = catalogue.create_template(session, editor, name="T")
    with database.tenant(user_id) as session:
        for attempt in (
            lambda: catalogue.create_template(session, weak, name="U"),
            lambda: catalogue.update_template(session, weak, row.id, name="U"),
            lambda: catalogue.delete_template(session, weak, row.id),
        ):
            with pytest.raises(UserActionError, match="can_create_templates is off"):
                attempt()
        assert [each.name for each in Templates(session).all()] == ["T"]


def test_one_preset_a_platform(database: Database, user_id: str, editor: Editor) -> None:
    with database.tenant(user_id) as session:
        account, other = credential(session, user_id), credential(session, user_id, "vk")
        shared: dict[str, Any] = {"credential_id": account}
        one = catalogue.create_preset(session, editor, name="One", platform="YOUTUBE", **shared)
        two = catalogue.create_preset(session, editor, name="Two", platform="YOUTUBE", **shared)
        vk = catalogue.create_preset(session, editor, name="VK", platform="VK", credential_id=other)
        both = {"preset_ids": [one.id, vk.id]}
        row, _ = catalogue.create_template(session, editor, name="T", output_config=both)
        with pytest.raises(InputError, match=r'"One" .* and "Two" .* are both for YOUTUBE'):
            catalogue.update_template(
                session, editor, row.id, output_config={"preset_ids": [one.id, two.id]}
            )
        with pytest.raises(InputError, match="are both for YOUTUBE"):
            catalogue.create_template(
                session, editor, name="U", output_config={"preset_ids": [two.id, one.id]}
            )


def test_a_deleted_preset_is_named_no_longer(
    database: Database, user_id: str, editor: Editor
) -> None:
    with database.tenant(user_id) as session:
        one, two = (
            catalogue.create_preset(
                session,
                editor,
                name=name,
                platform=name,
                credential_id=credential(session, user_id, name.lower()),
            )
            for name in ("YOUTUBE", "VK")
        )
        named = {"preset_ids": [one.id, two.id], "auto_upload": True}
        row, _ = catalogue.create_template(session, editor, name="T", output_config=named)
        session.scalars(select(UserConfig)).one().upload_config = {"preset_ids": [one.id]}
    with database.tenant(user_id) as session:
        catalogue.delete_preset(session, editor, one.id)
    with database.tenant(user_id) as session:
        kept = Templates(session).require(row.id).output_config
        assert kept == {"preset_ids": [two.id], "auto_upload": True}
        assert session.scalars(select(UserConfig)).one().upload_config == {"preset_ids": []}


def test_a_deleted_source_stays_in_rules_and_widens_none(
    database: Database, user_id: str, editor: Editor
) -> None:
    with database.tenant(user_id) as session:
        source = catalogue.create_source(session, editor, name="Zoom", source_type="ZOOM")
        rules = {**KEYWORD, "source_ids": [source.id]}
        row, _ = catalogue.create_template(session, editor, name="T", matching_rules=rules)
        job = AutomationJobs(session).create(
            name="J", job_type="sync_and_process", schedule_type="crontab", source_ids=[source.id]
        )
    with database.tenant(user_id) as session:
        catalogue.update_source(session, editor, source.id, config={"lookback_days": 3})
        catalogue.delete_source(session, editor, source.id)
        with pytest.raises(NotFound):
            catalogue.delete_source(session, editor, source.id)
    with database.tenant(user_id) as session:
        kept = Templates(session).require(row.id)
        assert kept.matching_rules == rules
        assert AutomationJobs(session).require(job.id).source_ids == [source.id]
        # What does not touch the list can be changed; the list itself has to be put right.
        catalogue.update_template(session, editor, row.id, name="T2")
        with pytest.raises(InputError, match=f"There is no source {source.id}"):
            catalogue.update_template(
                session, editor, row.id, matching_rules={**rules, "keywords": ["trees"]}
            )


def test_two_who_change_the_same_preset(database: Database, user_id: str, editor: Editor) -> None:
    with database.tenant(user_id) as session:
        account = credential(session, user_id, "vk")
        row = catalogue.create_preset(
            session, editor, name="P", platform="VK", credential_id=account
        )
    with database.tenant(user_id) as session:
        catalogue.update_preset(
            session, editor, row.id, unchanged_since=row.updated_at, description="first"
        )
    with database.tenant(user_id) as session, pytest.raises(StaleChange):
        catalogue.update_preset(
            session, editor, row.id, unchanged_since=row.updated_at, description="second"
        )
    assert [note[0] for note in notes(database)] == ["preset.create", "preset.update"]
