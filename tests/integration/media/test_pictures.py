import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from leap_pipeline.errors import InputError
from leap_pipeline.media.cut import cut
from leap_pipeline.media.pictures import CUT, HEIGHT, MARGIN, WIDTH, frame_jpeg, waveform_png
from leap_pipeline.media.probe import probe
from leap_pipeline.media.silence import Interval
from leap_pipeline.media.timeline import CutPlan
from tests.support.clips import Pattern, make_clip, spoken


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_the_waveform_shows_speech_and_shades_the_cuts(lecture: Path, pattern: Pattern) -> None:
    removed = (Interval(0.0, 2.5), Interval(10.0, 13.0))
    duration = probe(lecture).duration
    image = opened(waveform_png(lecture, duration, removed))
    assert image.format == "PNG"
    assert image.size == (WIDTH, HEIGHT)
    pixels = np.asarray(image.convert("RGB")).astype(int)
    shade = np.array([int(CUT[i : i + 2], 16) for i in (1, 3, 5)])
    top = pixels[3]
    for second, is_cut in ((1.3, True), (5.5, False), (11.1, True), (17.3, False)):
        column = int(second / duration * WIDTH)
        assert bool((top[column] == shade).all()) == is_cut
    ink = (pixels[: HEIGHT - MARGIN].sum(axis=2) < 500).sum(axis=0)
    start, end = spoken(pattern)[0]
    speech = ink[int((start + 0.1) / duration * WIDTH) : int((end - 0.1) / duration * WIDTH)]
    quiet = ink[int(6.0 / duration * WIDTH) : int(7.0 / duration * WIDTH)]
    assert speech.min() > 60
    assert quiet.max() < 20


def test_a_silent_hour_has_an_axis_of_hours(clips: Path) -> None:
    path = make_clip(clips / "short.mp4", pattern=[("silence", 1.0)], size="64x36")
    image = opened(waveform_png(path, 4000.0, ()))
    labels = np.asarray(image.convert("L"))[HEIGHT - MARGIN + 6 :]
    assert (labels < 128).sum() > 100


def test_the_frame_is_the_one_on_screen(lecture: Path) -> None:
    image = opened(frame_jpeg(lecture, 8.77, width=320))
    assert image.format == "JPEG"
    assert image.size == (320, 180)
    # The bar at the bottom is as long as the part that is over: half.
    row = np.asarray(image.convert("RGB")).astype(int)[170]
    bar = (row[:, 0] > 150).sum()
    assert bar == pytest.approx(160, abs=6)


def test_a_black_frame_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "dark.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for n in range(80):
            picture = np.zeros((36, 64, 3), np.uint8)
            if n >= 50:
                picture[:, 32:] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    image = np.asarray(opened(frame_jpeg(path, 0.0, width=64)).convert("L"))
    assert image[:, 40:].mean() > 150
    assert image[:, :24].mean() < 60


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_a_turned_recording_is_shown_upright(clips: Path, tmp_path: Path, rotation: int) -> None:
    """FFmpeg turns pictures by itself when it encodes: both must agree."""
    path = make_clip(
        clips / f"turned{rotation}.mp4",
        pattern=[("speech", 1.0)],
        size="160x90",
        rotation=rotation,
    )
    encoded = tmp_path / "encoded.mp4"
    cut(path, encoded, CutPlan(1.0, (Interval(0.0, 0.9),)))
    width = 160 if rotation == 180 else 90
    images = [opened(frame_jpeg(p, 0.6, width=width)) for p in (path, encoded)]
    assert images[0].size == images[1].size == ((160, 90) if rotation == 180 else (90, 160))
    ours, truth = (np.asarray(image.convert("L")).astype(int) for image in images)
    assert np.abs(ours - truth).mean() < 6
    assert np.abs(ours[::-1, ::-1] - truth).mean() > 10


def test_a_file_without_pictures_is_refused(clips: Path) -> None:
    path = make_clip(clips / "sound.m4a", pattern=[("speech", 1.0)], with_video=False)
    with pytest.raises(InputError, match="no video track"):
        frame_jpeg(path, 0.0)
