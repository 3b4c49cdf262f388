from pathlib import Path

import av
import numpy as np
import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.media.audio import extract_audio
from leap_pipeline.media.probe import probe
from tests.support.clips import heard, make_clip


def test_mp3_is_16_khz_mono_as_long_as_the_recording_and_on_its_times(
    clips: Path, tmp_path: Path
) -> None:
    src = make_clip(clips / "beeps.mp4", pattern=[("mark", 1.0)] * 10, channels=2, size="64x36")
    dst = tmp_path / "audio.mp3"
    assert extract_audio(src, dst) == pytest.approx(10.0, abs=0.05)
    info = probe(dst)
    assert info.video is None
    assert info.audio is not None
    assert (info.audio.rate, info.audio.channels) == (16_000, 1)
    assert info.audio.codec.startswith("mp3")
    times = [time - info.start for time in heard(dst)]
    assert times == pytest.approx(heard(src), abs=0.005)
    assert [path.name for path in tmp_path.iterdir()] == ["audio.mp3"]


def test_sound_that_begins_late_and_stops_early_is_as_long_as_the_picture(
    clips: Path, tmp_path: Path
) -> None:
    pattern = [("mark", 1.0)] * 6
    src = make_clip(
        clips / "part.mp4", pattern=pattern, audio_start=1.25, audio_stop=4.75, size="64x36"
    )
    dst = tmp_path / "audio.mp3"
    assert extract_audio(src, dst) == pytest.approx(6.0, abs=0.05)
    times = [time - probe(dst).start for time in heard(dst)]
    assert times == pytest.approx([1.5, 2.5, 3.5, 4.5], abs=0.005)


def test_channels_that_cancel_each_other_out_are_still_heard(tmp_path: Path) -> None:
    """A balanced microphone on an unbalanced input: the right channel is the left one, negated."""
    src = tmp_path / "balanced.wav"
    time = np.arange(48_000) / 48_000
    tone = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    with av.open(str(src), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.stack([tone, -tone]), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    dst = tmp_path / "audio.mp3"
    extract_audio(src, dst)
    with av.open(str(dst)) as container:
        wave = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    assert float(np.sqrt(np.square(wave).mean())) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


def test_a_file_without_sound_is_refused(clips: Path, tmp_path: Path) -> None:
    src = make_clip(
        clips / "mute-picture.mp4", pattern=[("silence", 1.0)], with_audio=False, size="64x36"
    )
    with pytest.raises(InputError, match="no audio track"):
        extract_audio(src, tmp_path / "audio.mp3")
    assert not list(tmp_path.iterdir())
