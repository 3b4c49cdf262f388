"""What commands share: the opened platform, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.users import User
from leap_pipeline.db.urls import DatabaseUrls
from leap_pipeline.domain.identity import partition_key, recording_of
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.security.keys import ensure_keys
from leap_pipeline.settings import Settings, load_settings
from leap_pipeline.storage.local import LocalStorage


@dataclass(frozen=True)
class Platform:
    """Settings, a migrated database and the storage."""

    settings: Settings
    urls: DatabaseUrls
    database: Database
    storage: LocalStorage


def open_platform() -> Platform:
    """Start what must be started and migrate; raises a `LeapError` that says what is wrong."""
    settings = load_settings()
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{settings.home} cannot be made ({error.strerror}): set LEAP_HOME to another folder."
        raise UserActionError(msg) from error
    urls = prepare(settings)
    ensure_keys(settings)
    return Platform(settings, urls, Database(urls), LocalStorage(settings.storage))


def known_recording(platform: Platform, text: str) -> int:
    """The recording of a number or a partition, whose owner's slug must be right too."""
    number = recording_of(text)
    with platform.database.system() as session:
        slug = session.scalar(
            select(User.user_slug)
            .join(Recording, Recording.user_id == User.id)
            .where(Recording.id == number)
        )
    if slug is None or ("-" in text and text != partition_key(slug, number)):
        msg = f"There is no recording {text}: `leap status` lists the ones there are."
        raise InputError(msg)
    return number


def print_json(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
