"""The raw video of a recording, from whatever kind of source it has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from leap_pipeline.db.models.recordings import SourceMetadata
from leap_pipeline.errors import DataError
from leap_pipeline.media.probe import MediaInfo, require_lecture
from leap_pipeline.services.ingest import LOCAL_FILE, source_file
from leap_pipeline.services.work import Work


@dataclass(frozen=True)
class RawVideo:
    """`stored_path` is relative to the storage root."""

    path: Path
    stored_path: str
    info: MediaInfo


def verified_raw_video(work: Work) -> RawVideo:
    """The raw video, whole and openable; raises `DataError` where storage lost some of it."""
    with work.fenced() as session:
        found = session.execute(
            select(SourceMetadata.source_type, SourceMetadata.meta).where(
                SourceMetadata.recording_id == work.recording_id
            )
        ).one_or_none()
    if found is None or found[0] != LOCAL_FILE:
        kind = "no source" if found is None else f"a source of type {found[0]}"
        msg = f"Recording {work.recording_id} has {kind}, from which this version cannot fetch."
        raise DataError(msg)
    stored_path, expected = source_file(found[1])
    path = work.storage.fetch(stored_path)
    info = require_lecture(path)
    if info.size != expected:
        msg = f"{stored_path} has {info.size} bytes where {expected} were ingested."
        raise DataError(msg)
    return RawVideo(path, stored_path, info)
