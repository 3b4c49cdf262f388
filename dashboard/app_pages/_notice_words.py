"""How notices are said on a page."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.texts import mark, t, tn
from leap_pipeline.db.models.notices import Notice
from leap_pipeline.domain.notices import NoticeKind
from leap_pipeline.services.notices import Group

KINDS: Mapping[NoticeKind, str] = {
    NoticeKind.CONNECT: mark("Connect again"),
    NoticeKind.HELD: mark("Held"),
    NoticeKind.FAILED: mark("Failed"),
    NoticeKind.READY: mark("Published"),
    NoticeKind.TEST: mark("Test"),
}
PLACES: Mapping[str, str] = {
    "DOWNLOAD": mark("the download"),
    "TRIM": mark("the cut"),
    "TRANSCRIBE": mark("the transcription"),
    "EXTRACT_TOPICS": mark("the topics"),
    "GENERATE_SUBTITLES": mark("the subtitles"),
    "YOUTUBE": "YouTube",
    "VK": "VK",
}


def kind_name(kind: NoticeKind) -> str:
    return t(KINDS[kind])


def place(about: str) -> str:
    """Where something failed."""
    return t(PLACES.get(about, about))


def why(notice: Notice) -> str:
    """What happened to the one thing that a notice is about."""
    reason = notice.reason or ""
    if notice.kind == NoticeKind.FAILED:
        return t("Failed at {where}: {reason}", where=place(notice.about), reason=reason)
    if notice.kind == NoticeKind.HELD:
        return t("Waits for your decision: {reason}", reason=reason)
    if notice.kind == NoticeKind.CONNECT:
        return t("Must be connected again: {reason}", reason=reason)
    if notice.kind == NoticeKind.READY:
        return t("Published everywhere it was to be.")
    return t("This is a test.")


def of_many(group: Group) -> str:
    """What several things have in common."""
    n = group.count
    if group.kind is NoticeKind.FAILED:
        return tn(
            "{n} recording failed at {where}",
            "{n} recordings failed at {where}",
            n,
            where=place(group.about),
        )
    if group.kind is NoticeKind.HELD:
        return tn(
            "{n} recording waits for your decision", "{n} recordings wait for your decision", n
        )
    if group.kind is NoticeKind.CONNECT:
        return tn("{n} account must be connected again", "{n} accounts must be connected again", n)
    if group.kind is NoticeKind.READY:
        return tn("{n} recording was published", "{n} recordings were published", n)
    return tn("{n} test", "{n} tests", n)
