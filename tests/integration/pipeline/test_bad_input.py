"""Bad input at the command line: one clear sentence, exit code not 0, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clips import make_clip
from tests.support.pipeline import Pipeline

Make = Callable[[Path, Path], Path]


def _missing(folder: Path, _good: Path) -> Path:
    return folder / "nowhere.mp4"


def _directory(folder: Path, _good: Path) -> Path:
    (folder / "lectures").mkdir()
    return folder / "lectures"


def _empty(folder: Path, _good: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def _web_page(folder: Path, _good: Path) -> Path:
    made = folder / "page.mp4"
    made.write_text("<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>" * 50)
    return made


def _truncated(folder: Path, good: Path) -> Path:
    made = folder / "truncated.mp4"
    content = good.read_bytes()
    made.write_bytes(content[: len(content) * 2 // 3])
    return made


def _without_sound(folder: Path, _good: Path) -> Path:
    return make_clip(folder / "mute.mp4", pattern=[("speech", 1.0)], with_audio=False)


def _without_picture(folder: Path, _good: Path) -> Path:
    return make_clip(folder / "voice.mp4", pattern=[("speech", 1.0)], with_video=False)


BAD: dict[str, tuple[Make, str]] = {
    "missing": (_missing, "nowhere.mp4"),
    "directory": (_directory, "directory"),
    "empty": (_empty, "empty"),
    "web page": (_web_page, "web page"),
    "truncated": (_truncated, "truncated.mp4"),
    "no sound": (_without_sound, "audio"),
    "no picture": (_without_picture, "video"),
}


def _one_sentence(error: str, word: str) -> None:
    lines = error.strip().splitlines()
    assert len(lines) == 1, error
    assert lines[0].startswith("leap: ")
    assert word in lines[0]
    assert "Traceback" not in error


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_and_leaves_nothing(
    quiet_leap: Pipeline, short_lecture: Path, tmp_path: Path, kind: str
) -> None:
    make, word = BAD[kind]
    bad = make(tmp_path, short_lecture)
    done = quiet_leap.leap("ingest", str(bad), "--user", "lecturer@example.org")
    assert done.returncode == 1
    _one_sentence(done.stderr, word)
    assert quiet_leap.files() == {}
    with quiet_leap.connect() as connection:
        assert connection.execute("SELECT count(*) FROM recordings").fetchone() == (0,)
        of_recordings = "SELECT count(*) FROM stored_objects WHERE recording_id IS NOT NULL"
        assert connection.execute(of_recordings).fetchone() == (0,)


def test_an_unknown_user_is_named(quiet_leap: Pipeline, short_lecture: Path) -> None:
    done = quiet_leap.leap("ingest", str(short_lecture), "--user", "nobody@example.org")
    assert done.returncode == 1
    _one_sentence(done.stderr, "nobody@example.org")
    assert quiet_leap.files() == {}


def test_an_unknown_recording_is_named(quiet_leap: Pipeline) -> None:
    done = quiet_leap.leap("run", "4711")
    assert done.returncode == 1
    _one_sentence(done.stderr, "4711")


def test_debug_shows_the_traceback(quiet_leap: Pipeline) -> None:
    done = quiet_leap.leap("--debug", "run", "4711")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_no_speech_at_all_is_kept_whole_and_said(leap: Pipeline, tmp_path: Path) -> None:
    still = make_clip(tmp_path / "still.mp4", pattern=[("silence", 6.0)])
    found = leap.json("ingest", str(still), "--user", "lecturer@example.org")
    summary = leap.json("run", str(found["recording_id"]))
    assert summary["status"] == "PROCESSED"
    assert summary["transcription"]["words"] == 0
    assert summary["topics"] == []
    root = leap.settings.storage
    vtt = root / summary["files"]["transcriptions"] / "subtitles.vtt"
    assert vtt.read_text().strip() == "WEBVTT"
    with leap.connect() as connection:
        row = connection.execute(
            "SELECT stage_meta->>'no_speech' FROM processing_stages WHERE stage_type = 'TRIM'"
        ).fetchone()
    assert row == ("true",)


def test_a_stored_file_that_was_damaged_fails_with_its_reason(
    leap: Pipeline, short_lecture: Path
) -> None:
    number = leap.ingest(short_lecture)
    stored = next(leap.settings.storage.rglob("source.mp4"))
    stored.write_bytes(stored.read_bytes()[:100_000])
    done = leap.leap("run", str(number))
    assert done.returncode == 1
    assert "DOWNLOAD" in done.stderr
    assert leap.summary(number).status == "FAILED"


def test_disabled_stages_are_skipped_with_a_reason(leap: Pipeline, short_lecture: Path) -> None:
    number = leap.ingest(short_lecture)
    with leap.connect() as connection:
        connection.execute(
            "UPDATE recordings SET processing_preferences = "
            """'{"video": {"remove_silence": false}, "transcription": {"enable_topics": false}}'"""
        )
    summary = leap.json("run", str(number))
    stages = {line["name"]: line for line in summary["stages"]}
    assert summary["status"] == "PROCESSED"
    assert stages["TRIM"]["status"] == stages["EXTRACT_TOPICS"]["status"] == "SKIPPED"
    assert "remove_silence" in stages["TRIM"]["reason"]
    assert stages["TRANSCRIBE"]["status"] == stages["GENERATE_SUBTITLES"]["status"] == "COMPLETED"
