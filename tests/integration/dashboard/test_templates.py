"""Templates, presets and thumbnails as people change them in the console."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from leap_pipeline.db.models.runs import StoredObject
from leap_pipeline.db.models.templates import OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.db.repositories.catalogue import Templates
from leap_pipeline.db.repositories.recordings import Recordings
from leap_pipeline.domain.permissions import Permission, Role
from tests.support.accounts import ADA
from tests.support.console import Desk

BOB, BOSS = "bob@example.org", "boss@example.org"
HOSTILE = "<script>alert(1)</script> **Graphs** [x](javascript:alert(1))"
KEYWORDS = "t1:matching_rules:0:keywords"
TITLE = "t1:metadata_config:0:title_template"


def lecture(desk: Desk, user_id: str, name: str, **columns: Any) -> int:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    with desk.database.tenant(user_id) as session:
        return Recordings(session).create(
            display_name=name, start_time=start, duration=3600, **columns
        ).id  # fmt: skip


def template(desk: Desk, user_id: str, name: str, **columns: Any) -> int:
    with desk.database.tenant(user_id) as session:
        return Templates(session).create(name=name, **columns).id


def account(desk: Desk, user_id: str, platform: str = "youtube", name: str = "Channel") -> int:
    with desk.database.tenant(user_id) as session:
        row = UserCredential(
            user_id=user_id, platform=platform, account_name=name, encrypted_data="x"
        )
        session.add(row)
        session.flush()
        return row.id


def rows(desk: Desk, user_id: str) -> dict[str, RecordingTemplate]:
    with desk.database.tenant(user_id) as session:
        return {row.name: row for row in session.scalars(select(RecordingTemplate))}


def said(page: AppTest) -> str:
    """All that stands on a page as text or HTML of ours."""
    kinds = (page.html, page.caption, page.markdown, page.warning, page.error, page.info, page.text)
    return "\n".join(str(each.value) for kind in kinds for each in kind)


def confirm(page: AppTest, opener: str, key: str) -> None:
    """AppTest knows no fragments: a dialog stands only in the run that opens it."""
    page.button(key=opener).click()
    page.button(key=key).click().run()
    assert not page.exception, page.exception[0].stack_trace


def test_a_template_is_made_with_its_preview_and_takes_what_fits(desk: Desk) -> None:
    user_id = desk.add(ADA)
    number = lecture(desk, user_id, HOSTILE)
    lecture(desk, user_id, "On trees")
    page = desk.open(ADA, "template")
    page.text_input(key="t1:name").set_value("Graphs")
    page.text_area(key=KEYWORDS).set_value("graphs\n")
    page.text_input(key=TITLE).set_value("Lecture: {display_name}").run()
    assert not page.exception, page.exception[0].stack_trace
    told = said(page)
    assert "It takes 1 recording when it is created" in told
    assert "This template takes it" in page.success[0].value
    # YouTube takes neither of these signs; HTML would.
    assert "Lecture: ‹script›alert(1)‹/script› **Graphs**" in told
    assert "<script>alert" not in told
    assert not rows(desk, user_id)
    page.segmented_control(key="t1:state").set_value("draft").run()
    assert "Once it is active it takes 1 recording" in said(page)
    page.segmented_control(key="t1:state").set_value("active")

    page.button(key="t1:save").click().run()
    row = rows(desk, user_id)["Graphs"]
    assert row.matching_rules == {"keywords": ["graphs"]}
    assert row.metadata_config == {"title_template": "Lecture: {display_name}"}
    assert (row.is_active, row.is_draft, row.processing_config) == (True, False, {})
    with desk.database.tenant(user_id) as session:
        assert Recordings(session).require(number).template_id == row.id


def test_what_cannot_be_saved_is_said_and_stays_typed(desk: Desk) -> None:
    user_id = desk.add(ADA)
    lecture(desk, user_id, "On graphs")
    number = template(desk, user_id, "Mine", matching_rules={"keywords": ["graphs"]})
    page = desk.open(ADA, "template", id=str(number))
    page.text_input(key=TITLE).set_value("{topcs}").run()
    page.button(key="t1:save").click().run()
    assert "unknown variable" in page.error[0].value
    assert page.text_input(key=TITLE).value == "{topcs}"
    page.text_input(key=TITLE).set_value("Fine")
    page.text_area(key="t1:matching_rules:0:patterns").set_value("(").run()
    assert any("is not closed" in each.value for each in page.warning)
    page.text_area(key="t1:matching_rules:0:patterns").set_value("").run()

    # Somebody else was quicker.
    with desk.database.tenant(user_id) as session:
        Templates(session).update(number, description="theirs")
    page.button(key="t1:save").click().run()
    assert "Somebody else has changed this template meanwhile" in page.error[0].value
    assert page.text_input(key=TITLE).value == "Fine"
    page.button(key="t1:again").click().run()
    assert page.text_input(key="t2:description").value == "theirs"
    page.text_input(key="t2:metadata_config:0:title_template").set_value("Fine")
    page.button(key="t2:save").click().run()
    assert not page.error
    row = rows(desk, user_id)["Mine"]
    assert (row.metadata_config, row.description) == ({"title_template": "Fine"}, "theirs")


def test_a_whole_block_as_json(desk: Desk) -> None:
    user_id = desk.add(ADA)
    number = template(
        desk, user_id, "Mine", metadata_config={"youtube": {"publish_at": "2026-12-01T09:00:00Z"}}
    )
    page = desk.open(ADA, "template", id=str(number))
    (area,) = [
        each for each in page.text_area if str(each.key).startswith("t1:metadata_config:0:json")
    ]
    area.set_value('{"youtube": {"privacy": "puplic"}}')
    page.button(key="t1:metadata_config:0:take").click().run()
    assert "metadata\\_config\\.youtube\\.privacy" in page.error[0].value
    (area,) = [
        each for each in page.text_area if str(each.key).startswith("t1:metadata_config:0:json")
    ]
    area.set_value('{"tags": ["a"], "vk": {"group_id": 7}}')
    page.button(key="t1:metadata_config:0:take").click().run()
    assert page.text_area(key="t1:metadata_config:1:tags").value == "a"
    page.button(key="t1:save").click().run()
    assert not page.error
    assert rows(desk, user_id)["Mine"].metadata_config == {"tags": ["a"], "vk": {"group_id": 7}}


def test_rematch_and_delete_ask_back(desk: Desk) -> None:
    user_id = desk.add(ADA)
    number = template(desk, user_id, "Mine", matching_rules={"keywords": ["graphs"]})
    first = lecture(desk, user_id, "On graphs")
    page = desk.open(ADA, "template", id=str(number))
    page.button(key="rematch").click().run()
    assert "1 recording gets this template" in said(page)
    confirm(page, "rematch", "do_rematch_1_0")
    with desk.database.tenant(user_id) as session:
        assert Recordings(session).require(first).template_id == number
    page.button(key="delete").click().run()
    assert any("1 recording stays, without a template" in each.value for each in page.markdown)
    assert "Mine" in rows(desk, user_id)
    confirm(page, "delete", "do_delete")
    assert not rows(desk, user_id)


def test_who_may_not_change_templates_sees_the_list_alone(desk: Desk) -> None:
    user_id = desk.add(ADA, without=[Permission.CREATE_TEMPLATES])
    number = template(desk, user_id, "Mine", matching_rules={"keywords": ["graphs"]})
    page = desk.open(ADA, "templates")
    assert list(page.dataframe[0].value["name"]) == ["Mine"]
    assert not [each for each in page.button if each.key in ("new", "after")]
    page.text_input(key="try_name").set_value("On graphs").run()
    assert "Mine: takes it, because “graphs” fits" in said(page)
    page = desk.open(ADA, "template", id=str(number))
    assert [each.value for each in page.title] == ["Recordings"]


@pytest.mark.parametrize(
    ("name", "query"), [("template", "id"), ("template", "copy"), ("presets", "id")]
)
def test_another_tenant_s_rows_are_not_there_but_for_admins(
    desk: Desk, name: str, query: str
) -> None:
    user_id = desk.add(ADA)
    desk.add(BOB)
    desk.add(BOSS, role=Role.ADMIN)
    with desk.database.tenant(user_id) as session:
        number = Templates(session).create(name="Hers").id
        preset = OutputPreset(
            user_id=user_id, name="Hers", platform="VK", credential_id=account(desk, user_id, "vk")
        )
        session.add(preset)
        session.flush()
        found = str(number if name == "template" else preset.id)
    for asked in (found, "999999", "x", "-1"):
        named: dict[str, Any] = {query: asked}
        page = desk.open(BOB, name, owner=user_id, **named)
        assert "There is no" in page.error[0].value
        assert "Hers" not in said(page) + "".join(each.value for each in page.title)
    named = {query: found}
    page = desk.open(BOSS, name, owner=user_id, **named)
    assert not page.error
    assert "Hers" in "".join([*(each.value for each in page.title)]) or query == "copy"


def test_a_preset_is_made_and_changed(desk: Desk) -> None:
    user_id = desk.add(ADA)
    number = account(desk, user_id)
    account(desk, user_id, "vk", "Group")
    account(desk, desk.add(BOB), name="Of Bob")
    page = desk.open(ADA, "presets", new="YOUTUBE")
    assert page.selectbox(key="p1:account").options == ["Channel"]
    page.text_input(key="p1:name").set_value("Course")
    page.selectbox(key="p1:0:privacy").set_value("unlisted")
    page.button(key="p1:save").click().run()
    with desk.database.tenant(user_id) as session:
        row = session.scalars(select(OutputPreset)).one()
        assert (row.name, row.platform, row.credential_id) == ("Course", "YOUTUBE", number)
        assert row.preset_metadata == {"privacy": "unlisted"}
        preset = row.id
    page = desk.open(ADA, "presets", id=str(preset))
    page.text_input(key="p1:name").set_value(" ").run()
    page.button(key="p1:save").click().run()
    assert "needs a name" in page.error[0].value
    page.button(key="p1:delete").click().run()
    confirm(page, "p1:delete", "do_delete")
    with desk.database.tenant(user_id) as session:
        assert not session.scalars(select(OutputPreset)).all()


def test_pictures_are_taken_shown_and_refused(desk: Desk) -> None:
    user_id = desk.add(ADA)
    desk.add(BOB)
    page = desk.open(ADA, "thumbnails")
    assert "Shared with everybody" in said(page)
    assert not [each for each in page.button if str(each.key).startswith("delete:")]

    def upload(name: str, content: bytes) -> None:
        page.file_uploader(key="picture:0:file").set_value((name, content, "image/png"))
        page.button(key="picture:0:add").click().run()
        assert not page.exception, page.exception[0].stack_trace

    upload("evil.png", b"<script>alert(1)</script>")
    assert "cannot be read as a picture" in page.error[0].value
    buffer = io.BytesIO()
    Image.new("RGB", (640, 360), "red").save(buffer, "PNG")
    upload("mine.png", buffer.getvalue())
    assert not page.error
    assert "delete:mine.png" in [each.key for each in page.button]
    named = template(desk, user_id, "Course", metadata_config={"thumbnail_name": "mine.png"})
    page.run()
    assert "Used by the template “Course”" in said(page)
    assert "delete:mine.png" not in [each.key for each in page.button]
    assert "mine.png" not in said(desk.open(BOB, "thumbnails"))

    with desk.database.tenant(user_id) as session:
        assert [each.path.rpartition("/")[2] for each in session.scalars(select(StoredObject))] == [
            "mine.png"
        ]
        Templates(session).delete(named)
    page.run()
    page.button(key="delete:mine.png").click().run()
    confirm(page, "delete:mine.png", "do_delete")
    with desk.database.tenant(user_id) as session:
        assert not session.scalars(select(StoredObject)).all()
