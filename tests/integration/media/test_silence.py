from collections.abc import Callable
from pathlib import Path

import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.media.silence import Interval, find_silence
from tests.support.clips import Pattern, make_clip, spoken

EDGE = 0.05
"""How far an edge may be from the truth, in seconds."""


def assert_silences(found: list[Interval], pattern: Pattern) -> None:
    """The found silences are the stretches round the speech, to `EDGE`."""
    total = sum(seconds for _, seconds in pattern)
    edges = [0.0, *(t for part in spoken(pattern) for t in part), total]
    expected = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]
    assert len(found) == len(expected)
    for part, (start, end) in zip(found, expected, strict=True):
        assert part.start == pytest.approx(start, abs=EDGE)
        assert part.end == pytest.approx(end, abs=EDGE)


def test_edges_are_near_the_truth_over_a_noise_floor_with_a_click(
    lecture: Path, pattern: Pattern
) -> None:
    found = find_silence(lecture)
    assert_silences(found, pattern)
    assert found[0].start == 0.0


def test_stereo_and_another_container(clips: Path, pattern: Pattern) -> None:
    path = make_clip(clips / "stereo.mkv", pattern=pattern, channels=2, size="64x36")
    assert_silences(find_silence(path), pattern)


def test_sound_that_begins_late_and_stops_early_is_silence_there(clips: Path) -> None:
    pattern = [("speech", 8.0)]
    path = make_clip(
        clips / "late.mp4", pattern=pattern, audio_start=2.5, audio_stop=5.5, size="64x36"
    )
    found = find_silence(path)
    assert len(found) == 2
    assert found[0].start == 0.0
    assert found[0].end == pytest.approx(2.5, abs=EDGE)
    assert found[1].start == pytest.approx(5.5, abs=EDGE)
    assert found[1].end == pytest.approx(8.0, abs=EDGE)


def test_no_speech_at_all_is_one_silence(clips: Path) -> None:
    path = make_clip(clips / "mute.mp4", pattern=[("silence", 4.0)], size="64x36")
    assert [(part.start, round(part.end, 1)) for part in find_silence(path)] == [(0.0, 4.0)]


def test_a_lower_threshold_finds_the_noise_loud(lecture: Path) -> None:
    assert find_silence(lecture, threshold_db=-70.0) == []


def test_a_longer_minimum_finds_fewer(lecture: Path) -> None:
    assert len(find_silence(lecture, min_duration=3.5)) == 1


def test_a_file_without_sound_is_refused(clips: Path) -> None:
    path = make_clip(
        clips / "pictures.mp4", pattern=[("silence", 1.0)], with_audio=False, size="64x36"
    )
    with pytest.raises(InputError, match="no sound"):
        find_silence(path)


def test_progress_rises_to_one_and_can_stop_the_step(lecture: Path) -> None:
    told: list[float] = []
    find_silence(lecture, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    with pytest.raises(InterruptedError):
        find_silence(lecture, progress=stopping(InterruptedError()))


def stopping(error: Exception) -> Callable[[float], None]:
    def stop(fraction: float) -> None:
        raise error

    return stop
