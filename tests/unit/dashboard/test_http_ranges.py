"""What part of a file a request gets (RFC 9110, 13 and 14)."""

from __future__ import annotations

import pytest

from dashboard.http_ranges import Part, Version, part_wanted

SIZE = 1000
STORED = Version('"v1"', 1_700_000_000, SIZE)
WHOLE = Part(200, 0, SIZE)
BEFORE, AFTER = "Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"
assert STORED.last_modified == "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("bytes=0-99", Part(206, 0, 100)),
        ("bytes=500-", Part(206, 500, SIZE)),
        ("bytes=-200", Part(206, 800, SIZE)),
        ("bytes=-5000", Part(206, 0, SIZE)),
        ("bytes=999-999999", Part(206, 999, SIZE)),
        ("BYTES = 0-0", Part(206, 0, 1)),
        ("bytes=1000-", Part(416)),
        ("bytes=-0", Part(416)),
        ("bytes=2000-3000,5000-", Part(416)),
        ("bytes=0-9,2000-", Part(206, 0, 10)),
        # Ignored: of several parts, of another unit, and what cannot be read.
        ("bytes=0-9,20-29", WHOLE),
        ("items=0-9", WHOLE),
        ("bytes=9-0", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=+1-5", WHOLE),
        ("bytes=1_0-5", WHOLE),
        ("bytes=٣-٩", WHOLE),
        ("bytes=" + "9" * 5000 + "-", WHOLE),
        ("nonsense", WHOLE),
    ],
)
def test_a_range(said: str, part: Part) -> None:
    assert part_wanted("GET", {"range": said}, STORED) == part


def test_a_range_is_for_get_alone() -> None:
    assert part_wanted("HEAD", {"range": "bytes=0-9"}, STORED) == WHOLE


def test_nothing_of_an_empty_file_can_be_asked_for() -> None:
    empty = Version('"v0"', 0, 0)
    assert part_wanted("GET", {"range": "bytes=0-"}, empty) == Part(416)
    assert part_wanted("GET", {}, empty) == Part(200, 0, 0)


@pytest.mark.parametrize(
    ("header", "said", "status"),
    [
        ("if-range", '"v1"', 206),
        ("if-range", STORED.last_modified, 206),
        ("if-range", '"v2"', 200),
        ("if-range", 'W/"v1"', 200),
        ("if-range", BEFORE, 200),
        ("if-none-match", '"v1"', 304),
        ("if-none-match", '"v0", W/"v1"', 304),
        ("if-none-match", "*", 304),
        ("if-none-match", '"v2"', 206),
        ("if-match", '"v1"', 206),
        ("if-match", '"v2"', 412),
        ("if-match", 'W/"v1"', 412),
        ("if-modified-since", STORED.last_modified, 304),
        ("if-modified-since", BEFORE, 206),
        ("if-modified-since", "yesterday", 206),
        ("if-unmodified-since", BEFORE, 412),
        ("if-unmodified-since", AFTER, 206),
    ],
)
def test_a_condition(header: str, said: str, status: int) -> None:
    asked = {"range": "bytes=0-9", header: said}
    assert part_wanted("GET", asked, STORED).status == status


def test_a_tag_outweighs_a_date() -> None:
    asked = {"if-none-match": '"v2"', "if-modified-since": AFTER}
    assert part_wanted("GET", asked, STORED) == WHOLE
