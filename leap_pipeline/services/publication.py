"""What is published of a recording on a platform: the one source for upload, update and preview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage, Recording
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.db.models.users import User
from leap_pipeline.domain import publishing_text
from leap_pipeline.domain.config import Configuration, PlatformMetadata
from leap_pipeline.domain.shapes.publishing import VkMetadata, YouTubeMetadata
from leap_pipeline.domain.shapes.registry import read_column
from leap_pipeline.domain.shapes.results import (
    MainTopics,
    Sent,
    SubtitlesMeta,
    TranscriptionInfo,
    TrimMeta,
)
from leap_pipeline.domain.states import Platform, Stage, StageStatus
from leap_pipeline.domain.text_templates import Values
from leap_pipeline.domain.topics_display import read_topics
from leap_pipeline.errors import InputError
from leap_pipeline.publishing.vk.listing import listing as vk_listing
from leap_pipeline.publishing.vk.listing import notes as vk_notes
from leap_pipeline.publishing.youtube.listing import notes as youtube_notes
from leap_pipeline.publishing.youtube.listing import sent as youtube_listing
from leap_pipeline.services.configuration import UnsavedTemplate, load_configuration
from leap_pipeline.services.thumbnails import find_thumbnail
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.paths import RecordingPaths

NO_VIDEO = "There is no video to publish yet: run the recording first."
UNTRIMMED = "There is no video to publish yet: its silence is still to be cut out."
NO_SUBTITLES = "Captions are left out: the subtitles are not made yet."
UNKNOWN_LANGUAGE = (
    "Captions are left out, for nobody knows their language: set `transcription.language`."
)


@dataclass(frozen=True)
class Captions:
    """Subtitles as SRT; `path` relative to the storage root, `language` as BCP 47 has it."""

    path: str
    language: str


@dataclass(frozen=True)
class Publication:
    """All that goes to a platform. Paths are relative to the storage root.

    Without a preset there are no `preset_*` and no `credential_id`. `video` is None where there is
    none to publish yet; `seconds` is its playing time. `thumbnail_name` is the picture that was
    asked for, `thumbnail` the one that is there. `remarks` are sentences for the owner, beside the
    notes of the texts.
    """

    recording_id: int
    platform: Platform
    texts: publishing_text.Publication
    settings: PlatformMetadata
    preset_id: int | None
    preset_name: str | None
    credential_id: int | None
    video: str | None
    seconds: float
    thumbnail: str | None
    thumbnail_name: str | None
    captions: Captions | None
    remarks: tuple[str, ...] = ()


def load_publication(
    session: Session,
    storage: LocalStorage,
    recording_id: int,
    platform: Platform,
    now: datetime,
    *,
    template: UnsavedTemplate | None = None,
) -> Publication:
    """What the recording's configuration and results come to on a platform.

    `now` is the time of publishing where it was not begun before; with a `template` as if the
    recording had that one. Raises `InputError` where there
    is no such recording, and where what is configured for it is wrong, naming row and path.
    """
    found = load_configuration(session, recording_id, template=template)
    settings = found.metadata(platform).value
    given = _Given(session, recording_id)
    preset = found.presets.get(platform)
    seconds = given.seconds()
    texts = publishing_text.render_publication(
        platform,
        given.values(platform, settings, seconds, now),
        title_template=settings.title_template,
        description_template=settings.description_template,
        topics=read_topics(given.recording.topic_timestamps),
        topics_display=settings.topics_display,
        tags=settings.tags,
    )
    video, no_video = given.video()
    picture, no_picture = _picture(session, storage, given.owner.id, settings.thumbnail_name)
    captions, no_captions = given.captions(storage, found, settings)
    notes = vk_notes(settings) if isinstance(settings, VkMetadata) else youtube_notes(texts)
    remarks = (no_video, no_picture, no_captions, *notes)
    return Publication(
        recording_id=recording_id,
        platform=platform,
        texts=texts,
        settings=settings,
        preset_id=preset.id if preset else None,
        preset_name=preset.name if preset else None,
        credential_id=_credential(session, preset.id) if preset else None,
        video=video,
        seconds=seconds,
        thumbnail=picture,
        thumbnail_name=settings.thumbnail_name,
        captions=captions,
        remarks=tuple(each for each in remarks if each),
    )


def sent_of(publication: Publication) -> Sent:
    """Title, description, tags and settings as the platform is told them with the video."""
    if isinstance(publication.settings, VkMetadata):
        return vk_listing(publication.texts, publication.settings)
    return youtube_listing(publication.texts, publication.settings)


class _Given:
    """A recording's rows, as far as they say what is published."""

    def __init__(self, session: Session, recording_id: int) -> None:
        self._session = session
        self.recording = session.get_one(Recording, recording_id, options=[lazyload("*")])
        owner = session.get(User, self.recording.user_id, options=[lazyload("*")])
        if owner is None:
            msg = f"Recording {recording_id} has no owner, so it cannot be published."
            raise InputError(msg)
        self.owner = owner
        stages = select(
            ProcessingStage.stage_type, ProcessingStage.status, ProcessingStage.stage_meta
        ).where(ProcessingStage.recording_id == recording_id)
        self._stages = {stage: (status, meta) for stage, status, meta in session.execute(stages)}

    def video(self) -> tuple[str | None, str | None]:
        """The trimmed video, or the raw one where nothing is to be cut; else why there is none."""
        row = self.recording
        if row.processed_video_path:
            return row.processed_video_path, None
        if not row.local_video_path:
            return None, NO_VIDEO
        if self._status(Stage.TRIM) in (None, StageStatus.SKIPPED):
            return row.local_video_path, None
        return None, UNTRIMMED

    def seconds(self) -> float:
        """Playing time of the video that is published: as it was cut, heard, or announced."""
        row, trim = self.recording, self._meta(Stage.TRIM)
        if row.processed_video_path and isinstance(trim, TrimMeta) and trim.timeline:
            return round(sum(end - start for start, end in trim.timeline.keep), 3)
        heard = self._transcription()
        if self._status(Stage.TRANSCRIBE) == StageStatus.COMPLETED and heard.duration:
            return heard.duration
        return float(row.duration or 0)

    def values(
        self, platform: Platform, settings: PlatformMetadata, seconds: float, now: datetime
    ) -> Values:
        row = self.recording
        themes = read_column("recordings", "main_topics", row.main_topics).value
        return Values(
            display_name=row.display_name,
            record_time=row.start_time,
            publish_time=self._publish_time(platform, settings, now),
            duration=seconds or None,
            themes=themes.root if isinstance(themes, MainTopics) else (),
            timezone=self.owner.timezone,
        )

    def captions(
        self, storage: LocalStorage, found: Configuration, settings: PlatformMetadata
    ) -> tuple[Captions | None, str | None]:
        """The captions, or why there are none though they are wanted."""
        status = self._status(Stage.GENERATE_SUBTITLES)
        if not settings.upload_captions or status in (None, StageStatus.SKIPPED):
            return None, None
        if status != StageStatus.COMPLETED:
            return None, NO_SUBTITLES
        meta = self._meta(Stage.GENERATE_SUBTITLES)
        if isinstance(meta, SubtitlesMeta) and meta.cues == 0:
            return None, "Captions are left out: nothing is said in the recording."
        path = RecordingPaths(self.owner.user_slug, self.recording.id).srt
        if not storage.path(path).is_file():
            return None, "Captions are left out, as their file is gone: force GENERATE_SUBTITLES."
        language = self._language(found)
        return (Captions(path, language), None) if language else (None, UNKNOWN_LANGUAGE)

    def _language(self, found: Configuration) -> str | None:
        """What was heard, else what was said beforehand."""
        return self._transcription().language or found.processing().value.transcription.language

    def _transcription(self) -> TranscriptionInfo:
        stored = self.recording.transcription_info
        found = read_column("recordings", "transcription_info", stored).value
        return found if isinstance(found, TranscriptionInfo) else TranscriptionInfo()

    def _publish_time(
        self, platform: Platform, settings: PlatformMetadata, now: datetime
    ) -> datetime:
        """When it goes public; a video that is there keeps its time when it is updated."""
        if isinstance(settings, YouTubeMetadata) and settings.publish_at:
            return settings.publish_at
        begun = self._session.execute(
            select(UploadSession.opened_at, OutputTarget.uploaded_at)
            .select_from(OutputTarget)
            .outerjoin(UploadSession, UploadSession.target_id == OutputTarget.id)
            .where(
                OutputTarget.recording_id == self.recording.id,
                OutputTarget.target_type == platform,
            )
        ).one_or_none()
        return next((each for each in begun or () if each is not None), now)

    def _status(self, stage: Stage) -> str | None:
        status: str | None = self._stages.get(stage, (None, None))[0]
        return status

    def _meta(self, stage: Stage) -> BaseModel | None:
        meta = self._stages.get(stage, (None, None))[1]
        return read_column("processing_stages", "stage_meta", meta, kind=stage).value


def _picture(
    session: Session, storage: LocalStorage, user_id: str, name: str | None
) -> tuple[str | None, str | None]:
    """The path of the thumbnail, or why there is none though one is named."""
    if name is None:
        return None, None
    path = find_thumbnail(session, storage, user_id, name)
    if path is None:
        return None, f"There is no picture {name}: it is published without a thumbnail."
    return path, None


def _credential(session: Session, preset_id: int) -> int | None:
    statement = select(OutputPreset.credential_id).where(OutputPreset.id == preset_id)
    found: int | None = session.scalar(statement)
    return found
