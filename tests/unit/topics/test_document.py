"""topics.json: its shape, its versions, and what is no such file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leap_pipeline.domain.shapes.results import TopicTimestamp
from leap_pipeline.errors import InputError
from leap_pipeline.topics.document import (
    MANUAL,
    TopicsDocument,
    activate,
    add_version,
    read_document,
    write_document,
)
from leap_pipeline.topics.shapes import Pause, Topics

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def topics(model: str = "local", title: str = "Green plants") -> Topics:
    return Topics(
        main_topics=[title],
        topic_timestamps=[
            TopicTimestamp(topic=title, start=0.5, end=29.5),
            TopicTimestamp(topic="Binary search", start=29.5, end=60.86),
        ],
        pauses=[Pause(start=10.0, end=500.0)],
        model=model,
    )


def added(document: TopicsDocument | None, model: str = "local") -> TopicsDocument:
    return add_version(
        document, topics(model), recording_id=142, granularity="long", created_at=NOW
    )


def test_the_file_has_exactly_the_designed_shape(tmp_path: Path) -> None:
    write_document(added(None), tmp_path / "topics.json")
    assert json.loads((tmp_path / "topics.json").read_text()) == {
        "recording_id": 142,
        "active_version": "v1",
        "versions": [
            {
                "id": "v1",
                "model": "local",
                "granularity": "long",
                "created_at": "2026-03-01T12:30:00Z",
                "is_active": True,
                "main_topics": ["Green plants"],
                "topic_timestamps": [
                    {"topic": "Green plants", "start": 0.5, "end": 29.5},
                    {"topic": "Binary search", "start": 29.5, "end": 60.86},
                ],
                "pauses": [{"start": 10.0, "end": 500.0}],
            }
        ],
    }


def test_what_was_written_is_read(tmp_path: Path) -> None:
    document = added(added(None))
    write_document(document, tmp_path / "topics.json")
    assert read_document(tmp_path / "topics.json") == document


def test_a_run_again_adds_a_version_and_activates_it() -> None:
    document = added(added(None), "other")
    assert [version.id for version in document.versions] == ["v1", "v2"]
    assert [version.is_active for version in document.versions] == [False, True]
    assert document.active.model == "other"


def test_a_persons_version_stays_active_until_a_person_switches() -> None:
    document = added(added(added(None), MANUAL))
    assert document.active.id == document.active_version == "v2"
    assert [version.id for version in document.versions] == ["v1", "v2", "v3"]
    switched = activate(document, "v3")
    assert switched.active.id == "v3"
    assert added(switched).active.id == "v4"


def test_a_persons_next_edit_is_active() -> None:
    assert added(added(None, MANUAL), MANUAL).active.id == "v2"


def test_nothing_is_changed_in_place() -> None:
    before = added(None)
    kept = before.model_dump()
    added(before)
    activate(added(before), "v1")
    assert before.model_dump() == kept


def test_ids_are_not_used_twice() -> None:
    document = added(added(added(None)))
    shorter = TopicsDocument(recording_id=142, active_version="v3", versions=document.versions[2:])
    assert added(shorter).active_version == "v4"


def test_a_version_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="no version v9: choose one of v1, v2"):
        activate(added(added(None)), "v9")


def good() -> dict[str, Any]:
    content: dict[str, Any] = added(added(None)).model_dump(mode="json")
    return content


def change(content: dict[str, Any], path: str, value: Any) -> None:
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    target: Any = content
    for part in way:
        target = target[part]
    target[last] = value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("versions.1.topic_timestamps.0.start", "soon", r"versions\.1\.topic_timestamps\.0\.start"),
        ("versions.0.topic_timestamps.0.start", 40.0, "is 29.5 s, before its start at 40"),
        ("versions.0.topic_timestamps.1.start", 20.0, r"topic_timestamps\.1 starts at 20"),
        ("versions.0.granularity", "medium", r"versions\.0\.granularity"),
        ("versions.0.created_at", "2026-03-01T12:30:00", r"versions\.0\.created_at"),
        ("versions.0.colour", "red", r"versions\.0\.colour"),
        ("versions.0.id", "first", r"versions\.0\.id"),
        ("versions.0.id", "v2", "two versions have one id"),
        ("versions.0.is_active", True, "active_version is v2, marked as active is v1, v2"),
        ("active_version", "v7", "active_version is v7, marked as active is v2"),
        ("versions", [], "versions"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(
    tmp_path: Path, path: str, value: Any, said: str
) -> None:
    content = good()
    change(content, path, value)
    file = tmp_path / "topics.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=said) as refused:
        read_document(file)
    assert str(refused.value).startswith(f"{file} is no document of topics, see ")


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_what_is_no_document_at_all(tmp_path: Path, text: str) -> None:
    file = tmp_path / "topics.json"
    file.write_text(text)
    with pytest.raises(InputError):
        read_document(file)
