import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from leap_pipeline.media.silence import WINDOW, Interval, silent_stretches


def windows(*stretches: tuple[bool, float]) -> NDArray[np.bool_]:
    return np.concatenate([np.full(round(s / WINDOW), loud) for loud, s in stretches])


def rounded(found: list[Interval]) -> list[tuple[float, float]]:
    return [(round(part.start, 6), round(part.end, 6)) for part in found]


def test_silences_at_both_ends_and_inside() -> None:
    loud = windows((False, 3), (True, 2), (False, 2.5), (True, 1), (False, 4))
    assert rounded(silent_stretches(loud, loud, 12.5, min_duration=2.0)) == [
        (0.0, 3.0),
        (5.0, 7.5),
        (8.5, 12.5),
    ]


def test_a_pause_of_exactly_the_minimum_counts_and_a_shorter_one_does_not() -> None:
    loud = windows((True, 1), (False, 2.0), (True, 1), (False, 1.97), (True, 1))
    assert rounded(silent_stretches(loud, loud, 6.97, min_duration=2.0)) == [(1.0, 3.0)]


@pytest.mark.parametrize("length", [0.01, 0.03, 0.05])
def test_a_click_does_not_split_a_silence(length: float) -> None:
    loud = windows((True, 1), (False, 2), (True, length), (False, 2), (True, 1))
    assert rounded(silent_stretches(loud, loud, 6 + length, min_duration=2.0)) == [
        (1.0, 5.0 + length)
    ]


def test_a_click_next_to_speech_belongs_to_it() -> None:
    loud = windows((False, 3), (True, 0.02), (False, 0.2), (True, 1), (False, 3))
    assert rounded(silent_stretches(loud, loud, 7.22, min_duration=2.0)) == [
        (0.0, 3.0),
        (4.22, 7.22),
    ]


def test_sound_that_ends_before_the_file_leaves_silence() -> None:
    loud = windows((True, 5))
    assert rounded(silent_stretches(loud, loud, 9.0, min_duration=2.0)) == [(5.0, 9.0)]


def test_no_window_at_all_is_one_silence() -> None:
    nothing = np.zeros(0, np.bool_)
    assert silent_stretches(nothing, nothing, 9.0, min_duration=2.0) == [Interval(0.0, 9.0)]


def test_the_faint_ends_of_a_sound_belong_to_it_but_reach_only_so_far() -> None:
    loud = windows((False, 3), (True, 1), (False, 3))
    faint = windows((False, 2.95), (True, 1.13), (False, 2.92))
    assert rounded(silent_stretches(loud, faint, 7.0, min_duration=2.0)) == [
        (0.0, 2.95),
        (4.08, 7.0),
    ]
    assert rounded(silent_stretches(loud, np.ones(700, np.bool_), 7.0, min_duration=2.0)) == [
        (0.0, 2.8),
        (4.2, 7.0),
    ]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=3000), st.floats(0.05, 5.0))
def test_silences_are_sorted_disjoint_long_enough_and_within(
    flags: list[tuple[bool, bool]], minimum: float
) -> None:
    duration = len(flags) * WINDOW
    loud = np.array([both[0] for both in flags], np.bool_)
    faint = loud | np.array([both[1] for both in flags], np.bool_)
    found = silent_stretches(loud, faint, duration, min_duration=minimum)
    edges = [t for part in found for t in (part.start, part.end)]
    assert edges == sorted(edges)
    assert all(0.0 <= t <= duration for t in edges)
    assert all(part.length >= minimum - WINDOW - 1e-9 for part in found)
