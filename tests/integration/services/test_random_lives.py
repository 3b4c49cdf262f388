"""Random lives of one recording: whatever happens to it, and in whatever order, the rules hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leap_pipeline.domain.planner import PREPARE_ASSETS, Asset
from leap_pipeline.domain.states import Stage
from leap_pipeline.errors import AlreadyRunning, Superseded, UserActionError
from leap_pipeline.services import claim as claiming
from leap_pipeline.services.claim import Token
from leap_pipeline.services.reconcile import Launch
from leap_pipeline.services.work import Begun, Work
from tests.support.bench import Bench, die, do, finish, path_of

EVENTS = 45
LIVE = ("queued", "running", "waiting")
SWITCHES: list[dict[str, Any]] = [
    {},
    {"video": {"remove_silence": False}},
    {"transcription": {"enable_transcription": False}},
    {"transcription": {"enable_topics": False}, "video": {"padding": 1}},
    {"video": {"padding": -1}},
]


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
    newest: int = 0
    told: list[str] = field(default_factory=list)

    def happen(self) -> None:
        events: list[tuple[Callable[[], None], int]] = [
            (self.request, 3),
            (self.reconcile, 4),
            (self.launch, 4),
            (self.by_hand, 1),
            (self.step, 14),
            (self.die, 2),
            (self.cut, 1),
            (self.configure, 1),
            (self.skip, 1),
        ]
        (event,) = self.dice.choices([e for e, _ in events], [weight for _, weight in events])
        self.told.append(event.__name__)
        event()
        self.check()

    def request(self) -> None:
        force = self.dice.choice([None, None, *Stage])
        try:
            self.bench.request(self.recording, force)
        except AlreadyRunning:
            assert self.bench.run(self.recording).state == "running"
        except UserActionError:
            pass  # skipped, or configured wrongly

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
            self._claim(Token(launch.run_id, launch.generation))

    def by_hand(self) -> None:
        self._claim(None, self.dice.choice([None, *Stage]))

    def _claim(self, token: Token | None, force: Stage | None = None) -> None:
        try:
            work = self.bench.claim(self.recording, token, force=force)
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
        for asset in self.dice.choice([PREPARE_ASSETS, self.dice.sample(PREPARE_ASSETS, 2)]):
            begun = worker.work.begin(asset)
            if begun.left_out is None:
                worker.begun = (asset, begun)
                return

    def _go_on(self, worker: Worker, asset: Asset, begun: Begun) -> None:
        worker.begun = None
        fate = self.dice.random()
        if fate < 0.7:
            text = f"{asset} by {worker.work.generation}"
            finish(worker.work, asset, begun, text)
            self.files[path_of(worker.work, asset)] = text
        elif fate < 0.85:
            worker.work.fail(asset, begun, "bad luck")
        elif fate < 0.95:
            worker.work.wait_until(self.now + timedelta(minutes=5), "not yet")
            self._close(worker)
        else:
            self._close(worker)

    def _refuse(self, worker: Worker, why: str) -> None:
        with suppress(Superseded):
            worker.work.fail(Asset.TRANSCRIPT, None, why)
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

    def skip(self) -> None:
        self.bench.set(self.recording, skip_reason=self.dice.choice([None, None, "by hand"]))

    def check(self) -> None:
        found = self.bench.picture(self.recording)
        assert found.status == found.projected
        live = [run for run in found.runs if run[0] in LIVE]
        assert len(live) <= 1
        busy = "IN_PROGRESS" in (*found.stages.values(), found.download)
        assert not busy or live[0][0] == "running", "something is in progress and nobody is on it"
        newest = max((generation for _, generation, _ in found.runs), default=0)
        assert newest >= self.newest, "a generation came back"
        self.newest = newest
        assert sum(self._valid(worker.work) for worker in self.workers) <= 1
        assert self.bench.files() == self.files, "a file is in place that nobody committed"

    def _valid(self, work: Work) -> bool:
        work.lock.lost.clear()  # the fence has to hold without this hint
        try:
            with work.fenced():
                return True
        except Superseded:
            return False

    def end_well(self) -> None:
        """With the obstacles gone one request leads to the end, whatever was before."""
        for worker in self.workers:
            die(worker.work)
        self.bench.cut_locks()
        self.bench.configure(self.recording)
        self.bench.set(self.recording, skip_reason=None)
        self.now += timedelta(days=1)
        self.bench.reconcile(self.now)
        self.bench.request(self.recording)
        self.now += timedelta(days=1)
        for launch in self.bench.reconcile(self.now, lost=True).launches:
            work = self.bench.claim(self.recording, Token(launch.run_id, launch.generation))
            do(work)
            work.close()
        found = self.bench.picture(self.recording)
        assert found.status == "PROCESSED"
        assert set(found.stages.values()) == {"COMPLETED"}
        assert not [run for run in found.runs if run[0] in LIVE]


@pytest.mark.parametrize("seed", range(8))
def test_the_rules_hold_whatever_happens(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(claiming, "LOCK_WAIT_SECONDS", 0.0)
    life = Life(bench, random.Random(seed), bench.recording())
    try:
        for _ in range(EVENTS):
            life.happen()
        life.end_well()
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(life.told)}")
        raise
