"""Connections and sources: what their owner does, and nobody else can."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from dashboard.app_pages._asks import ASKED
from dashboard.background import BACKGROUND
from leap_pipeline.db.models.templates import InputSource, OutputPreset
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Rights, Role
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.catalogue import create_source
from leap_pipeline.services.credentials import Credentials, Editor
from tests.support.accounts import ADA
from tests.support.console import Desk
from tests.support.homes import wait_for

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
    assert SECRET not in shown(seen)
    # Whoever is no admin any more sees it no longer on a page that was open.
    with desk.database.system() as session:
        session.get_one(User, desk.id_of(BOSS)).role = Role.USER
    assert "Bob" not in shown(seen.run())
    own = desk.open(BOB, "connections")
    own.session_state[ASKED] = ("connections", "enter", {"credential_id": number})
    own = own.run()
    assert [each.value for each in own.text_input if each.label == "API key"] == [""]
    assert SECRET not in shown(own)


def test_an_account_goes_with_what_was_shown_alone(desk: Desk) -> None:
    owner = desk.add(ADA)
    number = account(desk, ADA, "Mine")
    asked = ("connections", "disconnect", {"credential_id": number})
    page = desk.open(ADA, "connections")
    page.session_state[ASKED] = asked
    page = page.run()
    with desk.database.tenant(owner) as session:
        session.add(
            OutputPreset(user_id=owner, name="New", platform="YOUTUBE", credential_id=number)
        )
    page = press(page, "Disconnect", dialog=asked)
    assert "These presets are deleted with it" in shown(page)
    assert len(all_rows(desk, OutputPreset)) == 1
    press(page, "Disconnect", dialog=asked)
    assert all_rows(desk, OutputPreset) == []


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
    early = desk.open(ADA, "sources")
    page = page.button(key=f"pause_{row.id}_True").click().run()
    assert all_rows(desk, InputSource)[0].is_active is False
    # A page from before, or a second click, pauses what is paused.
    early.button(key=f"pause_{row.id}_True").click().run()
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

    def has_ended() -> bool:
        piece = BACKGROUND.look(owner, f"source-{number}")
        return piece is not None and not piece.is_running

    wait_for(has_ended, seconds=10, what="the test of the source")
    page = page.run()
    assert "has no Zoom account" in page.error[0].value


def test_a_refusal_stands_above_a_list_that_follows_live(desk: Desk) -> None:
    owner = desk.add(ADA)
    with desk.database.tenant(owner) as session:
        for name in ("Lab", "Hall"):
            create_source(session, PERSON, name=name, source_type="ZOOM", config={})
    page = desk.open(ADA, "sources")
    go = threading.Event()
    try:
        for name in ("one", "two"):
            BACKGROUND.begin(owner, name, go.wait)
        page = press(page, "Test")
    finally:
        go.set()
    assert "Other work is under way" in page.error[0].value
    assert "Lab" in shown(page)
    assert "Hall" in shown(page)


def test_sources_of_one_name_are_chosen_apart(desk: Desk) -> None:
    owner = desk.add(ADA)
    with desk.database.tenant(owner) as session:
        for kind in ("ZOOM", "LOCAL_FILE"):
            create_source(session, PERSON, name="Lab", source_type=kind, config={})
    numbers = [row.id for row in all_rows(desk, InputSource)]
    page = desk.open(ADA, "automation", id="new")
    [field] = [each for each in page.multiselect if each.label == "Sources"]
    assert field.options == [f"Lab ({number})" for number in numbers]
