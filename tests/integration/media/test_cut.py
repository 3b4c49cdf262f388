"""Flashes and beeps in, flashes and beeps out: each join is measured on the decoded result."""

import random
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from leap_pipeline.errors import DataError, InputError
from leap_pipeline.media.cut import cut
from leap_pipeline.media.probe import probe
from leap_pipeline.media.silence import Interval, find_silence
from leap_pipeline.media.timeline import CutPlan, plan_cuts
from leap_pipeline.media.verify import spans, sync_error
from tests.support.clips import Pattern, heard, make_clip, seen, spoken

IN_STEP = 0.04
"""Largest difference between sound and picture, in seconds; the best a clip of 25/s can show."""
EXACT = 0.002
"""What the cut itself may add to the difference that the clip has, in seconds."""


def round_marks(path: Path, count: int, distance: float = 1.0) -> CutPlan:
    """Parts that begin and end at no frame's edge, 0.1 s and more on both sides of each mark."""
    chance = random.Random(count)
    marks = ((n + 0.5) * distance for n in range(count))
    near, far = 0.12, 0.22
    keep = tuple(
        Interval(mark - chance.uniform(near, far), mark + chance.uniform(near, far))
        for mark in marks
    )
    return CutPlan(probe(path).duration, keep)


def assert_in_step(src: Path, dst: Path, plan: CutPlan, count: int) -> None:
    beeps, flashes = heard(dst), seen(dst)
    before_beeps, before_flashes = heard(src), seen(src)
    assert len(beeps) == len(flashes) == len(before_beeps) == len(before_flashes) == count
    for beep, flash, was_beep, was_flash in zip(
        beeps, flashes, before_beeps, before_flashes, strict=True
    ):
        offset_before = was_flash - was_beep
        assert abs(flash - beep - offset_before) <= EXACT
        assert abs(flash - beep) <= IN_STEP + max(abs(offset_before) - IN_STEP / 2, 0)
        assert beep == pytest.approx(plan.to_trimmed(was_beep), abs=EXACT)
        assert flash == pytest.approx(plan.to_trimmed(was_flash), abs=EXACT)
    assert sync_error(dst) <= IN_STEP


def test_nothing_adds_up_over_200_cuts(clips: Path, tmp_path: Path) -> None:
    src = make_clip(clips / "marks200.mp4", pattern=[("mark", 0.5)] * 200, size="64x36")
    plan = round_marks(src, 200, 0.5)
    dst = tmp_path / "out.mp4"
    info = cut(src, dst, plan)
    assert len(plan.removed) == 201
    assert info.duration == pytest.approx(plan.duration_after, abs=0.05)
    assert_in_step(src, dst, plan, 200)


def jittery(count: int) -> list[float]:
    """Frames at odd distances, one of them at each mark."""
    chance = random.Random(5)
    times = {n + 0.5 for n in range(count)}
    now = 0.0
    while now < count - 0.1:
        if all(abs(now - mark) > 0.005 for mark in (int(now) + 0.5,)):
            times.add(now)
        now += chance.choice([1 / 60, 1 / 30, 0.04, 0.1])
    return sorted(times)


def slides(count: int) -> list[float]:
    """A frame only where the picture changes."""
    return sorted({0.0, *(n + 0.5 for n in range(count)), *(n + 0.58 for n in range(count))})


SOURCES: dict[str, dict[str, Any]] = {
    "ntsc": {"fps": Fraction(30000, 1001), "channels": 2},
    "film": {"fps": Fraction(24000, 1001)},
    "slow": {"fps": 10},
    "vfr": {"fps": 30, "frame_times": jittery(12)},
    "slides": {"frame_times": slides(12)},
    "odd": {"size": "161x91"},
    "rotated": {"rotation": 90},
    "matroska": {"suffix": "mkv", "fps": 30},
    "transport": {"suffix": "ts"},
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_stays_in_step(kind: str, clips: Path, tmp_path: Path) -> None:
    options = {"size": "160x90", **SOURCES[kind]}
    suffix = options.pop("suffix", "mp4")
    src = make_clip(clips / f"marks-{kind}.{suffix}", pattern=[("mark", 1.0)] * 12, **options)
    plan = round_marks(src, 12)
    dst = tmp_path / "out.mp4"
    info = cut(src, dst, plan)
    assert_in_step(src, dst, plan, 12)
    video = info.video
    assert video is not None
    assert (video.codec, video.pixel_format, video.rotation) == ("h264", "yuv420p", 0)
    wanted = {"odd": (162, 92), "rotated": (90, 160)}.get(kind, (160, 90))
    assert (video.width, video.height) == wanted


def test_sound_that_begins_late_keeps_its_place(clips: Path, tmp_path: Path) -> None:
    src = make_clip(
        clips / "marks-late.mp4",
        pattern=[("mark", 1.0)] * 8,
        size="64x36",
        audio_start=1.2,
        audio_stop=6.9,
    )
    plan = round_marks(src, 8)
    dst = tmp_path / "out.mp4"
    cut(src, dst, plan)
    beeps, flashes = heard(dst), seen(dst)
    assert len(flashes) == 8
    # The first beep and the last fall where there is no sound.
    assert len(beeps) == 6
    for beep, flash in zip(beeps, flashes[1:7], strict=True):
        assert abs(flash - beep) <= IN_STEP
    assert sync_error(dst) <= IN_STEP


def test_a_picture_that_stands_long_is_there_after_a_join(clips: Path, tmp_path: Path) -> None:
    """The kept part begins in the middle of a slide whose only frame came up much earlier."""
    frames = [0.0, 3.0, 4.0, 10.0, 25.0, 29.0]
    src = make_clip(
        clips / "few.mp4", pattern=[("silence", 30.0)], frame_times=frames, size="64x36"
    )
    dst = tmp_path / "out.mp4"
    keep = (Interval(1, 5), Interval(9, 14), Interval(16, 20), Interval(22, 24))
    info = cut(src, dst, CutPlan(30.0, keep))
    assert info.duration == pytest.approx(15.0, abs=0.05)
    assert frame_times(dst) == pytest.approx([0.0, 2.0, 3.0, 5.0, 14.96], abs=0.001)
    assert sync_error(dst) <= IN_STEP


def frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0) if frame.time is not None]


def test_edges_of_a_trimmed_lecture_are_where_speech_begins_and_ends(
    lecture: Path, pattern: Pattern, tmp_path: Path
) -> None:
    plan = plan_cuts(find_silence(lecture), probe(lecture).duration, padding=0.3)
    for part, (start, end) in zip(plan.keep, spoken(pattern), strict=True):
        assert part.start == pytest.approx(start - 0.3, abs=0.05)
        assert part.end == pytest.approx(end + 0.3, abs=0.05)
    dst = tmp_path / "out.mp4"
    cut(lecture, dst, plan)
    assert_speech_at(dst, [plan.to_trimmed(start) for start, _ in spoken(pattern)])


def assert_speech_at(path: Path, begins: Sequence[float]) -> None:
    """In the result, the silences found again end where speech is expected to begin."""
    found = find_silence(path, min_duration=0.25)
    assert [part.end for part in found[: len(begins)]] == pytest.approx(list(begins), abs=0.05)


def test_what_is_kept_whole_is_copied(lecture: Path, tmp_path: Path) -> None:
    info = probe(lecture)
    dst = tmp_path / "out.mp4"
    made = cut(lecture, dst, CutPlan(info.duration, (Interval(0.0, info.duration),)))
    assert made.duration == pytest.approx(info.duration, abs=0.05)
    assert packets(dst) == packets(lecture)
    assert spans(dst).keys() == {"video", "audio"}


def test_what_is_kept_whole_but_plays_nowhere_is_encoded(clips: Path, tmp_path: Path) -> None:
    src = make_clip(clips / "odd-whole.mkv", pattern=[("speech", 1.0)], size="65x37")
    info = probe(src)
    assert info.video is not None
    assert info.video.pixel_format == "yuv444p"
    made = cut(src, tmp_path / "o.mp4", CutPlan(info.duration, (Interval(0.0, info.duration),)))
    assert made.video is not None
    assert made.video.pixel_format == "yuv420p"


def packets(path: Path) -> list[int]:
    """Checksums of the coded frames."""
    with av.open(str(path)) as container:
        return [hash(bytes(p)) for p in container.demux(video=0) if p.size]


def test_the_index_comes_first(lecture: Path, tmp_path: Path) -> None:
    dst = tmp_path / "out.mp4"
    cut(lecture, dst, CutPlan(probe(lecture).duration, (Interval(3.0, 5.0),)))
    head = dst.read_bytes()
    assert 0 < head.index(b"moov") < head.index(b"mdat")


def test_a_plan_of_another_file_is_refused(lecture: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="plan it again"):
        cut(lecture, tmp_path / "out.mp4", CutPlan(60.0, (Interval(0.0, 30.0),)))
    assert not list(tmp_path.iterdir())


def test_stopped_from_outside_nothing_stays_behind(lecture: Path, tmp_path: Path) -> None:
    def stop(fraction: float) -> None:
        if fraction > 0.1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        cut(lecture, tmp_path / "o.mp4", CutPlan(17.54, (Interval(1.0, 16.0),)), progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_recording_full_of_holes_is_refused(clips: Path, tmp_path: Path) -> None:
    """FFmpeg leaves out what it cannot decode and ends with code 0."""
    src = make_clip(clips / "whole.mp4", pattern=[("speech", 6.0)], size="320x180")
    damaged = tmp_path / "damaged.mp4"
    with av.open(str(src)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.pos and p.size]
    data = bytearray(src.read_bytes())
    for position, size in places[20:120]:
        data[position : position + size] = b"\xff" * size
    damaged.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        cut(damaged, tmp_path / "out.mp4", CutPlan(6.0, (Interval(0.0, 5.5),)))
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.mp4"]


def test_size_and_channels_may_change_on_the_way(clips: Path, tmp_path: Path) -> None:
    """A capture that was paused and resumed with another window and another microphone."""
    pattern: Pattern = [("mark", 1.0)] * 4
    first = make_clip(clips / "way1.ts", pattern=pattern, size="320x180")
    second = make_clip(clips / "way2.ts", pattern=pattern, size="240x180", channels=2)
    src = tmp_path / "joined.ts"
    joined([first, second], src)
    plan = round_marks(src, 8)
    dst = tmp_path / "out.mp4"
    info = cut(src, dst, plan)
    assert info.video is not None
    assert (info.video.width, info.video.height) == (320, 180)
    beeps, flashes = heard(dst), seen(dst)
    assert len(beeps) == len(flashes) == 8
    assert all(abs(b - f) <= IN_STEP for b, f in zip(beeps, flashes, strict=True))


def joined(paths: list[Path], dst: Path) -> None:
    """Packets of both files, one after the other, times moved."""
    with av.open(str(dst), "w") as output:
        with av.open(str(paths[0])) as container:
            made = [output.add_stream_from_template(s) for s in container.streams]
        moved = 0.0
        for path in paths:
            with av.open(str(path)) as container:
                for packet in container.demux():
                    if packet.dts is None or packet.pts is None or packet.time_base is None:
                        continue
                    shift = round(moved / packet.time_base)
                    packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                    packet.stream = made[packet.stream_index]
                    output.mux(packet)
                moved += (container.duration or 0) / 1e6
