"""The frame around the pages: who is there, where one may go, what happens when it goes wrong."""

from __future__ import annotations

import pytest

from dashboard import shell
from dashboard.pages import all_pages
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.domain.states import RunState
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.users import set_active
from leap_pipeline.supervisor.status import daemon_alive
from tests.support.accounts import ADA
from tests.support.bench import Bench
from tests.support.console import Desk

BOSS = "boss@example.org"


def test_the_first_page_shows_who_is_there(desk: Desk) -> None:
    desk.add(ADA, name="Ada *Lovelace*")
    page = desk.open(ADA, "")
    assert not page.exception
    assert [each.value for each in page.title] == ["Recordings"]
    assert page.sidebar.caption[0].value == r"Ada \*Lovelace\*"


@pytest.mark.parametrize("name", [page.name for page in all_pages()])
def test_every_page_opens_for_a_user_who_has_nothing_and_an_admin(desk: Desk, name: str) -> None:
    desk.add(ADA)
    desk.add(BOSS, role=Role.ADMIN)
    for person in (ADA, BOSS):
        page = desk.open(person, name)
        assert not page.exception, page.exception[0].stack_trace
        assert not page.error, page.error[0].value


@pytest.mark.parametrize("page", [page for page in all_pages() if page.permission or page.admin])
def test_a_page_that_is_not_allowed_is_not_there(desk: Desk, page: object) -> None:
    desk.add(ADA, without=list(Permission))
    shown = desk.open(ADA, page.name)  # type: ignore[attr-defined]
    assert [each.value for each in shown.title] == ["Recordings"]


def test_a_login_that_ends_ends_the_page(desk: Desk) -> None:
    user_id = desk.add(ADA)
    page = desk.open(ADA, "")
    with desk.database.system() as session:
        set_active(session, user_id, active=False, actor=SYSTEM)
    page.run()
    assert not page.title
    assert [each.value for each in page.warning] == [r"You are logged out\: log in again\."]


def test_logging_out_ends_the_login(desk: Desk) -> None:
    desk.add(ADA)
    page = desk.open(ADA, "")
    page.button(key="log_out").click().run()
    assert not page.title
    assert page.warning


def test_a_page_says_that_nobody_carries_out_what_is_asked_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add(ADA)
    monkeypatch.setattr(shell, "daemon_alive", daemon_alive)  # no `leap up` runs in this home
    page = desk.open(ADA, "")
    assert [each.value for each in page.title] == ["Recordings"]
    assert "Dagster is not running" in page.warning[0].value


def test_what_is_asked_for_while_dagster_is_down_is_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = desk.add(ADA)
    slug = desk.console.sessions.check(desk.login(ADA).family_id).user_slug
    bench = Bench(desk.database, desk.console.storage, user_id, slug)
    number = bench.recording(download_status="COMPLETED")
    monkeypatch.setattr(shell, "daemon_alive", daemon_alive)
    page = desk.open(ADA, "recording", id=str(number))
    assert "Dagster is not running" in page.warning[0].value
    page.button(key="act_run").click().run()
    assert not page.error
    assert bench.run(number).state == RunState.QUEUED
