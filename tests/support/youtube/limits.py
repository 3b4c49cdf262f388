"""What YouTube takes for texts, pictures and captions.

https://developers.google.com/youtube/v3/docs/videos
https://developers.google.com/youtube/v3/docs/captions/insert
https://developers.google.com/youtube/v3/docs/thumbnails/set
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from tests.support.youtube.errors import Refused

TITLE, DESCRIPTION, TAGS = 100, 5000, 500
TRACK_NAME = 150
PICTURE_BYTES = 2 * 1024 * 1024
CAPTION_BYTES = 100 * 1024 * 1024
CATEGORIES = frozenset("1 2 10 15 17 19 20 22 23 24 25 26 27 28 29".split())
# Of those that i18nLanguages.list names; YouTube has "no" and knows no "nb".
LANGUAGES = frozenset(
    "ar be bg cs da de en en-GB es es-419 et fi fr he hi hu it ja kk ko lt lv nl no pl pt pt-BR ro "
    "ru sk sr sv tr uk uz vi zh zh-CN zh-TW".split()
)
_BCP_47 = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_CUE = re.compile(
    r"\d+\s*\n(\d{2,}):(\d\d):(\d\d),(\d{3}) --> (\d{2,}):(\d\d):(\d\d),(\d{3})[^\n]*\n(.+)", re.S
)


def snippet(said: Mapping[str, Any]) -> None:
    """Of a video; or Refused."""
    title, description = said.get("title", ""), said.get("description", "")
    if not title.strip() or len(title) > TITLE or _has_brackets(title):
        raise Refused(
            400, "invalidTitle", "The request metadata specifies an invalid or empty title."
        )
    if len(description.encode()) > DESCRIPTION or _has_brackets(description):
        raise Refused(
            400, "invalidDescription", "The request metadata specifies an invalid description."
        )
    if tags_size(said.get("tags", ())) > TAGS or any(
        not tag.strip() or _has_brackets(tag) for tag in said.get("tags", ())
    ):
        raise Refused(400, "invalidTags", "The request metadata specifies invalid video keywords.")
    if said.get("categoryId", "22") not in CATEGORIES:
        raise Refused(400, "invalidCategoryId", "The video category is invalid.")
    for name in ("defaultLanguage", "defaultAudioLanguage"):
        if said.get(name, "en") not in LANGUAGES:
            raise Refused(400, "invalidVideoMetadata", "The request metadata is invalid.")


def tags_size(tags: Sequence[str]) -> int:
    """Commas between tags count, and quotation marks around one with a space."""
    return sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(0, len(tags) - 1)


def status(said: Mapping[str, Any], *, was_public: bool = False) -> None:
    """Of a video; or Refused."""
    at = said.get("publishAt")
    if at is not None and (said.get("privacyStatus") != "private" or was_public):
        raise Refused(400, "invalidPublishAt", "The scheduled publishing time is invalid.")


def captions(content: bytes) -> None:
    """An SRT file with a cue, its times in order; or Refused."""
    if not content:
        raise Refused(
            400, "contentRequired", "The request does not contain the caption track contents."
        )
    if len(content) > CAPTION_BYTES:
        raise Refused(413, "uploadTooLarge")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").strip()
    except UnicodeDecodeError:
        raise Refused(400, "invalidMetadata", "The captions are no UTF-8.") from None
    last = -1
    for block in re.split(r"\n{2,}", text):
        found = _CUE.fullmatch(block.strip())
        if found is None:
            raise Refused(400, "invalidMetadata", "The captions are no SRT.")
        begin, end = _milliseconds(found.groups()[:4]), _milliseconds(found.groups()[4:8])
        if begin > end or begin < last:
            raise Refused(400, "invalidMetadata", "The cues are not in order.")
        last = begin


def track(said: Mapping[str, Any]) -> None:
    """Its name and language; or Refused."""
    if len(said.get("name", "")) > TRACK_NAME:
        raise Refused(400, "nameTooLong", "The name is too long.")
    if not _BCP_47.fullmatch(said.get("language", "")):
        raise Refused(400, "invalidMetadata", "The language is no BCP 47 tag.")


def picture(content: bytes, said_type: str) -> tuple[int, int]:
    """Width and height of a whole JPEG or PNG; or Refused."""
    if not content:
        raise Refused(400, "mediaBodyRequired", "The request does not include the image content.")
    if len(content) > PICTURE_BYTES:
        raise Refused(413, "uploadTooLarge", "The picture is too large.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
                image.load()
                form, size = image.format, image.size
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError):
        raise Refused(400, "invalidImage", "The provided image content is invalid.") from None
    if said_type not in ("application/octet-stream", f"image/{(form or '').lower()}"):
        raise Refused(400, "invalidImage", f"It says {said_type} and is {form}.")
    return size


def _has_brackets(text: str) -> bool:
    return "<" in text or ">" in text


def _milliseconds(parts: Sequence[str]) -> int:
    hours, minutes, seconds, rest = map(int, parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
