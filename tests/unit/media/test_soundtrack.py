import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.media.silence import Interval
from leap_pipeline.media.soundtrack import kept
from leap_pipeline.media.timeline import CutPlan

RATE = 1000


@given(
    st.lists(st.floats(0.0, 20.0), min_size=2, max_size=24, unique=True),
    st.lists(st.integers(1, 3000), min_size=1, max_size=30),
)
def test_kept_samples_are_the_slices_of_the_whole(edges: list[float], sizes: list[int]) -> None:
    ordered = sorted(edges)
    pairs = zip(ordered[::2], ordered[1::2], strict=False)
    keep = tuple(Interval(a, b) for a, b in pairs if b > a)
    plan = CutPlan(20.0, keep)
    total = sum(sizes)
    wave = np.arange(1, total + 1, dtype=np.float32)[:, None]
    blocks = np.split(wave, np.cumsum(sizes)[:-1])
    made = list(kept(blocks, plan, RATE, 1))
    joined = np.concatenate(made) if made else np.zeros((0, 1), np.float32)
    joins = [round(join * RATE) for join in plan.joins]
    assert len(joined) == joins[-1]
    for part, begin, end in zip(plan.keep, joins, joins[1:], strict=False):
        start = round(part.start * RATE)
        expected = np.zeros((end - begin, 1), np.float32)
        available = wave[start : start + end - begin]
        expected[: len(available)] = available
        np.testing.assert_array_equal(joined[begin:end], expected)


@pytest.mark.parametrize("channels", [1, 2])
def test_missing_sound_becomes_silence_of_the_right_shape(channels: int) -> None:
    plan = CutPlan(5.0, (Interval(1.0, 4.5),))
    pieces = list(kept([], plan, RATE, channels))
    assert sum(len(piece) for piece in pieces) == 3500
    assert all(piece.shape[1] == channels and not piece.any() for piece in pieces)
    assert max(len(piece) for piece in pieces) <= RATE
