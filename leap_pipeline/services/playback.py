"""What of a recording can be watched and read, on the timeline of each of its two videos.

Transcript, topics and subtitles are made of the video that was cut, where one was; the map between
the two is stored with the stage that cut it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session, lazyload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from leap_pipeline.db.models.recordings import Recording, SourceMetadata
from leap_pipeline.db.repositories.recordings import Recordings
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.shapes.registry import read_column
from leap_pipeline.domain.shapes.results import TrimMeta
from leap_pipeline.domain.states import Platform, Stage, StageStatus
from leap_pipeline.domain.topics_display import Topic, read_topics
from leap_pipeline.errors import InputError, NotFound
from leap_pipeline.media.silence import Interval
from leap_pipeline.media.timeline import CutPlan
from leap_pipeline.services.configuration import load_configuration
from leap_pipeline.services.ingest import LOCAL_FILE
from leap_pipeline.services.thumbnails import find_thumbnail
from leap_pipeline.speech.transcript import Segment, Transcript, read_transcript
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.subtitles.cues import build_cues
from leap_pipeline.subtitles.write import srt, vtt

FORMATS = ("vtt", "srt")
MILLISECOND = 0.001


class VideoKind(StrEnum):
    """A recording's two videos."""

    PROCESSED = "processed"
    ORIGINAL = "original"


@dataclass(frozen=True)
class Material:
    """Paths relative to the storage root; None is what is not made yet, or no longer holds.

    `spoken_on` is the video on whose timeline transcript, subtitles and chapters are stored;
    `plan` is how it was cut, where that is known.
    """

    recording_id: int
    owner_id: str
    name: str
    videos: dict[VideoKind, str]
    spoken_on: VideoKind
    plan: CutPlan | None
    transcript: str | None
    subtitles: dict[str, str]
    topics: str | None
    chapters: tuple[Topic, ...]
    language: str | None

    def video(self, kind: VideoKind | None = None) -> str:
        """The path of a video, by default of the one that is published; raises `NotFound`."""
        wanted = kind or next(iter(self.videos), VideoKind.ORIGINAL)
        if wanted not in self.videos:
            msg = f"Recording {self.recording_id} has no {wanted} video yet: run it first."
            raise NotFound(msg)
        return self.videos[wanted]

    def can_be_placed(self, kind: VideoKind) -> bool:
        """Can times of the transcript be told on the timeline of that video?"""
        return kind is self.spoken_on or (kind is VideoKind.ORIGINAL and self.plan is not None)

    def placed(self, kind: VideoKind, start: float, end: float) -> tuple[float, float]:
        """A stretch of the transcript's timeline on that of a video, in seconds."""
        if kind is self.spoken_on or self.plan is None:
            return start, end
        # A join belongs to the part after it, so an end is looked for just before.
        begins = self.plan.to_source(start)
        ends = self.plan.to_source(max(end - MILLISECOND, start)) + MILLISECOND
        return round(begins, 3), round(max(begins, min(ends, self.plan.duration)), 3)


class _Played(Recordings):
    def details(self) -> Sequence[ORMOption]:
        return (lazyload("*"), selectinload(Recording.stages), selectinload(Recording.source))


def load_material(session: Session, recording_id: int) -> Material:
    """Of one recording in the scope, in 3 statements; NotFound where it is not there or deleted."""
    rows = _Played(session)
    row = rows.require(recording_id)
    if (row.delete_state or DeleteState.ACTIVE) != DeleteState.ACTIVE:
        raise rows.not_found(recording_id)
    videos = _videos(row)
    done = {Stage(each.stage_type) for each in row.stages if each.status == StageStatus.COMPLETED}
    folder = row.transcription_dir
    spoken = folder is not None and Stage.TRANSCRIBE in done
    subtitled = folder is not None and Stage.GENERATE_SUBTITLES in done
    return Material(
        recording_id=row.id,
        owner_id=row.user_id or "",
        name=row.display_name,
        videos=videos,
        spoken_on=VideoKind.PROCESSED if row.processed_video_path else VideoKind.ORIGINAL,
        plan=_plan(row),
        transcript=f"{folder}/master.json" if spoken else None,
        subtitles={each: f"{folder}/subtitles.{each}" for each in FORMATS} if subtitled else {},
        topics=f"{folder}/topics.json" if folder is not None and row.topic_timestamps else None,
        chapters=_chapters(row),
        language=(row.transcription_info or {}).get("language"),
    )


def chapters_on(material: Material, kind: VideoKind) -> list[Topic]:
    """The topics on a video's timeline; none where they cannot be placed there."""
    if not material.can_be_placed(kind):
        return []
    return [
        Topic(each.title, material.placed(kind, each.start, each.start)[0])
        for each in material.chapters
    ]


def spoken_on(material: Material, kind: VideoKind, transcript: Transcript) -> Transcript:
    """The transcript with its times on a video's timeline; NotFound where they are not known."""
    if kind is material.spoken_on:
        return transcript
    if material.plan is None or kind is not VideoKind.ORIGINAL:
        msg = f"The times of recording {material.recording_id} are not known for its {kind} video."
        raise NotFound(msg)
    return transcript.model_copy(
        update={
            "duration": material.plan.duration,
            "segments": tuple(_moved(material, kind, each) for each in transcript.segments),
        }
    )


def read_spoken(material: Material, storage: LocalStorage) -> Transcript:
    """The stored transcript; NotFound where there is none that holds."""
    if material.transcript is None:
        msg = f"Recording {material.recording_id} has no transcript yet: run it first."
        raise NotFound(msg)
    return read_transcript(storage.fetch(material.transcript))


def stored_subtitles(material: Material, form: str) -> str:
    """The path of the subtitles as they were made; NotFound where there are none that hold."""
    if form not in material.subtitles:
        msg = f"Recording {material.recording_id} has no subtitles yet: run it first."
        raise NotFound(msg)
    return material.subtitles[form]


def subtitles_on(
    material: Material, kind: VideoKind, storage: LocalStorage, form: str
) -> str | None:
    """Subtitles made anew for the other video; None: those that are stored are of this one.

    They are made from the words at their own times, so that none stays on the screen through what
    was cut out of the other video.
    """
    stored_subtitles(material, form)
    if kind is material.spoken_on:
        return None
    cues = build_cues(spoken_on(material, kind, read_spoken(material, storage)))
    return srt(cues) if form == "srt" else vtt(cues)


def thumbnail_of(session: Session, storage: LocalStorage, material: Material) -> str:
    """The path of the picture that is configured for the recording, on the first platform that has
    one; raises `NotFound`.
    """
    try:
        found = load_configuration(session, material.recording_id)
        names = [found.metadata(platform).value.thumbnail_name for platform in Platform]
    except InputError:
        names = []  # what is wrong with it is told where it is edited
    for name in names:
        path = find_thumbnail(session, storage, material.owner_id, name) if name else None
        if path is not None:
            return path
    msg = f"Recording {material.recording_id} has no thumbnail: name one in its template."
    raise NotFound(msg)


def _videos(row: Recording) -> dict[VideoKind, str]:
    original = row.local_video_path or _handed_over(row.source)
    found = {VideoKind.PROCESSED: row.processed_video_path, VideoKind.ORIGINAL: original}
    return {kind: path for kind, path in found.items() if path}


def _handed_over(source: SourceMetadata | None) -> str | None:
    """A local file is in the storage before the first stage has looked at it."""
    if source is None or source.source_type != LOCAL_FILE:
        return None
    path: str | None = (source.meta or {}).get("stored_path")
    return path


def _plan(row: Recording) -> CutPlan | None:
    trim = next((each for each in row.stages if each.stage_type == Stage.TRIM), None)
    if trim is None or not row.processed_video_path:
        return None
    meta = read_column("processing_stages", "stage_meta", trim.stage_meta, kind=Stage.TRIM).value
    if not isinstance(meta, TrimMeta) or meta.timeline is None:
        return None
    keep = tuple(Interval(start, end) for start, end in meta.timeline.keep)
    return CutPlan(meta.timeline.duration, keep, meta.timeline.no_speech)


def _chapters(row: Recording) -> tuple[Topic, ...]:
    """None while the topics are found anew: the old ones are of another transcript."""
    stage = next((each for each in row.stages if each.stage_type == Stage.EXTRACT_TOPICS), None)
    settled = (StageStatus.COMPLETED, StageStatus.SKIPPED)
    if stage is not None and stage.status not in settled:
        return ()
    return read_topics(row.topic_timestamps)


def _moved(material: Material, kind: VideoKind, segment: Segment) -> Segment:
    def at(start: float, end: float) -> dict[str, Any]:
        begins, ends = material.placed(kind, start, end)
        return {"start": begins, "end": ends}

    words = tuple(word.model_copy(update=at(word.start, word.end)) for word in segment.words)
    return segment.model_copy(update={**at(segment.start, segment.end), "words": words})
