"""Random lives of one recording: whatever happens to it, and in whatever order, the rules hold."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.deletion import DeletionReason
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.planner import PLATFORM_OF, PREPARE_ASSETS, UPLOADS, Asset
from leap_pipeline.domain.states import Phase, Platform, Stage, TargetStatus
from leap_pipeline.errors import AlreadyRunning, Superseded, UserActionError
from leap_pipeline.services import claim as claiming
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.claim import Token
from leap_pipeline.services.deletion import hard_delete, restore, soft_delete
from leap_pipeline.services.holds import hold, live_holds, release
from leap_pipeline.services.launching import Launch
from leap_pipeline.services.moves import move_target
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.steering import cancel, skip, unskip
from leap_pipeline.services.work import Begun, Work
from tests.support import postgres
from tests.support.bench import Bench, die, do, finish, path_of
from tests.support.postgres import TestServer
from tests.support.rules import MACHINES, check, install_witness, snapshot

EVENTS = 45
SEEDS = 4
SWITCHES: list[dict[str, Any]] = [
    {},
    {"video": {"remove_silence": False}},
    {"transcription": {"enable_transcription": False}},
    {"transcription": {"enable_topics": False}, "video": {"padding": 1}},
    {"video": {"padding": -1}},
]
PIECES: list[dict[str, Any]] = [
    {},
    *({"phase": Phase.PUBLISH, "platform": platform} for platform in Platform),
]


@pytest.fixture(scope="module")
def shared_database(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        install_witness(opened)
        yield opened
        opened.dispose()


@dataclass
class Worker:
    """A worker that may be living, cut off from its lock, or dead without knowing it."""

    work: Work
    begun: tuple[Asset, Begun] | None = None


@dataclass
class Life:
    bench: Bench
    dice: random.Random
    recording: int
    now: datetime = datetime(2030, 1, 1, tzinfo=UTC)
    workers: list[Worker] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    made: set[tuple[str, str, str]] = field(default_factory=set)

    def happen(self) -> None:
        events: list[tuple[Callable[[], None], int]] = [
            (self.step, 40 if self.workers else 0),
            (self.launch, 15 if self.launches else 0),
            (self.request, 8),
            (self.reconcile, 8),
            (self.by_hand, 4),
            (self.clear_the_way, 8),
            (self.die, 2),
            (self.cut, 1),
            (self.configure, 1),
            (self.permit, 1),
            (self.skip, 1),
            (self.hold, 2),
            (self.cancel, 1),
            (self.delete, 1),
            (self.retract, 3),
        ]
        (event,) = self.dice.choices([e for e, _ in events], [weight for _, weight in events])
        self.told.append(event.__name__)
        event()
        self.check()

    def request(self) -> None:
        piece = self.dice.choice(PIECES)
        force = None if piece else self.dice.choice([None, None, *Stage])
        with suppress(UserActionError):  # held, skipped, deleted, running, configured wrongly
            self.bench.request(self.recording, force, **piece)

    def prepare(self) -> None:
        work = self.bench.claim(self.recording)
        do(work)
        work.close()
        self.files = self.bench.files()

    def reconcile(self) -> None:
        self.now += timedelta(minutes=self.dice.choice([0, 1, 10]))
        report = self.bench.reconcile(self.now, lost=self.dice.random() < 0.5)
        assert report.passed_over == []
        for launch in report.launches:
            assert launch.run_key not in self.keys, "a run key was used twice"
            self.keys.add(launch.run_key)
        self.launches += report.launches

    def launch(self) -> None:
        """Any launch there ever was comes up, perhaps late, perhaps for the second time."""
        if self.launches:
            launch = self.dice.choice(self.launches[-3:])
            token = Token(launch.run_id, launch.generation)
            self._claim(token, phase=launch.phase, platform=launch.platform)

    def by_hand(self) -> None:
        piece = self.dice.choice(PIECES)
        self._claim(None, force=None if piece else self.dice.choice([None, *Stage]), **piece)

    def _claim(self, token: Token | None, **given: Any) -> None:
        try:
            work = self.bench.claim(self.recording, token, **given)
        except (AlreadyRunning, Superseded):
            return
        self.workers = [*self.workers[-3:], Worker(work)]

    def step(self) -> None:
        if not self.workers:
            return
        worker = self.dice.choice(self.workers[-2:])
        try:
            if worker.begun is None:
                self._begin(worker)
            else:
                self._go_on(worker, *worker.begun)
        except Superseded:
            self._close(worker)
        except UserActionError as wrong:
            self._refuse(worker, str(wrong))

    def _begin(self, worker: Worker) -> None:
        if self.dice.random() < 0.1:
            self._close(worker)
            return
        for asset in self._assets(worker.work):
            begun = worker.work.begin(asset)
            if begun.left_out is None:
                worker.begun = (asset, begun)
                return

    def _assets(self, work: Work) -> list[Asset]:
        if work.platform is not None:
            return [UPLOADS[work.platform]]
        return self.dice.choice([list(PREPARE_ASSETS), self.dice.sample(PREPARE_ASSETS, 2)])

    def _go_on(self, worker: Worker, asset: Asset, begun: Begun) -> None:
        worker.begun = None
        fate = self.dice.random()
        if fate < 0.6 and asset in PLATFORM_OF:
            worker.work.complete(asset, begun, target_meta={"video_id": str(fate)})
        elif fate < 0.6:
            text = f"{asset} by {worker.work.generation}"
            finish(worker.work, asset, begun, text)
            self.files[path_of(worker.work, asset)] = text
        elif fate < 0.82:
            worker.work.fail(asset, begun, "bad luck")
        elif fate < 0.92:
            worker.work.wait_until(self.now + timedelta(minutes=5), "not yet")
            self._close(worker)
        else:
            self._close(worker)

    def _refuse(self, worker: Worker, why: str) -> None:
        with suppress(Superseded):
            worker.work.fail(self._assets(worker.work)[-1], None, why)
        self._close(worker)

    def _close(self, worker: Worker) -> None:
        worker.work.close()
        self.workers.remove(worker)

    def die(self) -> None:
        """It stays in the list: a dead worker's process may turn out to have been frozen."""
        if self.workers:
            die(self.workers[-1].work)

    def cut(self) -> None:
        self.bench.cut_locks()

    def configure(self) -> None:
        self.bench.configure(self.recording, **self.dice.choice(SWITCHES))

    def permit(self) -> None:
        self.bench.permit(can_upload=self.dice.random() < 0.6)

    def skip(self) -> None:
        with self.bench.database.tenant(self.bench.user_id) as session:
            skip(session, self.recording, "by hand", actor=SYSTEM)

    def clear_the_way(self) -> None:
        """Whatever stops the recording, somebody undoes it."""
        with suppress(UserActionError), self.bench.database.system() as session:
            restore(session, self.recording, actor=SYSTEM, at=self.now)
        with self.bench.database.tenant(self.bench.user_id) as session:
            unskip(session, self.recording, actor=SYSTEM)
            for row in live_holds(session, self.recording):
                release(session, row.id, SYSTEM)

    def hold(self) -> None:
        kind, platform = self.dice.choice(list(HoldKind)), self.dice.choice([None, *Platform])
        with suppress(UserActionError), self.bench.database.tenant(self.bench.user_id) as session:
            hold(session, self.recording, kind, "wait", platform=platform, actor=SYSTEM)

    def cancel(self) -> None:
        with self.bench.database.tenant(self.bench.user_id) as session:
            cancel(session, self.recording, actor=SYSTEM)

    def delete(self) -> None:
        with suppress(UserActionError), self.bench.database.system() as session:
            reason = self.dice.choice(list(DeletionReason))
            soft_delete(session, self.recording, reason=reason, actor=SYSTEM, at=self.now)

    def retract(self) -> None:
        with self.bench.database.tenant(self.bench.user_id) as session:
            targets = lock_recording(session, self.recording).targets
            for platform, row in targets.items():
                if row.status == TargetStatus.UPLOADED:
                    move_target(session, self.recording, platform, TargetStatus.NOT_UPLOADED)
            refresh_status(session, self.recording)

    def check(self) -> None:
        found = snapshot(self.bench.database, self.recording)
        check(found)
        self.made |= found.moves
        newest: dict[str, int] = {}
        for run in found.runs:
            piece = run["target_type"] or "prepare"
            newest[piece] = max(newest.get(piece, 0), run["generation"])
        assert all(newest[piece] >= known for piece, known in self.newest.items())
        self.newest = newest
        if len(self.workers) > 1:
            valid = [worker.work.platform for worker in self.workers if self._valid(worker.work)]
            assert len(valid) == len(set(valid)), "two workers may write the same piece of work"
        assert self.bench.files() == self.files, "a file is in place that nobody committed"

    def _valid(self, work: Work) -> bool:
        work.lock.lost.clear()  # the fence has to hold without this hint
        try:
            with work.fenced():
                return True
        except Superseded:
            return False

    def end_well(self) -> None:
        """With the obstacles gone one request a piece leads to the end, whatever was before."""
        for worker in self.workers:
            die(worker.work)
        self.bench.cut_locks()
        self.bench.configure(self.recording)
        self.bench.permit(can_upload=True)
        self.reconcile_all()  # may stop an upload half-way, and hold it for that
        self.clear_the_way()
        for piece in PIECES:
            with suppress(AlreadyRunning):
                self.bench.request(self.recording, **piece)
            self.reconcile_all()
        self.check()
        found = snapshot(self.bench.database, self.recording)
        assert found.recording["status"] == "READY"
        assert {stage["status"] for stage in found.stages.values()} == {"COMPLETED"}
        assert found.live == {}

    def reconcile_all(self) -> None:
        self.now += timedelta(days=1)
        self.bench.reconcile(self.now)
        self.now += timedelta(days=1)
        for launch in self.bench.reconcile(self.now, lost=True).launches:
            token = Token(launch.run_id, launch.generation)
            work = self.bench.claim(
                self.recording, token, phase=launch.phase, platform=launch.platform
            )
            if work.platform is None:
                do(work)
                self.files = self.bench.files()
            else:
                begun = work.begin(UPLOADS[work.platform])
                if begun.left_out is None:
                    work.complete(UPLOADS[work.platform], begun)
            work.close()

    def end_for_good(self) -> None:
        """Deleted, and its time over: nothing is left but a tombstone and what is published."""
        self.delete()
        before = snapshot(self.bench.database, self.recording)
        self.now += timedelta(days=400)
        assert hard_delete(self.bench.database, self.bench.storage, self.recording, self.now)
        self.files = {}
        self.check()
        after = snapshot(self.bench.database, self.recording)
        assert after.recording["display_name"] == "(deleted)"
        assert after.targets == before.targets


@pytest.fixture(scope="module")
def moves() -> set[tuple[str, str, str]]:
    return set()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_rules_hold_whatever_happens(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, moves: set[tuple[str, str, str]], seed: int
) -> None:
    monkeypatch.setattr(claiming, "LOCK_WAIT_SECONDS", 0.0)
    life = Life(bench, random.Random(seed), bench.recording())
    for platform in Platform:
        bench.target(life.recording, platform, "NOT_UPLOADED")
    if seed % 3:
        life.prepare()
    try:
        for _ in range(EVENTS):
            life.happen()
        if seed % 2:
            life.end_for_good()
        else:
            life.end_well()
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(life.told)}")
        raise
    moves |= life.made


def test_the_lives_went_where_they_could(moves: set[tuple[str, str, str]]) -> None:
    """A life in which nothing happens would break no rule."""
    assert {machine for machine, _, _ in moves} == set(MACHINES)
    legal = [len(leads) for *_, table in MACHINES.values() for leads in table.values()]
    assert 2 * len(moves) > sum(legal)
