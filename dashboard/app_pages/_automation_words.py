"""Automations in words: their kinds, their schedules, how their runs went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from babel.dates import get_day_names, get_month_names
from babel.units import format_unit

from dashboard.texts import language, mark, t
from leap_pipeline.db.models.automation import AutomationJob
from leap_pipeline.domain.crontab_fields import DAY, HOUR, MINUTE, MONTH, WEEKDAY, field_values
from leap_pipeline.domain.due_times import PERIODS
from leap_pipeline.errors import InputError

TYPES: Mapping[str, str] = {
    "sync_and_process": mark("Read sources, then run"),
    "process_recordings": mark("Run what is there"),
}
FIRED_BY: Mapping[str, str] = {
    "schedule": mark("Schedule"),
    "sensor": mark("Schedule"),
    "dispatcher": mark("Schedule"),
    "person": mark("By hand"),
}
STATES: Mapping[str, str] = {
    "claimed": mark("Waits to begin"),
    "running": mark("Running"),
    "done": mark("Done"),
    "failed": mark("Failed"),
}
PERIOD_NAMES: Mapping[str, str] = {
    "seconds": mark("seconds"),
    "minutes": mark("minutes"),
    "hours": mark("hours"),
    "days": mark("days"),
}
# As people read a week; a crontab's Sunday is 0.
WEEK = (1, 2, 3, 4, 5, 6, 0)
MOST_TIMES = 6


def weekday_name(number: int, width: str = "abbreviated") -> str:
    """Sunday is 0, as in a crontab."""
    names = get_day_names(width, "stand-alone", locale=language())  # type: ignore[arg-type]
    return str(names[(number - 1) % 7])


def month_name(number: int) -> str:
    return str(get_month_names("wide", "stand-alone", locale=language())[number])


def schedule_words(row: AutomationJob) -> str:
    """A job's schedule in a few words; as it was typed where it cannot be read, or is long."""
    try:
        found = _interval(row) if row.schedule_type == "interval" else _crontab(row)
    except (InputError, KeyError, TypeError):
        found = None
    words = found or " ".join(_fields(row))
    return f"{words} ({row.timezone})" if row.timezone else words


def _interval(row: AutomationJob) -> str:
    unit = (row.interval_period or "").removesuffix("s")
    if f"{unit}s" not in PERIODS:
        raise KeyError(unit)
    said = format_unit(row.interval_every or 0, f"duration-{unit}", "long", locale=language())
    return t("Every {length}", length=said)


def _crontab(row: AutomationJob) -> str | None:
    minute, hour, day, month, weekday = _fields(row)
    minutes, hours = field_values(MINUTE, minute), field_values(HOUR, hour)
    if len(minutes) * len(hours) > MOST_TIMES or field_values(MONTH, month) != MONTH.all:
        return None
    times = ", ".join(f"{h:02}:{m:02}" for h in sorted(hours) for m in sorted(minutes))
    days, weekdays = field_values(DAY, day), field_values(WEEKDAY, weekday)
    if weekdays != WEEKDAY.all:
        return t("{days} at {times}", days=_listed(WEEK, weekdays), times=times)
    if days != DAY.all:
        named = ", ".join(str(each) for each in sorted(days))
        return t("On day {days} of each month at {times}", days=named, times=times)
    return t("Every day at {times}", times=times)


def _listed(order: Sequence[int], chosen: Iterable[int]) -> str:
    found = set(chosen)
    return ", ".join(weekday_name(each) for each in order if each in found)


def _fields(row: AutomationJob) -> list[str]:
    columns = (field.column for field in (MINUTE, HOUR, DAY, MONTH, WEEKDAY))
    return [getattr(row, column) or "*" for column in columns]
