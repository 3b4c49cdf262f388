"""Decoding: on the file's timeline, in blocks, with a sentence for each bad file."""

from __future__ import annotations

import itertools
import wave
from pathlib import Path

import numpy as np
import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.speech.sound import RATE, Samples, blocks, open_sound, quietest
from tests.support.clips import make_clip


def write_wave(path: Path, samples: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def loud(seconds: float) -> Samples:
    return np.random.default_rng(3).uniform(-0.5, 0.5, round(seconds * RATE)).astype(np.float32)


def test_blocks_join_to_the_whole_sound_and_are_cut_in_silence(tmp_path: Path) -> None:
    silence = np.zeros(RATE, np.float32)
    whole = np.concatenate([loud(7), silence, loud(8), silence, loud(4)])
    with open_sound(write_wave(tmp_path / "talk.wav", whole)) as sound:
        found = list(blocks(sound, seconds=10))
    assert [block.last for block in found] == [False] * (len(found) - 1) + [True]
    assert len(found) >= 3
    assert all(block.duration <= 10 for block in found)
    joined = np.concatenate([block.samples for block in found])
    assert np.abs(joined - whole).max() < 1e-3
    assert found[1].start == pytest.approx(7.5, abs=0.3)
    for before, after in itertools.pairwise(found):
        assert after.start == pytest.approx(before.start + before.duration)


def test_the_quietest_place_is_in_the_pause() -> None:
    samples = np.concatenate([loud(6), np.zeros(RATE, np.float32), loud(2)])
    assert 6 * RATE <= quietest(samples) <= 7 * RATE


def test_sound_that_begins_late_keeps_its_time(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "late.mp4", pattern=[("silence", 2), ("speech", 2)], audio_start=1)
    with open_sound(clip) as sound:
        samples = np.concatenate([block.samples for block in blocks(sound, seconds=60)])
    first = int(np.flatnonzero(np.abs(samples) > 0.05)[0])
    assert first / RATE == pytest.approx(2.0, abs=0.05)
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.mp3", b"", "is empty (0 bytes)"),
        ("page.mp4", b"<!doctype html><html><body>Log in</body></html>", "is not a media file"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "is not a media file"),
    ],
)
def test_a_file_that_is_no_recording(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught, open_sound(path):
        pass
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_file_a_directory_and_no_sound(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"), open_sound(tmp_path / "none.mp4"):
        pass
    with pytest.raises(InputError, match="is a directory"), open_sound(tmp_path):
        pass
    clip = make_clip(tmp_path / "mute.mp4", pattern=[("silence", 1)], with_audio=False)
    with pytest.raises(InputError, match="has no audio track"), open_sound(clip):
        pass


def test_a_track_without_samples(tmp_path: Path) -> None:
    path = write_wave(tmp_path / "nothing.wav", np.zeros(0, np.float32))
    with (
        pytest.raises(InputError, match="holds nothing that can be decoded"),
        open_sound(path) as sound,
    ):
        list(blocks(sound, seconds=10))
