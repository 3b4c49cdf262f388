"""Files of a meeting as parts, and the best view of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.zoom_parts import is_better, is_ready, part_key, parts_of, rank, uuid_of

UUID = "/ab//c+=="
TEN = datetime(2026, 11, 1, 10, tzinfo=UTC)
BEST_FIRST = [
    "shared_screen_with_speaker_view",
    "shared_screen_with_speaker_view(CC)",
    "shared_screen_with_gallery_view",
    "shared_screen",
    "active_speaker",
    "gallery_view",
    "production_studio",
    "host_video",
    "a_view_of_tomorrow",
]


@dataclass(frozen=True)
class File:
    id: str | None = "f1"
    recording_start: datetime | None = TEN
    recording_end: datetime | None = TEN + timedelta(minutes=30)
    file_type: str = "MP4"
    file_size: int | None = 1000
    recording_type: str | None = "shared_screen"
    status: str | None = "completed"


def test_the_order_of_views() -> None:
    files = [File(id=kind, recording_type=kind, file_size=1) for kind in BEST_FIRST]
    for some in (files, files[::-1], files[4:] + files[:4]):
        (part,) = parts_of(UUID, some)
        assert [file.id for file in part.files] == BEST_FIRST
    assert rank("speaker_view") == rank("active_speaker")
    assert rank(None) == rank("") == rank("a_view_of_tomorrow") == rank("Unknown") == 8
    assert all(rank(one) < rank(two) for one, two in pairwise(BEST_FIRST))


def test_the_larger_wins_between_equals_and_then_any_order_gives_the_same() -> None:
    files = [File(id="b", file_size=5), File(id="a", file_size=5), File(id="c", file_size=9)]
    assert {parts_of(UUID, some)[0].files[0].id for some in permutations(files)} == {"c"}
    assert {parts_of(UUID, some)[0].files[1].id for some in permutations(files)} == {"a"}


def test_parts_begin_at_different_moments_and_views_of_one_at_the_same_second() -> None:
    later = TEN + timedelta(hours=1)
    files = [
        File(id="two", recording_start=later.astimezone(timezone(timedelta(hours=5)))),
        File(id="one", recording_start=TEN + timedelta(milliseconds=900), recording_type="x"),
        File(id="best"),
    ]
    one, two = parts_of(UUID, files)
    assert (one.key, two.key) == (f"{UUID}@2026-11-01T10:00:00Z", f"{UUID}@2026-11-01T11:00:00Z")
    assert one.best is not None
    assert one.best.id == "best"
    assert [file.id for file in one.files] == ["best", "one"]
    assert one.seconds == 1800
    assert two.seconds is None


@pytest.mark.parametrize(
    "kind", ["M4A", "CHAT", "TRANSCRIPT", "CSV", "TB", "CC", "CHAT_MESSAGE", "SUMMARY", "", "VTT"]
)
def test_only_videos_make_parts(kind: str) -> None:
    assert parts_of(UUID, [File(file_type=kind)]) == ()


@pytest.mark.parametrize(
    ("status", "size", "ready"),
    [
        ("completed", 1, True),
        ("COMPLETED", None, True),
        (None, None, True),
        ("", 0, True),
        ("processing", 1, False),
        ("Processing", 1, False),
        ("a_state_of_tomorrow", 1, True),
        ("a_state_of_tomorrow", 0, False),
        ("a_state_of_tomorrow", None, False),
    ],
)
def test_what_can_be_fetched(status: str | None, size: int | None, *, ready: bool) -> None:
    file = File(status=status, file_size=size)
    assert is_ready(file) is ready
    assert (parts_of(UUID, [file])[0].best is not None) is ready


def test_a_view_that_is_ready_goes_before_a_better_one_that_is_not() -> None:
    best = File(id="best", recording_type=BEST_FIRST[0], status="processing")
    (part,) = parts_of(UUID, [best, File(id="there")])
    assert part.best is not None
    assert part.best.id == "there"


def test_a_video_without_a_beginning_counts_only_where_none_has_one() -> None:
    lost = File(id="lost", recording_start=None)
    (alone,) = parts_of(UUID, [lost])
    assert (alone.key, alone.start, alone.seconds) == (UUID, None, None)
    assert [part.key for part in parts_of(UUID, [lost, File()])] == [part_key(UUID, TEN)]


def test_better_views() -> None:
    assert is_better("shared_screen", 1, "gallery_view", 9)
    assert not is_better("gallery_view", 9, "shared_screen", 1)
    assert is_better("gallery_view", 2, "gallery_view", 1)
    assert not is_better("gallery_view", 1, "gallery_view", 1)
    assert not is_better("gallery_view", 1, "gallery_view", None)  # nobody knows


uuids = st.text(min_size=1, max_size=30).filter(lambda each: "@" not in each)


@given(
    uuids,
    st.none() | st.datetimes(timezones=st.just(UTC), min_value=TEN.replace(year=2000, tzinfo=None)),
)
def test_a_key_tells_its_meeting(uuid: str, start: datetime | None) -> None:
    assert uuid_of(part_key(uuid, start)) == uuid
    assert part_key(uuid, None) == uuid


@given(
    st.permutations(
        [
            File(
                id=str(n),
                recording_start=TEN + timedelta(hours=n // 3),
                recording_type=BEST_FIRST[n % 4],
                file_size=n,
            )
            for n in range(9)
        ]
    )
)
def test_the_order_of_files_says_nothing(files: list[File]) -> None:
    parts = parts_of(UUID, files)
    assert [part.start for part in parts] == [TEN + timedelta(hours=n) for n in range(3)]
    assert parts == parts_of(UUID, sorted(files, key=lambda file: file.id or ""))
    assert replace(files[0]) == files[0]
