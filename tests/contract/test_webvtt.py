"""What LEAP writes as WebVTT, read by the strict parser `webvtt-parser` of npm."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.subtitles.cues import Cue, build_cues
from leap_pipeline.subtitles.write import write_vtt
from tests.support.talks import sample_lecture, talk

NODE_FOLDER = Path(__file__).parent / "node"
Reader = Callable[[Path], dict[str, Any]]

AWKWARD = (
    "if a<b && b>c --> swap(a, b); <v Bob>Hello</v> &amp; &lt; <00:00:01.000> NOTE STYLE REGION "
    "WEBVTT 00:00:01.000 --> 00:00:02.000 {\\an8} 100% «да» 光合成 🌱 -->"
)


@pytest.fixture
def read_strictly() -> Reader:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: apt-get install nodejs npm")
    if not (NODE_FOLDER / "node_modules" / "webvtt-parser").is_dir():
        pytest.skip("webvtt-parser is not installed: npm ci --prefix tests/contract/node")

    def read(path: Path) -> dict[str, Any]:
        command = [node, str(NODE_FOLDER / "read_vtt.js"), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return read


def shown(start: float, end: float, text: str) -> tuple[int, int, str]:
    return round(start * 1000), round(end * 1000), text


def expected(cues: Sequence[Cue]) -> list[tuple[int, int, str]]:
    return [shown(cue.start, cue.end, "\n".join(cue.lines)) for cue in cues]


@pytest.mark.parametrize(
    "transcript",
    [
        pytest.param(sample_lecture(trimmed=True), id="sample"),
        pytest.param(talk([(word, 0.5, 0.1) for word in AWKWARD.split()]), id="awkward"),
        pytest.param(talk([("late", 0.5, 0.0)], start=360_005.0), id="after a hundred hours"),
        pytest.param(Transcript(language="en", duration=9.0), id="empty"),
    ],
)
def test_the_strict_parser_reads_the_same_without_an_error(
    tmp_path: Path, read_strictly: Reader, transcript: Transcript
) -> None:
    cues = build_cues(transcript)
    write_vtt(cues, tmp_path / "subtitles.vtt")
    found = read_strictly(tmp_path / "subtitles.vtt")
    assert found["errors"] == []
    read = [shown(cue["start"], cue["end"], cue["text"]) for cue in found["cues"]]
    assert read == expected(cues)


def test_the_strict_parser_is_strict(tmp_path: Path, read_strictly: Reader) -> None:
    wrong = tmp_path / "wrong.vtt"
    wrong.write_text("WEBVTT\n\n00:00:02.000 --> 00:00:01.000\na < b\n")
    assert read_strictly(wrong)["errors"]
