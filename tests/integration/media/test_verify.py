from pathlib import Path

import pytest

from leap_pipeline.errors import DataError
from leap_pipeline.media.verify import check_output, spans, sync_error
from tests.support.clips import make_clip


def test_a_clip_in_step_has_no_error(lecture: Path) -> None:
    assert sync_error(lecture) < 0.04


@pytest.mark.parametrize(("start", "stop", "error"), [(0.6, 3.0, 0.6), (0.0, 2.2, 0.8)])
def test_sound_that_begins_late_or_ends_early_is_an_error(
    clips: Path, start: float, stop: float, error: float
) -> None:
    path = make_clip(
        clips / f"late-{start}.mp4",
        pattern=[("speech", 3.0)],
        audio_start=start,
        audio_stop=stop,
        size="64x36",
    )
    assert sync_error(path) == pytest.approx(error, abs=0.03)


def test_one_track_cannot_be_in_step(clips: Path) -> None:
    path = make_clip(
        clips / "lonely.mp4", pattern=[("silence", 1.0)], with_audio=False, size="64x36"
    )
    with pytest.raises(DataError, match="lacks sound or picture"):
        sync_error(path)


def test_what_is_whole_passes(lecture: Path) -> None:
    expected = {kind: span.end for kind, span in spans(lecture).items()}
    assert check_output(lecture, expected).size == lecture.stat().st_size


def test_an_output_that_is_not_what_was_planned_is_refused(lecture: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ends at 17\.5"):
        check_output(lecture, {"video": 20.0, "audio": 17.54})
    with pytest.raises(DataError, match="should have"):
        check_output(lecture, {"audio": 17.54})
    with pytest.raises(DataError, match="wrote no"):
        check_output(tmp_path / "none.mp4", {"audio": 1.0})
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match="wrote an empty"):
        check_output(tmp_path / "empty.mp4", {"audio": 1.0})
