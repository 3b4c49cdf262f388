"""The layout of the storage, and that nothing leads out of it."""

from __future__ import annotations

import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.storage.paths import RecordingPaths, user_folder


def test_the_layout_is_the_one_of_the_design() -> None:
    paths = RecordingPaths(user_slug=1, recording_id=142)
    folder = "users/user_000001/recordings/142"
    assert [
        paths.source(),
        paths.video,
        paths.audio,
        paths.transcript,
        paths.topics,
        paths.srt,
        paths.vtt,
    ] == [
        f"{folder}/{name}"
        for name in (
            "source.mp4",
            "video.mp4",
            "audio.mp3",
            "transcriptions/master.json",
            "transcriptions/topics.json",
            "transcriptions/subtitles.srt",
            "transcriptions/subtitles.vtt",
        )
    ]
    assert user_folder(1_234_567) == "users/user_1234567"


@pytest.mark.parametrize("suffix", ["", "mp4", ".", "./..", ".mp4/x", ".MP4", ".mp4\n", ". mp4"])
def test_a_suffix_is_a_plain_ending(suffix: str) -> None:
    with pytest.raises(InputError, match="cannot end a video's name"):
        RecordingPaths(1, 1).source(suffix)
    assert RecordingPaths(1, 1).source(".mkv").endswith("/source.mkv")
