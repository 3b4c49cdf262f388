"""What would be published of a recording, and what an update would change of what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.publishing import TargetStep
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.domain.publication_diff import Change, difference
from leap_pipeline.domain.shapes.registry import read_column
from leap_pipeline.domain.shapes.results import Sent, TargetMeta
from leap_pipeline.domain.states import Platform, StepState, TargetStatus
from leap_pipeline.services.publication import Publication, load_publication, sent_of
from leap_pipeline.services.publish_run import collection_of
from leap_pipeline.services.target_steps import CAPTIONS, COLLECTION, THUMBNAIL
from leap_pipeline.storage.local import LocalStorage


@dataclass(frozen=True)
class There:
    """A video that is published, and what an update would change of it.

    `beside` are the decorations that an update would bring about anew: thumbnail, captions,
    collection. `left` are the playlists or albums that it would take the video out of.
    """

    video_id: str | None
    url: str | None
    uploaded_at: datetime | None
    changes: tuple[Change, ...]
    beside: tuple[str, ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """`sent` is what the platform is told; `there` is None as long as nothing is published."""

    publication: Publication
    sent: Sent
    there: There | None

    @property
    def notes(self) -> tuple[str, ...]:
        """All that the owner should know, as sentences."""
        of_texts = (f"{each.about}: {each.text}" for each in self.publication.texts.notes)
        return (*of_texts, *self.publication.remarks)


def load_preview(
    session: Session,
    storage: LocalStorage,
    recording_id: int,
    platform: Platform,
    now: datetime,
) -> Preview:
    """Raises as `load_publication` does; changes nothing."""
    publication = load_publication(session, storage, recording_id, platform, now)
    sent = sent_of(publication)
    target = session.scalars(
        select(OutputTarget)
        .where(OutputTarget.recording_id == recording_id, OutputTarget.target_type == platform)
        .options(lazyload("*"))
    ).one_or_none()
    if target is None or target.status != TargetStatus.UPLOADED:
        return Preview(publication, sent, None)
    meta = read_column("output_targets", "target_meta", target.target_meta, kind=platform).value
    known = meta if isinstance(meta, TargetMeta) else TargetMeta()
    there = There(
        known.video_id,
        known.url,
        target.uploaded_at,
        difference(known.sent or Sent(), _comparable(sent, known.sent or Sent())),
        tuple(_beside(session, storage, target.id, publication)),
        tuple(_left(session, target.id, publication)),
    )
    return Preview(publication, sent, there)


def digests(storage: LocalStorage, publication: Publication) -> Mapping[tuple[str, str], str]:
    """What is to stand beside the video, by kind and name: SHA-256 in hex, or an id there."""
    found: dict[tuple[str, str], str] = {}
    if publication.thumbnail is not None:
        found[THUMBNAIL, ""] = _digest(storage, publication.thumbnail)
    if (collection := collection_of(publication)) is not None:
        found[COLLECTION, collection] = collection
    if (captions := publication.captions) is not None:
        found[CAPTIONS, captions.language] = _digest(storage, captions.path)
    return found


def _beside(
    session: Session, storage: LocalStorage, target_id: int, publication: Publication
) -> Iterator[str]:
    """What is done as it is wanted, and what the platform does not offer, is left."""
    rows = session.execute(
        select(TargetStep.kind, TargetStep.name, TargetStep.wanted).where(
            TargetStep.target_id == target_id,
            TargetStep.state.in_([StepState.DONE, StepState.SKIPPED]),
        )
    )
    settled = {(kind, name): digest for kind, name, digest in rows}
    for key, wanted in digests(storage, publication).items():
        if settled.get(key) != wanted:
            kind, name = key
            yield f"{kind} ({name})" if name and kind != COLLECTION else kind


def _left(session: Session, target_id: int, publication: Publication) -> Iterator[str]:
    rows = session.scalars(
        select(TargetStep.name).where(
            TargetStep.target_id == target_id,
            TargetStep.kind == COLLECTION,
            TargetStep.done.is_not(None),
        )
    )
    wanted = collection_of(publication)
    yield from (name for name in rows if name != wanted)


def _comparable(sent: Sent, there: Sent) -> Sent:
    """Without what is not told with the video: of that the steps beside it know more."""
    aside = {"thumbnail_name": there.thumbnail_name, "captions": there.captions}
    return sent.model_copy(update=aside)


def _digest(storage: LocalStorage, path: str) -> str:
    return hashlib.sha256(storage.fetch(path).read_bytes()).hexdigest()
