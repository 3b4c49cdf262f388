"""Zoom's documents as they come: whole ones, odd ones, and ones that nobody has seen yet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_pipeline.sources.zoom.models import ZoomFile, ZoomMeeting, read_meeting

START = datetime(2026, 11, 2, 9, 0, 5, tzinfo=UTC)
WHOLE: dict[str, Any] = {
    "uuid": "/ab//cd==",
    "id": 85746065432,
    "account_id": "acc",
    "host_id": "host",
    "host_email": "ada@example.org",
    "topic": "Lecture\u200b 1",
    "type": 8,
    "start_time": "2026-11-02T09:00:05Z",
    "timezone": "Europe/Berlin",
    "duration": 90,
    "total_size": 1,
    "password": "secret-passcode",
    "download_access_token": "eyJh.download.token",
    "recording_files": [
        {
            "id": "f1",
            "meeting_id": "/ab//cd==",
            "recording_start": "2026-11-02T09:00:05Z",
            "recording_end": "2026-11-02T10:30:05Z",
            "file_type": "MP4",
            "file_extension": "MP4",
            "file_size": 31_000_000_000,
            "play_url": "https://zoom.us/rec/play/abc",
            "download_url": "https://zoom.us/rec/download/abc",
            "status": "completed",
            "recording_type": "shared_screen_with_speaker_view",
        },
        {"recording_start": "2026-11-02T09:00:05Z", "recording_end": "", "file_type": "CC"},
    ],
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


def read(**changes: Any) -> ZoomMeeting:
    found = read_meeting({**WHOLE, **changes})
    assert found is not None
    return found


def test_a_whole_meeting() -> None:
    meeting = read()
    assert (meeting.uuid, meeting.number, meeting.duration_minutes) == (
        "/ab//cd==",
        85746065432,
        90,
    )
    assert (meeting.topic, meeting.start_time) == ("Lecture\u200b 1", START)
    assert (meeting.account_id, meeting.host_id, meeting.host_email, meeting.timezone) == (
        "acc",
        "host",
        "ada@example.org",
        "Europe/Berlin",
    )
    assert meeting.download_access_token is not None
    assert meeting.download_access_token.get_secret_value() == "eyJh.download.token"
    video, captions = meeting.files
    assert video.download_url is not None
    assert video.download_url.get_secret_value() == "https://zoom.us/rec/download/abc"
    assert (video.id, video.file_size, video.status) == ("f1", 31_000_000_000, "completed")
    assert (video.recording_start, video.file_extension) == (START, "MP4")
    assert (captions.file_type, captions.id, captions.recording_end) == ("CC", None, None)


def test_nothing_that_opens_a_recording_is_shown() -> None:
    shown = repr(read()) + str(read())
    for secret in ("secret-passcode", "download.token", "/rec/download", "/rec/play"):
        assert secret not in shown


@pytest.mark.parametrize("kind", [2, "2", None, "hologram", {"a": 1}])
def test_the_meetings_type_is_nobodys_business(kind: object) -> None:
    assert read(type=kind) == read()


def test_times_without_a_zone_and_with_another_one_are_utc() -> None:
    assert read(start_time="2026-11-02T09:00:05").start_time == START
    assert read(start_time="2026-11-02T10:00:05+01:00").start_time == START


@pytest.mark.parametrize("start", [None, "", "soon", 5, "0001-01-01T00:00:00+10:00"])
def test_a_start_that_cannot_be_read_is_that_of_the_first_file(start: object) -> None:
    later = {**WHOLE["recording_files"][0], "recording_start": "2026-11-02T09:30:00Z"}
    files = [later, *WHOLE["recording_files"], "no file"]
    assert read(start_time=start, recording_files=files).start_time == START
    assert read_meeting({**WHOLE, "start_time": start, "recording_files": []}) is None


@pytest.mark.parametrize(
    "said", [None, [], "x", {}, {**WHOLE, "uuid": ""}, {**WHOLE, "uuid": None}]
)
def test_what_is_no_meeting_is_none(said: object) -> None:
    assert read_meeting(said) is None


def test_what_cannot_be_stored_is_replaced() -> None:
    assert read(topic="a\ud800b\0c").topic == "a\ufffdb\ufffdc"
    assert read(topic="\ud83d\ude00").topic == "😀"


@pytest.mark.parametrize(
    ("size", "read_as"),
    [(5, 5), ("5", 5), (5.0, 5), (-1, None), ("x", None), (2**70, None), (float("inf"), None)],
)
def test_sizes(size: object, read_as: int | None) -> None:
    assert ZoomFile.model_validate({"file_size": size}).file_size == read_as


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*WHOLE, "new_field"]), ANY_JSON))
def test_nothing_that_zoom_may_say_crashes(odd: dict[str, Any]) -> None:
    meeting = read_meeting({**WHOLE, **odd})
    if "uuid" not in odd and not {"start_time", "recording_files"} & odd.keys():
        assert meeting is not None
    if meeting is not None:
        meeting.topic.encode()


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(list(WHOLE["recording_files"][0])), ANY_JSON))
def test_no_odd_file_hides_the_others(odd: dict[str, Any]) -> None:
    files = [*WHOLE["recording_files"], odd]
    assert len(read(recording_files=files).files) == 3
