"""`leap topics` and `leap subtitles` on plain files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from leap_pipeline.commands import texts
from leap_pipeline.errors import InputError
from leap_pipeline.speech.transcript import Transcript, write_transcript
from leap_pipeline.topics.document import MANUAL, add_version, read_document, write_document
from tests.support.talks import sample_lecture, talk

SEGMENT_WITH_BAD_WORD = {
    "start": 0,
    "end": 1,
    "text": "a",
    "words": [{"start": 0, "end": "x", "word": "a", "probability": 1}],
}

app = typer.Typer()
app.command()(texts.topics)
app.command()(texts.subtitles)


@pytest.fixture
def master(tmp_path: Path) -> Path:
    path = tmp_path / "master.json"
    write_transcript(sample_lecture(trimmed=True), path)
    return path


def leap(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_topics(master: Path) -> None:
    output = master.with_name("topics.json")
    result = leap("topics", master, "-o", output)
    assert result.exit_code == 0
    assert result.stdout == (
        "0:00:00  Green plants\n"
        "0:00:29  Binary search\n"
        f"{output}: 2 topics, version v1; main topic: Binary search.\n"
    )
    assert read_document(output).recording_id is None
    assert names(master.parent) == ["master.json", "topics.json"]


def test_topics_for_machines(master: Path) -> None:
    result = leap("topics", master, "-o", master.with_name("topics.json"), "--json")
    summary = json.loads(result.stdout)
    assert summary["version"] == summary["active_version"] == "v1"
    assert [each["topic"] for each in summary["topic_timestamps"]] == [
        "Green plants",
        "Binary search",
    ]


def test_topics_of_another_granularity(master: Path) -> None:
    output = master.with_name("topics.json")
    leap("topics", master, "-o", output, "--granularity", "short")
    assert read_document(output).active.granularity == "short"
    assert len(read_document(output).active.topic_timestamps) > 2


def test_topics_again_adds_a_version_and_leaves_a_persons_active(master: Path) -> None:
    output = master.with_name("topics.json")
    leap("topics", master, "-o", output)
    document = read_document(output)
    edit = document.active.topics().model_copy(update={"model": MANUAL})
    write_document(add_version(document, edit, recording_id=7, granularity="long"), output)
    result = leap("topics", master, "-o", output)
    assert "version v3, v2 stays active" in result.stdout
    assert read_document(output).active_version == "v2"
    assert read_document(output).recording_id == 7


def test_a_file_that_is_no_topics_is_not_written_over(master: Path) -> None:
    output = master.with_name("notes.json")
    output.write_text("[1]")
    result = leap("topics", master, "-o", output)
    assert isinstance(result.exception, InputError)
    assert output.read_text() == "[1]"


def test_subtitles_make_their_folder(master: Path) -> None:
    folder = master.with_name("subtitles")
    result = leap("subtitles", master, "-o", folder)
    assert result.exit_code == 0
    assert result.stdout == f"{folder}: 18 cues in subtitles.srt and subtitles.vtt.\n"
    assert names(folder) == ["subtitles.srt", "subtitles.vtt"]
    assert (folder / "subtitles.vtt").read_text().startswith("WEBVTT\n\n00:00:00.500 --> ")


def test_subtitles_for_machines(master: Path) -> None:
    summary = json.loads(leap("subtitles", master, "-o", master.parent, "--json").stdout)
    assert summary["cues"] == 18
    assert summary["broken_rules"] == []
    assert Path(summary["srt"]).is_file()
    assert Path(summary["vtt"]).is_file()


def test_speech_that_is_too_fast_is_said(tmp_path: Path) -> None:
    master = tmp_path / "master.json"
    write_transcript(talk([("hurrying", 0.1, 0.0)] * 300), master)
    result = leap("subtitles", master, "-o", tmp_path)
    assert result.exit_code == 0
    assert "too fast to keep every rule" in result.stdout


def test_an_empty_transcript(tmp_path: Path) -> None:
    master = tmp_path / "master.json"
    write_transcript(Transcript(language="en", duration=5.0), master)
    assert "no words" in leap("topics", master, "-o", tmp_path / "topics.json").stdout
    assert "0 cues" in leap("subtitles", master, "-o", tmp_path).stdout
    assert (tmp_path / "subtitles.srt").read_bytes() == b""
    assert (tmp_path / "subtitles.vtt").read_bytes() == b"WEBVTT\n"
    assert read_document(tmp_path / "topics.json").active.topic_timestamps == []


@pytest.mark.parametrize("command", ["topics", "subtitles"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no file"),
        ("{", "is not JSON"),
        ("[]", "is not a transcript, see the top level"),
        ('{"language": "en", "segments": [{"start": 0}]}', "see segments.0."),
        (
            json.dumps({"language": "en", "segments": [SEGMENT_WITH_BAD_WORD]}),
            "see segments.0.words.0.end",
        ),
    ],
)
def test_a_bad_transcript_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, command: str, content: str | None, said: str
) -> None:
    master = tmp_path / "master.json"
    if content is not None:
        master.write_text(content)
    before = names(tmp_path)
    result = leap(command, master, "-o", tmp_path / "made")
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert str(master) in str(result.exception)
    assert "\n" not in str(result.exception)
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "output", "said"),
    [
        ("topics", "nowhere/topics.json", "There is no directory"),
        ("topics", ".", "is a directory"),
        ("topics", "master.json", "is the transcript itself"),
        ("subtitles", "nowhere/deep", "There is no directory"),
        ("subtitles", "master.json", "is a file"),
    ],
)
def test_a_bad_output_is_told(master: Path, command: str, output: str, said: str) -> None:
    before = master.read_text()
    result = leap(command, master, "-o", master.parent / output)
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert names(master.parent) == ["master.json"]
    assert master.read_text() == before
