"""What is published, where and how: `metadata_config`, `preset_metadata`, `output_config`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, field_validator

from leap_pipeline.domain.shapes.base import Id, Partial, each_once, renamed
from leap_pipeline.domain.shapes.processing import Language
from leap_pipeline.domain.text_templates import TextTemplate
from leap_pipeline.domain.topics_display import TopicsDisplay

PICTURES = (".png", ".jpg", ".jpeg")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')


def _picture_name(name: str) -> str:
    if "/" in name or "\\" in name or name.startswith("."):
        msg = "must be the mere name of a file in the folder of thumbnails; leave out the folders"
        raise ValueError(msg)
    if _UNSAFE.search(name) or name != name.strip() or len(name.encode()) > 255:
        msg = "is no safe file name; use letters, digits, spaces, dots, dashes and underscores"
        raise ValueError(msg)
    if not name.lower().endswith(PICTURES) or name.lower() in PICTURES:
        msg = f"must end with {', '.join(PICTURES)}; platforms take no other pictures"
        raise ValueError(msg)
    return name


def _tag(tag: str) -> str:
    if not tag.strip() or "<" in tag or ">" in tag:
        msg = "must be a word or words without < and >"
        raise ValueError(msg)
    return tag


PictureName = Annotated[str, AfterValidator(_picture_name)]
Tag = Annotated[str, Field(max_length=100), AfterValidator(_tag)]
VkAudience = Annotated[int, Field(ge=0, le=2)]
"""0 = all, 1 = friends, 2 = private."""


class TextSettings(Partial):
    """What every platform shows. Tags over a platform's limit are cut when it is published to.

    `thumbnail_name` is a file in the user's folder of thumbnails, else one of the shared ones.
    """

    schema_version: ClassVar[int] = 2

    title_template: Annotated[TextTemplate, Field(min_length=1)] = "{display_name}"
    description_template: TextTemplate = "{topics}"
    topics_display: TopicsDisplay = TopicsDisplay()
    thumbnail_name: PictureName | None = None
    tags: tuple[Tag, ...] = Field(default=(), max_length=500)
    upload_captions: bool = True

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform said `include_timestamps` in `topics_display`."""
        display = document.get("topics_display")
        if isinstance(display, Mapping):
            said = renamed(display, {"include_timestamps": "show_timestamps"})
            document = {**document, "topics_display": said}
        return document


class YouTubeMetadata(TextSettings):
    """`preset_metadata` of a YouTube preset, and the `youtube` block of a `metadata_config`.

    Nothing said about `privacy` shows the video to nobody else. `publish_at` makes a private video
    public at that time.
    """

    privacy: Literal["private", "unlisted", "public"] = "private"
    playlist_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{2,64}$")
    category_id: str = Field(default="27", pattern=r"^[0-9]{1,3}$")
    default_language: Language | None = None
    made_for_kids: bool = False
    embeddable: bool = True
    publish_at: AwareDatetime | None = None

    @field_validator("publish_at")
    @classmethod
    def _only_private_waits(cls, at: Any, info: ValidationInfo) -> Any:
        if at is not None and info.data.get("privacy", "private") != "private":
            msg = (
                f"needs `privacy` private, not {info.data['privacy']}: YouTube itself publishes it"
            )
            raise ValueError(msg)
        return at


class VkMetadata(TextSettings):
    """`preset_metadata` of a VK preset, and the `vk` block of a `metadata_config`."""

    schema_version: ClassVar[int] = 2

    group_id: int | None = Field(default=None, ge=1)
    album_id: str | None = Field(default=None, pattern=r"^[0-9]{1,20}$")
    privacy_view: VkAudience = 2
    privacy_comment: VkAudience = 0
    disable_comments: bool = False
    repeat: bool = False
    wallpost: bool = False

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform said `no_comments`."""
        return super().upgrade(renamed(document, {"no_comments": "disable_comments"}))


class MetadataConfig(TextSettings):
    """`metadata_config`: what holds for all platforms, and what for one of them alone."""

    schema_version: ClassVar[int] = 2

    youtube: YouTubeMetadata = YouTubeMetadata()
    vk: VkMetadata = VkMetadata()

    @classmethod
    def upgrade(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The original platform had a block `common`."""
        common = document.get("common")
        if isinstance(common, Mapping):
            document = {**common, **{k: v for k, v in document.items() if k != "common"}}
        return super().upgrade(document)


class OutputConfig(Partial):
    """`output_config` and `user_configs.upload_config`: at most one preset a platform.

    Without `auto_upload` a person publishes.
    """

    preset_ids: Annotated[tuple[Id, ...], AfterValidator(each_once)] = ()
    auto_upload: bool = False
