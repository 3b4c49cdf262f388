"""Names of a meeting's parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.names import (
    NAME_LIMIT,
    clean_name,
    number_in,
    numbered,
    part_name,
    whole_name,
)


def test_the_first_part_has_the_plain_name() -> None:
    assert [part_name("Algebra", number) for number in (1, 2, 12)] == [
        "Algebra",
        "Algebra (part 2)",
        "Algebra (part 12)",
    ]


@given(st.text(max_size=600).map(clean_name), st.integers(2, 99_999))
def test_a_part_tells_its_number_and_its_meeting(name: str, number: int) -> None:
    shown = part_name(name, number)
    assert len(shown) <= NAME_LIMIT
    assert number_in(shown, name) == number
    whole = whole_name(shown)
    assert whole is not None
    assert name.startswith(whole)


@pytest.mark.parametrize(
    "shown",
    ["Algebra (part 1)", "Algebra (part 0)", "Algebra (part)", "Algebra(part 2)", "(part 2)"],
)
def test_other_names_tell_of_no_part(shown: str) -> None:
    assert whole_name(shown) is None
    assert number_in(shown, "Algebra") is None


def test_a_topic_may_look_like_a_part() -> None:
    assert number_in("Algebra (part 2)", "Algebra (part 2)") == 1
    assert number_in("Algebra (part 2) (part 3)", "Algebra (part 2)") == 3


@pytest.mark.parametrize(
    ("had", "have"),
    [
        ([None], [1]),
        ([None, None, None], [1, 2, 3]),
        ([None, 1], [1, 2]),  # the second part was seen before the first one
        ([2, 3], [2, 3]),  # the first one is gone from the source
        ([2, 3, None], [2, 3, 4]),
        ([1, None, 2], [1, 2, 3]),
    ],
)
def test_numbers_only_grow(had: list[int | None], have: list[int]) -> None:
    assert numbered(had) == have
    assert numbered(have) == have
