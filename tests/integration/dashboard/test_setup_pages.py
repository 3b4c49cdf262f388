"""Connections and sources: what their owner does, and nobody else can."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from dashboard.app_pages._asks import ASKED
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.domain.permissions import Rights, Role
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.catalogue import create_source
from leap_pipeline.services.credentials import Credentials, Editor
from tests.support.accounts import ADA
from tests.support.console import Desk

BOB, BOSS = "bob@example.org", "boss@example.org"
PERSON = Editor(SYSTEM, Rights())
SECRET = "sk-canary-0123456789"
HOSTILE = "<img src=x> **bold** :red[x]"


def all_rows(desk: Desk, table: Any) -> list[Any]:
    with desk.database.system() as session:
        return list(session.scalars(select(table).order_by(table.id)))


def account(desk: Desk, email: str, name: str) -> int:
    owner = desk.id_of(email)
    with desk.database.tenant(owner) as session:
        store = Credentials(session, owner, desk.console.vault)
        return store.create("deepseek", {"api_key": SECRET}, PERSON, account_name=name).id


def press(page: AppTest, label: str, *, dialog: tuple[Any, ...] | None = None) -> AppTest:
    """Press a button by its label; a test reruns the whole page, so it opens the dialog again."""
    if dialog is not None:
        page.session_state[ASKED] = dialog
    found = [each for each in page.button if each.label == label]
    assert found, [each.label for each in page.button]
    done = found[-1].click().run()
    assert not done.exception, done.exception[0].stack_trace
    return done


def shown(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.error, page.warning, page.info, page.text_input)
    return "\n".join(str(each.value) for kind in kinds for each in kind)


def test_accounts_of_others_are_neither_shown_nor_reached(desk: Desk) -> None:
    for email in (ADA, BOB):
        desk.add(email)
    desk.add(BOSS, role=Role.ADMIN)
    number = account(desk, BOB, "Bob's own")
    page = desk.open(ADA, "connections", owner=desk.id_of(BOB))
    assert "Bob" not in shown(page)
    for dialog in ("rename", "disconnect", "enter"):
        page.session_state[ASKED] = ("connections", dialog, {"credential_id": number})
        page = page.run()
        assert [each.value for each in page.error] == [
            rf"There is no credential {number}\: see which there are\, and choose one\."
        ]
    seen = desk.open(BOSS, "connections", owner=desk.id_of(BOB))
    assert "Bob\\'s own" in shown(seen)


def test_a_source_is_added_edited_paused_and_deleted(desk: Desk) -> None:
    for email in (ADA, BOB):
        desk.add(email)
    page = desk.open(ADA, "sources")
    page = page.button(key="add_source").click().run()
    page.segmented_control(key="type_1").set_value("LOCAL_FILE")
    page = press(page, "Add", dialog=("sources", "add", {}))
    assert [each.value for each in page.error] == [r"A source needs a name\: give it one\."]
    page.text_input(key="name_1").set_value(HOSTILE)
    page = press(page, "Add", dialog=("sources", "add", {}))
    [row] = all_rows(desk, InputSource)
    assert (row.name, row.source_type) == (HOSTILE, "LOCAL_FILE")
    page = page.button(key=f"pause_{row.id}").click().run()
    assert all_rows(desk, InputSource)[0].is_active is False
    page = page.button(key=f"edit_{row.id}").click().run()
    seen = {"name": HOSTILE, "description": None, "credential_id": None, "config": row.config}
    editing = ("sources", "edit", {"source_id": row.id, "seen": seen})
    page.text_input(key="name_2").set_value("Files")
    page = press(page, "Save", dialog=editing)
    assert all_rows(desk, InputSource)[0].name == "Files"
    # Another window still has the name of before.
    page.session_state[ASKED] = editing
    page = page.run()
    page.text_input(key="name_2").set_value("Old")
    page = press(page, "Save", dialog=editing)
    assert "Somebody else has changed this source" in page.error[0].value
    theirs = ("sources", "delete", {"source_id": row.id})
    other = desk.open(BOB, "sources")
    other.session_state[ASKED] = theirs
    assert "There is no source" in other.run().error[0].value
    page = page.button(key=f"delete_{row.id}").click().run()
    press(page, "Delete", dialog=theirs)
    assert all_rows(desk, InputSource) == []


def test_a_source_is_read_in_the_background(desk: Desk) -> None:
    owner = desk.add(ADA)
    with desk.database.tenant(owner) as session:
        number = create_source(session, PERSON, name="Lab", source_type="ZOOM", config={}).id
    page = desk.open(ADA, "sources")
    assert "Account: none" in shown(page)
    page = page.button(key=f"test_{number}").click().run()
    for _ in range(50):
        if page.error:
            break
        page = page.run()
    assert "has no Zoom account" in page.error[0].value
