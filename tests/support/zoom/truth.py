"""What should be recorded of a generated account, and how what is recorded differs from it.

Nothing here uses the product's own rules: the order of views, what is blank, the keys and the names
are written down a second time, from the description of the product.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.support.zoom.lives import DAY, MEBIBYTE, VIEWS, Life
from tests.support.zoom.world import File, Meeting

BLANK_SECONDS, BLANK_BYTES = 20 * 60, 25 * MEBIBYTE


@dataclass(frozen=True)
class Row:
    """A recording as the database has it; `key` is that of its source."""

    id: int
    key: str
    name: str
    status: str
    download: str
    skip_reason: str | None
    blank: bool
    start: datetime
    seconds: int
    size: int | None
    delete_state: str
    meta: Mapping[str, Any] | None

    @property
    def uuid(self) -> str:
        return self.key.split("@")[0]


@dataclass(frozen=True)
class Difference:
    """`kind` is missed, doubled, stuck or wrong."""

    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


def differences(
    life: Life, rows: Sequence[Row], *, seen: set[int], history_days: int
) -> list[Difference]:
    """How the recordings of a life differ from the truth at its end.

    `seen` are the ids of all recordings that were there after some poll: none may be gone.
    """
    of_meeting: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of_meeting[row.uuid].append(row)
    found = [Difference("missed", f"recording {gone} is gone") for gone in seen - _ids(rows)]
    hosts = {host.id for host in life.read_hosts}
    first_day = life.first_day(history_days)
    for meeting in life.fake.world.meetings.values():
        here = of_meeting.pop(meeting.uuid, [])
        if meeting.host_id in hosts and meeting.start >= first_day:
            found += _of_meeting(life, meeting, here)
        else:
            found += [Difference("wrong", f"{row.key} is not of this source") for row in here]
    found += [Difference("wrong", f"{uuid} is no meeting's") for uuid in of_meeting]
    return found


def _ids(rows: Sequence[Row]) -> set[int]:
    return {row.id for row in rows}


def _of_meeting(life: Life, meeting: Meeting, rows: Sequence[Row]) -> Iterator[Difference]:
    ends = life.ends + life.fake.skew
    parts = videos(meeting)
    by_key = {row.key: row for row in rows}
    told = f"{meeting.uuid} ({meeting.topic(ends)[:30]!r}, {meeting.start:%m-%d %H:%M})"
    for key in by_key.keys() - {*parts, meeting.uuid}:
        yield Difference("doubled", f"{told}: {key} is no part of it")
    if meeting.uuid in by_key and len(rows) > 1:
        yield Difference("doubled", f"{told}: a placeholder beside its parts")
    yield from _stuck(rows, told)
    yield from _names(life, meeting, rows, told)
    if not meeting.listed(ends):
        return
    shown = {key: [file for file in files if file.shown(ends)] for key, files in parts.items()}
    shown = {key: files for key, files in shown.items() if files}
    for key in shown.keys() - by_key.keys():
        yield Difference("missed", f"{told}: {key}")
    if not shown and not rows:
        yield Difference("missed", f"{told}: no placeholder")
    for key, files in shown.items():
        if key in by_key:
            yield from _of_part(by_key[key], files, ends, told)


def videos(meeting: Meeting) -> dict[str, list[File]]:
    """The files of each part that has a video, by its key, in the order of the parts."""
    found: dict[str, list[File]] = {}
    for file in sorted(meeting.files, key=lambda file: file.start):
        if file.file_type == "MP4":
            key = f"{meeting.uuid}@{file.start:%Y-%m-%dT%H:%M:%SZ}"
            found.setdefault(key, []).append(file)
    return found


def best_view(files: Sequence[File], when: datetime) -> File | None:
    """The best that is ready, larger before smaller; None while none is."""
    ready = [file for file in files if file.ready(when)]
    ranks = {view: rank for rank, view in enumerate(VIEWS)}
    unknown = ranks["hologram"]
    return min(
        ready,
        key=lambda file: (
            min(ranks.get(file.recording_type, unknown), unknown),
            -file.content(when).size,
        ),
        default=None,
    )


def _of_part(row: Row, files: Sequence[File], when: datetime, told: str) -> Iterator[Difference]:
    best = best_view(files, when)
    if row.delete_state != "active" or best is None:
        return
    if row.download == "PENDING_SOURCE":
        yield Difference("stuck", f"{told}: {row.key} waits, its file is ready")
        return
    size, seconds = best.content(when).size, round((best.end - best.start).total_seconds())
    blank = seconds < BLANK_SECONDS or size < BLANK_BYTES
    said = {
        "status": (row.status, "SKIPPED" if blank else "INITIALIZED"),
        "blank": (row.blank, blank),
        "start": (row.start, best.start),
        "seconds": (row.seconds, seconds),
        "size": (row.size, size),
    }
    if not _equal_views(files, best, when):
        said["view"] = (((row.meta or {}).get("view") or {}).get("file_id"), best.id(when))
    for name, (is_, should) in said.items():
        if is_ != should:
            kind = "stuck" if name == "status" and row.status == "PENDING_SOURCE" else "wrong"
            why = f" ({row.skip_reason})" if name == "status" else ""
            yield Difference(kind, f"{told}: {row.key} {name} is {is_}{why}, not {should}")


def _equal_views(files: Sequence[File], best: File, when: datetime) -> bool:
    """Are there two that are equally good? Then either will do."""
    others = [file for file in files if file is not best]
    return any(
        best_view([best, other], when) is best and best_view([other, best], when) is other
        for other in others
        if other.ready(when)
    )


def _stuck(rows: Sequence[Row], told: str) -> Iterator[Difference]:
    """A day after everything has happened nothing may wait."""
    for row in rows:
        waits = "PENDING_SOURCE" in (row.status, row.download) and row.status != "SKIPPED"
        if waits and row.delete_state == "active":
            yield Difference("stuck", f"{told}: {row.key} is {row.status}")


def _names(life: Life, meeting: Meeting, rows: Sequence[Row], told: str) -> Iterator[Difference]:
    """The name is today's where the part is listed, else one that the meeting had."""
    ends = life.ends + life.fake.skew
    fresh = meeting.listed(ends) and meeting.start > life.begins - DAY
    removed = {key for key, files in videos(meeting).items() if not files[0].shown(ends)}
    numbers = []
    for row in sorted(rows, key=lambda row: row.start):
        strict = fresh and row.key not in removed
        topics = [meeting.topic(ends)] if strict else [topic for _, topic in meeting.topics]
        names = [life.topics[topic] for topic in topics]
        number = next((_number(row.name, name) for name in names if _number(row.name, name)), None)
        if number is None:
            yield Difference("wrong", f"{told}: {row.key} is called {row.name[:60]!r}")
        else:
            numbers += [number] if row.key not in removed else []
    if numbers != sorted(set(numbers)):
        yield Difference("wrong", f"{told}: its parts are numbered {numbers}")
    whole = all(file.gone_at is None for file in meeting.files)
    if fresh and whole and numbers != list(range(1, len(numbers) + 1)):
        yield Difference("wrong", f"{told}: its parts are numbered {numbers}")


def _number(shown: str, name: str) -> int | None:
    if shown == name:
        return 1
    for number in range(2, 9):
        behind = f" (part {number})"
        if shown == name[: 500 - len(behind)].rstrip() + behind:
            return number
    return None
