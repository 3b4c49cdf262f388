"""`topics.json`: every version of a recording's topics, one of them active."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from leap_pipeline.domain.shapes.base import Shape
from leap_pipeline.domain.shapes.results import TopicTimestamp
from leap_pipeline.errors import InputError
from leap_pipeline.speech.files import read_json, write_whole
from leap_pipeline.topics.shapes import Granularity, Pause, Topics

MANUAL = "manual"
"""The model of a version that a person made: no re-run takes its place."""


class Version(Shape):
    """One finding, or one edit by a person."""

    id: str = Field(pattern=r"^v[1-9][0-9]*$")
    model: str = Field(min_length=1)
    granularity: Granularity
    created_at: AwareDatetime
    is_active: bool
    main_topics: list[str]
    topic_timestamps: list[TopicTimestamp]
    pauses: list[Pause]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        self.topics()
        return self

    def topics(self) -> Topics:
        """The version's content."""
        return Topics(
            main_topics=self.main_topics,
            topic_timestamps=self.topic_timestamps,
            pauses=self.pauses,
            model=self.model,
        )


class TopicsDocument(Shape):
    """The file; `recording_id` is None where it belongs to no recording."""

    recording_id: int | None
    active_version: str
    versions: list[Version] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_one_active_version(self) -> Self:
        ids = [version.id for version in self.versions]
        if len(set(ids)) < len(ids):
            msg = f"two versions have one id ({', '.join(ids)})"
            raise ValueError(msg)
        active = [version.id for version in self.versions if version.is_active]
        if active != [self.active_version]:
            marked = ", ".join(active) or "none"
            msg = f"active_version is {self.active_version}, marked as active is {marked}"
            raise ValueError(msg)
        return self

    @property
    def active(self) -> Version:
        """The version that counts."""
        return next(version for version in self.versions if version.is_active)


def add_version(
    document: TopicsDocument | None,
    found: Topics,
    *,
    recording_id: int | None,
    granularity: Granularity,
    created_at: datetime | None = None,
) -> TopicsDocument:
    """The document (None: a new one) with `found` as its newest version.

    The new version is the active one, unless a person's is: that one stays until a person switches.
    A version whose model is `manual` is a person's, and is active. `created_at` defaults to now.
    """
    versions = document.versions if document else []
    last = max((int(version.id[1:]) for version in versions), default=0)
    version = Version(
        id=f"v{last + 1}",
        model=found.model,
        granularity=granularity,
        created_at=created_at or datetime.now(UTC),
        is_active=False,
        main_topics=found.main_topics,
        topic_timestamps=found.topic_timestamps,
        pauses=found.pauses,
    )
    held = document is not None and document.active.model == MANUAL and found.model != MANUAL
    active = document.active_version if document is not None and held else version.id
    return _with_active([*versions, version], active, recording_id)


def activate(document: TopicsDocument, version_id: str) -> TopicsDocument:
    """The document with another version active; InputError where it has no such version."""
    ids = [version.id for version in document.versions]
    if version_id not in ids:
        msg = f"The topics have no version {version_id}: choose one of {', '.join(ids)}."
        raise InputError(msg)
    return _with_active(document.versions, version_id, document.recording_id)


def _with_active(versions: list[Version], active: str, recording_id: int | None) -> TopicsDocument:
    return TopicsDocument(
        recording_id=recording_id,
        active_version=active,
        versions=[each.model_copy(update={"is_active": each.id == active}) for each in versions],
    )


def read_document(path: Path) -> TopicsDocument:
    """Read `topics.json`; InputError names the file, the place in it and what is wrong there."""
    try:
        return TopicsDocument.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top level"
        why = first["msg"].removeprefix("Value error, ")
        msg = f"{path} is no document of topics, see {place}: {why}."
        raise InputError(msg) from error


def write_document(document: TopicsDocument, path: Path) -> None:
    """Write `topics.json` beside its place and rename it."""
    content = document.model_dump(mode="json")
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
