"""`master.json`: what is written is read again, what is wrong is named with its place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.speech.transcript import Transcript, read_transcript, write_transcript

GOOD: dict[str, Any] = {
    "language": "en",
    "model": "tiny.en",
    "duration": 3.0,
    "segments": [
        {
            "start": 0.5,
            "end": 1.5,
            "text": "Good morning.",
            "words": [
                {"start": 0.5, "end": 0.9, "word": "Good", "probability": 0.9},
                {"start": 0.9, "end": 1.5, "word": "morning.", "probability": 0.8},
            ],
        }
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """A copy of GOOD with one value replaced."""
    document = copy.deepcopy(GOOD)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = document
    for part in way:
        place = place[part]
    place[last] = value
    return document


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "master.json"
    transcript = Transcript.model_validate(GOOD)
    write_transcript(transcript, path)
    assert read_transcript(path) == transcript
    assert json.loads(path.read_text()) == GOOD
    assert [each.name for each in tmp_path.iterdir()] == ["master.json"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("segments.0.words.1.start", "soon", "segments.0.words.1.start"),
        ("segments.0.words.1.end", 0.2, "before it starts"),
        ("segments.0.words.1.start", 0.7, "segments.0.words.1 starts at 0.7 s"),
        ("segments.0.words.0.probability", 1.5, "segments.0.words.0.probability"),
        ("segments.0.words", [], "segments.0.words"),
        ("segments.0.end", 1.0, "the segment lasts from 0.5 to 1.0 s"),
        ("segments.0.speaker", "A", "segments.0.speaker"),
        ("duration", 1.0, "after the sound does"),
        ("duration", -1, "duration"),
        ("language", None, "language"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    tmp_path: Path, path: str, value: Any, said: str
) -> None:
    file = tmp_path / "master.json"
    file.write_text(json.dumps(changed(path, value)))
    with pytest.raises(InputError) as caught:
        read_transcript(file)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_model_and_duration_of_other_programs_may_be_missing(tmp_path: Path) -> None:
    file = tmp_path / "master.json"
    file.write_text(json.dumps({key: GOOD[key] for key in ("language", "segments")}))
    transcript = read_transcript(file)
    assert (transcript.model, transcript.duration) == ("unknown", 1.5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"language": ', "is not JSON (Expecting value at line 1, column 14)"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"[]", "is not a transcript"),
        (b"", "is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_file_that_is_no_transcript(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "master.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"master\.json") as caught:
        read_transcript(file)
    assert said in str(caught.value)


def test_no_file_and_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_transcript(tmp_path / "none.json")
    with pytest.raises(InputError, match="is a directory"):
        read_transcript(tmp_path)


def test_a_place_that_takes_no_file_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_transcript(Transcript.model_validate(GOOD), tmp_path / "none" / "master.json")
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_transcript(Transcript.model_validate(GOOD), tmp_path / "taken")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
