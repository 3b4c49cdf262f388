"""Repositories: one tenant's rows, pages without repeats or gaps, few statements, sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage
from leap_pipeline.db.models.users import User, UserCredential
from leap_pipeline.db.repositories.catalogue import (
    AccountFilter,
    AutomationJobs,
    BaseConfigs,
    JobFilter,
    Presets,
    Sources,
    Targets,
    TemplateFilter,
    Templates,
)
from leap_pipeline.db.repositories.recordings import RecordingFilter, Recordings
from leap_pipeline.domain.states import RecordingStatus
from leap_pipeline.errors import DataError, InputError, NotFound, StaleChange
from leap_pipeline.services.recording_frames import load_frame

START = datetime(2026, 9, 1, tzinfo=UTC)


@dataclass
class Place:
    database: Database
    ada: str
    bob: str

    def tenant(self, user_id: str | None = None) -> Any:
        return self.database.tenant(user_id or self.ada)


@pytest.fixture
def place(database: Database) -> Place:
    with database.system() as session:
        users = [User(email=f"{name}@example.org", hashed_password="!") for name in ("ada", "bob")]
        session.add_all(users)
        session.flush()
        return Place(database, users[0].id, users[1].id)


def lecture(number: int, **values: Any) -> dict[str, Any]:
    return {
        "display_name": f"Lecture {number:02d}",
        "start_time": START + timedelta(days=number),
        "duration": 3600,
    } | values


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """The statements that a block sends, savepoints left out."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "SAVEPOINT" not in statement:
            sent.append(statement)

    engine = session.connection().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_another_tenants_row_is_a_row_that_is_not_there(place: Place) -> None:
    with place.tenant() as session:
        mine = Templates(session).create(name="Mine")
    with place.tenant(place.bob) as session:
        templates = Templates(session)
        for key in (mine.id, mine.id + 1000):
            assert templates.get(key) is None
            for attempt in (templates.require, templates.delete, templates.update):
                with pytest.raises(NotFound, match=f"^There is no template {key}.$"):
                    attempt(key)
        assert (templates.all(), templates.count()) == ([], 0)
        assert templates.get_by_ids([mine.id]) == {}
        assert templates.update_many([mine.id], description="taken") == 0
        assert templates.delete_many([mine.id]) == 0
    with place.tenant() as session:
        assert Templates(session).require(mine.id).description is None


def test_the_filter_holds_without_row_security(place: Place) -> None:
    """The first wall alone: in the system's scope a repository of one user sees that user's."""
    with place.tenant() as session:
        Recordings(session).create(**lecture(1))
    with place.tenant(place.bob) as session:
        Recordings(session).create(**lecture(2))
    with place.database.system() as session:
        assert Recordings(session).count() == 2
        assert [row.display_name for row in Recordings(session, place.bob).all()] == ["Lecture 02"]
        assert load_frame(session, place.ada).counts.total == 1
        with pytest.raises(DataError, match="needs an owner"):
            Recordings(session).create(**lecture(3))
    with (
        place.tenant() as session,
        pytest.raises(DataError, match="another user's recordings"),
    ):
        Recordings(session, place.bob)
    with pytest.raises(DataError, match="needs a transaction with a scope"):
        Recordings(Session())


SORTS = list(Recordings.sorts)


@pytest.mark.parametrize("sort", SORTS)
def test_pages_have_every_row_once_in_order(place: Place, sort: str) -> None:
    with place.tenant() as session:
        recordings = Recordings(session)
        # Ties in every column, so that the id has to decide.
        recordings.create_many([lecture(number // 3) for number in range(17)])
        seen: list[int] = []
        page = recordings.page(sort=sort, limit=4)
        seen += [row.id for row in page.items]
        while page.after:
            page = recordings.page(sort=sort, limit=4, after=page.after)
            seen += [row.id for row in page.items]
        order = Recordings.sorts[sort]
        rows = {row.id: row for row in recordings.all()}
    assert seen == sorted(
        rows, key=lambda key: (getattr(rows[key], order.column), key), reverse=order.descending
    )
    assert len(seen) == 17


def test_rows_that_come_and_go_neither_repeat_nor_hide_others(place: Place) -> None:
    with place.tenant() as session:
        recordings = Recordings(session)
        keys = recordings.create_many([lecture(number) for number in range(6)])
        first = recordings.page(sort="earliest", limit=3)
        recordings.delete(keys[0])
        recordings.delete(keys[2])
        recordings.create(**lecture(-1))
        second = recordings.page(sort="earliest", limit=3, after=first.after)
    assert [row.id for row in second.items] == keys[3:]
    assert second.after is None


@pytest.mark.parametrize("cursor", ["", "x", "bm9uc2Vuc2U", "W10", "WyJuYW1lIl0", "é", "W251bGxd"])
def test_what_is_no_cursor_is_refused(place: Place, cursor: str) -> None:
    with place.tenant() as session, pytest.raises(InputError, match="begin again"):
        Recordings(session).page(after=cursor)


def test_a_cursor_of_another_order_is_refused(place: Place) -> None:
    with place.tenant() as session:
        recordings = Recordings(session)
        recordings.create_many([lecture(number) for number in range(3)])
        cursor = recordings.page(limit=1).after
        with pytest.raises(InputError, match="by name: begin again"):
            recordings.page(sort="name", after=cursor)
        with pytest.raises(InputError, match="sorted by colour: use one of newest, oldest"):
            recordings.page(sort="colour")
        for limit in (0, 501):
            with pytest.raises(InputError, match="1 to 500 rows"):
                recordings.page(limit=limit)


def test_filters(place: Place) -> None:
    with place.tenant() as session:
        template = Templates(session).create(name="T")
        source = Sources(session).create(name="Z", source_type="ZOOM")
        recordings = Recordings(session)
        one, two, three, four = recordings.create_many(
            [
                lecture(1, template_id=template.id, is_mapped=True),
                lecture(2, input_source_id=source.id, blank_record=True),
                lecture(3, display_name="Анализ 100%_\\ #7"),
                lecture(4),
            ]
        )
    with place.database.system() as session:
        session.execute(
            text("UPDATE recordings SET status = 'FAILED', failed = TRUE WHERE id = :id"),
            {"id": one},
        )
        session.execute(
            text(
                "UPDATE recordings SET deleted = TRUE, delete_state ="
                " CASE id WHEN :id THEN 'soft_deleted' ELSE 'hard_deleted' END WHERE id >= :id"
            ),
            {"id": three},
        )
    with place.tenant() as session:
        recordings = Recordings(session)

        def found(**criteria: Any) -> list[int]:
            chosen = RecordingFilter(**criteria)
            keys = [row.id for row in recordings.page(chosen, sort="earliest").items]
            assert recordings.count(chosen) == len(keys)
            mine = recordings.by_owner(chosen, ids=None, limit=100)
            assert mine == ({place.ada: keys} if keys else {})
            return keys

        assert found() == [one, two]
        assert found(statuses=[RecordingStatus.FAILED, RecordingStatus.READY]) == [one]
        assert found(template_id=template.id) == found(mapped=True) == found(failed=True) == [one]
        assert found(source_id=source.id) == found(blank=True) == found(mapped=False) == [two]
        assert found(deleted=True) == [three]
        assert found(deleted=None) == [one, two, three]
        assert found(deleted=None, tombstones=True) == [one, two, three, four]
        assert found(since=START + timedelta(days=2)) == [two]
        assert found(until=START + timedelta(days=2)) == [one]
        assert found(text=" LECTURE 0 ") == [one, two]
        assert found(text="lecture 2") == []
        for looked_for in ("анализ", "АНАЛИЗ 100%", "%_\\", "#7"):
            assert found(deleted=True, text=looked_for) == [three], looked_for
        assert found(deleted=True, text="100__") == []
        counts = load_frame(session, place.ada).counts
        assert dict(counts.by_status) == {"FAILED": 1, "INITIALIZED": 1}
        assert (counts.total, counts.soft_deleted) == (2, 1)
    with place.database.system() as session:
        for looked_for in ("анализ", "%_\\", "#7"):
            chosen = RecordingFilter(deleted=True, text=looked_for)
            assert [row.id for row in Recordings(session).page(chosen).items] == [three]


def test_lists_and_details_take_at_most_three_statements(place: Place) -> None:
    with place.tenant() as session:
        template = Templates(session).create(name="T")
        source = Sources(session).create(name="Z", source_type="ZOOM")
        keys = Recordings(session).create_many(
            [lecture(n, template_id=template.id, input_source_id=source.id) for n in range(30)]
        )
        credential = UserCredential(user_id=place.ada, platform="vk", encrypted_data="x")
        session.add(credential)
        session.flush()
        preset = Presets(session).create(name="P", platform="VK", credential_id=credential.id)
        for key in keys:
            part = {"recording_id": key, "user_id": place.ada}
            session.add(OutputTarget(**part, target_type="VK", preset_id=preset.id))
            session.add(ProcessingStage(**part, stage_type="TRIM"))
    with place.tenant() as session:
        with statements(session) as sent:
            page = Recordings(session).page(RecordingFilter(text="lecture"), limit=20)
            for row in page.items:
                assert row.template is not None
                assert row.input_source is not None
                assert (row.template.name, row.input_source.name) == ("T", "Z")
                assert len(row.targets) == 1
        assert len(sent) == 2
    with place.tenant() as session:
        with statements(session) as sent:
            row = Recordings(session).require(keys[0])
            assert row.source is None
            assert row.template is not None
            assert row.input_source is not None
            assert [stage.stage_type for stage in row.stages] == ["TRIM"]
            assert row.targets[0].preset is not None
            assert row.targets[0].preset.name == "P"
        assert len(sent) == 3
    with place.tenant() as session, statements(session) as sent:
        assert load_frame(session, place.ada).counts.total == 30
        assert len(Recordings(session).get_by_ids(keys)) == 30
        assert len(sent) == 1 + 2


def test_counts_follow_every_way_of_changing_a_status(place: Place) -> None:
    with place.tenant() as session:
        keys = Recordings(session).create_many([lecture(number) for number in range(9)])
        for statement in (
            "UPDATE recordings SET status = 'READY' WHERE id % 2 = 0",
            "UPDATE recordings SET status = 'FAILED' WHERE id % 4 = 0",
            "UPDATE recordings SET delete_state = 'soft_deleted' WHERE id % 3 = 0",
            "UPDATE recordings SET display_name = 'the same'",
            "DELETE FROM recordings WHERE id % 5 = 0",
        ):
            session.execute(text(statement))
        query = "SELECT status, count(*) FROM recordings WHERE delete_state = 'active' GROUP BY 1"
        counted = {row.status: row.count for row in session.execute(text(query))}
        assert load_frame(session, place.ada).by_status == counted
        assert keys
    with place.database.system() as session:
        session.execute(text("DELETE FROM users WHERE id = :id"), {"id": place.ada})
    with place.database.system() as session:
        assert load_frame(session, None).counts.total == 0


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "Taken"}, "taken by another template"),
    ({"name": "x" * 256}, "256 characters: at most 255 fit"),
    ({"name": "a\x00b"}, "cannot be stored"),
    ({"name": None}, "needs name"),
    ({}, "needs name"),
    ({"name": "A", "colour": 1}, "colour of a template cannot be set"),
    ({"name": "A", "id": 7}, "id of a template cannot be set"),
    ({"name": "A", "user_id": "x"}, "user_id of a template cannot be set"),
    ({"name": "A", "created_at": START}, "created_at of a template cannot be set"),
    ({"name": "A", "matching_rules": {"keyword": ["x"]}}, r"matching_rules\.keyword"),
    ({"name": "A", "matching_rules": {"source_ids": [7]}}, "There is no source 7"),
    ({"name": "A", "output_config": {"preset_ids": [7]}}, "There is no preset 7"),
]


@pytest.mark.parametrize(("values", "said"), BAD)
def test_what_cannot_be_stored_is_said_and_spoils_nothing(
    place: Place, values: dict[str, Any], said: str
) -> None:
    with place.tenant() as session:
        templates = Templates(session)
        kept = templates.create(name="Taken")
        other = templates.create(name="Other")
        with pytest.raises(InputError, match=said):
            templates.create(**values)
        if values:
            with pytest.raises(InputError, match=said):
                templates.update(other.id, **values)
    with place.tenant() as session:
        assert [row.name for row in Templates(session).all()] == ["Taken", "Other"]
        assert Templates(session).require(kept.id).matching_rules is None


def test_a_change_that_somebody_overtook_is_refused(place: Place) -> None:
    with place.tenant() as session:
        seen = Templates(session).create(name="First")
    with place.tenant() as session:
        Templates(session).update(seen.id, description="by somebody else")
    with place.tenant() as session, pytest.raises(StaleChange, match="load it again"):
        Templates(session).update(seen.id, unchanged_since=seen.updated_at, name="Second")
    with place.tenant() as session:
        current = Templates(session).require(seen.id)
        changed = Templates(session).update(
            seen.id, unchanged_since=current.updated_at, name="Second"
        )
        assert (changed.name, changed.description) == ("Second", "by somebody else")


def test_the_catalogue_lists_by_what_it_is_asked_for(place: Place) -> None:
    with place.tenant() as session:
        credential = UserCredential(user_id=place.ada, platform="vk", encrypted_data="x")
        session.add(credential)
        session.flush()
        Templates(session).create(name="Live")
        template = Templates(session).create(name="Draft", is_draft=True)
        Presets(session).create(name="V", platform="VK", credential_id=credential.id)
        Presets(session).create(
            name="Y", platform="YOUTUBE", credential_id=credential.id, is_active=False
        )
        Sources(session).create(name="S", source_type="ZOOM", config={"min_duration_minutes": 5})
        AutomationJobs(session).create(
            name="J",
            job_type="sync_and_process",
            schedule_type="crontab",
            template_id=template.id,
            source_ids=[],
        )

        def names(rows: Sequence[Any]) -> list[str]:
            return [row.name for row in rows]

        assert names(Templates(session).all(TemplateFilter(usable=True))) == ["Live"]
        assert names(Templates(session).all(TemplateFilter(usable=False))) == ["Draft"]
        assert names(Templates(session).page().items) == ["Draft", "Live"]
        presets = Presets(session)
        assert names(presets.all(AccountFilter(active=True))) == ["V"]
        assert names(presets.all(AccountFilter(kind="YOUTUBE"))) == ["Y"]
        assert presets.count(AccountFilter(credential_id=credential.id)) == 2
        assert presets.all()[0].credential.platform == "vk"
        jobs = AutomationJobs(session)
        assert names(jobs.all(JobFilter(enabled=True, template_id=template.id))) == ["J"]
        assert jobs.all()[0].template is not None
        assert Targets(session).page().items == []
        with pytest.raises(InputError, match=r"config\.minimum"):
            Sources(session).create(name="T", source_type="ZOOM", config={"minimum": 5})
        with pytest.raises(InputError, match="source_type"):
            Sources(session).create(name="T", source_type="TAPE", config={"minimum": 5})


def test_base_configs_of_all_are_read_by_all_and_written_by_the_system(place: Place) -> None:
    said = {"remove_silence": False}
    with place.database.system() as session:
        shared = BaseConfigs(session).create(
            name="for all", config_type="processing", config_data=said
        )
    with place.tenant() as session:
        own = BaseConfigs(session).create(name="own", config_type="processing", config_data=said)
        assert [row.name for row in BaseConfigs(session).all()] == ["for all", "own"]
        assert own.user_id == place.ada
        with pytest.raises(NotFound):
            BaseConfigs(session).delete(shared.id)
    with place.tenant(place.bob) as session:
        assert [row.name for row in BaseConfigs(session).all()] == ["for all"]
