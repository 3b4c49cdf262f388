"""The ledger of YouTube's quota: a row a project, day of the Pacific and kind of call.

A call is written down before it is made, by one at a time, so that all workers together never spend
more than there is. What comes first of today's videos is kept back from what comes later; what does
not fit waits for the reset. See `domain.youtube_quota`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.publishing import QuotaSpent
from leap_pipeline.domain.youtube_quota import (
    VIDEO,
    Dice,
    Limits,
    back_at,
    closed_until,
    days_of,
    kept_back,
    next_reset,
    pacific_day,
)
from leap_pipeline.errors import MustWaitError
from leap_pipeline.publishing.youtube.quota import QuotaCall
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.youtube_needs import (
    OF_EACH_VIDEO,
    Projects,
    Waiting,
    needed_today,
    pending,
    waiting,
)
from leap_pipeline.settings import Settings

INSERTS, UNITS = "inserts", "units"
DEFAULT_LIMITS = Limits()
SMALL = 1
"""So few units are never kept back for others."""
# A list is of no use where what it is asked for does not fit any more.
AFTERWARDS: Mapping[QuotaCall, QuotaCall] = {
    QuotaCall.PLAYLIST_LIST: QuotaCall.PLAYLIST_INSERT,
    QuotaCall.CAPTIONS_LIST: QuotaCall.CAPTIONS_UPDATE,
}
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('leap.youtube.' || :what, 0))")


@dataclass(frozen=True)
class Spent:
    """What a bucket gave on a day; `closed_until` is set where Google itself refused."""

    units: int = 0
    closed_until: datetime | None = None


def quota_limits(settings: Settings) -> Limits:
    """What each project at Google may spend on a day."""
    return Limits(settings.youtube_inserts_a_day, settings.youtube_units_a_day)


class YouTubeQuota:
    """The account of one project; fulfils `publishing.youtube.quota.Quota`. Safe to share."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        project: str,
        *,
        limits: Limits = DEFAULT_LIMITS,
        app_client_id: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        dice: Dice = random.uniform,
    ) -> None:
        """`project` is `youtube_needs.project_name`; `app_client_id` that of LEAP's own app."""
        self._database = database
        self._project = project
        self._limits = limits
        self._projects = Projects(vault, app_client_id)
        self._clock = clock
        self._dice = dice

    def spend(self, call: QuotaCall) -> None:
        """Write a call down before it is made; raises MustWaitError where it does not fit."""
        now = self._clock()
        day, limit = pacific_day(now), self._limits.of(call.bucket)
        wanted = call.units + (AFTERWARDS[call].units if call in AFTERWARDS else 0)
        kept = self._kept_back(call, now) if wanted > SMALL and call.bucket == UNITS else 0
        with self._database.system() as session:
            session.execute(LOCK, {"what": f"{self._project}:{call.bucket}"})
            found = _spent(session, day, self._project).get((self._project, call.bucket), Spent())
            if found.closed_until is not None and now < found.closed_until:
                why = f"YouTube gives no more {call.bucket} today"
                raise self._wait(why, found.closed_until)
            if found.units + wanted + kept > limit:
                what = f"{call.method} needs {wanted} of YouTube's {limit} {call.bucket} a day"
                kept_said = f" and {kept} kept for what comes first" if kept else ""
                why = f"{what}, of which {found.units} are spent{kept_said}"
                raise self._wait(why, next_reset(now))
            self._write(session, day, call, calls=1, units=call.units)

    def refused(self, call: QuotaCall) -> datetime:
        """Google says that nothing is left: closes the bucket; returns when to try again."""
        now = self._clock()
        with self._database.system() as session:
            self._write(session, pacific_day(now), call, refused_at=now)
        return back_at(closed_until(now), self._dice)

    def _kept_back(self, call: QuotaCall, now: datetime) -> int:
        """The units of today that what comes before this call still needs, at this project."""
        with self._database.system() as session:
            found = waiting(session)
            spent = _spent(session, pacific_day(now), self._project)
            inserts = spent.get((self._project, INSERTS), Spent()).units
            left = self._limits.inserts - inserts
            if not kept_back(needed_today(found, left, now), call.priority):
                return 0
            projects = self._projects.of(session, _credentials(found))
        mine = [each for each in found if projects.get(each.credential_id or 0) == self._project]
        return kept_back(needed_today(mine, left, now), call.priority)

    def _write(self, session: Session, day: date, call: QuotaCall, **values: Any) -> None:
        given = {"project": self._project, "day": day, "bucket": call.bucket, "kind": call.method}
        statement = insert(QuotaSpent).values(**given, **values)
        changed = {
            "calls": QuotaSpent.calls + statement.excluded.calls,
            "units": QuotaSpent.units + statement.excluded.units,
        }
        if "refused_at" in values:
            changed = {"refused_at": statement.excluded.refused_at}
        session.execute(
            statement.on_conflict_do_update(
                constraint="uq_youtube_quota_ledger_kind",
                set_={**changed, "updated_at": func.now()},
            )
        )

    def _wait(self, why: str, opens: datetime) -> MustWaitError:
        due = back_at(opens, self._dice)
        return MustWaitError(f"{why}: it goes on after {opens:%Y-%m-%d %H:%M} UTC.", due)


@dataclass(frozen=True)
class BucketForecast:
    """What is left of a bucket today; `closed_until`: Google gives nothing before then."""

    name: str
    limit: int
    spent: int
    left: int
    closed_until: datetime | None


@dataclass(frozen=True)
class WaitsForQuota:
    """So many of a kind (`video`, or a step beside one), and on which Pacific day they fit.

    Steps of videos that are not there yet are counted as if each had all of them.
    """

    kind: str
    count: int
    days: Mapping[date, int]


@dataclass(frozen=True)
class Forecast:
    """The quota of one project, as of today."""

    project: str
    day: date
    resets_at: datetime
    buckets: tuple[BucketForecast, ...]
    waits: tuple[WaitsForQuota, ...]


def forecasts(
    database: Database,
    vault: Vault,
    now: datetime,
    *,
    limits: Limits = DEFAULT_LIMITS,
    app_client_id: str | None = None,
) -> list[Forecast]:
    """All projects of active credentials, and those that spent something today.

    By name, those of tenants' own apps last.
    """
    with database.system() as session:
        found = waiting(session)
        spent = _spent(session, pacific_day(now))
        projects = Projects(vault, app_client_id).of(session, None)
    known = {*projects.values(), *(project for project, _ in spent)}
    names = sorted(known, key=lambda name: (":" in name, name))
    return [
        _forecast(
            name,
            [each for each in found if projects.get(each.credential_id or 0) == name],
            {bucket: spent.get((name, bucket), Spent()) for bucket in (INSERTS, UNITS)},
            limits,
            now,
        )
        for name in names
    ]


def _forecast(
    project: str, found: list[Waiting], spent: Mapping[str, Spent], limits: Limits, now: datetime
) -> Forecast:
    buckets = tuple(_bucket(name, limits.of(name), each, now) for name, each in spent.items())
    left = Limits(*(bucket.left for bucket in buckets))
    there = [each for each in found if each.uploaded_at is not None]
    opened = sum(each.is_open for each in found if each.uploaded_at is None)
    videos = len(found) - len(there) - opened
    steps = pending(there)
    for step in OF_EACH_VIDEO if opened else ():
        steps[step] = steps.get(step, 0) + opened
    days = days_of(videos, steps, OF_EACH_VIDEO, left, limits)
    counts = {VIDEO: videos}
    for step in [*steps, *(OF_EACH_VIDEO if videos else ())]:
        counts[step.kind] = steps.get(step, 0) + (videos if step in OF_EACH_VIDEO else 0)
    today = pacific_day(now)
    waits = tuple(
        WaitsForQuota(kind, count, _dated(today, days.get(kind, {})))
        for kind, count in counts.items()
        if count
    )
    return Forecast(project, today, next_reset(now), buckets, waits)


def _dated(today: date, days: Mapping[int, int]) -> dict[date, int]:
    return {date.fromordinal(today.toordinal() + day): count for day, count in days.items()}


def _bucket(name: str, limit: int, spent: Spent, now: datetime) -> BucketForecast:
    until = spent.closed_until
    if until is not None and until <= now:
        until = None
    over = until is not None and until >= next_reset(now)
    return BucketForecast(
        name,
        limit,
        spent.units,
        left=0 if over else max(0, limit - spent.units),
        closed_until=until,
    )


def _credentials(found: list[Waiting]) -> list[int]:
    return sorted({each.credential_id for each in found if each.credential_id is not None})


def _spent(session: Session, day: date, project: str | None = None) -> dict[tuple[str, str], Spent]:
    """By project and bucket."""
    query = (
        select(
            QuotaSpent.project,
            QuotaSpent.bucket,
            func.sum(QuotaSpent.units).label("units"),
            func.max(QuotaSpent.refused_at).label("refused_at"),
        )
        .where(QuotaSpent.day == day)
        .group_by(QuotaSpent.project, QuotaSpent.bucket)
    )
    if project is not None:
        query = query.where(QuotaSpent.project == project)
    return {
        (row.project, row.bucket): Spent(
            int(row.units), closed_until(row.refused_at) if row.refused_at else None
        )
        for row in session.execute(query)
    }
