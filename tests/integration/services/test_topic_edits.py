"""A person's topics beside those that runs find: nothing is lost, and one version counts."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

import pytest

from leap_pipeline.domain.planner import Asset
from leap_pipeline.domain.shapes.results import TopicTimestamp
from leap_pipeline.domain.states import Stage
from leap_pipeline.errors import AlreadyRunning, DataError, InputError, StaleChange
from leap_pipeline.services.audit import Actor, AuditFilter, entries
from leap_pipeline.services.topic_edits import edit_topics, load_versions, switch_topics
from leap_pipeline.services.work import Artifact, Begun, Work
from leap_pipeline.storage.paths import RecordingPaths
from leap_pipeline.topics.document import (
    TopicsDocument,
    add_version,
    read_document,
    write_document,
)
from leap_pipeline.topics.shapes import Pause, Topics
from tests.support.bench import Bench, do

ADA = Actor(None, "ada@example.org")
BEFORE_TOPICS = (Asset.RAW_VIDEO, Asset.TRIMMED_VIDEO, Asset.AUDIO, Asset.TRANSCRIPT)


def topic(title: str, start: float, end: float) -> TopicTimestamp:
    return TopicTimestamp(topic=title, start=start, end=end)


FOUND = Topics(
    main_topics=["plants"],
    topic_timestamps=[topic("Light", 0.0, 40.5), topic("Leaves", 50.0, 90.0)],
    pauses=[Pause(start=40.5, end=50.0)],
    model="local",
)


def find(work: Work, begun: Begun, found: Topics = FOUND) -> None:
    """What the asset does between its beginning and its end."""
    stored = work.storage.path(work.paths.topics)
    document = add_version(
        read_document(stored) if stored.is_file() else None,
        found,
        recording_id=work.recording_id,
        granularity="long",
    )
    with work.scratch(Asset.TOPICS) as folder:
        made = folder / "topics.json"
        write_document(document, made)
        active = document.active
        work.complete(
            Asset.TOPICS,
            begun,
            [Artifact(made, "topics", work.paths.topics)],
            columns={
                "topic_timestamps": [each.model_dump() for each in active.topic_timestamps],
                "main_topics": list(active.main_topics),
            },
            stage_meta={"model": found.model, "version": document.versions[-1].id},
        )


@pytest.fixture
def recording(bench: Bench) -> int:
    """One whose topics a run has found."""
    number = bench.recording()
    work = bench.start(number)
    do(work, *BEFORE_TOPICS)
    find(work, work.begin(Asset.TOPICS))
    do(work, Asset.SUBTITLES)
    work.close()
    return number


def edit(
    bench: Bench, number: int, *topics: TopicTimestamp, seen: str | None, main: Sequence[str] = ()
) -> str:
    with bench.database.tenant(bench.user_id) as session:
        return edit_topics(
            session, bench.storage, number, topics, main or ["plants"], seen=seen, actor=ADA
        )


def document(bench: Bench, number: int) -> TopicsDocument:
    with bench.database.tenant(bench.user_id) as session:
        found = load_versions(session, bench.storage, number)
    assert found is not None
    return found


def titles(bench: Bench, number: int) -> list[str]:
    return [each["topic"] for each in bench.row(number).topic_timestamps or []]


def test_an_edit_is_a_version_that_counts_until_a_person_switches(
    bench: Bench, recording: int
) -> None:
    assert edit(bench, recording, topic("The light", 0.0, 90.0), seen="v1", main=["  light\n"]) == (
        "v2"
    )
    found = document(bench, recording)
    assert [(each.id, each.model, each.is_active) for each in found.versions] == [
        ("v1", "local", False),
        ("v2", "manual", True),
    ]
    assert found.active.pauses == FOUND.pauses
    assert titles(bench, recording) == ["The light"]
    assert bench.row(recording).main_topics == ["light"]
    path = RecordingPaths(bench.slug, recording).topics
    assert bench.stored(recording)[path] == len(bench.files()[path].encode())

    work = bench.start(recording, force=Stage.EXTRACT_TOPICS)
    find(work, work.begin(Asset.TOPICS))
    work.close()
    found = document(bench, recording)
    assert (len(found.versions), found.active_version) == (3, "v2")
    assert titles(bench, recording) == ["The light"]

    with bench.database.tenant(bench.user_id) as session:
        switch_topics(session, bench.storage, recording, "v3", actor=ADA)
    assert titles(bench, recording) == ["Light", "Leaves"]
    with bench.database.system() as session:
        told = entries(session, AuditFilter(subject_type="recording", action="topics"))
    assert [(each.action, each.actor, each.owner_id) for each in told] == [
        ("topics.switch", ADA.name, bench.user_id),
        ("topics.edit", ADA.name, bench.user_id),
    ]


def test_while_topics_are_found_nobody_edits_and_afterwards_both_are_there(
    bench: Bench, recording: int
) -> None:
    work = bench.start(recording, force=Stage.EXTRACT_TOPICS)
    begun = work.begin(Asset.TOPICS)
    with pytest.raises(AlreadyRunning, match="being found just now: save again in a moment"):
        edit(bench, recording, topic("Mine", 0.0, 9.0), seen="v1")
    find(work, begun)
    work.close()
    # What a run has found meanwhile is no reason to write it all again: every version stays.
    edit(bench, recording, topic("Mine", 0.0, 9.0), seen="v1")
    assert [each.model for each in document(bench, recording).versions] == [
        "local",
        "local",
        "manual",
    ]
    assert titles(bench, recording) == ["Mine"]


def test_of_two_people_at_once_the_second_is_told(bench: Bench, recording: int) -> None:
    start, said = threading.Barrier(2), []

    def save(name: str) -> None:
        start.wait(10)
        try:
            said.append(edit(bench, recording, topic(name, 0.0, 9.0), seen="v1"))
        except StaleChange as error:
            said.append(str(error))

    people = [threading.Thread(target=save, args=(name,)) for name in ("Ada", "Bob")]
    for each in people:
        each.start()
    for each in people:
        each.join(20)
    assert sorted(said)[1] == "v2"
    assert sorted(said)[0].startswith("Somebody else has changed these topics meanwhile")
    assert len(document(bench, recording).versions) == 2


def test_topics_are_written_where_no_run_has_found_any(bench: Bench) -> None:
    number = bench.recording()
    with bench.database.tenant(bench.user_id) as session:
        assert load_versions(session, bench.storage, number) is None
        with pytest.raises(InputError, match="has no topics yet"):
            switch_topics(session, bench.storage, number, "v1", actor=ADA)
    assert edit(bench, number, topic("Mine", 0.0, 9.0), seen=None) == "v1"
    work = bench.start(number)
    do(work, *BEFORE_TOPICS)
    find(work, work.begin(Asset.TOPICS))
    work.close()
    assert document(bench, number).active_version == "v1"
    assert titles(bench, number) == ["Mine"]


def test_topics_that_came_without_a_file_are_the_first_version(bench: Bench) -> None:
    number = bench.recording(
        topic_timestamps=[
            {"topic": "Old", "start": 0.0, "end": 30.0},
            {"topic": "Older", "start": 20.0, "end": 40.0},
        ],
        main_topics=["old"],
    )
    edit(bench, number, topic("New", 0.0, 9.0), seen="v1")
    first, second = document(bench, number).versions
    assert (first.model, second.model) == ("unknown", "manual")
    assert [(each.topic, each.end) for each in first.topic_timestamps] == [
        ("Old", 20.0),
        ("Older", 40.0),
    ]


def test_what_cannot_be_used_is_told_and_changes_nothing(bench: Bench, recording: int) -> None:
    path = RecordingPaths(bench.slug, recording).topics
    whole = bench.files()[path]
    with (
        bench.database.tenant(bench.user_id) as session,
        pytest.raises(InputError, match="no version v9: choose one of v1"),
    ):
        switch_topics(session, bench.storage, recording, "v9", actor=ADA)
    with pytest.raises(InputError, match="name at most 20"):
        edit(bench, recording, seen="v1", main=[str(each) for each in range(21)])
    bench.set(recording, deleted=True)
    with pytest.raises(InputError, match="restore it before"):
        edit(bench, recording, seen="v1")
    bench.set(recording, deleted=False)
    assert bench.files()[path] == whole
    bench.storage.path(path).write_text(json.dumps({"versions": []}))
    with pytest.raises(DataError, match="cannot be read: remove it, then force EXTRACT_TOPICS"):
        edit(bench, recording, seen="v1")


def test_another_tenants_topics_are_not_there(bench: Bench, recording: int) -> None:
    with bench.database.tenant("01J00000000000000000000009") as session:
        with pytest.raises(InputError, match="There is no recording"):
            load_versions(session, bench.storage, recording)
        with pytest.raises(InputError, match="There is no recording"):
            edit_topics(session, bench.storage, recording, [], [], seen=None, actor=ADA)
