"""What exists at Zoom and when: accounts, users, meetings, files.

Everything that changes is written with its time (Zoom's own, timezone-aware), so that the state at
any time is a pure function of it: what a test compares with is what the server answered from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tests.support.zoom.content import Content

T = TypeVar("T")
ALWAYS = datetime(1, 1, 1, tzinfo=UTC)

LIST_USER = "cloud_recording:read:list_user_recordings"
LIST_FILES = "cloud_recording:read:list_recording_files"
LIST_ACCOUNT = "cloud_recording:read:list_account_recordings"
USER_SCOPES = frozenset({LIST_USER, LIST_FILES})
ADMIN_SCOPES = frozenset({f"{LIST_USER}:admin", f"{LIST_FILES}:admin", f"{LIST_ACCOUNT}:admin"})


def at(history: Sequence[tuple[datetime, T]], when: datetime) -> T:
    """The newest value of a history that holds at `when`; before the first, the first."""
    place = bisect_right([since for since, _ in history], when)
    return history[max(0, place - 1)][1]


@dataclass
class App:
    """An OAuth app; `account_id` is set for Server-to-Server, whose account it belongs to."""

    client_id: str
    client_secret: str = field(repr=False)
    scopes: frozenset[str]
    account_id: str | None = None
    redirect_uris: tuple[str, ...] = ()
    disabled: bool = False


@dataclass
class Account:
    """`plan` sets the rate limits; `app` is its Server-to-Server app.

    Without `download_tokens` its files are given out for the app's own token alone.
    """

    id: str
    app: App
    owner_id: str = ""
    plan: str = "pro"
    daily_limit: int | None = None
    download_tokens: bool = True


@dataclass
class User:
    id: str
    email: str
    account_id: str
    timezone: str = "UTC"
    gone: bool = False


@dataclass
class File:
    """One recording file. Shown as `processing` from `appears_at`, `completed` from `ready_at`
    (None = never); with `hidden` it is not shown before it is ready.
    """

    start: datetime
    end: datetime
    file_type: str
    extension: str
    recording_type: str | None
    contents: list[tuple[datetime, Content]]
    ids: list[tuple[datetime, str]]
    appears_at: datetime
    ready_at: datetime | None
    gone_at: datetime | None = None
    hidden: bool = False

    def ready(self, when: datetime) -> bool:
        return self.ready_at is not None and self.ready_at <= when

    def shown(self, when: datetime) -> bool:
        if when < self.appears_at or (self.gone_at is not None and self.gone_at <= when):
            return False
        return not self.hidden or self.ready(when)

    def content(self, when: datetime) -> Content:
        return at(self.contents, when)

    def id(self, when: datetime) -> str:
        return at(self.ids, when)


@dataclass
class Meeting:
    """One instance of a meeting, with its files.

    `listed_at`: the listing knows it from then on. `details_at`: before it, its details answer 3301
    although it is listed (None = for ever). `absences`: [from, until) times in which it is in the
    trash, or gone for good. `refused`: its details answer 200 with code 200.
    """

    uuid: str
    number: int
    host_id: str
    account_id: str
    start: datetime
    duration: int
    topics: list[tuple[datetime, str]]
    timezone: str
    type: int
    listed_at: datetime
    details_at: datetime | None
    passcode: str
    files: list[File] = field(default_factory=list)
    absences: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    refused: bool = False
    listed_empty: bool = False

    def topic(self, when: datetime) -> str:
        return at(self.topics, when)

    def absent(self, when: datetime) -> bool:
        return any(since <= when and (end is None or when < end) for since, end in self.absences)

    def shown_files(self, when: datetime) -> list[File]:
        return [file for file in self.files if file.shown(when)]

    def listed(self, when: datetime) -> bool:
        if when < self.listed_at or self.absent(when):
            return False
        return self.listed_empty or bool(self.shown_files(when))

    def has_details(self, when: datetime) -> bool:
        if self.absent(when) or self.details_at is None or when < self.details_at:
            return False
        return bool(self.shown_files(when))


@dataclass
class World:
    """Everything, with the indexes that answering needs."""

    accounts: dict[str, Account] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    emails: dict[str, User] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    meetings: dict[str, Meeting] = field(default_factory=dict)
    by_host: dict[str, list[Meeting]] = field(default_factory=dict)
    by_account: dict[str, list[Meeting]] = field(default_factory=dict)
    by_number: dict[tuple[str, int], list[Meeting]] = field(default_factory=dict)
    _unsorted: set[str] = field(default_factory=set)

    def add(self, meeting: Meeting) -> None:
        if meeting.uuid in self.meetings:
            msg = f"two meetings have the UUID {meeting.uuid}"
            raise ValueError(msg)
        self.meetings[meeting.uuid] = meeting
        self.by_host.setdefault(meeting.host_id, []).append(meeting)
        self.by_account.setdefault(meeting.account_id, []).append(meeting)
        self.by_number.setdefault((meeting.account_id, meeting.number), []).append(meeting)
        self._unsorted |= {meeting.host_id, meeting.account_id}

    def user(self, name: str) -> User | None:
        """By id or by e-mail address."""
        found = self.users.get(name) or self.emails.get(name)
        return None if found is None or found.gone else found

    def between(self, whose: str, first: datetime, last: datetime) -> list[Meeting]:
        """The meetings of a host or account that began in [first, last), newest first."""
        found = self.by_host.get(whose) or self.by_account.get(whose) or []
        if whose in self._unsorted:
            found.sort(key=lambda meeting: (meeting.start, meeting.uuid))
            self._unsorted.discard(whose)
        low = bisect_right(found, first - timedelta(microseconds=1), key=lambda one: one.start)
        high = bisect_right(found, last - timedelta(microseconds=1), key=lambda one: one.start)
        return found[low:high][::-1]
