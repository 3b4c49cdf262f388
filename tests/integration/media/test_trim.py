import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from leap_pipeline.commands.trim import trim
from leap_pipeline.errors import InputError
from leap_pipeline.media.probe import probe
from tests.support.clips import Pattern, make_clip, spoken

APP = typer.Typer()
APP.command("trim")(trim)


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(APP, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_tells_the_cuts_and_the_file_is_as_long(
    lecture: Path, pattern: Pattern, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    told = json.loads(run(lecture, "-o", out, "--json", "--padding", "0.25"))
    assert told["duration_before"] == pytest.approx(17.54, abs=0.05)
    assert told["duration_after"] == pytest.approx(probe(out).duration)
    assert len(told["cuts"]) == 4
    expected = [(start - 0.25, end + 0.25) for start, end in spoken(pattern)]
    assert [tuple(part) for part in told["keep"]] == [
        pytest.approx(part, abs=0.05) for part in expected
    ]
    assert told["duration_after"] == pytest.approx(sum(b - a for a, b in told["keep"]), abs=0.05)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_edges_only(lecture: Path, tmp_path: Path) -> None:
    told = json.loads(run(lecture, "-o", tmp_path / "out.mp4", "--json", "--mode", "edges"))
    assert len(told["keep"]) == 1


def test_a_person_gets_a_sentence(lecture: Path, tmp_path: Path) -> None:
    assert "4 cuts, 17.5 s before" in run(lecture, "-o", tmp_path / "out.mp4")


def test_no_speech_is_kept_whole_and_said(clips: Path, tmp_path: Path) -> None:
    source = make_clip(clips / "quiet.mp4", pattern=[("silence", 4.0)], size="64x36")
    out = tmp_path / "out.mp4"
    assert "no speech was found" in run(source, "-o", out)
    assert probe(out).duration == pytest.approx(4.0, abs=0.05)
    assert json.loads(run(source, "-o", out, "--json"))["no_speech"]


def test_the_recording_is_never_overwritten(lecture: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(lecture)
    before = lecture.read_bytes()
    for out in (lecture, link):
        with pytest.raises(InputError, match="recording itself"):
            run(lecture, "-o", out)
    assert lecture.read_bytes() == before


@pytest.mark.parametrize(("name", "words"), [("no/out.mp4", "no directory"), (".", "a directory")])
def test_an_output_that_cannot_be_is_refused_before_the_work(
    lecture: Path, tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        run(lecture, "-o", tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_existing_output_is_replaced_only_by_a_whole_one(
    lecture: Path, clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"older")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(lecture.read_bytes()[:50_000])
    with pytest.raises(InputError):
        run(broken, "-o", out)
    assert out.read_bytes() == b"older"
    run(lecture, "-o", out)
    assert probe(out).duration < 17
