"""What YouTube is told of a video: title, description, tags and settings, and how it is written.

https://developers.google.com/youtube/v3/docs/videos
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from leap_pipeline.domain.platform_limits import LIMITS, fit_tags, tag_size
from leap_pipeline.domain.publishing_text import Publication
from leap_pipeline.domain.shapes.publishing import YouTubeMetadata
from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.domain.states import Platform

PRIVATE, PUBLIC = "private", "public"
SNIPPET = ("categoryId", "defaultLanguage")
STATUS = ("privacyStatus", "publishAt", "selfDeclaredMadeForKids", "embeddable")
# What a person may have set at YouTube, and what a change of the part would take away again.
KEPT: Mapping[str, tuple[str, ...]] = {
    "snippet": ("defaultAudioLanguage", "defaultLanguage"),
    "status": ("license", "publicStatsViewable", "containsSyntheticMedia"),
}
_SECONDS = {"W": 604_800, "D": 86_400, "H": 3600, "M": 60, "S": 1}
_DURATION = re.compile(
    r"P(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?(?:T(?:(?P<H>\d+)H)?(?:(?P<M>\d+)M)?(?:(?P<S>\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True)
class Resource:
    """A video as a request describes it; `part` names what `body` holds."""

    body: Mapping[str, Any]

    @property
    def part(self) -> str:
        return ",".join(self.body)


def marker_tag(marker: str) -> str:
    """The tag by which a video is found again."""
    return f"leap-{marker}"


# As long as each of them is.
_MARKS = (marker_tag("0" * 20),)


def sent(publication: Publication, metadata: YouTubeMetadata) -> Sent:
    """What is to be published; its tags leave room for the marker's."""
    tags, _left_out = _fitting(publication.tags, _MARKS)
    settings: dict[str, Any] = {
        "categoryId": metadata.category_id,
        "defaultLanguage": metadata.default_language,
        "privacyStatus": metadata.privacy,
        "publishAt": _written(metadata.publish_at),
        "selfDeclaredMadeForKids": metadata.made_for_kids,
        "embeddable": metadata.embeddable,
    }
    return Sent(
        title=publication.title,
        description=publication.description,
        tags=tags,
        settings={name: value for name, value in settings.items() if value is not None},
    )


def notes(publication: Publication) -> tuple[str, ...]:
    """Sentences for the owner: which tags have to make room for the marker's."""
    _tags, left_out = _fitting(publication.tags, _MARKS)
    if not left_out:
        return ()
    named = ", ".join(f"“{tag:.30}”" for tag in left_out)
    limits = LIMITS[Platform.YOUTUBE]
    why = f"{limits.name} takes {limits.tags} characters of tags in all"
    return (f"{why}, and LEAP's own tag leaves {_room(_MARKS)} of them; left out: {named}.",)


def resource(
    sent: Sent, marker: str, now: datetime, there: Mapping[str, Any] | None = None
) -> Resource:
    """The video as videos.insert and videos.update take it, both parts whole.

    `there` is the video as YouTube has it: what LEAP says nothing of stays as it is. One that the
    original platform published has no marker, and gets none.
    """
    marks = (marker_tag(marker),) if marker else ()
    tags, _left_out = _fitting(sent.tags, marks)
    snippet: dict[str, Any] = {
        **_kept(there, "snippet"),
        "title": sent.title or "",
        "description": sent.description or "",
        "tags": [*tags, *marks],
        **{name: sent.settings[name] for name in SNIPPET if name in sent.settings},
    }
    status = {
        **_kept(there, "status"),
        **{name: sent.settings[name] for name in STATUS if name in sent.settings},
    }
    return Resource({"snippet": snippet, "status": _released(status, now)})


def seconds(duration: object) -> float | None:
    """An ISO 8601 duration in seconds; None for what is none, or nothing yet."""
    found = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if found is None:
        return None
    total = sum(float(value) * _SECONDS[unit] for unit, value in found.groupdict("0").items())
    return total or None


def _released(status: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A time that has come made the video public: said again, it would hide it."""
    at = status.get("publishAt")
    if at is None or datetime.fromisoformat(at) > now:
        return status
    return {**{k: v for k, v in status.items() if k != "publishAt"}, "privacyStatus": PUBLIC}


def _fitting(
    tags: tuple[str, ...], marks: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tags that fit beside LEAP's own, and those that do not."""
    others = tuple(tag for tag in tags if tag.casefold() not in marks)
    return fit_tags(others, replace(LIMITS[Platform.YOUTUBE], tags=_room(marks)))


def _room(marks: tuple[str, ...]) -> int:
    return LIMITS[Platform.YOUTUBE].tags - sum(tag_size(mark) + 1 for mark in marks)


def _kept(there: Mapping[str, Any] | None, part: str) -> dict[str, Any]:
    found = (there or {}).get(part)
    if not isinstance(found, Mapping):
        return {}
    return {name: found[name] for name in KEPT[part] if name in found}


def _written(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
