"""What commands share: the opened platform, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import DatabaseUrls
from leap_pipeline.errors import UserActionError
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
    return Platform(settings, urls, Database(urls), LocalStorage(settings.storage))


def print_json(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
