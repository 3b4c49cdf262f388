"""Acts on rows of another account, and acts without the permission: refused, whoever calls."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.app_pages import _account_dialogs, _automation_dialogs, _source_dialogs
from dashboard.app_pages._asks import ASKED
from dashboard.app_pages._recordings_bulk import Wanted
from leap_pipeline.db.models.bulk import BulkAction
from leap_pipeline.db.repositories.recordings import RecordingFilter
from leap_pipeline.domain.bulk import NEEDED, BulkKind
from leap_pipeline.domain.deletion import DeletionReason
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import NotFound, UserActionError
from leap_pipeline.services import catalogue, deletion, exports, published, published_by_hand
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.bulk_actions import Choice, ask, cancel_rest, count_chosen
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.playback import load_material
from leap_pipeline.services.subscriptions import (
    Change,
    assign_plan,
    set_overrides,
    set_pay_as_you_go,
)
from tests.support.accounts import ADA
from tests.support.console import Desk
from tests.support.furnished import Furnished, everything
from tests.support.neighbours import BOSS, CANARY, EVE, NORA, Neighbours, neighbours
from tests.support.postgres import TestServer

NOW = datetime(2026, 11, 20, tzinfo=UTC)
Act = Callable[[Session, Editor, Furnished, Desk], Any]
DIALOGS: Mapping[str, Mapping[str, Callable[..., None]]] = {
    "automation": _automation_dialogs.DIALOGS,
    "connections": _account_dialogs.DIALOGS,
    "sources": _source_dialogs.DIALOGS,
}
SEEN: Mapping[str, Any] = {"name": CANARY, "description": None, "credential_id": None, "config": {}}
# What each dialog is given; a number is put in for what names a row.
FACTS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("automation", "delete"): {"job_id": 0},
    ("connections", "connect"): {"platform": "deepseek"},
    ("connections", "enter"): {"credential_id": 0},
    ("connections", "rename"): {"credential_id": 0},
    ("connections", "disconnect"): {"credential_id": 0},
    ("sources", "add"): {},
    ("sources", "edit"): {"source_id": 0, "seen": SEEN},
    ("sources", "delete"): {"source_id": 0},
}
ADMINISTRATION = (
    "administration",
    "base_configs",
    "directory",
    "near_limits",
    "overview",
    "plans",
    "youtube_ledger",
)
# They read no row.
HARMLESS = {"terms_of", "counts_at"}


def _credentials(session: Session, of: Furnished, desk: Desk) -> Credentials:
    return Credentials(session, of.user_id, desk.console.vault)


def _hands(desk: Desk) -> published_by_hand.Desk:
    console = desk.console
    return published_by_hand.Desk(console.database, console.vault, console.settings)


REFUSED: list[tuple[Permission, Act]] = [
    (
        Permission.CREATE_TEMPLATES,
        lambda session, editor, of, _: catalogue.create_template(session, editor, name="New"),
    ),
    (
        Permission.CREATE_TEMPLATES,
        lambda session, editor, of, _: catalogue.update_template(
            session, editor, of.template, name="New"
        ),
    ),
    (
        Permission.CREATE_TEMPLATES,
        lambda session, editor, of, _: catalogue.delete_template(session, editor, of.template),
    ),
    (
        Permission.CREATE_TEMPLATES,
        lambda session, editor, of, _: catalogue.rematch_template(session, editor, of.template),
    ),
    (
        Permission.MANAGE_CREDENTIALS,
        lambda session, editor, of, desk: _credentials(session, of, desk).create(
            "deepseek", {"api_key": "sk-0123456789"}, editor, account_name="New"
        ),
    ),
    (
        Permission.MANAGE_CREDENTIALS,
        lambda session, editor, of, desk: _credentials(session, of, desk).update(
            of.credential, editor, account_name="New"
        ),
    ),
    (
        Permission.MANAGE_CREDENTIALS,
        lambda session, editor, of, desk: _credentials(session, of, desk).amend(
            of.credential, editor, {}
        ),
    ),
    (
        Permission.MANAGE_CREDENTIALS,
        lambda session, editor, of, desk: _credentials(session, of, desk).switch(
            of.credential, editor, active=False
        ),
    ),
    (
        Permission.MANAGE_CREDENTIALS,
        lambda session, editor, of, desk: _credentials(session, of, desk).delete(
            of.credential, editor
        ),
    ),
    (
        Permission.DELETE_RECORDINGS,
        lambda session, editor, of, _: deletion.soft_delete(
            session, of.recording, reason=DeletionReason.MANUAL, actor=editor.actor, at=NOW
        ),
    ),
    (
        Permission.DELETE_RECORDINGS,
        lambda session, editor, of, _: deletion.restore(
            session, of.binned, actor=editor.actor, at=NOW
        ),
    ),
    (
        Permission.UPLOAD,
        lambda session, editor, of, _: published_by_hand.publish(session, of.recording, editor),
    ),
    (
        Permission.UPLOAD,
        lambda session, editor, of, desk: published_by_hand.settle_upload(
            _hands(desk), of.user_id, of.recording, Platform.VK, None, editor
        ),
    ),
    (
        Permission.UPDATE_UPLOADED_VIDEOS,
        lambda session, editor, of, _: published.request_update(
            session, of.recording, Platform.YOUTUBE, editor
        ),
    ),
    (
        Permission.UPDATE_UPLOADED_VIDEOS,
        lambda session, editor, of, desk: published_by_hand.retract_video(
            _hands(desk), of.user_id, of.recording, Platform.YOUTUBE, editor, "why"
        ),
    ),
    (
        Permission.EXPORT_DATA,
        lambda session, editor, of, _: exports.begin_export(
            session, editor.rights, editor.actor, "csv", RecordingFilter(), of.user_id
        ),
    ),
    (
        Permission.EXPORT_DATA,
        lambda session, editor, of, _: exports.begin_file_export(
            session,
            editor.rights,
            editor.actor,
            load_material(session, of.recording),
            "transcript.txt",
        ),
    ),
]


@pytest.fixture(scope="module")
def town(
    postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neighbours]:
    with neighbours(postgres_server, tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.mark.parametrize(("permission", "act"), REFUSED)
def test_what_is_not_allowed_is_refused_whoever_calls(
    town: Neighbours, permission: Permission, act: Act
) -> None:
    """The rows are one's own; it is the permission that lacks."""
    editor = town.editor(NORA)
    with (
        pytest.raises(UserActionError, match=permission),
        town.desk.database.tenant(town.nora.user_id) as session,
    ):
        act(session, editor, town.nora, town.desk)


def test_every_permission_that_a_person_uses_is_among_them() -> None:
    """The other two are asked of a recording's owner, by the pipeline."""
    pipelines = {Permission.TRANSCRIBE, Permission.PROCESS_VIDEO}
    assert {permission for permission, _ in REFUSED} == set(Permission) - pipelines
    assert set(NEEDED.values()) <= set(Permission) - pipelines


@pytest.mark.parametrize("kind", NEEDED)
def test_a_bulk_action_that_is_not_allowed_opens_no_dialog(
    town: Neighbours, kind: BulkKind
) -> None:
    page = town.desk.open(NORA, "recordings")
    choice = Choice(town.nora.user_id, ids=(town.nora.recording,))
    page.session_state["wanted"] = Wanted(kind, choice)
    page.run()
    assert not [each for each in page.button if each.key == "bulk_go"]
    with pytest.raises(UserActionError, match=NEEDED[kind]):
        ask(town.desk.database, town.editor(NORA), choice, kind, {})


@pytest.mark.parametrize("kind", BulkKind)
def test_a_bulk_action_reaches_nobody_elses_recordings(town: Neighbours, kind: BulkKind) -> None:
    database, eve = town.desk.database, town.editor(EVE)
    hers = (town.ada.recording, town.ada.failed, town.ada.skipped, town.ada.binned)
    given: dict[str, Any] = {}
    if kind is BulkKind.SKIP:
        given = {"reason": "x"}
    elif kind is BulkKind.FORCE:
        given = {"stage": "TRIM"}
    for choice in (
        Choice(eve.actor.id, ids=hers),
        Choice(town.ada.user_id, ids=hers),
        Choice(town.ada.user_id, criteria=RecordingFilter()),
        Choice(None, ids=hers),
        Choice(None, criteria=RecordingFilter()),
    ):
        with pytest.raises(UserActionError):
            ask(database, eve, choice, kind, given)
    assert count_chosen(database, eve, Choice(eve.actor.id, ids=hers)) == 0
    with database.system() as session:
        asked = session.scalars(select(BulkAction.id).where(BulkAction.asked_by == eve.actor.id))
        assert asked.all() == []


def test_a_dialog_about_anothers_recordings_is_about_none(town: Neighbours) -> None:
    page = town.desk.open(EVE, "recordings")
    eve = town.editor(EVE).actor.id
    page.session_state["wanted"] = Wanted(BulkKind.RUN, Choice(eve, ids=(town.ada.recording,)))
    page.run()
    assert not [each for each in page.button if each.key == "bulk_go"]
    assert any("No recording meets this any more" in each.value for each in page.info)


def test_nobody_stops_what_another_account_has_asked_for(town: Neighbours) -> None:
    with pytest.raises(NotFound):
        cancel_rest(town.desk.database, town.editor(EVE), town.ada.bulk)
    page = town.desk.open(EVE, "recordings")
    assert not [each for each in page.button if str(each.key).startswith("stop_")]


@pytest.mark.parametrize("page", DIALOGS)
def test_a_dialog_finds_no_row_of_another_account(town: Neighbours, page: str) -> None:
    ada = town.ada
    ids = {"credential_id": ada.credential, "source_id": ada.source, "job_id": ada.job}
    for name, dialog in DIALOGS[page].items():
        wanted = FACTS.get((page, name))
        assert wanted is not None, f"say in FACTS what the dialog {name} of {page} is given"
        facts = {key: ids.get(key, given) for key, given in wanted.items()}
        assert callable(dialog)
        opened = town.desk.open(EVE, page, owner=ada.user_id)
        opened.session_state[ASKED] = (page, name, facts)
        opened.run()
        assert not opened.exception, opened.exception[0].stack_trace
        assert CANARY not in everything(opened)
        assert bool(opened.error) == any(key in ids for key in facts), (page, name)


def test_a_selection_beyond_the_rows_opens_nothing(town: Neighbours) -> None:
    """What a browser says of a table is only a number."""
    none = {"rows": [-1, 10**9], "columns": [], "cells": [[-1, "name"], [10**9, "name"]]}
    for email, page in ((ADA, "recordings"), (BOSS, "users"), (ADA, "templates"), (ADA, "presets")):
        opened = town.desk.open(email, page)
        keys = [table.key for table in opened.dataframe if table.key]
        assert keys, page
        for key in keys:
            opened.session_state[key] = {"selection": none}
        opened.run()
        assert not opened.exception, opened.exception[0].stack_trace
        assert opened.title[0].value.lower() == page


@pytest.mark.parametrize("module", ADMINISTRATION)
def test_who_is_no_admin_is_refused_before_anything_is_looked_at(module: str) -> None:
    found = importlib.import_module(f"leap_pipeline.services.{module}")
    person = Editor(Actor("01J00000000000000000000009", EVE), Rights())
    tried = 0
    for name, function in inspect.getmembers(found, inspect.isfunction):
        if name.startswith("_") or function.__module__ != found.__name__:
            continue
        parameters = inspect.signature(function).parameters
        who = {"rights": person.rights, "editor": person}
        given = {key: who[key] for key in parameters if key in who}
        if not given:
            assert name in HARMLESS, f"{module}.{name} does not ask who calls it"
            continue
        others = {
            key: None
            for key, each in parameters.items()
            if key not in who and each.default is each.empty and each.kind != each.VAR_KEYWORD
        }
        with pytest.raises(UserActionError, match="Only an admin"):
            function(**given, **others)
        tried += 1
    assert tried


def test_a_plan_is_given_by_admins_alone(town: Neighbours) -> None:
    change = Change(town.editor(EVE).actor, datetime.now(UTC))
    gifts: list[Callable[[Session], Any]] = [
        lambda session: assign_plan(session, town.ada.user_id, "Free", change=change),
        lambda session: set_overrides(session, town.ada.user_id, {"storage_gb": 1}, change=change),
        lambda session: set_pay_as_you_go(
            session, town.ada.user_id, enabled=True, monthly_limit=None, change=change
        ),
    ]
    for give in gifts:
        with (
            pytest.raises(UserActionError, match="Only an admin"),
            town.desk.database.system() as session,
        ):
            give(session)
