"""Word times, whatever the aligner says."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.speech.times import settle

times = st.floats(min_value=0, max_value=120, allow_nan=False)
spans = st.lists(st.tuples(times, times), max_size=60)


def test_good_times_are_left_alone() -> None:
    good = [(0.0, 0.5), (0.5, 0.9), (3.0, 3.25)]
    assert settle(good, 4.0) == good


def test_an_overlap_is_pushed_apart_and_the_end_kept_inside() -> None:
    settled = settle([(1.0, 1.6), (1.4, 2.0), (3.8, 4.4)], 4.0)
    assert settled == [(1.0, 1.6), (1.6, 2.0), (3.8, 4.0)]


def test_words_past_the_end_are_moved_in_without_losing_any() -> None:
    settled = settle([(9.0, 9.5), (9.5, 10.0), (10.0, 10.2)], 2.0)
    assert len(settled) == 3
    assert settled[-1][1] == 2.0
    assert all(end > start for start, end in settled)


@given(spans, st.floats(min_value=0.1, max_value=60))
def test_times_are_sorted_inside_and_never_overlap(
    given_spans: list[tuple[float, float]], duration: float
) -> None:
    settled = settle(given_spans, duration)
    assert len(settled) == len(given_spans)
    assert all(0 <= start <= end <= duration + 0.0006 for start, end in settled)
    assert all(before[1] <= after[0] + 0.0011 for before, after in pairwise(settled))
