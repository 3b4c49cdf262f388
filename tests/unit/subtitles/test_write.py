"""The files, read again by another program."""

from __future__ import annotations

from pathlib import Path

import pysubs2
import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.subtitles.cues import Cue, build_cues
from leap_pipeline.subtitles.write import srt, vtt, write_srt, write_vtt
from tests.support.talks import sample_lecture

CUES = [
    Cue(0.0, 1.5, ("Light & sugar",)),
    Cue(3661.08, 3663.0, ("if a < b --> swap", "else <i>keep</i>")),
]


def test_srt_to_the_letter() -> None:
    assert srt(CUES) == (
        "1\n00:00:00,000 --> 00:00:01,500\nLight & sugar\n"
        "\n"
        "2\n01:01:01,080 --> 01:01:03,000\nif a < b --> swap\nelse <i>keep</i>\n"
    )


def test_vtt_to_the_letter() -> None:
    assert vtt(CUES) == (
        "WEBVTT\n"
        "\n"
        "00:00:00.000 --> 00:00:01.500\nLight &amp; sugar\n"
        "\n"
        "01:01:01.080 --> 01:01:03.000\nif a &lt; b --&gt; swap\nelse &lt;i&gt;keep&lt;/i&gt;\n"
    )


def test_a_hundred_hours() -> None:
    assert "100:00:00,000 --> 100:00:01,000" in srt([Cue(360_000.0, 360_001.0, ("late",))])


def test_no_cues(tmp_path: Path) -> None:
    write_srt([], tmp_path / "none.srt")
    write_vtt([], tmp_path / "none.vtt")
    assert (tmp_path / "none.srt").read_bytes() == b""
    assert (tmp_path / "none.vtt").read_bytes() == b"WEBVTT\n"


@pytest.mark.parametrize("suffix", ["srt", "vtt"])
def test_another_program_reads_the_same(tmp_path: Path, suffix: str) -> None:
    cues = build_cues(sample_lecture(trimmed=True))
    file = tmp_path / f"subtitles.{suffix}"
    (write_srt if suffix == "srt" else write_vtt)(cues, file)
    read = pysubs2.load(str(file))
    assert [(event.start, event.end, event.plaintext) for event in read] == [
        (round(cue.start * 1000), round(cue.end * 1000), "\n".join(cue.lines)) for cue in cues
    ]
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_srt(CUES, tmp_path / "nowhere" / "subtitles.srt")
