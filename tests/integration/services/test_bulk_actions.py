"""Bulk actions: chosen once, carried out one by one, never twice, with the rights of the moment."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.bulk import BulkAction
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.recordings import RecordingFilter
from leap_pipeline.domain.bulk import NEEDED, BulkKind
from leap_pipeline.domain.permissions import Permission, Rights, Role
from leap_pipeline.domain.states import Platform, RecordingStatus
from leap_pipeline.errors import (
    InputError,
    NotFound,
    StaleChange,
    TransientError,
    UserActionError,
)
from leap_pipeline.services import bulk_actions
from leap_pipeline.services.audit import SYSTEM, Actor
from leap_pipeline.services.bulk_actions import (
    Asked,
    Choice,
    ask,
    cancel_rest,
    carry_out_next,
    count_chosen,
    shown_to,
)
from leap_pipeline.services.bulk_effects import EFFECTS
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.users import add_user, set_active, set_permissions
from tests.support.bench import Bench, make_bench
from tests.support.bulk_kills import killed_at_recording

WHY = {"reason": "a test lecture"}


def editor(bench: Bench, *, without: tuple[Permission, ...] = ()) -> Editor:
    rights = Rights(permissions=frozenset(Permission) - set(without))
    return Editor(Actor(bench.user_id, "owner@example.org"), rights)


def asked(bench: Bench, kind: BulkKind, ids: list[int], **parameters: Any) -> int:
    choice = Choice(bench.user_id, ids=tuple(ids))
    [row] = ask(bench.database, editor(bench), choice, kind, parameters).rows
    return row


def carried_out(bench: Bench) -> None:
    while carry_out_next(bench.database):
        pass


def row_of(bench: Bench, key: int) -> BulkAction:
    with bench.database.system() as session:
        return session.scalars(select(BulkAction).where(BulkAction.id == key)).one()


def told(bench: Bench, key: int) -> tuple[str, int, int, int]:
    row = row_of(bench, key)
    return row.state, row.done, row.changed, row.refused


def done(bench: Bench, kind: BulkKind, ids: list[int], **parameters: Any) -> tuple[int, int, int]:
    key = asked(bench, kind, ids, **parameters)
    carried_out(bench)
    state, *numbers = told(bench, key)
    assert state == "done"
    return numbers[0], numbers[1], numbers[2]


def statuses(bench: Bench, ids: list[int]) -> list[str]:
    return [bench.picture(each).status for each in ids]


def skips(bench: Bench) -> Counter[str]:
    with bench.database.system() as session:
        said = select(AuditEntry.subject_id).where(
            AuditEntry.action == "recording.skip", AuditEntry.owner_id == bench.user_id
        )
        return Counter(session.scalars(said))


def test_each_kind_does_what_its_service_does(bench: Bench) -> None:
    ids = [bench.recording() for _ in range(3)]
    assert done(bench, BulkKind.RUN, ids) == (3, 3, 0)
    assert [bench.run(each).requested_by for each in ids] == [email_of(bench)] * 3
    assert done(bench, BulkKind.CANCEL, ids[:2]) == (2, 2, 0)
    assert [bench.run(each).state for each in ids] == ["cancelled", "cancelled", "queued"]
    assert done(bench, BulkKind.SKIP, ids, **WHY) == (3, 3, 0)
    assert statuses(bench, ids) == ["SKIPPED"] * 3
    assert done(bench, BulkKind.UNSKIP, ids) == (3, 3, 0)
    assert done(bench, BulkKind.UNSKIP, ids) == (3, 0, 0)
    assert statuses(bench, ids) == ["INITIALIZED"] * 3
    assert done(bench, BulkKind.FORCE, ids[:1], stage="TRANSCRIBE") == (1, 1, 0)
    assert bench.run(ids[0]).forced_from == "TRANSCRIBE"
    assert done(bench, BulkKind.DELETE, ids) == (3, 3, 0)
    assert done(bench, BulkKind.DELETE, ids) == (3, 0, 3)
    assert done(bench, BulkKind.RESTORE, ids) == (3, 3, 0)


def email_of(bench: Bench) -> str:
    with bench.database.system() as session:
        return session.scalars(select(User.email).where(User.id == bench.user_id)).one()


def test_publishing_and_updating_tell_why_not(bench: Bench) -> None:
    there, nowhere = bench.recording(), bench.recording()
    bench.target(there, Platform.VK, "NOT_UPLOADED")
    key = asked(bench, BulkKind.PUBLISH, [there, nowhere])
    also = asked(bench, BulkKind.UPDATE, [there])
    carried_out(bench)
    sentences = {each["recording_id"]: each["sentence"] for each in row_of(bench, key).refusals}
    assert sentences[nowhere] == (
        f"Recording {nowhere} is published nowhere: give its template presets."
    )
    assert row_of(bench, also).refusals == [
        {
            "recording_id": there,
            "sentence": f"Recording {there} is not published there: publish it first.",
        }
    ]


def test_matching_again_takes_and_gives_templates(bench: Bench) -> None:
    algebra = bench.template(None, matching_rules={"keywords": ["algebra"]}, is_active=True)
    logic = bench.template(None, matching_rules={"keywords": ["logic"]}, is_active=True)
    wrong = bench.recording(display_name="Logic 1", template_id=algebra, is_mapped=True)
    none = bench.recording(display_name="Algebra 1")
    right = bench.recording(display_name="Algebra 2", template_id=algebra, is_mapped=True)
    nobody = bench.recording(display_name="Poetry", template_id=logic, is_mapped=True)
    other = bench.recording(display_name="Algebra 3")
    assert done(bench, BulkKind.REMATCH, [wrong, none, right, nobody]) == (4, 3, 0)
    with bench.database.system() as session:
        found = dict(session.execute(select(Recording.id, Recording.template_id)).all())
    assert found == {wrong: logic, none: algebra, right: algebra, nobody: None, other: None}


def test_all_that_match_are_chosen_when_it_is_asked_for(bench: Bench) -> None:
    ids = [bench.recording(display_name=f"Algebra {n}") for n in range(3)]
    bench.recording(display_name="Poetry")
    choice = Choice(bench.user_id, criteria=RecordingFilter(text="algebra"))
    me = editor(bench)
    assert count_chosen(bench.database, me, choice) == 3
    found = ask(bench.database, me, choice, BulkKind.SKIP, WHY, expected=3)
    late = bench.recording(display_name="Algebra of the last minute")
    with pytest.raises(StaleChange, match="There are 4 recordings now, not 3"):
        ask(bench.database, me, choice, BulkKind.SKIP, WHY, expected=3)
    carried_out(bench)
    assert found.total == 3
    assert statuses(bench, [*ids, late]) == ["SKIPPED"] * 3 + ["INITIALIZED"]


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        (BulkKind.SKIP, {}, "needs a reason"),
        (BulkKind.SKIP, {"reason": " "}, "needs a reason"),
        (BulkKind.FORCE, {}, "needs the stage"),
        (BulkKind.RUN, {"stage": "TRIM"}, "needs the stage"),
        (BulkKind.FORCE, {"stage": "DUB"}, r"parameters\.stage"),
    ],
)
def test_what_is_wrong_with_the_question_is_said_at_once(
    bench: Bench, kind: BulkKind, parameters: dict[str, Any], said: str
) -> None:
    choice = Choice(bench.user_id, ids=(bench.recording(),))
    with pytest.raises(InputError, match=said):
        ask(bench.database, editor(bench), choice, kind, parameters)


def test_rights_and_scope_hold_when_it_is_asked_for(bench: Bench, tmp_path: Path) -> None:
    mine = bench.recording()
    bob = make_bench(bench.database, tmp_path / "bob", "bob@example.org")
    his = bob.recording()
    me = editor(bench)
    for kind, permission in NEEDED.items():
        with pytest.raises(UserActionError, match=f"{permission} is off"):
            ask(
                bench.database,
                editor(bench, without=(permission,)),
                Choice(bench.user_id, ids=(mine,)),
                kind,
                {},
            )
    with pytest.raises(InputError, match="No recording was chosen"):
        ask(bench.database, me, Choice(bench.user_id, ids=(his,)), BulkKind.SKIP, WHY)
    for stranger in (bob.user_id, None):
        with pytest.raises(UserActionError, match="Only an admin"):
            ask(bench.database, me, Choice(stranger, ids=(his,)), BulkKind.SKIP, WHY)
    key = asked(bob, BulkKind.SKIP, [his], **WHY)
    with pytest.raises(NotFound, match=f"There is no action {key}"):
        cancel_rest(bench.database, me, key)
    assert told(bob, key) == ("queued", 0, 0, 0)


def test_rights_are_looked_up_again_when_it_is_carried_out(bench: Bench) -> None:
    ids = [bench.recording() for _ in range(2)]
    key = asked(bench, BulkKind.DELETE, ids)
    with bench.database.system() as session:
        set_permissions(session, bench.user_id, {Permission.DELETE_RECORDINGS: False}, SYSTEM)
    carried_out(bench)
    assert told(bench, key) == ("cancelled", 0, 0, 0)
    assert "can_delete_recordings is off" in str(row_of(bench, key).reason)
    key = asked(bench, BulkKind.SKIP, ids, **WHY)
    with bench.database.system() as session:
        set_active(session, bench.user_id, active=False, actor=SYSTEM)
    carried_out(bench)
    assert told(bench, key) == ("cancelled", 0, 0, 0)
    assert "was switched off" in str(row_of(bench, key).reason)
    assert statuses(bench, ids) == ["INITIALIZED"] * 2


def test_an_admin_acts_in_the_scope_of_each_owner(bench: Bench, tmp_path: Path) -> None:
    bob = make_bench(bench.database, tmp_path / "bob", "bob@example.org")
    ids = {bench.user_id: [bench.recording()], bob.user_id: [bob.recording(), bob.recording()]}
    with bench.database.system() as session:
        boss = add_user(session, "boss@example.org", role=Role.ADMIN)
    me = Editor(Actor(boss.id, boss.email), Rights(role=Role.ADMIN))
    choice = Choice(None, ids=tuple(each for some in ids.values() for each in some))
    found = ask(bench.database, me, choice, BulkKind.DELETE, {})
    assert (len(found.rows), found.total) == (2, 3)
    carried_out(bench)
    with bench.database.system() as session:
        rows = session.execute(select(Recording.id, Recording.deletion_reason)).all()
        shown = [each.user_id for each in shown_to(session, boss.id, bench.database.now())]
    assert {row.deletion_reason for row in rows} == {"admin"}
    assert sorted(shown) == sorted(ids)
    with bob.database.tenant(bob.user_id) as session:
        [seen] = shown_to(session, bob.user_id, bench.database.now())
    assert (seen.requested_by, seen.changed) == ("boss@example.org", 2)
    # One that is no admin any more goes on with nothing of others.
    found = ask(bench.database, me, choice, BulkKind.RESTORE, {})
    with bench.database.system() as session:
        session.execute(update(User).where(User.id == boss.id).values(role=Role.USER))
    carried_out(bench)
    assert {told(bench, key)[0] for key in found.rows} == {"cancelled"}


def test_whoever_dies_in_the_middle_loses_nothing_and_repeats_nothing(bench: Bench) -> None:
    ids = [bench.recording() for _ in range(6)]
    key = asked(bench, BulkKind.SKIP, ids, **WHY)
    killed_at_recording(bench.database, 3)
    assert told(bench, key)[:2] == ("running", 2)
    assert statuses(bench, ids) == ["SKIPPED"] * 2 + ["INITIALIZED"] * 4
    killed_at_recording(bench.database, 6)
    assert told(bench, key)[:2] == ("running", 5)
    carried_out(bench)
    assert told(bench, key) == ("done", 6, 6, 0)
    assert skips(bench) == {str(each): 1 for each in ids}


def test_two_consoles_do_nothing_twice(bench: Bench) -> None:
    ids = [bench.recording() for _ in range(12)]
    keys = [
        asked(bench, BulkKind.SKIP, ids[:6], **WHY),
        asked(bench, BulkKind.SKIP, ids[6:], **WHY),
    ]
    with ThreadPoolExecutor(2) as consoles:
        for each in [consoles.submit(carried_out, bench) for _ in range(2)]:
            each.result()
    assert [told(bench, key) for key in keys] == [("done", 6, 6, 0)] * 2
    assert skips(bench) == {str(each): 1 for each in ids}


def test_actions_take_turns(bench: Bench) -> None:
    long, short = ([bench.recording() for _ in range(n)] for n in (3, 1))
    first, second = (asked(bench, BulkKind.SKIP, ids, **WHY) for ids in (long, short))
    for _ in range(2):
        carry_out_next(bench.database, seconds=0)
    assert told(bench, first)[1] == 1
    assert told(bench, second)[0] == "done"


def test_a_recording_that_others_hold_up_holds_up_no_other_action(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "LOCK_SECONDS", 1)
    held, free = bench.recording(), bench.recording()
    first, second = (asked(bench, BulkKind.SKIP, [each], **WHY) for each in (held, free))
    with bench.database.system() as session:
        session.execute(text("SELECT id FROM recordings WHERE id = :id FOR UPDATE"), {"id": held})
        with pytest.raises(TransientError):
            carry_out_next(bench.database)
        carry_out_next(bench.database)
        assert (told(bench, first)[0], told(bench, second)[0]) == ("queued", "done")
    carried_out(bench)
    assert told(bench, first) == ("done", 1, 1, 0)


def test_an_action_that_nobody_knows_stops_no_other(bench: Bench) -> None:
    first = asked(bench, BulkKind.SKIP, [bench.recording()], **WHY)
    with bench.database.system() as session:
        session.execute(update(BulkAction).where(BulkAction.id == first).values(action="dub"))
    second = asked(bench, BulkKind.SKIP, [bench.recording()], **WHY)
    with pytest.raises(ValueError, match="dub"):
        carry_out_next(bench.database)
    carry_out_next(bench.database)
    assert told(bench, second) == ("done", 1, 1, 0)


def test_what_goes_on_is_shown_before_what_ended(bench: Bench) -> None:
    long = asked(bench, BulkKind.RUN, [bench.recording()])
    short = [asked(bench, BulkKind.SKIP, [bench.recording()], **WHY) for _ in range(3)]
    with bench.database.system() as session:
        ended = update(BulkAction).where(BulkAction.id.in_(short))
        session.execute(ended.values(state="done", finished_at=bench.database.now()))
        now = bench.database.now()
        shown = shown_to(session, bench.user_id, now, most=2)
        left = shown_to(session, bench.user_id, now, without=[long, *short[1:]])
    assert [each.id for each in shown] == [long, short[-1]]
    assert [each.id for each in left] == [long, short[0]]


def test_the_rest_can_be_cancelled(bench: Bench) -> None:
    ids = [bench.recording() for _ in range(3)]
    key = asked(bench, BulkKind.SKIP, ids, **WHY)
    carry_out_next(bench.database, seconds=0)
    assert cancel_rest(bench.database, editor(bench), key)
    assert not cancel_rest(bench.database, editor(bench), key)
    carried_out(bench)
    assert told(bench, key) == ("cancelled", 1, 1, 0)
    assert statuses(bench, ids).count(RecordingStatus.SKIPPED) == 1


def test_a_bug_in_one_recording_stops_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [bench.recording() for _ in range(3)]
    skip = EFFECTS[BulkKind.SKIP]

    def broken(given: Any, recording_id: int) -> bool:
        skip(given, recording_id)
        if recording_id == ids[1]:
            given.session.execute(text("SELECT 1 / 0"))
        return True

    monkeypatch.setitem(EFFECTS, BulkKind.SKIP, broken)
    key = asked(bench, BulkKind.SKIP, ids, **WHY)
    carried_out(bench)
    assert told(bench, key) == ("done", 3, 2, 1)
    assert row_of(bench, key).refusals[0]["sentence"] == bulk_actions.OWN_ERROR
    assert statuses(bench, ids) == ["SKIPPED", "INITIALIZED", "SKIPPED"]


def test_asking_is_in_the_audit_log(bench: Bench) -> None:
    found: Asked = ask(
        bench.database,
        editor(bench),
        Choice(bench.user_id, ids=(bench.recording(),)),
        BulkKind.SKIP,
        WHY,
    )
    with bench.database.system() as session:
        said = AuditEntry.action == "bulk.ask", AuditEntry.owner_id == bench.user_id
        entry = session.scalars(select(AuditEntry).where(*said)).one()
    assert entry.subject_id == str(found.rows[0])
    assert entry.after == {"action": "skip", "recordings": 1, "parameters": WHY}
