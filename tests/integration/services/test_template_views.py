"""What the console asks about templates: their use, their documents, what unsaved ones come to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.automation import AutomationJob
from leap_pipeline.db.models.templates import OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import UserConfig, UserCredential
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, NotFound, UserActionError
from leap_pipeline.services import catalogue, matching
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.configuration import UnsavedTemplate, load_defaults
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.publication import load_publication
from leap_pipeline.services.template_documents import after_recording, documents_of
from leap_pipeline.services.template_use import template_uses
from leap_pipeline.services.thumbnails import users_of_thumbnail, uses_of_thumbnails
from tests.support.bench import Bench, make_bench

NOW = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
GRAPHS = {"keywords": ["graphs"]}


def editor(bench: Bench, *without: Permission) -> Editor:
    rights = Rights(permissions=frozenset(Permission) - set(without))
    return Editor(Actor(bench.user_id, "owner@example.org"), rights)


def account(bench: Bench, platform: str) -> int:
    with bench.database.tenant(bench.user_id) as session:
        row = UserCredential(
            user_id=bench.user_id, platform=platform, account_name="Mine", encrypted_data="x"
        )
        session.add(row)
        session.flush()
        return row.id


def test_what_became_of_a_template_s_recordings(bench: Bench) -> None:
    used, other = bench.template(None), bench.template(None)
    for columns in ({}, {"deleted": True, "delete_state": "soft_deleted"}):
        bench.recording(template_id=used, is_mapped=True, **columns)
    ready, failed = (bench.recording(template_id=used, is_mapped=True) for _ in range(2))
    with bench.database.tenant(bench.user_id) as session:
        for number, status in ((ready, "READY"), (failed, "FAILED")):
            session.connection().exec_driver_sql(
                f"UPDATE recordings SET status = '{status}' WHERE id = {number}"
            )
        for name in ("nightly", "daily"):
            session.add(
                AutomationJob(
                    user_id=bench.user_id, template_id=used, name=name,
                    job_type="process_recordings", schedule_type="crontab",
                )
            )  # fmt: skip
    stranger = make_bench(bench.database, bench.storage.root, "other@example.org")
    with bench.database.tenant(bench.user_id) as session:
        uses = template_uses(session, bench.user_id)
        assert template_uses(session, stranger.user_id) == {}
    use = uses[used]
    assert (use.matched, use.processed, use.failed, use.published) == (3, 1, 1, 1)
    assert use.automations == ("daily", "nightly")
    assert use.last_used is not None
    assert other not in uses


def test_rules_that_are_typed_are_looked_at_and_change_nothing(bench: Bench) -> None:
    older = bench.template(None, name="Older", matching_rules={"keywords": ["deep"]})
    own = bench.template(None, name="Own", matching_rules=GRAPHS, is_draft=True)
    kept = bench.recording(display_name="On graphs", template_id=own, is_mapped=True)
    new = bench.recording(display_name="On trees")
    deep = bench.recording(display_name="Deep trees")
    with bench.database.tenant(bench.user_id) as session:
        found = matching.preview(
            session, bench.user_id, template_id=own, rules={"keywords": ["graphs", "trees"]}
        )
        assert (found.kept, found.mapped) == ({kept: "On graphs"}, {new: "On trees"})
        assert found.changes.left_to_older == 1
        lost = matching.preview(
            session, bench.user_id, template_id=own, rules={"keywords": ["trees"]}
        )
        assert (lost.kept, lost.unmapped) == ({}, {kept: "On graphs"})

        told = matching.explain_recording(
            session, new, template_id=own, rules={"keywords": ["trees"]}
        )
        assert told.explanation.winner is not None
        assert told.explanation.winner.template_id == own
        told = matching.explain_recording(session, deep, rules={"keywords": ["trees"]})
        assert told.explanation.winner is not None
        assert told.explanation.winner.template_id == older
        # As it is stored it is a draft, and takes nothing.
        assert matching.explain_recording(session, new).explanation.winner is None
        assert matching.explain_name(session, bench.user_id, "deep").winner is not None
        with pytest.raises(NotFound):
            matching.explain_recording(session, new, template_id=own + 1000, rules=GRAPHS)
    assert bench.row(new).template_id is None


def test_texts_that_are_typed_are_rendered_for_any_recording(bench: Bench) -> None:
    stored = bench.template(None, name="T", metadata_config={"title_template": "Stored"})
    number = bench.recording(display_name="Graphs 7", template_id=stored, is_mapped=True)
    credential = account(bench, "youtube")
    with bench.database.tenant(bench.user_id) as session:
        preset = OutputPreset(
            user_id=bench.user_id, name="Channel", platform="YOUTUBE", credential_id=credential,
            preset_metadata={"privacy": "unlisted", "tags": ["of preset"]},
        )  # fmt: skip
        session.add(preset)
        session.flush()
        typed = UnsavedTemplate(
            None,
            "New",
            metadata_config={"title_template": "New: {display_name}"},
            output_config={"preset_ids": [preset.id]},
        )

        def load(template: UnsavedTemplate | None) -> Any:
            return load_publication(
                session, bench.storage, number, Platform.YOUTUBE, NOW, template=template
            )

        assert load(None).texts.title == "Stored"
        found = load(typed)
        assert (found.texts.title, found.preset_name) == ("New: Graphs 7", "Channel")
        assert found.texts.tags == ("of preset",)
        wrong = UnsavedTemplate(None, "New", metadata_config={"title_template": "{topcs}"})
        with pytest.raises(InputError, match=r"In the template `metadata_config\.title_template`"):
            load(wrong)


def test_what_holds_without_a_template(bench: Bench) -> None:
    with bench.database.tenant(bench.user_id) as session:
        own = session.scalars(select(UserConfig)).one()
        own.transcription_config = {"language": "ru"}
    with bench.database.tenant(bench.user_id) as session:
        found = load_defaults(session, bench.user_id)
        assert found.processing().value.transcription.language == "ru"
        assert found.processing().value.video.padding == 0.5


def test_a_template_after_a_recording_has_its_overrides(bench: Bench) -> None:
    number = bench.recording(
        display_name="ML, лекция 7",
        processing_preferences={
            "video": {"padding": 1.5},
            "metadata_config": {"title_template": "Own"},
            "output_config": {"auto_upload": True},
        },
    )
    with bench.database.tenant(bench.user_id) as session:
        name, found = after_recording(session, number)
    assert name == "ML, лекция"
    assert found.matching_rules == {"keywords": ["ML, лекция"]}
    assert found.processing_config == {"video": {"padding": 1.5}}
    assert found.metadata_config == {"title_template": "Own"}
    assert found.output_config == {"auto_upload": True}
    stranger = make_bench(bench.database, bench.storage.root, "other@example.org")
    with bench.database.tenant(stranger.user_id) as session, pytest.raises(NotFound):
        after_recording(session, number)


def test_documents_of_an_older_row_are_in_today_s_form_and_tell_what_is_left_out(
    bench: Bench,
) -> None:
    number = bench.template(
        {"trimming": {"enable_trimming": False}, "strange": 1},
        matching_rules={"keywords": ["a"], "patterns": ["("]},
    )
    with bench.database.tenant(bench.user_id) as session:
        found = documents_of(session.get_one(RecordingTemplate, number))
    assert found.processing_config == {"video": {"remove_silence": False}}
    assert found.matching_rules["keywords"] == ["a"]
    assert {path for path, _ in found.differences} >= {"processing_config.strange"}


def test_a_rematch_needs_the_permission_and_is_noted(bench: Bench) -> None:
    number = bench.recording(display_name="On graphs")
    template = bench.template(None, matching_rules=GRAPHS)
    with bench.database.tenant(bench.user_id) as session:
        with pytest.raises(UserActionError, match="can_create_templates is off"):
            catalogue.rematch_template(
                session, editor(bench, Permission.CREATE_TEMPLATES), template
            )
        assert catalogue.rematch_template(session, editor(bench), template).mapped == (number,)
    with bench.database.system() as session:
        entry = session.scalars(
            select(AuditEntry)
            .where(AuditEntry.action == "template.rematch")
            .order_by(AuditEntry.id.desc())
            .limit(1)
        ).one()
        assert (entry.subject_id, entry.after) == (str(template), {"mapped": 1, "unmapped": 0})
    stranger = make_bench(bench.database, bench.storage.root, "other@example.org")
    with bench.database.tenant(stranger.user_id) as session, pytest.raises(NotFound):
        catalogue.rematch_template(session, editor(stranger), template)


def test_a_preset_publishes_by_an_account_of_its_platform(bench: Bench) -> None:
    youtube, vk = account(bench, "youtube"), account(bench, "vk")
    with bench.database.tenant(bench.user_id) as session:
        assert [each.id for each in catalogue.accounts_at(session, Platform.VK)] == [vk]
        wrong = {"name": "P", "platform": "YOUTUBE"}
        with pytest.raises(InputError, match=r"vk account “Mine” cannot publish .* of YOUTUBE"):
            catalogue.create_preset(session, editor(bench), credential_id=vk, **wrong)
        with pytest.raises(InputError, match="needs an account"):
            catalogue.create_preset(session, editor(bench), credential_id=None, **wrong)
        with pytest.raises(InputError, match="A preset needs a name"):
            catalogue.create_preset(
                session, editor(bench), credential_id=youtube, name=" ", platform="YOUTUBE"
            )
        row = catalogue.create_preset(session, editor(bench), credential_id=youtube, **wrong)
        with pytest.raises(InputError, match="choose a youtube account"):
            catalogue.update_preset(session, editor(bench), row.id, credential_id=vk)
        catalogue.create_template(
            session, editor(bench), name="T", output_config={"preset_ids": [row.id]}
        )
        assert catalogue.templates_with_preset(session, row.id) == ["T"]
        with pytest.raises(InputError, match="A template needs a name"):
            catalogue.create_template(session, editor(bench), name="")


def test_templates_are_listed_as_they_are_tried(bench: Bench) -> None:
    draft = bench.template(None, is_draft=True)
    first, off = bench.template(None), bench.template(None, is_active=False)
    second = bench.template(None)
    with bench.database.tenant(bench.user_id) as session:
        rows = catalogue.in_tried_order(session.scalars(select(RecordingTemplate)))
        assert [row.id for row in rows] == [first, second, draft, off]


def test_who_names_which_picture_in_one_statement(bench: Bench) -> None:
    named = {"thumbnail_name": "ml.png"}
    bench.template(None, name="Course", metadata_config={**named, "youtube": named})
    bench.template(None, name="Of old", metadata_config={"common": {"thumbnail_name": "a b.png"}})
    number = bench.recording(processing_preferences={"metadata_config": named})
    with bench.database.tenant(bench.user_id) as session:
        found = uses_of_thumbnails(session, bench.user_id)
        assert found == {
            "ml.png": ["the template “Course”", f"recording {number}"],
            "a b.png": ["the template “Of old”"],
        }
        for name, told in found.items():
            assert users_of_thumbnail(session, bench.user_id, name) == told
