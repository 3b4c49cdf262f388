"""One lecture published by workers that are killed, and the truth afterwards; a case each.

The fakes are processes of their own, the workers forks of this one, the clock is moved by hand.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.orm import configure_mappers

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import MustWaitError
from tests.support import postgres
from tests.support.bench import make_bench
from tests.support.postgres import TestServer
from tests.support.publish_kills import Points, WatchedTransport, forked
from tests.support.published_truth import Difference, There, differences
from tests.support.studio import UNIT, Addresses, Studio, V, Y, lecture, studio_settings
from tests.support.vk import serve as vk_serve
from tests.support.vk.fake import FakeVK
from tests.support.youtube import faults as youtube_faults
from tests.support.youtube import serve as youtube_serve

FURTHER_RUNS = 2
FORM = 1024
"""More than a form adds to the file in it."""
CHUNKS = 4
RESENT = "sent again"

configure_mappers()  # once here, and not in every process that is forked from here


class Youtube(youtube_serve.Remote):
    """Asks by one client: a new one a question costs more than the question."""

    def __init__(self, port: int, http: httpx.Client) -> None:
        super().__init__(port)
        self._http = http

    def _ask(self, what: str, **values: Any) -> Any:
        answer = self._http.post(
            f"{self.root_url}{youtube_serve.CONTROL}", json={**values, "do": what}
        )
        return answer.raise_for_status().json()


class Vk:
    """As `vk_serve.Served`, by one client."""

    def __init__(self, served: vk_serve.Served, http: httpx.Client) -> None:
        self.http = http
        self.api = served.api
        self._root = served.root

    def ledger(self) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = self.http.get(f"{self._root}/_ledger").json()
        return read

    def videos(self) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = self.http.get(f"{self._root}/_videos").json()
        return read

    def ahead(self, by: timedelta) -> None:
        self.http.post(f"{self._root}/_ahead", json=by.total_seconds()).raise_for_status()


@dataclass(frozen=True)
class Kill:
    """Where a worker ends: at a named point, or `after` seconds; `gone`: its session with it.

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
        where = self.kill.point or f"{self.kill.after} s"
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
    vk_token: str
    album: int
    folder: Path
    ahead: timedelta = timedelta(0)
    _cases: int = 0

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def warm_up(self) -> None:
        """A run on each platform in this process: what it loads and compiles, no fork has to."""
        for platform in Platform:
            self._stage(platform, random.Random(0))
            self._work(platform, Points())
        self.database.dispose()

    def live(self, case: Case) -> Lived:
        """Publish, be killed, go on at most twice, and compare."""
        dice = random.Random(f"{case.seed} {case.platform}")
        title, size = self._stage(case.platform, dice)
        channel, playlist, since = self._begun
        first = forked(
            partial(self._work, case.platform), self.folder, case.kill.point, case.kill.after
        )
        kills, told = int(first.killed), first.told
        if first.killed and case.kill.gone:
            self._lose_session(case.platform)
        if first.killed and case.kill.again is not None:
            second = forked(partial(self._work, case.platform), self.folder, case.kill.again, None)
            kills, told = kills + second.killed, second.told
        runs = 0
        while told != "done" and runs < FURTHER_RUNS:
            self._wait(told)
            runs += 1
            told = forked(partial(self._work, case.platform), self.folder, None, None).told
        self.youtube.calm()
        if case.platform is Y:
            there, received = self._at_youtube(channel, playlist, since)
        else:
            there, received = self._at_vk(title, since)
        found = differences(self.studio, case.platform, there)
        again = max(0, received - size)
        if again > self._allowed(case, size, kills):
            found.append(Difference(RESENT, f"{again} of {size} bytes were sent again"))
        return Lived(kills, runs, again, first.seen, tuple(found))

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
            since = len(self.youtube.ledger())
        else:
            credential = studio.account(V, self.vk_token, title)
            studio.preset(V, credential, album_id=str(self.album))
            since = len(self.vk.ledger())
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

    def _at_youtube(self, channel: str, playlist: str, since: int) -> tuple[list[There], int]:
        state, ledger = self.youtube.state(), self.youtube.ledger(since)
        there = [
            There(
                each["id"],
                each["sha256"],
                each["picture"] is not None,
                len(each["tracks"]),
                state["playlists"][playlist].count(each["id"]),
            )
            for each in state["videos"]
            if each["channel"] == channel and not each["deleted"]
        ]
        received = sum(each["received"] for each in ledger if each["call"] == "session.put")
        return there, received

    def _at_vk(self, title: str, since: int) -> tuple[list[There], int]:
        there = [
            There(
                each["name"],
                each["sha256"],
                each["thumb"] is not None,
                0,
                self._albums(each["name"]).count(self.album),
            )
            for each in self.vk.videos()
            if each["title"] == title and each["sha256"] is not None
        ]
        ledger = self.vk.ledger()[since:]
        return there, sum(each["received"] for each in ledger if each["route"] == "upload")

    def _albums(self, name: str) -> list[int]:
        """As anybody else's client would ask."""
        owner, _, video = name.rpartition("_")
        form = {"target_id": owner, "owner_id": owner, "video_id": video}
        secret = {"access_token": self.vk_token, "v": "5.199"}
        url = f"{self.vk.api}/video.getAlbumsByVideo"
        found: list[int] = self.vk.http.post(url, data=form | secret).json()["response"]
        return found


@contextmanager
def matrix(server: TestServer, folder: Path) -> Iterator[Matrix]:
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
        database, workers = Database(urls), Database(urls, pooled=True)
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
        asked = Youtube(youtube.port, http)
        made = Matrix(studio, workers, asked, Vk(served, http), token, album.id, folder)
        made.warm_up()
        yield made
        workers.dispose()
        database.dispose()


def points_of(made: Matrix, platform: Platform) -> list[str]:
    """The names of all points of a run that nothing goes wrong with, in their order."""
    lived = made.live(Case(platform, 0, Kill()))
    if lived.differences:
        msg = f"a run without a kill went wrong: {lived.differences}"
        raise RuntimeError(msg)
    return list(lived.points)
