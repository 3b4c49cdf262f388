"""One lecture published by workers that are killed, and the truth afterwards; a case each.

The fakes are processes of their own, the workers forks of this one, the clock is moved by hand.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlalchemy.orm import configure_mappers

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import MustWaitError
from tests.support import postgres
from tests.support.bench import make_bench
from tests.support.postgres import TestServer
from tests.support.publish_kills import Ended, Points, WatchedTransport, forked
from tests.support.publish_platforms import Vk, Youtube
from tests.support.published_truth import Difference, differences
from tests.support.studio import UNIT, Addresses, Studio, V, Y, lecture, studio_settings
from tests.support.vk import serve as vk_serve
from tests.support.vk.fake import FakeVK
from tests.support.youtube import faults as youtube_faults
from tests.support.youtube import serve as youtube_serve

FURTHER_RUNS = 2
FORM = 1024
"""More than a form adds to the file in it."""
CHUNKS = 2
RESENT = "sent again"
DONE = "done"

configure_mappers()  # once here, and not in every process that is forked from here


@dataclass(frozen=True)
class Kill:
    """Where a worker ends: at a named point, or `after` so much of the time that a run takes.

    `gone`: its session is lost with it.
    `again`: the next one ends as well, at so many points from its beginning, if it gets there.
    """

    point: str | None = None
    after: float | None = None
    gone: bool = False
    again: int | None = None


@dataclass(frozen=True)
class Case:
    platform: Platform
    seed: int
    kill: Kill

    @property
    def name(self) -> str:
        where = self.kill.point or f"after {self.kill.after}"
        also = (" gone" if self.kill.gone else "") + (
            f" +{self.kill.again}" * bool(self.kill.again)
        )
        return f"{self.platform} {self.seed} {where}{also}"


@dataclass(frozen=True)
class Lived:
    """What became of a case: how many workers were killed, and how many runs it took after that.

    `again` are the bytes that were sent more than once.
    """

    kills: int
    runs: int
    again: int
    points: tuple[str, ...]
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "differences": [[each.kind, each.what] for each in self.differences],
        }


@dataclass
class Matrix:
    """A tenant, both fakes as processes, and one case after the other.

    Workers are forks of this process, which must have no threads. They take over `database` as it
    is after the first run: without a connection, and with every statement compiled.
    """

    studio: Studio
    database: Database
    youtube: Youtube
    vk: Vk
    folder: Path
    ahead: timedelta = timedelta(0)
    usual: float = 0.0
    """Seconds that a whole run takes here."""
    _cases: int = 0

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @contextmanager
    def ready(self) -> Iterator[None]:
        """What all cases need, until the block ends."""
        for platform in Platform:
            self.warm_up(platform)
        self.database.dispose()
        gc.collect()
        gc.freeze()  # what stays as it is need not be copied into forks
        try:
            self.usual = self._time()
            yield
        finally:
            gc.unfreeze()

    def warm_up(self, platform: Platform) -> None:
        """A run in this process: what it loads and compiles, no fork has to."""
        self._stage(platform, random.Random(0))
        self._work(platform, Points())

    def _time(self) -> float:
        """Seconds of a run."""
        self._stage(Y, random.Random(0))
        began = time.monotonic()
        self.run(Y)
        return time.monotonic() - began

    def live(self, case: Case) -> Lived:
        """Publish, be killed, go on as often as it may take, and compare."""
        platform, kill = case.platform, case.kill
        title, size = self._stage(platform, random.Random(f"{case.seed} {platform}"))
        channel, playlist, since = self._begun
        after = None if kill.after is None else kill.after * self.usual
        first = self.run(platform, kill.point, after)
        kills, told = int(first.killed), first.told
        if first.killed and kill.gone:
            self._lose_session(platform)
        if first.killed and kill.again is not None:
            self._wait(told)
            second = self.run(platform, kill.again)
            kills, told = kills + second.killed, second.told
        runs = 0
        while told != DONE and runs < FURTHER_RUNS:
            self._wait(told)
            runs += 1
            told = self.run(platform).told
        self.youtube.calm()
        if platform is Y:
            there, received = self.youtube.there(channel, playlist, since)
        else:
            there, received = self.vk.there(title, since)
        found = differences(self.studio, platform, there)
        again = max(0, received - size)
        if again > self._allowed(case, size, kills):
            found.append(Difference(RESENT, f"{again} of {size} bytes were sent again"))
        return Lived(kills, runs, again, first.seen, tuple(found))

    def run(
        self, platform: Platform, fatal: str | int | None = None, seconds: float | None = None
    ) -> Ended:
        """A worker to its end; it tells "done", "waiting" and until when, or what else it ended as.

        Where it was killed it may have told nothing.
        """
        return forked(partial(self._work, platform), self.folder, fatal, seconds)

    def _allowed(self, case: Case, size: int, kills: int) -> int:
        """One chunk a kill while YouTube's session lived, else one file."""
        row = self.studio.upload(case.platform)
        if case.platform is V:
            return FORM + kills * (size + FORM)
        return kills * (UNIT if row is not None and row.generation == 1 else size)

    def _stage(self, platform: Platform, dice: random.Random) -> tuple[str, int]:
        """A lecture and an account of its own."""
        self._cases += 1
        title, studio = f"Case {self._cases}", self.studio
        channel, playlist = "", ""
        studio.presets.clear()
        if platform is Y:
            channel, playlist = self.youtube.add_channel(title)
            token = self.youtube.add_grant(channel, project=title)
            self.youtube.set(lag=dice.choice([0, 60, 240]))
            studio.preset(Y, studio.account(Y, token, title), playlist_id=playlist)
            since = self.youtube.next_entry()
        else:
            credential = studio.account(V, self.vk.token, title)
            studio.preset(V, credential, album_id=str(self.vk.album))
            since = self.vk.next_entry()
        size = CHUNKS * UNIT + dice.randrange(1, UNIT)
        studio.prepare(size=size, seed=self._cases, name="Case")
        self._begun = channel, playlist, since
        return title, size

    def _work(self, platform: Platform, points: Points) -> str:
        """A run, in whatever process."""
        transport = WatchedTransport(points, httpx.HTTPTransport(verify=False))
        with httpx.Client(transport=transport, timeout=30) as http:
            studio = replace(
                self.studio,
                bench=replace(self.studio.bench, database=self.database),
                http=http,
                clock=self.clock,
                sleep=self._sleep,
            )
            found = studio.publish(platform)
        if isinstance(found.error, MustWaitError):
            return f"waiting {found.due_at.isoformat()}"
        return found.state if found.error is None else f"{found.state} {found.error}"

    def _sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def _wait(self, told: str) -> None:
        state, _, due = told.partition(" ")
        if state == "waiting":
            self._advance(datetime.fromisoformat(due) - self.clock() + timedelta(seconds=1))

    def _advance(self, by: timedelta) -> None:
        if by > timedelta(0):
            self.ahead += by
            self.youtube.advance(by)
            self.vk.ahead(by)

    def _lose_session(self, platform: Platform) -> None:
        if platform is Y:
            self.youtube.fail(youtube_faults.gone("session.probe"))
        else:
            self._advance(timedelta(hours=25))


M = TypeVar("M", bound=Matrix)


@contextmanager
def matrix(server: TestServer, folder: Path, kind: type[M]) -> Iterator[M]:
    """All that cases need, with nothing in it."""
    vk = FakeVK()
    vk.rules.saves_a_day = 10**6
    person = vk.world.add_person()
    album, token = vk.world.add_album(person.id), vk.world.grant(person).value
    lecture()  # before there is anything to be copied into forks
    with ExitStack() as stack:
        url = stack.enter_context(server.database())
        youtube = stack.enter_context(youtube_serve.process())
        served = stack.enter_context(vk_serve.process(vk, folder))
        addresses = Addresses(youtube.root_url, served.api)
        urls = postgres.urls_of(url)
        database, workers = Database(urls, pooled=True), Database(urls, pooled=True)
        for each in (database, workers):
            each._engine.pool._pre_ping = False  # no server is started again here
            stack.callback(each.dispose)
        # Plain HTTP to this machine: certificates would be read for nothing.
        http = stack.enter_context(httpx.Client(verify=False, timeout=60))
        studio = Studio(
            make_bench(database, folder / "storage"),
            studio_settings(folder / "home", addresses),
            addresses,
            lambda: datetime.now(UTC),
            lambda _seconds: None,
            http,
        )
        asked = Youtube(youtube.port, http), Vk(served, http, album.id, token)
        made = kind(studio, workers, *asked, folder)
        with made.ready():
            yield made


def points_of(made: Matrix, platform: Platform) -> list[str]:
    """The names of all points of a run that nothing goes wrong with, in their order."""
    lived = made.live(Case(platform, 0, Kill()))
    if lived.differences:
        msg = f"a run without a kill went wrong: {lived.differences}"
        raise RuntimeError(msg)
    return list(lived.points)
