"""The recordings page: what it lists for whom, what it asks back, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event, select
from streamlit.testing.v1 import AppTest

from dashboard.app_pages._recordings_bulk import Wanted
from leap_pipeline.db.models.bulk import BulkAction
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.repositories.recordings import RecordingFilter
from leap_pipeline.domain.bulk import BulkKind
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.services.bulk_actions import Choice, carry_out_next
from tests.support.accounts import ADA
from tests.support.console import Desk

BOB, BOSS = "bob@example.org", "boss@example.org"
HOSTILE = "<script>alert(1)</script> **bold** [x](javascript:alert(1))"
ALL = RecordingFilter()
AT = datetime(2026, 11, 1, tzinfo=UTC)


def recordings(desk: Desk, owner: str, *names: str, **columns: Any) -> list[int]:
    """Of these names, each a minute older than the one before."""
    with desk.database.tenant(desk.id_of(owner)) as session:
        rows = [
            Recording(
                user_id=desk.id_of(owner),
                display_name=name,
                start_time=AT,
                duration=3600,
                created_at=AT - timedelta(minutes=place),
                **columns,
            )
            for place, name in enumerate(names)
        ]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


@contextmanager
def reads(desk: Desk) -> Iterator[list[str]]:
    """Statements that read tables."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if " FROM " in " ".join(statement.split()):
            seen.append(statement)

    event.listen(desk.database._engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(desk.database._engine, "before_cursor_execute", note)


def names(page: AppTest) -> list[str]:
    assert not page.exception, page.exception[0].stack_trace
    assert not page.error, page.error[0].value
    return list(page.dataframe[0].value["name"]) if page.dataframe else []


def menu(page: AppTest, key: str) -> list[str]:
    """What a menu offers."""
    return next((list(each.options) for each in page.menu_button if each.key == key), [])


def select_rows(page: AppTest, *rows: int, cells: tuple[tuple[int, str], ...] = ()) -> None:
    key = page.dataframe[0].key
    assert key
    page.session_state[key] = {
        "selection": {"rows": list(rows), "columns": [], "cells": list(cells)}
    }
    page.run()


def actions(desk: Desk) -> list[BulkAction]:
    with desk.database.system() as session:
        return list(session.scalars(select(BulkAction).order_by(BulkAction.id)))


def test_a_rerun_reads_tables_four_times_at_most(desk: Desk) -> None:
    desk.add(ADA)
    desk.add(BOSS, role=Role.ADMIN)
    recordings(desk, ADA, "Algebra", "Logic")
    for person in (ADA, BOSS):
        page = desk.open(person, "recordings")
        with reads(desk) as seen:
            page.run()
        assert names(page) == ["Algebra", "Logic"]
        assert len(seen) <= 4, seen


def test_a_selection_a_dialog_and_what_goes_on_cost_no_more(desk: Desk) -> None:
    ada, boss = desk.add(ADA), desk.add(BOSS, role=Role.ADMIN)
    ids = recordings(desk, ADA, "Algebra", "Logic")
    with desk.database.system() as session:
        for asked_by in (ada, boss):
            asked = {"asked_by": asked_by, "requested_by": "x", "recording_ids": ids, "total": 2}
            session.add(BulkAction(user_id=ada, action=BulkKind.RUN, **asked))
    for person, owner in ((ADA, ada), (BOSS, None)):
        page = desk.open(person, "recordings")
        assert any(str(each.key).startswith("stop_") for each in page.button)
        select_rows(page, 1)
        with reads(desk) as seen:
            page.run()
        assert menu(page, "with_selected")
        assert len(seen) <= 4, seen
        page.session_state["wanted"] = Wanted(BulkKind.SKIP, Choice(owner, criteria=ALL))
        with reads(desk) as seen:
            page.run()
        assert "**Skip**: 2 recordings" in [each.value for each in page.markdown]
        assert len(seen) <= 4, seen


def test_filters_come_from_the_address_and_stay_in_ones_own_scope(desk: Desk) -> None:
    desk.add(ADA)
    bob = desk.add(BOB)
    recordings(desk, ADA, HOSTILE, "Algebra")
    recordings(desk, ADA, "Logic of skipping", status="SKIPPED", skip_reason=HOSTILE)
    recordings(desk, BOB, "A secret of Bob's")
    page = desk.open(ADA, "recordings", owner=bob, template="999999999999", status="NOT", after="x")
    assert names(page) == ["Logic of skipping", HOSTILE, "Algebra"]
    assert "owner" not in page.dataframe[0].value
    page = desk.open(ADA, "recordings", status="SKIPPED", q="logic", sort="name")
    assert names(page) == ["Logic of skipping"]
    assert names(desk.open(ADA, "recordings", q="no such name")) == []


def test_an_admin_sees_all_with_their_owners_or_those_of_one(desk: Desk) -> None:
    desk.add(ADA)
    bob = desk.add(BOB)
    desk.add(BOSS, role=Role.ADMIN)
    recordings(desk, ADA, "Algebra")
    recordings(desk, BOB, "Logic")
    page = desk.open(BOSS, "recordings")
    assert dict(zip(names(page), page.dataframe[0].value["owner"], strict=True)) == {
        "Algebra": ADA,
        "Logic": BOB,
    }
    assert names(desk.open(BOSS, "recordings", owner=bob)) == ["Logic"]


def test_older_pages_are_reached_and_in_the_address(desk: Desk) -> None:
    desk.add(ADA)
    recordings(desk, ADA, *(f"Lecture {n:02}" for n in range(52)))
    page = desk.open(ADA, "recordings")
    assert names(page)[0] == "Lecture 00"
    page.button(key="older_page").click().run()
    assert names(page) == ["Lecture 50", "Lecture 51"]
    cursor = str(page.query_params["after"])
    assert names(desk.open(ADA, "recordings", after=cursor)) == ["Lecture 50", "Lecture 51"]
    assert len(names(desk.open(ADA, "recordings", after=cursor, sort="name"))) == 50
    page.button(key="newer").click().run()
    assert names(page)[0] == "Lecture 00"


def test_a_selection_stays_with_its_recordings_whatever_comes(desk: Desk) -> None:
    desk.add(ADA)
    recordings(desk, ADA, "Algebra", "Logic")
    page = desk.open(ADA, "recordings")
    select_rows(page, 0)
    assert "Skip" in menu(page, "with_selected")
    with desk.database.tenant(desk.id_of(ADA)) as session:
        session.add(
            Recording(user_id=desk.id_of(ADA), display_name="Newer", start_time=AT, duration=60)
        )
    page.run()
    assert names(page) == ["Algebra", "Logic"]
    select_rows(page)
    assert names(page) == ["Newer", "Algebra", "Logic"]
    assert menu(page, "with_selected") == []


def test_only_what_is_allowed_is_offered_and_carried_out(desk: Desk) -> None:
    desk.add(ADA)
    bare = desk.add(BOB, without=list(Permission))
    recordings(desk, ADA, "Algebra")
    [his] = recordings(desk, BOB, "Logic")
    offered = menu(desk.open(ADA, "recordings"), "with_all")
    assert {"Publish", "Delete", "Match with templates again"} <= set(offered)
    assert "Restore" not in offered
    page = desk.open(BOB, "recordings")
    left = {"Run what is missing", "Redo from a stage", "Skip", "Want again"}
    assert set(menu(page, "with_all")) == {*left, "Cancel what runs"}
    page.session_state["wanted"] = Wanted(BulkKind.DELETE, Choice(bare, ids=(his,)))
    page.run()
    assert "bulk_go" not in [each.key for each in page.button]
    assert actions(desk) == []


def test_an_action_is_asked_back_carried_out_and_told(desk: Desk) -> None:
    ada = desk.add(ADA)
    desk.add(BOB)
    ids = recordings(desk, ADA, "Algebra", "Logic")
    [foreign] = recordings(desk, BOB, "A secret of Bob's")
    page = desk.open(ADA, "recordings")
    page.menu_button(key="with_all").click(BulkKind.SKIP).run()
    assert "**Skip**: 2 recordings" in [each.value for each in page.markdown]
    # An AppTest reruns all of the page, where a browser reruns the dialog alone.
    wanted = Wanted(BulkKind.SKIP, Choice(ada, ids=(*ids, foreign)))
    # Without a reason it is refused, at the form.
    page.session_state["wanted"] = wanted
    page.button(key="bulk_go").click().run()
    assert [each.value for each in page.error] == [
        r"Skipping recordings needs a reason\: say why they are not wanted\."
    ]
    page.session_state["wanted"] = wanted
    page.text_input(key="bulk_reason").input(HOSTILE)
    page.button(key="bulk_go").click().run()
    assert not page.exception
    [row] = actions(desk)
    assert (row.user_id, row.total, row.parameters) == (ada, 2, {"reason": HOSTILE})
    while carry_out_next(desk.database):
        pass
    page.run()
    assert "Skip: 2 of 2, 2 changed" in [each.value for each in page.text]


def test_deleting_many_wants_their_number(desk: Desk) -> None:
    ada = desk.add(ADA)
    ids = recordings(desk, ADA, "Algebra", "Logic")
    wanted = Wanted(BulkKind.DELETE, Choice(ada, ids=tuple(ids)))
    page = desk.open(ADA, "recordings")
    for typed, asked in (("3", 0), ("2", 1)):
        page.session_state["wanted"] = wanted
        page.run()
        page.session_state["wanted"] = wanted
        page.text_input(key="bulk_number").input(typed)
        page.button(key="bulk_go").click().run()
        assert len(actions(desk)) == asked


def test_more_than_the_person_saw_is_refused(desk: Desk) -> None:
    ada = desk.add(ADA)
    recordings(desk, ADA, "Algebra", "Logic")
    page = desk.open(ADA, "recordings")
    page.menu_button(key="with_all").click(BulkKind.SKIP).run()
    recordings(desk, ADA, "Of the last minute")
    page.session_state["wanted"] = Wanted(BulkKind.SKIP, Choice(ada, criteria=ALL), seen=2)
    page.text_input(key="bulk_reason").input("not wanted")
    page.button(key="bulk_go").click().run()
    assert "There are 3 recordings now, not 2" in page.error[0].value.replace("\\", "")
    assert actions(desk) == []


def test_what_other_pages_keep_is_not_the_lists(desk: Desk) -> None:
    desk.add(ADA)
    desk.add(BOSS, role=Role.ADMIN)
    recordings(desk, ADA, "Algebra")
    page = desk.open(BOSS, "recordings")
    page.session_state["owner"] = ADA  # as the audit log has it
    page.session_state["q"] = "nobody"
    page.run()
    assert names(page) == ["Algebra"]
    for owner in ("\0", "x" * 40, "'; --"):
        assert names(desk.open(BOSS, "recordings", owner=owner)) == ["Algebra"]


def test_sources_of_one_name_can_be_told_apart(desk: Desk) -> None:
    ada = desk.add(ADA)
    with desk.database.tenant(ada) as session:
        rows = [InputSource(user_id=ada, name="Zoom", source_type="LOCAL_FILE") for _ in range(2)]
        session.add_all(rows)
        session.flush()
        first, second = (row.id for row in rows)
    page = desk.open(ADA, "recordings")
    options = page.selectbox(key="recordings_source").options
    assert {f"Zoom ({first})", f"Zoom ({second})"} <= set(options)


def test_the_rest_can_be_stopped_on_the_page(desk: Desk) -> None:
    ada = desk.add(ADA)
    ids = recordings(desk, ADA, "Algebra", "Logic")
    with desk.database.tenant(ada) as session:
        row = BulkAction(
            user_id=ada,
            action=BulkKind.RUN,
            recording_ids=ids,
            asked_by=ada,
            requested_by=ADA,
            total=2,
        )
        session.add(row)
        session.flush()
        key = row.id
    page = desk.open(ADA, "recordings")
    page.button(key=f"stop_{key}").click().run()
    assert not page.exception
    assert actions(desk)[0].state == "cancelled"
    assert f"{ADA} cancelled the rest." in [each.value for each in page.text]


def test_the_address_counts_where_the_browser_goes_back(desk: Desk) -> None:
    desk.add(ADA)
    recordings(desk, ADA, "Algebra")
    recordings(desk, ADA, "Logic", status="SKIPPED", skip_reason="a test")
    page = desk.open(ADA, "recordings", status="SKIPPED", q="logic")
    assert names(page) == ["Logic"]
    page.query_params.clear()
    page.run()
    assert set(names(page)) == {"Logic", "Algebra"}
    assert dict(page.query_params) == {}
    page.session_state["list_place"] = {"status": "SKIPPED"}
    page.query_params["id"] = "7"  # Back from a recording, as Streamlit leaves the address
    page.run()
    assert names(page) == ["Logic"]
    assert dict(page.query_params) == {"status": "SKIPPED"}


def test_the_list_has_its_own_name_too(desk: Desk) -> None:
    desk.add(ADA)
    client = desk.client(ADA)
    for query in ("", "?status=FAILED&q=%2F%2Fevil.example"):
        answer = client.get(f"/recordings{query}")
        assert (answer.status_code, answer.headers["location"]) == (307, f"/{query}")
