import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from leap_pipeline.media.selection import NEAR, FrameRange, frame_ranges, video_filters
from leap_pipeline.media.silence import Interval
from leap_pipeline.media.timeline import CutPlan


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.float64], CutPlan]:
    """Frames at any distances from 10 ms to 30 s, and any plan over them."""
    gaps = draw(st.lists(st.sampled_from([0.01, 1 / 60, 0.04, 0.1, 0.5, 7.0, 30.0]), max_size=60))
    times = np.cumsum([draw(st.sampled_from([0.0, 0.02, 3.0])), *gaps])
    duration = float(times[-1]) + 1.0
    edges = sorted(draw(st.lists(st.floats(0.0, duration), min_size=2, max_size=20, unique=True)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    keep = tuple(Interval(a, b) for a, b in pairs if b - a > 0.05)
    return times, CutPlan(duration, keep or (Interval(0.0, duration),))


def shown(times: NDArray[np.float64], ranges: list[FrameRange]) -> list[tuple[int, float]]:
    """Frame number and trimmed time at which it comes up."""
    return [
        (n, part.begin if n == part.first else float(times[n]) - part.offset)
        for part in ranges
        for n in range(part.first, part.end)
    ]


@given(cases())
def test_frames_come_once_and_in_order(case: tuple[NDArray[np.float64], CutPlan]) -> None:
    times, plan = case
    found = shown(times, frame_ranges(times, plan))
    numbers, begins = [n for n, _ in found], [t for _, t in found]
    assert numbers == sorted(set(numbers))
    assert all(b > a for a, b in itertools.pairwise(begins))
    assert begins[0] == 0.0
    assert begins[-1] < plan.duration_after


@given(cases(), st.floats(0.0, 0.999))
def test_the_picture_on_screen_is_the_one_of_the_recording(
    case: tuple[NDArray[np.float64], CutPlan], fraction: float
) -> None:
    """Apart from the 20 ms round an edge of a frame, which is how far a frame may stand in."""
    times, plan = case
    trimmed = fraction * plan.duration_after
    found = shown(times, frame_ranges(times, plan))
    on_screen = [n for n, begin in found if begin <= trimmed][-1]
    source = plan.to_source(trimmed)
    earliest = int(np.searchsorted(times, source - NEAR - 1e-9, "right")) - 1
    latest = int(np.searchsorted(times, source + NEAR + 1e-9, "right")) - 1
    assert max(earliest, 0) <= on_screen <= max(latest, 0)


def test_a_thousand_cuts_make_a_shallow_expression() -> None:
    times: NDArray[np.float64] = np.arange(100_000, dtype=np.float64) * 0.04
    keep = tuple(Interval(4.0 * n, 4.0 * n + 2.01) for n in range(1000))
    ranges = frame_ranges(times, CutPlan(4000.0, keep))
    text, last = video_filters(times, ranges, 2010.0, 0.0)
    depth = deepest = 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    # FFmpeg refuses expressions that are nested deeper than 100.
    assert deepest < 30
    assert 0.0 < last <= 0.08
