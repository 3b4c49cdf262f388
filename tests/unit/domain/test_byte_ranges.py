"""Byte ranges against a plain set of numbers, and what may be put together."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.byte_ranges import ByteRanges
from leap_pipeline.domain.file_versions import FileVersion, version_of

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)
DATE, LATER = "Mon, 23 Nov 2026 01:00:00 GMT", "Mon, 23 Nov 2026 02:00:00 GMT"
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


@given(SPANS, st.integers(0, 70))
def test_ranges_are_what_a_set_of_bytes_is(spans: list[tuple[int, int]], stop: int) -> None:
    ranges = ByteRanges()
    plain: set[int] = set()
    for start, end in spans:
        ranges.add(start, end)
        plain |= set(range(start, end))
    assert {each for span in ranges for each in range(*span)} == plain
    assert ranges.count == len(plain)
    ordered = list(ranges)
    assert all(one[1] < other[0] for one, other in pairwise(ordered))
    missing = sorted(set(range(stop)) - plain)
    gap = ranges.first_gap(stop)
    assert (gap is None) is (not missing)
    if gap is not None:
        assert gap[0] == missing[0]
        assert set(range(*gap)) <= set(missing)
        assert gap[1] == stop or gap[1] in plain
    assert ByteRanges(ranges) == ranges.copy() == ranges


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": '"a"', "last-modified": DATE, "date": LATER}, '"a"'),
        ({"etag": 'W/"a"', "last-modified": DATE, "date": LATER}, DATE),
        ({"etag": 'W/"a"'}, None),
        ({"etag": "a"}, None),
        ({"etag": '"'}, None),
        ({"last-modified": DATE, "date": DATE}, None),
        ({"last-modified": DATE}, DATE),
        ({"last-modified": LATER}, None),
        ({"last-modified": "yesterday", "date": LATER}, None),
        ({}, None),
    ],
    ids=[
        "etag",
        "weak-etag",
        "only-weak",
        "unquoted",
        "half",
        "just-changed",
        "no-date",
        "no-date-just-changed",
        "nonsense",
        "nothing",
    ],
)
def test_only_strong_validators_count(headers: dict[str, str], validator: str | None) -> None:
    assert version_of(headers, 7, "x", NOW).validator == validator


def test_a_part_is_of_the_version_that_its_validator_names() -> None:
    tagged = FileVersion(7, '"a"', DATE)
    assert tagged.allows({"etag": '"a"'}, 7)
    assert not tagged.allows({"etag": '"a"'}, 8)
    assert not tagged.allows({"etag": '"b"', "last-modified": DATE}, 7)
    assert not tagged.allows({"last-modified": DATE}, 7)
    dated = FileVersion(7, None, DATE)
    assert dated.allows({}, 7)
    assert not dated.allows({"last-modified": LATER}, 7)
    assert FileVersion(**tagged.to_json()) == tagged  # type: ignore[arg-type]
