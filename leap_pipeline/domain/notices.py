"""Notices to the owner: their kinds, how they are said, and when they may be sent.

A night with a thousand failures is a thousand notices and a few mails: at most one a channel and a
quarter of an hour, each of all that came since the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

EVERY = timedelta(minutes=15)
# Longer than a mail or a post may take; who is killed in between lets the next one send it again.
LEASE = timedelta(minutes=5)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
# What could not be sent for so long is old news: it stands in the console.
STALE = timedelta(hours=24)
KEPT = timedelta(days=30)
LINES = 20
LISTED = 100


class NoticeKind(StrEnum):
    """`notices.kind`."""

    CONNECT = "connect"
    HELD = "held"
    FAILED = "failed"
    READY = "ready"
    TEST = "test"


CHOSEN = (NoticeKind.READY, NoticeKind.FAILED, NoticeKind.HELD, NoticeKind.CONNECT)
"""The kinds that a person chooses between."""


class Channel(StrEnum):
    """`notice_channels.channel`."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class Sending(StrEnum):
    """How far a notice is on a channel; NULL where it was not asked for."""

    DUE = "due"
    SENT = "sent"
    GIVEN_UP = "given_up"


PLACES: Mapping[str, str] = {
    "DOWNLOAD": "the download",
    "TRIM": "the cut",
    "TRANSCRIBE": "the transcription",
    "EXTRACT_TOPICS": "the topics",
    "GENERATE_SUBTITLES": "the subtitles",
    "YOUTUBE": "YouTube",
    "VK": "VK",
}
"""Where a recording failed, by `recordings.failed_at_stage`."""

_HEADINGS: Mapping[NoticeKind, str] = {
    NoticeKind.CONNECT: "Connect again",
    NoticeKind.HELD: "Held until you decide",
    NoticeKind.FAILED: "Failed",
    NoticeKind.READY: "Published",
    NoticeKind.TEST: "Test",
}


@dataclass(frozen=True)
class Told:
    """One notice: `subject` is the name of the recording or account, `about` says where or which.

    `about` is a stage or platform (failed), the kind of the hold (held), the platform (connect).
    """

    id: int
    kind: NoticeKind
    subject: str
    about: str
    reason: str | None
    recording_id: int | None
    at: datetime


def pause(attempts: int) -> timedelta:
    """How long a channel rests after so many failures in a row."""
    doubled: int = 2 ** min(max(attempts - 1, 0), 10)
    return min(LONGEST_PAUSE, FIRST_PAUSE * doubled)


def sentence(told: Told) -> str:
    """The notice on one line."""
    name, why = f"“{_line(told.subject)}”", _line(told.reason or "")
    if told.kind is NoticeKind.READY:
        return f"{name} is published."
    if told.kind is NoticeKind.FAILED:
        return f"{name} failed at {PLACES.get(told.about, told.about)}: {why}"
    if told.kind is NoticeKind.HELD:
        return f"{name} is held: {why}"
    if told.kind is NoticeKind.CONNECT:
        return f"{name} must be connected again: {why}"
    return "This is a test: notices from LEAP arrive here."


def title_of(notices: Sequence[Told]) -> str:
    """The subject of the mail."""
    if len(notices) == 1:
        return f"LEAP: {sentence(notices[0])}"[:150]
    return "LEAP: " + ", ".join(
        f"{len(found)} {_HEADINGS[kind].lower()}" for kind, found in _by_kind(notices)
    )


def text_of(notices: Sequence[Told], console: str) -> str:
    """The mail: what a person must act on comes first; `console` is LEAP's address."""
    parts = [part for kind, found in _by_kind(notices) for part in _part(kind, found, console)]
    return "\n".join([*parts, f"All notices: {console}/notices"])


def document_of(notices: Sequence[Told], console: str) -> dict[str, Any]:
    """What a webhook gets: `text` for chats, `notices` (the first 100) for programs."""
    shown = list(notices)[:LISTED]
    return {
        "title": title_of(notices),
        "text": text_of(notices, console),
        "total": len(notices),
        "notices": [
            {
                "id": each.id,
                "kind": str(each.kind),
                "subject": each.subject,
                "about": each.about,
                "reason": each.reason,
                "recording_id": each.recording_id,
                "at": each.at.isoformat(),
                "url": link_of(each, console),
            }
            for each in shown
        ],
    }


def link_of(told: Told, console: str) -> str | None:
    """The page of what the notice is about."""
    if told.recording_id is not None:
        return f"{console}/recording?id={told.recording_id}"
    return f"{console}/connections" if told.kind is NoticeKind.CONNECT else None


def _part(kind: NoticeKind, found: Sequence[Told], console: str) -> Iterator[str]:
    yield f"{_HEADINGS[kind]} ({len(found)})"
    for each in found[:LINES]:
        yield f"- {sentence(each)}"
        link = link_of(each, console)
        if link is not None:
            yield f"  {link}"
    if len(found) > LINES:
        yield f"- and {len(found) - LINES} more"
    yield ""


def _by_kind(notices: Sequence[Told]) -> list[tuple[NoticeKind, list[Told]]]:
    found = [(kind, [each for each in notices if each.kind is kind]) for kind in NoticeKind]
    return [(kind, some) for kind, some in found if some]


def _line(text: str) -> str:
    """On one line, without characters that steer a terminal or a mail."""
    return "".join(each if each.isprintable() else " " for each in text).strip()
