"""Each kind of bad input has its own sentence."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ffmpeg
import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.media import ffmpeg as runner
from leap_pipeline.media.probe import probe, require_lecture
from tests.support.clips import make_clip


@pytest.fixture(scope="module")
def index_first(lecture: Path, clips: Path) -> Path:
    """The lecture with its index in front of the data."""
    path = clips / "index-first.mp4"
    made = ffmpeg.input(str(lecture)).output(str(path), c="copy", movflags="+faststart")
    runner.run(made.compile(cmd="ffmpeg"), None)
    return path


@contextmanager
def without_privileges() -> Iterator[None]:
    """As an ordinary user: root may read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        require_lecture(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_lecture_is_described(lecture: Path) -> None:
    info = require_lecture(lecture)
    assert info.duration == pytest.approx(17.54, abs=0.05)
    assert info.size == lecture.stat().st_size
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.codec, info.video.width, info.video.height) == ("h264", 320, 180)
    assert info.video.fps == pytest.approx(25)
    assert (info.audio.codec, info.audio.rate, info.audio.channels) == ("aac", 48_000, 1)


def test_a_late_sound_and_a_turned_picture_are_seen(clips: Path) -> None:
    path = make_clip(
        clips / "turned.mp4", pattern=[("speech", 2.0)], audio_start=0.5, rotation=90, size="64x36"
    )
    info = probe(path)
    assert info.video is not None
    assert info.audio is not None
    assert abs(info.video.rotation) == 90
    assert info.audio.start == pytest.approx(0.5, abs=0.03)
    assert info.duration == pytest.approx(2.0, abs=0.05)


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "no.mp4", "There is no file")


def test_a_file_taken_for_a_folder(lecture: Path) -> None:
    refused(lecture / "inside.mp4", "There is no file")


def test_directory(tmp_path: Path) -> None:
    refused(tmp_path, "is a directory")


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    refused(path, "is empty")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    refused(path, "not a regular file")


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>",
        b"\xef\xbb\xbf\n  <html lang='de'><body>Anmelden</body></html>",
        b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'></html>",
    ],
)
def test_web_page_saved_as_mp4(tmp_path: Path, page: bytes) -> None:
    path = tmp_path / "page.mp4"
    path.write_bytes(page)
    refused(path, "is a web page")


@pytest.mark.parametrize("text", ["minutes of the meeting\n", "конспект лекции\n" * 1000])
def test_plain_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text(text, encoding="utf-8")
    refused(path, "is a text file")


def test_a_playlist_never_opens_what_it_names(lecture: Path, tmp_path: Path) -> None:
    """A playlist with a binary tail gets past the look for text; it names somebody's file."""
    path = tmp_path / "list.m3u8"
    body = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:{lecture}\n#EXT-X-ENDLIST\n"
    path.write_bytes(body.encode() + b"\x00\xff\xfe")
    refused(path, "not a media file")


def test_noise(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(bytes(range(256)) * 64)
    refused(path, "not a media file")


def test_truncated_before_its_index(lecture: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.mp4"
    path.write_bytes(lecture.read_bytes()[: lecture.stat().st_size // 2])
    refused(path, "index .moov. is missing")


@pytest.mark.parametrize(("share", "least", "most"), [(0.9, 1, 4), (0.5, 5, 11), (0.1, 13, 17)])
def test_truncated_after_its_index_says_what_is_missing(
    index_first: Path, tmp_path: Path, share: float, least: int, most: int
) -> None:
    path = tmp_path / "cut.mp4"
    data = index_first.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="is cut off") as caught:
        require_lecture(path)
    found = re.search(r"the last (\d+) of its 18 seconds are missing", str(caught.value))
    assert found is not None
    assert least <= int(found[1]) <= most


def test_a_truncated_matroska(clips: Path, tmp_path: Path) -> None:
    whole = make_clip(clips / "whole.mkv", pattern=[("speech", 2.0)], size="64x36")
    data = whole.read_bytes()
    path = tmp_path / "half.mkv"
    path.write_bytes(data[: len(data) // 2])
    refused(path, f"cut off, the last {len(data) - len(data) // 2} bytes are missing")
    assert require_lecture(whole).duration == pytest.approx(2.0, abs=0.05)


def test_the_whole_file_with_its_index_first_is_taken(index_first: Path) -> None:
    assert require_lecture(index_first).duration == pytest.approx(17.54, abs=0.05)


def test_no_audio_track(clips: Path) -> None:
    path = make_clip(
        clips / "no-sound.mp4", pattern=[("silence", 1.0)], with_audio=False, size="64x36"
    )
    refused(path, "no audio track")
    assert probe(path).audio is None


def test_no_video_track(clips: Path) -> None:
    path = make_clip(clips / "no-picture.m4a", pattern=[("speech", 1.0)], with_video=False)
    refused(path, "no video track")
    assert probe(path).video is None


def test_unreadable_file(lecture: Path, tmp_path: Path) -> None:
    path = tmp_path / "private.mp4"
    path.write_bytes(lecture.read_bytes())
    path.chmod(0)
    with without_privileges():
        refused(path, "permission is denied")


def test_unreadable_folder(lecture: Path, tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir()
    path = folder / "a.mp4"
    path.write_bytes(lecture.read_bytes())
    folder.chmod(0)
    try:
        with without_privileges():
            refused(path, "permission is denied")
    finally:
        folder.chmod(0o700)
