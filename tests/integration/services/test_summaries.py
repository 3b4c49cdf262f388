"""A recording told in one piece."""

from __future__ import annotations

import json

import pytest

from leap_pipeline.domain.planner import PREPARE_ASSETS, Asset
from leap_pipeline.errors import InputError
from leap_pipeline.services.summaries import Summary, summarize
from tests.support.bench import Bench, do

TIMELINE = {"duration": 9.0, "keep": [[0.0, 4.0], [6.0, 9.0]], "no_speech": False}


def summary(bench: Bench, recording: int) -> Summary:
    with bench.database.system() as session:
        return summarize(session, recording)


def test_it_follows_the_run(bench: Bench) -> None:
    recording = bench.recording()
    bench.configure(recording, transcription={"enable_topics": False})
    assert summary(bench, recording).run_state is None
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    begun = work.begin(Asset.TRIMMED_VIDEO)
    work.progress()(0.5)
    told = {line.name: line for line in summary(bench, recording).stages}
    assert list(told) == ["DOWNLOAD", "TRIM", "TRANSCRIBE", "EXTRACT_TOPICS", "GENERATE_SUBTITLES"]
    assert (told["TRIM"].status, told["TRIM"].progress) == ("IN_PROGRESS", 0.5)
    assert told["DOWNLOAD"].progress is None
    assert "topics are switched off" in (told["EXTRACT_TOPICS"].reason or "")
    work.complete(
        Asset.TRIMMED_VIDEO,
        begun,
        columns={"processed_video_path": work.paths.video},
        stage_meta={"timeline": TIMELINE},
    )
    do(work, *PREPARE_ASSETS[2:])
    work.close()
    found = summary(bench, recording)
    assert (found.status, found.run_state) == ("PROCESSED", "done")
    assert found.timeline == TIMELINE
    assert set(found.files) == {"raw_video", "trimmed_video", "audio"}
    assert json.loads(json.dumps(found.to_json()))["recording_id"] == recording


def test_it_tells_why_a_download_failed(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    work.fail(Asset.RAW_VIDEO, work.begin(Asset.RAW_VIDEO), "bytes are missing")
    work.close()
    found = summary(bench, recording)
    assert found.stages[0].reason == found.failed_reason == found.run_reason == "bytes are missing"


def test_an_unknown_recording_is_refused(bench: Bench) -> None:
    with pytest.raises(InputError, match="There is no recording 4711"):
        summary(bench, 4711)
