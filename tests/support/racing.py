"""A worker that races for a recording; a module of its own, so that its processes start fast."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

from sqlalchemy.orm import configure_mappers

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import DatabaseUrls
from leap_pipeline.domain.planner import Asset
from leap_pipeline.domain.states import Phase
from leap_pipeline.errors import LeapError
from leap_pipeline.services import claim as claiming
from leap_pipeline.services.claim import Token
from leap_pipeline.storage.local import LocalStorage
from tests.support.bench import do

configure_mappers()  # once here, and not in every process that is forked from here
PATIENCE = 60.0
LOCK_WAIT = 0.5


@dataclass(frozen=True)
class Race:
    """What each runner is told; `token` is that of a launch which came up fifty times."""

    urls: DatabaseUrls
    storage: Path
    recording: int
    token: Token | None


def runner(race: Race, start: Barrier, told: Queue[str], finished: Event) -> None:
    """Claim; whoever wins works until all others are done, then does everything."""
    database = Database(race.urls)
    start.wait(PATIENCE)
    claiming.LOCK_WAIT_SECONDS = LOCK_WAIT
    try:
        work = claiming.claim(
            database,
            LocalStorage(race.storage),
            race.recording,
            phase=Phase.PREPARE,
            token=race.token,
        )
    except LeapError as error:
        told.put(type(error).__name__)
        return
    begun = work.begin(Asset.RAW_VIDEO)
    told.put("won")
    finished.wait(PATIENCE)
    assert begun.left_out is None
    do(work)
    work.close()
