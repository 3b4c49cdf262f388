"""What VK is told of a video: from texts and settings to its parameters, pure.

https://dev.vk.com/method/video.save, https://dev.vk.com/method/video.edit
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leap_pipeline.domain.platform_limits import LIMITS
from leap_pipeline.domain.publishing_text import Publication
from leap_pipeline.domain.shapes.publishing import VkMetadata
from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError

AUDIENCES = ("all", "friends", "only_me")
"""VK's words for 0, 1 and 2 of a preset."""
NOBODY = "only_me"
COMMUNITY_NOTE = (
    "A video of a community has no privacy of its own: whoever sees the community sees it."
)
_LIMITS = LIMITS[Platform.VK]
_FLAGS = ("wallpost", "no_comments", "repeat")
_AUDIENCES = ("privacy_view", "privacy_comment")
_EDITABLE = ("no_comments", "repeat", *_AUDIENCES)


def listing(texts: Publication, settings: VkMetadata) -> Sent:
    """What is to be sent; a community's video has no privacy of its own, so none is said."""
    said: dict[str, Any] = {
        "no_comments": int(settings.disable_comments),
        "repeat": int(settings.repeat),
        "wallpost": int(settings.wallpost),
    }
    if settings.group_id is not None:
        said["group_id"] = settings.group_id
    else:
        comments = NOBODY if settings.disable_comments else AUDIENCES[settings.privacy_comment]
        said["privacy_view"] = [AUDIENCES[settings.privacy_view]]
        said["privacy_comment"] = [comments]
    return Sent(title=texts.title, description=texts.description, settings=said)


def notes(settings: VkMetadata) -> tuple[str, ...]:
    """Sentences for the owner: which settings VK does not know for such a video."""
    return () if settings.group_id is None or settings.privacy_view == 0 else (COMMUNITY_NOTE,)


def save_form(sent: Sent) -> dict[str, str]:
    """The parameters of video.save. Raises InputError for texts over VK's limits."""
    said = _settings(sent.settings, (*_FLAGS, *_AUDIENCES, "group_id"))
    return {**_texts(sent, "description"), **said}


def edit_form(sent: Sent) -> dict[str, str]:
    """The parameters of video.edit, without those that name the video."""
    return {**_texts(sent, "desc"), **_settings(sent.settings, _EDITABLE)}


def _texts(sent: Sent, description: str) -> dict[str, str]:
    title, text = sent.title or "", sent.description or ""
    if not title.strip():
        msg = "A video on VK needs a title: enter one."
        raise InputError(msg)
    if len(title) > _LIMITS.title:
        msg = f"The title has {len(title)} characters, VK takes {_LIMITS.title}: shorten it."
        raise InputError(msg)
    if len(text) > _LIMITS.description:
        msg = (
            f"The description has {len(text)} characters, VK takes {_LIMITS.description}: "
            "shorten it."
        )
        raise InputError(msg)
    return {"name": title, description: text}


def _settings(said: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    return {name: _written(said[name]) for name in names if said.get(name) is not None}


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(int(value)) if isinstance(value, bool) else str(value)
