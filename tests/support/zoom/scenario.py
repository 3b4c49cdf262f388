"""What a test says of the world at Zoom: who is there, what was recorded, what happens when."""

from __future__ import annotations

import base64
import random
import threading
import uuid as uuids
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.support.zoom.clock import Clock
from tests.support.zoom.content import Content
from tests.support.zoom.tokens import Tokens
from tests.support.zoom.world import (
    ADMIN_SCOPES,
    ALWAYS,
    USER_SCOPES,
    Account,
    App,
    File,
    Meeting,
    User,
    World,
)

MEGABYTE = 1 << 20
BEST = "shared_screen_with_speaker_view"
REDIRECT = "https://leap.example.org/oauth/zoom"
_EXTENSIONS = {"CHAT": "TXT", "TRANSCRIPT": "VTT", "CC": "VTT", "TIMELINE": "JSON", "TB": "JSON"}


class Scenario:
    """Times are Zoom's; what is not said happens now. `seed` makes ids and UUIDs the same again."""

    def __init__(
        self,
        clock: Callable[[], datetime] | None = None,
        *,
        skew: timedelta = timedelta(0),
        seed: int = 0,
    ) -> None:
        self.clock = clock if clock is not None else Clock()
        self.skew = skew
        self.random = random.Random(seed)
        self.world = World()
        self.tokens = Tokens(self.world)
        self.files: dict[str, tuple[Meeting, File]] = {}
        self._lock = threading.RLock()

    def now(self) -> datetime:
        """Zoom's time: ours and the skew between the two."""
        return self.clock() + self.skew

    def add_account(
        self, *, plan: str = "pro", scopes: frozenset[str] = ADMIN_SCOPES, email: str | None = None
    ) -> Account:
        """An account with its owner and a Server-to-Server app (`account.app`)."""
        with self._lock:
            account_id = self._name(22)
            app = App(self._name(22), self._name(32), scopes, account_id=account_id)
            account = Account(account_id, app, plan=plan)
            self.world.accounts[account_id] = account
            self.world.apps[app.client_id] = app
            account.owner_id = self.add_user(account, email=email).id
            return account

    def add_user(
        self, account: Account, *, email: str | None = None, timezone: str = "UTC"
    ) -> User:
        with self._lock:
            user_id = self._name(22)
            address = email or f"user{len(self.world.users) + 1}@example.org"
            user = User(user_id, address, account.id, timezone)
            self.world.users[user_id] = user
            self.world.emails[address] = user
            return user

    def owner(self, account: Account) -> User:
        return self.world.users[account.owner_id]

    def add_app(
        self,
        *,
        scopes: frozenset[str] = USER_SCOPES,
        redirect_uris: tuple[str, ...] = (REDIRECT,),
    ) -> App:
        """An app that users authorise."""
        app = App(self._name(22), self._name(32), scopes, redirect_uris=redirect_uris)
        self.world.apps[app.client_id] = app
        return app

    def authorize(
        self, app: App, user: User, *, redirect_uri: str = REDIRECT, challenge: str | None = None
    ) -> str:
        """The user's consent: the code that the browser brings back."""
        with self._lock:
            return self.tokens.authorize(app, user, redirect_uri, challenge, self.now())

    def grant(self, app: App, user: User | None = None) -> dict[str, object]:
        """The token endpoint's answer without asking it; an S2S app's token is its owner's."""
        with self._lock:
            if user is None:
                user = self.world.users[self.world.accounts[app.account_id or ""].owner_id]
            return self.tokens.issue(app, self.world.accounts[user.account_id], user, self.now())

    def add_meeting(
        self,
        host: User,
        *,
        topic: str = "Lecture",
        start: datetime | None = None,
        duration: int = 90,
        uuid: str | None = None,
        number: int | None = None,
        type: int = 2,  # noqa: A002 - Zoom's name
        listed_at: datetime | None = None,
        details_at: datetime | None = ALWAYS,
    ) -> Meeting:
        """A meeting of `duration` minutes, without files as yet."""
        with self._lock:
            began = (start or self.now()).replace(microsecond=0)
            meeting = Meeting(
                uuid=uuid or self.uuid(),
                number=number or self.random.randrange(10**9, 10**11),
                host_id=host.id,
                account_id=host.account_id,
                start=began,
                duration=duration,
                topics=[(ALWAYS, topic)],
                timezone=host.timezone,
                type=type,
                listed_at=listed_at or ALWAYS,
                details_at=details_at,
                passcode=f"pass-{self._name(12)}",
            )
            self.world.add(meeting)
            return meeting

    def add_file(
        self,
        meeting: Meeting,
        *,
        start: datetime | None = None,
        minutes: float | None = None,
        size: int | None = None,
        content: Content | None = None,
        recording_type: str | None = BEST,
        file_type: str = "MP4",
        appears_at: datetime | None = None,
        ready_at: datetime | None = ALWAYS,
        hidden: bool = False,
        id: str | None = None,  # noqa: A002 - Zoom's name
    ) -> File:
        """A file of the part that began at `start` (default: with the meeting)."""
        with self._lock:
            began = (start or meeting.start).replace(microsecond=0)
            length = timedelta(minutes=meeting.duration if minutes is None else minutes)
            made = Content(200 * MEGABYTE if size is None else size, len(self.files) + 1)
            file = File(
                start=began,
                end=(began + length).replace(microsecond=0),
                file_type=file_type,
                extension=_EXTENSIONS.get(file_type, file_type),
                recording_type=recording_type,
                contents=[(ALWAYS, content or made)],
                ids=[(ALWAYS, id or self._file_id())],
                appears_at=appears_at or ALWAYS,
                ready_at=ready_at,
                hidden=hidden,
            )
            meeting.files.append(file)
            self.files[file.ids[0][1]] = (meeting, file)
            return file

    def add_recording(self, host: User, *, topic: str = "Lecture", **values: object) -> Meeting:
        """A meeting with one ready MP4; `values` go to the meeting or to the file by their name."""
        of_meeting = {"start", "duration", "uuid", "number", "type", "listed_at", "details_at"}
        mine = {name: value for name, value in values.items() if name in of_meeting}
        files = {name: value for name, value in values.items() if name not in of_meeting}
        meeting = self.add_meeting(host, topic=topic, **mine)  # type: ignore[arg-type]
        self.add_file(meeting, **files)  # type: ignore[arg-type]
        return meeting

    def rename(self, meeting: Meeting, topic: str, *, at: datetime | None = None) -> None:
        meeting.topics.append((at or self.now(), topic))
        meeting.topics.sort(key=lambda change: change[0])

    def finish(self, file: File, *, at: datetime | None = None) -> None:
        """The file becomes `completed`."""
        file.ready_at = at or self.now()

    def change(
        self, file: File, content: Content, *, at: datetime | None = None, new_id: bool = False
    ) -> None:
        """Other bytes under the same address, or under a new id."""
        with self._lock:
            when = at or self.now()
            file.contents.append((when, content))
            if new_id:
                fresh = self._file_id()
                file.ids.append((when, fresh))
                self.files[fresh] = self.files[file.ids[0][1]]

    def remove_file(self, file: File, *, at: datetime | None = None) -> None:
        file.gone_at = at or self.now()

    def delete(
        self, meeting: Meeting, *, at: datetime | None = None, until: datetime | None = None
    ) -> None:
        """Off the listing, details answer 3301; back at `until` (from the trash) if that is set."""
        meeting.absences.append((at or self.now(), until))

    def uuid(self, kind: str = "any") -> str:
        """A new UUID: `slash` begins with one, `double` has two in a row, `plain` has none."""
        wanted: dict[str, Callable[[str], bool]] = {
            "any": lambda _text: True,
            "plain": lambda text: "/" not in text,
            "slash": lambda text: text.startswith("/"),
            "double": lambda text: "//" in text[1:] and not text.startswith("/"),
            "inside": lambda text: "/" in text[1:] and "//" not in text and text[0] != "/",
        }
        while True:
            raw = bytearray(self.random.randbytes(16))
            if kind == "slash":
                raw[0] |= 0xFC
            if kind == "double":
                raw[3], raw[4], raw[5] = 0xFF, 0xFF, 0xFF
            text = base64.b64encode(bytes(raw)).decode()
            if wanted[kind](text) and text not in self.world.meetings:
                return text

    def _name(self, length: int) -> str:
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
        return "".join(self.random.choices(letters, k=length))

    def _file_id(self) -> str:
        return str(uuids.UUID(int=self.random.getrandbits(128), version=4))
