"""A recording that is done: its rows, and small files where its videos and texts would be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from leap_pipeline.db.models.recordings import ProcessingStage, Recording
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.states import Stage
from leap_pipeline.speech.transcript import Segment, Transcript, Word, write_transcript
from leap_pipeline.storage.paths import RecordingPaths
from leap_pipeline.subtitles.cues import build_cues
from leap_pipeline.subtitles.write import write_srt, write_vtt
from leap_pipeline.topics.document import add_version, write_document
from leap_pipeline.topics.shapes import Topics
from tests.support.console import Desk

KEEP = [[10.0, 40.0], [60.0, 100.0]]
"""Of 100 s: 30 s of the processed video are of the first part, 40 s of the second."""
TOPICS = [
    {"topic": "Graphs", "start": 0.0, "end": 30.0},
    {"topic": "<img src=x onerror=alert(1)>", "start": 30.0, "end": 70.0},
]
HOSTILE = "</script><script>alert(1)</script>"
ORIGINAL, PROCESSED = bytes(range(256)) * 8, b"p" * 1000


def spoken() -> Transcript:
    """Three words: one in the first part, one that ends with it, one that begins the second."""
    times = [(1.0, 2.0, "alpha"), (29.0, 30.0, "beta"), (30.0, 31.0, HOSTILE)]
    words = [Word(start=start, end=end, word=word) for start, end, word in times]
    segments = [Segment(start=w.start, end=w.end, text=f" {w.word}", words=(w,)) for w in words]
    return Transcript(language="en", model="small", duration=70.0, segments=tuple(segments))


def watchable(desk: Desk, user_id: str, name: str = "Graph theory", **columns: Any) -> int:
    """A recording of the user with everything made; its id. `columns` are those of its row."""
    with desk.database.system() as session:
        slug = session.get_one(User, user_id).user_slug
        row = Recording(
            user_id=user_id,
            display_name=name,
            start_time=datetime(2026, 9, 1, 9, 30, tzinfo=UTC),
            duration=100,
            status="PROCESSED",
            topic_timestamps=TOPICS,
            main_topics=["Graphs"],
            transcription_info={"language": "en"},
        )
        session.add(row)
        session.flush()
        paths = RecordingPaths(slug, row.id)
        row.local_video_path, row.processed_video_path = paths.source(".mkv"), paths.video
        row.transcription_dir = paths.transcriptions
        for column, value in columns.items():
            setattr(row, column, value)
        timeline = {"duration": 100.0, "keep": KEEP, "no_speech": False}
        for stage in Stage:
            meta = {"timeline": timeline} if stage is Stage.TRIM else None
            session.add(
                ProcessingStage(
                    recording_id=row.id,
                    user_id=user_id,
                    stage_type=stage,
                    status="COMPLETED",
                    stage_meta=meta,
                )
            )
    _write(desk, paths, row.id)
    return row.id


def _write(desk: Desk, paths: RecordingPaths, recording_id: int) -> None:
    storage = desk.console.storage
    storage.path(paths.transcriptions).mkdir(parents=True)
    storage.path(paths.source(".mkv")).write_bytes(ORIGINAL)
    storage.path(paths.video).write_bytes(PROCESSED)
    transcript = spoken()
    write_transcript(transcript, storage.path(paths.transcript))
    cues = build_cues(transcript)
    write_srt(cues, storage.path(paths.srt))
    write_vtt(cues, storage.path(paths.vtt))
    found = Topics.model_validate({"topic_timestamps": TOPICS, "model": "local"})
    document = add_version(None, found, recording_id=recording_id, granularity="long")
    write_document(document, storage.path(paths.topics))
