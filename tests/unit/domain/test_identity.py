"""Partition keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.identity import partition_key, recording_of
from leap_pipeline.errors import InputError


@pytest.mark.parametrize(
    ("slug", "recording", "key"),
    [(1, 142, "000001-142"), (999_999, 1, "999999-1"), (1_234_567, 8, "1234567-8")],
)
def test_a_partition_names_owner_and_recording(slug: int, recording: int, key: str) -> None:
    assert partition_key(slug, recording) == key
    assert recording_of(key) == recording


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_a_key_leads_back_to_its_recording(slug: int, recording: int) -> None:
    assert recording_of(partition_key(slug, recording)) == recording
    assert recording_of(str(recording)) == recording


@pytest.mark.parametrize(
    "typed",
    ["", " ", "abc", "-5", "1-142", "00001-142", "000001-", "000001-142\n", "000001-1-4", "1.5",
     "²", "٣", "0x10", "99999999999", "000001-99999999999", "9" * 5000],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_give(typed: str) -> None:
    with pytest.raises(InputError, match=r"is no recording: give its number \(142\)"):
        recording_of(typed)
