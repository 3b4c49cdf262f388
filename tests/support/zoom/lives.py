"""Generated Zoom accounts: what was recorded, what happens to it, and when it is synced.

`Life(seed)` is always the same for a seed. Everything that is hard to sync is in it: UUIDs with
slashes, names that repeat or cannot be seen, several parts, views that come late, files in the
making that become ready or never do, renames, deletions with and without a way back, histories of
more than a month, meetings at midnight and on the days when clocks change, clocks that differ.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.support.zoom.clock import Clock
from tests.support.zoom.content import Content
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.world import ALWAYS, Account, App, Meeting, User

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MEBIBYTE = 1 << 20
UNIX_DAY = datetime(2026, 1, 1, tzinfo=UTC)
# The night before clocks change in New York or Berlin, and days without anything special.
BEGINNINGS = tuple(
    datetime(2026, month, day, 20, tzinfo=UTC)
    for month, day in ((3, 7), (3, 28), (10, 24), (10, 31), (1, 30), (6, 14), (12, 30))
)
ZONES = ("America/New_York", "Europe/Berlin", "Asia/Tashkent", "UTC")
# What Zoom says, and what is shown.
TOPICS = (
    ("Linear algebra", "Linear algebra"),
    ("Linear algebra", "Linear algebra"),
    ("Linear\u200b algebra", "Linear algebra"),
    ("  Databases\t2 ", "Databases 2"),
    ("Лекция 1. Графы", "Лекция 1. Графы"),
    ("\u202eOffice hours\u2069", "Office hours"),
    ("Cafe\u0301", "Café"),
    ("Algebra (part 2)", "Algebra (part 2)"),
    ("", "Untitled"),
    ("x" * 600, "x" * 500),
    ("光合成 🌱", "光合成 🌱"),
    ("100% <b>“done”</b> -- '; DROP", "100% <b>“done”</b> -- '; DROP"),
)
# Best first; the last are unknown to everybody.
VIEWS = (
    "shared_screen_with_speaker_view",
    "shared_screen_with_speaker_view(CC)",
    "shared_screen_with_gallery_view",
    "shared_screen",
    "active_speaker",
    "gallery_view",
    "production_studio",
    "host_video",
    "hologram",
    None,
)
# How soon a video is there, and how often that is.
FATES = {"at once": 50, "soon": 20, "unseen": 10, "after a day": 5, "never": 5, "audio only": 4}
SHARES = {
    "renamed": 0.2,
    "deleted": 0.1,
    "late view": 0.2,
    "part removed": 0.04,
    "listed late": 0.1,
}


@dataclass(frozen=True)
class Mishap:
    """What goes wrong during a poll, at the request or transaction `number` of it."""

    kind: str
    number: int


@dataclass(frozen=True)
class Poll:
    at: datetime
    mishaps: tuple[Mishap, ...] = ()


@dataclass
class Life:
    """One account from `begins` on: `polls` are by our clock, all else by Zoom's."""

    seed: int
    begins: datetime
    sync_from: datetime | None
    reads: str
    """Whose recordings the source reads: account, host, user, oauth."""
    fake: FakeZoom
    clock: Clock
    account: Account
    app: App
    hosts: list[User]
    topics: dict[str, str] = field(default_factory=dict)
    """What is shown for each topic."""
    polls: list[Poll] = field(default_factory=list)

    @property
    def read_hosts(self) -> list[User]:
        return self.hosts if self.reads == "account" else self.hosts[:1]

    @property
    def ends(self) -> datetime:
        return self.polls[-1].at

    def first_day(self, history_days: int) -> datetime:
        """Midnight (UTC) from which the source's history is read."""
        first = self.sync_from or self.polls[0].at - timedelta(days=history_days)
        return first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def make_life(seed: int) -> Life:
    pick = random.Random(f"life {seed}")
    begins = pick.choice(BEGINNINGS) + timedelta(minutes=pick.randrange(0, 720))
    clock = Clock(begins)
    skew = timedelta(seconds=pick.uniform(-300, 300))
    fake = FakeZoom(clock, skew=skew, seed=seed)
    fake.most_per_page = pick.choice((1, 2, 5, 300))
    account = fake.add_account(email=f"owner{seed}@zoom.example.org")
    reads = pick.choice(("account", "account", "host", "user", "oauth"))
    app = fake.add_app() if reads == "oauth" else account.app
    mates = [
        fake.add_user(account, email=f"{name}{seed}@zoom.example.org", timezone=pick.choice(ZONES))
        for name in ("ada", "bob")
    ]
    hosts = [fake.owner(account), *mates[: pick.randrange(0, 3)]]
    sync_from = begins - timedelta(days=pick.randrange(0, 100)) if pick.random() < 0.7 else None
    life = Life(seed, begins, sync_from, reads, fake, clock, account, app, hosts)
    _History(life, pick).write()
    return life


class _History:
    """Writes a life's meetings and polls."""

    def __init__(self, life: Life, pick: random.Random) -> None:
        self.life, self.pick, self.fake = life, pick, life.fake
        self.last = life.begins
        self.numbers = [pick.randrange(10**9, 10**11) for _ in range(3)]

    def write(self) -> None:
        for _ in range(self.pick.choice((2, 5, 8, 12))):
            self._meeting(self._start())
        self._polls()

    def _start(self) -> datetime:
        """In the history, in the first day, or at a midnight of it."""
        pick, begins = self.pick, self.life.begins
        if pick.random() < 0.4:
            # Without a day to begin with the history is that of the first sync that gets through.
            since = self.life.sync_from
            oldest = 25 if since is None else (begins - since) / DAY + 2
            return begins - timedelta(seconds=pick.uniform(DAY.total_seconds(), oldest * 86_400))
        start = begins + timedelta(seconds=pick.uniform(-6, 24) * 3600)
        if pick.random() < 0.2:
            midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
            start = midnight + pick.choice((timedelta(0), timedelta(seconds=-1)))
        return start

    def _meeting(self, start: datetime) -> None:
        pick, fake = self.pick, self.fake
        fate = pick.choices(list(FATES), list(FATES.values()))[0]
        recent = start > self.life.begins - DAY
        fate = fate if recent else "at once"
        kind = pick.choice(("any", "plain", "inside", "slash", "slash", "double"))
        shares = pick.choices((1, 2, 3, 5), (70, 20, 7, 3))[0]
        lengths = [pick.choice((1, 15, 20, 45, 90, 180)) for _ in range(shares)]
        meeting = fake.add_meeting(
            pick.choice(self.life.hosts),
            topic=self._topic(),
            start=start,
            duration=sum(lengths),
            uuid=fake.uuid(kind),
            number=pick.choice([*self.numbers, pick.randrange(10**9, 10**11)]),
        )
        began = meeting.start + timedelta(seconds=pick.randrange(0, 600))
        for minutes in lengths:
            ended = began + timedelta(minutes=minutes)
            self._part(meeting, began, minutes, fate)
            began = ended + timedelta(seconds=pick.randrange(1, 3600))
        meeting.listed_at = min(file.appears_at for file in meeting.files)
        if recent:
            self.last = max(self.last, *(file.end for file in meeting.files))
            self._events(meeting, fate)
        elif pick.random() < SHARES["deleted"]:
            fake.delete(meeting, at=self._later(self.life.begins))

    def _part(self, meeting: Meeting, began: datetime, minutes: int, fate: str) -> None:
        pick, fake = self.pick, self.fake
        ended = began + timedelta(minutes=minutes)
        if fate == "audio only" or pick.random() < 0.4:
            fake.add_file(
                meeting,
                start=began,
                minutes=minutes,
                file_type="M4A",
                recording_type="audio_only",
                appears_at=ended,
                size=pick.randrange(10**5, 10**8),
            )
        if fate == "audio only":
            return
        ready = self._ready(ended, fate)
        late = ended > self.life.begins - DAY and pick.random() < SHARES["late view"]
        for number in range(pick.choice((1, 1, 2, 3))):
            later = late and number > 0 and ready is not None
            appears = self._until(ready or ended, 16 * HOUR) if later else ended
            fake.add_file(
                meeting,
                start=began,
                minutes=minutes,
                recording_type=pick.choice(VIEWS),
                content=Content(self._size(), seed=number),
                appears_at=appears,
                ready_at=appears if later else ready,
                hidden=fate == "unseen",
            )

    def _size(self) -> int:
        blank = 25 * MEBIBYTE
        around = (1000, blank - 1, blank, blank + 1)
        return self.pick.choice(
            (*around, *(self.pick.randrange(blank, 40 * blank) for _ in "123456"))
        )

    def _ready(self, ended: datetime, fate: str) -> datetime | None:
        spans = {"soon": (0.1, 5), "unseen": (0.1, 20), "after a day": (24, 30)}
        if fate == "never":
            return None
        low, high = spans.get(fate, (0, 0))
        ready = ended + timedelta(hours=self.pick.uniform(low, high))
        self.last = max(self.last, ready)
        return ready

    def _events(self, meeting: Meeting, fate: str) -> None:
        pick, fake = self.pick, self.fake
        if fate in ("soon", "after a day") and pick.random() < 0.5:
            meeting.details_at = min(file.ready_at or ALWAYS for file in meeting.files)
        if fate == "never" and pick.random() < 0.5:
            meeting.details_at = None
        if pick.random() < SHARES["listed late"]:
            meeting.listed_at = self._until(meeting.listed_at, 16 * HOUR)
        if pick.random() < SHARES["renamed"]:
            for _ in range(pick.choice((1, 2))):
                fake.rename(meeting, self._topic(empty=False), at=self._later(meeting.listed_at))
        if pick.random() < SHARES["part removed"]:
            gone, when = pick.choice(meeting.files).start, self._later(meeting.listed_at)
            for file in meeting.files:
                if file.start == gone:
                    fake.remove_file(file, at=when)
        if pick.random() < SHARES["deleted"]:
            when = self._later(meeting.listed_at)
            back = pick.random() < 0.5
            fake.delete(meeting, at=when, until=self._until(when, 20 * HOUR) if back else None)

    def _topic(self, *, empty: bool = True) -> str:
        raw, shown = self.pick.choice(TOPICS if empty else [each for each in TOPICS if each[0]])
        self.life.topics[raw] = shown
        return raw

    def _until(self, start: datetime, longest: timedelta) -> datetime:
        found = start + longest * self.pick.random()
        self.last = max(self.last, found)
        return found

    def _later(self, start: datetime) -> datetime:
        """During the life, after `start`."""
        return self._until(max(start, self.life.begins), 24 * HOUR)

    def _polls(self) -> None:
        """Gaps of minutes to a day until everything has happened, then a day in peace."""
        pick, when = self.pick, self.life.begins
        gaps = (0.2, 2, 9, 16) if pick.random() < 0.1 else (0.2, 24, 30, 30)
        polls = [Poll(when, self._mishaps())]
        while when < self.last + timedelta(minutes=10):
            when += timedelta(hours=pick.choice(gaps) * pick.uniform(0.6, 1))
            polls.append(Poll(when, self._mishaps()))
        # A grant that ended with a worker is only found out by the first poll in peace.
        peace = (0.5, 1, 26) if self.life.reads == "oauth" else (0.5, 25)
        self.life.polls = [*polls, *(Poll(when + timedelta(hours=hours)) for hours in peace)]

    def _mishaps(self) -> tuple[Mishap, ...]:
        pick = self.pick
        kinds = (
            "killed before request",
            "killed before commit",
            "killed after commit",
            "slow reader",
            "second worker",
            "pages die",
            "503",
            "429",
            "lost answer",
        )
        if pick.random() < 0.5:
            return ()
        number = pick.randrange(1, 8)
        return (Mishap(pick.choice(kinds), number),)
