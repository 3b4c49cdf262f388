"""Automation jobs: a JSON schedule there, a crontab or an interval here. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from leap_pipeline.adoption.naming import Names
from leap_pipeline.adoption.outcome import Leave, Notes, Row
from leap_pipeline.adoption.references import References
from leap_pipeline.domain.due_times import parse
from leap_pipeline.errors import InputError

FIELDS = (
    "crontab_minute",
    "crontab_hour",
    "crontab_day_of_month",
    "crontab_month_of_year",
    "crontab_day_of_week",
)
NAME_LIMIT, ZONE_LIMIT = 255, 50
PROCESS, SYNC_AND_PROCESS = "process_recordings", "sync_and_process"
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::\d\d)?")
Values = dict[str, Any]


def jobs(
    row: Row,
    references: References,
    templates: Mapping[int, str],
    zone: str,
    names: Names,
    notes: Notes,
) -> list[Values]:
    """One job a template; `templates` are the owner's here by id, `zone` is the owner's.

    Raises Leave where its templates are all gone, for a job without one takes every recording.
    """
    when = schedule(row["schedule"])
    enabled = _enabled(row, when, zone, notes)
    chosen = references.find_all("recording_templates", row["template_ids"] or [], notes)
    if row["template_ids"] and not chosen:
        msg = "its templates are not here"
        raise Leave(msg)
    if len(chosen) > 1:
        notes.say("one job a template", f"{len(chosen)} jobs")
    made = []
    wanted: list[int | None] = [*chosen] or [None]
    for template in wanted:
        name = row["name"]
        if len(chosen) > 1 and template is not None:
            name = f"{name}: {templates[template]}"
        made.append(
            {
                "user_id": row["user_id"],
                "template_id": template,
                "name": names.free(name, notes, limit=NAME_LIMIT),
                "description": row["description"] or None,
                "job_type": "process_recordings"
                if row["sync_config"] is None
                else "sync_and_process",
                **when.columns,
                "timezone": when.zone if when.zone != zone else None,
                "anchored_at": _anchor(row),
                "source_ids": [],
                "enabled": enabled,
                "last_run_at": row["last_run_at"],
                "created_at": row["created_at"],
                "updated_at": row["updated_at"],
            }
        )
    return made


class Schedule:
    """The columns of a schedule; `zone` is that of its clock times, None where it has none."""

    def __init__(self, columns: Values, zone: str | None) -> None:
        empty = dict.fromkeys((*FIELDS, "interval_every", "interval_period"))
        self.columns = {**empty, **columns}
        self.zone = zone


def schedule(document: Any) -> Schedule:
    """Raises Leave for a schedule that cannot be read."""
    if not isinstance(document, Mapping):
        msg = "its schedule is no object"
        raise Leave(msg)
    kind = document.get("type")
    zone = str(document.get("timezone") or "UTC")[:ZONE_LIMIT]
    if kind == "hours":
        return Schedule(_interval(document.get("hours")), None)
    if kind == "time_of_day":
        return Schedule(_crontab(*_clock(document.get("time")), "*", "*", "*"), zone)
    if kind == "weekdays":
        days = _weekdays(document.get("days"))
        return Schedule(_crontab(*_clock(document.get("time")), "*", "*", days), zone)
    if kind == "cron":
        return _expression(document.get("expression"), zone)
    msg = f"LEAP knows no schedule of type “{kind}”"
    raise Leave(msg)


def _interval(hours: object) -> Values:
    if not isinstance(hours, int) or isinstance(hours, bool) or hours < 1:
        msg = "its interval is no number of hours"
        raise Leave(msg)
    return {"schedule_type": "interval", "interval_every": hours, "interval_period": "hours"}


def _crontab(*fields: str) -> Values:
    return {"schedule_type": "crontab", **dict(zip(FIELDS, fields, strict=True))}


def _clock(time: object) -> tuple[str, str]:
    """Minute and hour of `06:30`."""
    found = _TIME.fullmatch(time.strip()) if isinstance(time, str) else None
    if found is None:
        msg = "its time of day cannot be read"
        raise Leave(msg)
    return str(int(found[2])), str(int(found[1]))


def _weekdays(days: object) -> str:
    """Monday is 0 there, Sunday is 0 in a crontab."""
    listed = days if isinstance(days, list) else []
    if not listed or any(type(day) is not int or not 0 <= day <= 6 for day in listed):
        msg = "its days of the week cannot be read"
        raise Leave(msg)
    return ",".join(str(day) for day in sorted({(day + 1) % 7 for day in listed}))


def _expression(text: object, zone: str) -> Schedule:
    fields = text.split() if isinstance(text, str) else []
    if len(fields) != len(FIELDS) or any(len(each) > 100 for each in fields):
        msg = "its crontab has not five fields"
        raise Leave(msg)
    return Schedule(_crontab(*fields), zone)


def _enabled(row: Row, when: Schedule, zone: str, notes: Notes) -> bool:
    """Whether it may run as it stands; what it cannot do here any more is said."""
    enabled = bool(row["is_active"])
    try:
        parse({**when.columns, "timezone": when.zone or zone, "anchored_at": _anchor(row)})
    except InputError as error:
        notes.say("switched off", error)
        enabled = False
    if row["processing_config"]:
        notes.say("switched off", "`processing_config`: put it into the template")
        enabled = False
    for name in ("filters", "sync_config"):
        if row[name]:
            notes.say(f"`{name}` was left out", "LEAP has no such setting of a job")
    return enabled


def _anchor(row: Row) -> datetime:
    """An interval goes on in the phase of its last run."""
    at: datetime | None = row["last_run_at"] or row["created_at"]
    return at if at is not None and at.tzinfo is not None else datetime.now(UTC)
