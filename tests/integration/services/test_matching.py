"""Templates and recordings on a real database: what is mapped, unmapped, left and only foreseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update

from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.templates import InputSource, RecordingTemplate
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.match_explanation import Outcome
from leap_pipeline.domain.shapes.base import ShapeError
from leap_pipeline.errors import NotFound, UserActionError
from leap_pipeline.services import match_rows
from leap_pipeline.services.match_rows import names_of
from leap_pipeline.services.matching import (
    Changes,
    Preview,
    explain_recording,
    match_recording,
    match_recordings,
    matcher_of,
    preview,
    rematch,
    template_created,
    template_deleted,
    unmap,
)
from leap_pipeline.services.users import add_user
from tests.support.bench import Bench

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ML = {"keywords": ["машинное обучение"]}
LECTURE = {"patterns": ["^лекция \\d+"]}


@pytest.fixture
def other(bench: Bench) -> Bench:
    """A second tenant in the same database."""
    with bench.database.system() as session:
        user = add_user(session, "other@example.org")
        return replace(bench, user_id=user.id, slug=user.user_slug)


@pytest.fixture(params=[10_000, 2])
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, and in batches of two."""
    monkeypatch.setattr(match_rows, "BATCH", request.param)


def do(bench: Bench, act: Callable[..., Any], *given: Any, **named: Any) -> Any:
    with bench.database.tenant(bench.user_id) as session:
        return act(session, bench.user_id, *given, **named)


def add(bench: Bench, *names: str, **columns: Any) -> list[int]:
    """Recordings that nobody has touched since long ago."""
    with bench.database.tenant(bench.user_id) as session:
        rows = [
            Recording(
                user_id=bench.user_id,
                start_time=LONG_AGO,
                duration=1,
                **{"display_name": name, "updated_at": LONG_AGO} | columns,
            )
            for name in names
        ]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def template(bench: Bench, rules: object, **columns: Any) -> int:
    return bench.template(None, matching_rules=rules, **columns)


def mapping(bench: Bench) -> dict[str, int | None]:
    """The template of each recording by name; what belongs together is checked beside it."""
    with bench.database.tenant(bench.user_id) as session:
        rows = session.scalars(select(Recording).order_by(Recording.id)).all()
        assert all(row.is_mapped is (row.template_id is not None) for row in rows)
        return {row.display_name: row.template_id for row in rows}


def everything(bench: Bench) -> list[Any]:
    with bench.database.system() as session:
        tables = ("recordings", "recording_templates")
        return [
            session.scalar(text(f"SELECT jsonb_agg(t ORDER BY id) FROM {table} AS t"))
            for table in tables
        ]


@pytest.mark.usefixtures("batch")
def test_new_recordings_get_their_first_match(bench: Bench) -> None:
    old = template(bench, ML)
    new = template(bench, LECTURE)
    template(bench, LECTURE, is_draft=True, created_at=LONG_AGO)
    template(bench, LECTURE, is_active=False, created_at=LONG_AGO)
    ids = add(bench, "Лекция 1", "Лекция 2: Машинное обучение", "Матан", "Лекция 3", "Лекция 4")
    (apart,) = add(bench, "Лекция 5")
    found = do(bench, match_recordings, [*ids, *ids, 10**9])
    assert found.mapped == {ids[0]: new, ids[1]: old, ids[3]: new, ids[4]: new}
    assert found.unmatched == (ids[2],)
    assert mapping(bench) == {
        "Лекция 1": new,
        "Лекция 2: Машинное обучение": old,
        "Матан": None,
        "Лекция 3": new,
        "Лекция 4": new,
        "Лекция 5": None,
    }
    assert bench.row(ids[2]).updated_at == LONG_AGO
    assert (bench.row(ids[0]).updated_at or LONG_AGO) > LONG_AGO
    assert do(bench, match_recording, apart) == new
    assert do(bench, match_recording, apart) is None, "it has its template already"


def test_a_mapped_recording_keeps_its_template_at_a_sync(bench: Bench) -> None:
    by_hand = template(bench, {})
    template(bench, ML)
    (recording,) = add(bench, "Машинное обучение", template_id=by_hand, is_mapped=True)
    assert do(bench, match_recordings, [recording]).mapped == {}
    assert mapping(bench) == {"Машинное обучение": by_hand}


@pytest.mark.parametrize(
    "rules", [{}, None, {"keywords": [123, None, "chem"]}, {"patterns": ["("]}]
)
def test_old_rules_are_no_hindrance(bench: Bench, rules: object) -> None:
    template(bench, rules)
    template(bench, {"patterns": ["(a+)+$"]})
    good = template(bench, ML)
    ids = add(bench, "Машинное обучение", "a" * 499 + "!")
    assert do(bench, match_recordings, ids).mapped == {ids[0]: good}


@pytest.mark.usefixtures("batch")
def test_a_new_template_takes_the_unmapped_at_once(bench: Bench, other: Bench) -> None:
    older = template(bench, ML)
    mapped = {"template_id": older, "is_mapped": True}
    names = ["Лекция 1", "Лекция 2", "Лекция 3", "Матан"]
    ids = add(bench, *names)
    add(bench, "Лекция 4: машинное обучение", **mapped)
    add(bench, "Лекция 5: машинное обучение")  # a rematch of the older one would take it
    gone = add(bench, "(deleted)", delete_state=DeleteState.HARD_DELETED)
    trash = add(bench, "Лекция 6", delete_state=DeleteState.SOFT_DELETED)
    statuses = [bench.row(each).status for each in ids]
    theirs = add(other, *names)
    new = template(bench, {"patterns": ["^Лекция", "deleted"]})
    changes = do(bench, template_created, new)
    assert changes == Changes(
        mapped=(*ids[:3], *trash), kept=0, unmatched=1, left_to_older=1, of_others=1
    )
    assert mapping(bench) == {
        "Лекция 1": new,
        "Лекция 2": new,
        "Лекция 3": new,
        "Матан": None,
        "Лекция 4: машинное обучение": older,
        "Лекция 5: машинное обучение": None,
        "(deleted)": None,
        "Лекция 6": new,
    }
    assert [bench.row(each).status for each in ids] == statuses
    assert bench.row(gone[0]).updated_at == LONG_AGO
    assert set(mapping(other).values()) == {None}
    assert do(other, match_recordings, theirs).mapped == {}


def test_a_draft_takes_nothing_when_it_is_made(bench: Bench) -> None:
    add(bench, "Лекция 1")
    draft = template(bench, LECTURE, is_draft=True)
    assert do(bench, template_created, draft) == Changes()
    assert mapping(bench) == {"Лекция 1": None}


@pytest.mark.usefixtures("batch")
def test_a_template_that_goes_unmaps_its_recordings(bench: Bench) -> None:
    own, stays = template(bench, LECTURE), template(bench, ML)
    ids = add(bench, "Лекция 1", "Лекция 2", "Лекция 3", template_id=own, is_mapped=True)
    ids += add(
        bench, "(deleted)", template_id=own, is_mapped=True, delete_state=DeleteState.HARD_DELETED
    )
    add(bench, "Машинное обучение", template_id=stays, is_mapped=True)
    statuses = [bench.row(each).status for each in ids]
    with bench.database.tenant(bench.user_id) as session:
        assert template_deleted(session, bench.user_id, own) == tuple(ids)
        session.execute(delete(RecordingTemplate).where(RecordingTemplate.id == own))
    assert mapping(bench) == {
        "Лекция 1": None,
        "Лекция 2": None,
        "Лекция 3": None,
        "(deleted)": None,
        "Машинное обучение": stays,
    }
    assert [bench.row(each).status for each in ids] == statuses
    assert all((bench.row(each).updated_at or LONG_AGO) > LONG_AGO for each in ids)


def scene(bench: Bench) -> tuple[int, int]:
    """Every case of a rematch: the template, and an older one."""
    older = template(bench, {"keywords": ["спецкурс"]})
    own = template(bench, LECTURE)
    add(bench, "Лекция 1", "Лекция 2: спецкурс", template_id=own, is_mapped=True)
    add(bench, "Семинар 1", "Семинар 2", template_id=own, is_mapped=True)
    add(bench, "Лекция 3", "Семинар 3", template_id=older, is_mapped=True)
    add(bench, "Лекция 4", "Лекция 5", "Матан", "Лекция 6: спецкурс", "спецкурс")
    state = {"delete_state": DeleteState.HARD_DELETED}
    add(bench, "Лекция 7", **state)
    add(bench, "Семинар 7", template_id=own, is_mapped=True, **state)
    return own, older


@pytest.mark.usefixtures("batch")
def test_a_rematch_does_what_its_preview_told(bench: Bench, other: Bench) -> None:
    scene(other)
    own, older = scene(bench)
    before, theirs = everything(bench), mapping(other)
    foreseen: Preview = do(bench, preview, template_id=own)
    assert everything(bench) == before
    changes = do(bench, rematch, own)
    assert foreseen.changes == changes
    assert list(foreseen.mapped.values()) == ["Лекция 4", "Лекция 5"]
    assert list(foreseen.unmapped.values()) == ["Семинар 1", "Семинар 2"]
    assert (changes.kept, changes.unmatched) == (2, 2)
    assert (changes.left_to_older, changes.of_others) == (1, 2)
    assert mapping(bench) == {
        "Лекция 1": own,
        "Лекция 2: спецкурс": own,
        "Семинар 1": None,
        "Семинар 2": None,
        "Лекция 3": older,
        "Семинар 3": older,
        "Лекция 4": own,
        "Лекция 5": own,
        "Матан": None,
        "Лекция 6: спецкурс": None,
        "спецкурс": None,
        "Лекция 7": None,
        "Семинар 7": own,
    }
    assert mapping(other) == theirs
    again = do(bench, rematch, own)
    assert (again.mapped, again.unmapped, again.kept) == ((), (), 4)


def test_a_preview_of_rules_tells_what_saving_them_would_do(bench: Bench) -> None:
    own, _older = scene(bench)
    rules = {"keywords": ["семинар", "матан"]}
    with_rules: Preview = do(bench, preview, template_id=own, rules=rules)
    fresh: Preview = do(bench, preview, rules=rules)
    assert list(with_rules.mapped.values()) == ["Матан"]
    assert list(with_rules.unmapped.values()) == ["Лекция 1", "Лекция 2: спецкурс"]
    assert (list(fresh.mapped.values()), fresh.changes.of_others) == (["Матан"], 6)
    with bench.database.tenant(bench.user_id) as session:
        values = {"matching_rules": rules, "is_draft": True}
        session.execute(
            update(RecordingTemplate).where(RecordingTemplate.id == own).values(**values)
        )
    assert do(bench, preview, template_id=own, rules=rules) == with_rules
    with bench.database.tenant(bench.user_id) as session:
        session.execute(update(RecordingTemplate).values(is_draft=False))
    assert do(bench, rematch, own) == with_rules.changes


def test_a_preview_is_read_page_by_page(bench: Bench) -> None:
    own = template(bench, LECTURE)
    ids = add(bench, *[f"Лекция {number}" for number in range(1, 8)])
    foreseen: Preview = do(bench, preview, template_id=own, sample=3)
    assert foreseen.changes.mapped == tuple(ids)
    assert foreseen.mapped == {ids[0]: "Лекция 1", ids[1]: "Лекция 2", ids[2]: "Лекция 3"}
    page = do(bench, names_of, foreseen.changes.mapped[3:6])
    assert list(page.values()) == ["Лекция 4", "Лекция 5", "Лекция 6"]


@pytest.mark.parametrize("act", [rematch, preview])
@pytest.mark.parametrize("state", [{"is_active": False}, {"is_draft": True}])
def test_a_template_that_is_not_live_is_not_rematched(
    bench: Bench, act: Callable[..., Any], state: dict[str, bool]
) -> None:
    own = template(bench, LECTURE, **state)
    add(bench, "Семинар", template_id=own, is_mapped=True)
    with pytest.raises(UserActionError, match="activate it first"):
        do(bench, act, template_id=own)
    assert mapping(bench) == {"Семинар": own}


def test_rules_that_cannot_be_saved_have_no_preview(bench: Bench) -> None:
    with pytest.raises(ShapeError, match=r"`matching_rules.patterns\[1\]` cannot be searched"):
        do(bench, preview, rules={"patterns": ["fine", "(?=x)"]})


@pytest.mark.parametrize("act", [rematch, preview, template_created])
def test_another_tenants_template_is_not_there(
    bench: Bench, other: Bench, act: Callable[..., Any]
) -> None:
    theirs = template(other, LECTURE)
    for number in (theirs, 10**6):
        for scope in (bench.database.tenant(bench.user_id), bench.database.system()):
            with scope as session, pytest.raises(NotFound, match=f"no template {number}"):
                act(session, bench.user_id, template_id=number)


def test_another_tenants_recordings_are_out_of_reach(bench: Bench, other: Bench) -> None:
    own, theirs = template(bench, LECTURE), template(other, LECTURE)
    mapped = add(other, "Лекция 1", template_id=theirs, is_mapped=True)
    plain = add(other, "Лекция 2")
    with bench.database.system() as session:
        assert match_recordings(session, bench.user_id, plain).mapped == {}
        assert unmap(session, bench.user_id, mapped) == ()
        assert template_deleted(session, bench.user_id, theirs) == ()
        assert names_of(session, bench.user_id, mapped) == {}
        assert rematch(session, bench.user_id, own) == Changes()
    assert mapping(other) == {"Лекция 1": theirs, "Лекция 2": None}


@pytest.mark.usefixtures("batch")
def test_recordings_unmapped_by_hand_wait_for_a_rematch(bench: Bench) -> None:
    own = template(bench, LECTURE)
    ids = add(bench, "Лекция 1", "Лекция 2", "Лекция 3", template_id=own, is_mapped=True)
    (gone,) = add(
        bench, "(deleted)", template_id=own, is_mapped=True, delete_state=DeleteState.HARD_DELETED
    )
    assert do(bench, unmap, [*ids[1:], *ids[1:], gone]) == tuple(ids[1:])
    assert do(bench, unmap, ids[1:]) == ()
    named = {"Лекция 1": own, "Лекция 2": None, "Лекция 3": None, "(deleted)": own}
    assert mapping(bench) == named
    assert do(bench, rematch, own).mapped == tuple(ids[1:])


def test_the_source_of_a_recording_counts(bench: Bench) -> None:
    with bench.database.tenant(bench.user_id) as session:
        source = InputSource(user_id=bench.user_id, name="Zoom", source_type="ZOOM")
        session.add(source)
        session.flush()
    own = template(bench, {**LECTURE, "source_ids": [source.id]})
    (inside,) = add(bench, "Лекция 1", input_source_id=source.id)
    (outside,) = add(bench, "Лекция 2")
    assert do(bench, rematch, own).mapped == (inside,)
    with bench.database.system() as session:
        told = explain_recording(session, outside)
    assert told.template_id is None
    assert [each.outcome for each in told.explanation.verdicts] == [Outcome.OTHER_SOURCE]


def test_an_explanation_names_the_rule_and_what_the_recording_has_now(bench: Bench) -> None:
    first = template(bench, {"keywords": ["семинар"]}, name="Семинары")
    second = template(bench, LECTURE, name="Лекции")
    third = template(bench, {"keywords": ["лекция"]}, name="Всё")
    template(bench, {"keywords": ["лекция"]}, name="Черновик", is_draft=True)
    (recording,) = add(bench, "Лекция 7", template_id=third, is_mapped=True)
    with bench.database.tenant(bench.user_id) as session:
        told = explain_recording(session, recording)
    winner = told.explanation.winner
    assert (told.template_id, winner and winner.template_id) == (third, second)
    assert winner is not None
    assert winner.why == "patterns[0] “^лекция \\d+” hits “Лекция 7”"
    assert [(hit.start, hit.end) for hit in winner.hits] == [(0, 8)]
    outcomes = {each.template_id: each.outcome for each in told.explanation.verdicts}
    assert outcomes[first] is Outcome.NO_HIT
    assert outcomes[third] is Outcome.LATER
    assert [each.template for each in told.explanation.verdicts][-1] == "Черновик"


def test_nobody_explains_another_tenants_recording(bench: Bench, other: Bench) -> None:
    (theirs,) = add(other, "Лекция 1")
    with (
        bench.database.tenant(bench.user_id) as session,
        pytest.raises(NotFound, match=f"There is no recording {theirs}"),
    ):
        explain_recording(session, theirs)


def test_a_matcher_for_recordings_to_insert_tries_the_live_templates(bench: Bench) -> None:
    template(bench, LECTURE, is_draft=True)
    own = template(bench, LECTURE)
    with bench.database.tenant(bench.user_id) as session:
        found = matcher_of(session, bench.user_id).first("Лекция 1", None)
        assert session.scalar(select(func.count()).select_from(Recording)) == 0
    assert found is not None
    assert found.id == own
