"""`leap transcribe` as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from leap_pipeline.settings import CHECKOUT
from leap_pipeline.speech.transcript import read_transcript

SAMPLE = CHECKOUT / "samples" / "lecture.mp4"
RUN = "import sys, typer; from leap_pipeline.cli import main; main()"


def leap(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_transcript_is_written(tmp_path: Path) -> None:
    output = tmp_path / "master.json"
    done = leap("transcribe", SAMPLE, "-o", output, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    facts = json.loads(done.stdout)
    written = read_transcript(output)
    assert facts["words"] == sum(1 for _ in written.words()) > 100
    assert facts["model"] == "tiny.en"
    assert [each.name for each in tmp_path.iterdir()] == ["master.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.mp4", "-o", "m.json"], "There is no file none.mp4"),
        ([str(SAMPLE), "-o", "no/such/place/m.json"], "There is no directory"),
        ([str(SAMPLE), "-o", str(SAMPLE)], "is the recording itself"),
        ([str(SAMPLE), "-o", "m.json", "--language", "ru"], "does not know the language ru"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: list[str], said: str) -> None:
    done = leap("transcribe", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (CHECKOUT / "m.json").exists()
