"""A schedule by its parts: hours, minutes and days of a crontab, or an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import available_timezones

import streamlit as st

from dashboard.app_pages._automation_words import PERIOD_NAMES, WEEK, month_name, weekday_name
from dashboard.texts import mark, t
from leap_pipeline.domain.crontab_fields import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    Field,
    field_values,
)
from leap_pipeline.errors import InputError

KINDS = {"crontab": mark("At times of the day"), "interval": mark("At an interval")}


class Days(StrEnum):
    """Which days a crontab is due on; systems disagree on both restrictions together."""

    ALL = mark("Every day")
    WEEKDAYS = mark("Weekdays")
    DAYS = mark("Days of the month")


@dataclass(frozen=True)
class SchedulePart:
    """The widgets of a schedule; `seen` are the columns that are stored."""

    seen: Mapping[str, Any]
    owner_timezone: str
    key: str

    def columns(self) -> dict[str, Any]:
        """The columns that were chosen; those of the other kind are None."""
        kind = st.segmented_control(
            t("When"),
            list(KINDS),
            default=self.seen["schedule_type"] if self.seen["schedule_type"] in KINDS else None,
            required=True,
            format_func=lambda each: t(KINDS[each]),
            key=f"{self.key}_kind",
        )
        empty = dict.fromkeys(
            (
                *(field.column for field in (MINUTE, HOUR, DAY, MONTH, WEEKDAY)),
                "interval_every",
                "interval_period",
            )
        )
        said = self._interval() if kind == "interval" else self._crontab()
        return {**empty, "schedule_type": kind or "crontab", **said}

    def _interval(self) -> dict[str, Any]:
        left, right = st.columns(2)
        every = left.number_input(
            t("Every"),
            min_value=1,
            max_value=max(10**6, self.seen["interval_every"] or 0),
            value=self.seen["interval_every"] or 6,
            step=1,
            key=f"{self.key}_every",
        )
        periods = list(PERIOD_NAMES)
        period = right.selectbox(
            t("Unit"),
            periods,
            index=periods.index(self.seen["interval_period"])
            if self.seen["interval_period"] in periods
            else periods.index("hours"),
            format_func=lambda each: t(PERIOD_NAMES[each]),
            key=f"{self.key}_period",
        )
        return {
            "interval_every": every,
            "interval_period": period,
            "timezone": self.seen["timezone"],
        }

    def _crontab(self) -> dict[str, Any]:
        left, right = st.columns(2)
        with left:
            hours = self._several(HOUR, t("Hours"), t("Every hour"), lambda hour: f"{hour:02}")
        minutes = right.text_input(
            t("Minutes"),
            self.seen[MINUTE.column] or "0",
            key=f"{self.key}_minutes",
            live=True,
            max_chars=100,
            help=t("0 is the full hour; 0,30 is twice an hour; */15 is every quarter of an hour."),
        )
        days = self._days()
        with st.expander(t("Only some months, another time zone")):
            months = self._several(MONTH, t("Months"), t("Every month"), month_name)
            zone = self._zone()
        return {
            MINUTE.column: (minutes or "").strip() or "*",
            HOUR.column: hours,
            MONTH.column: months,
            "timezone": zone,
            **days,
        }

    def _days(self) -> dict[str, str]:
        which = st.segmented_control(
            t("Days"),
            list(Days),
            default=self._seen_days(),
            required=True,
            format_func=lambda each: t(str(each)),
            key=f"{self.key}_days",
        )
        day, weekday = "*", "*"
        if which == Days.WEEKDAYS:
            chosen = st.pills(
                t("On these weekdays"),
                list(WEEK),
                selection_mode="multi",
                default=self._numbers(WEEKDAY),
                format_func=weekday_name,
                key=f"{self.key}_weekdays",
            )
            weekday = self._text(WEEKDAY, chosen or ())
        elif which == Days.DAYS:
            day = self._several(DAY, t("On these days"), t("Every day"), str)
        return {DAY.column: day, WEEKDAY.column: weekday}

    def _seen_days(self) -> Days:
        if self._numbers(WEEKDAY):
            return Days.WEEKDAYS
        return Days.DAYS if self._numbers(DAY) else Days.ALL

    def _several(
        self, field: Field, label: str, everything: str, shown: Callable[[int], str]
    ) -> str:
        chosen = st.multiselect(
            label,
            sorted(field.all),
            default=self._numbers(field),
            format_func=shown,
            placeholder=everything,
            key=f"{self.key}_{field.column}",
        )
        return self._text(field, chosen)

    def _zone(self) -> str | None:
        zones = [None, *sorted(available_timezones())]
        seen = self.seen["timezone"]
        chosen: str | None = st.selectbox(
            t("Time zone"),
            zones,
            index=zones.index(seen) if seen in zones else 0,
            format_func=lambda each: (
                each or t("The account's own ({zone})", zone=self.owner_timezone)
            ),
            key=f"{self.key}_zone",
        )
        return chosen

    def _numbers(self, field: Field) -> list[int]:
        """What a stored field leaves in; none where it leaves nothing out, or cannot be read."""
        try:
            found = field_values(field, self.seen[field.column] or "*")
        except InputError:
            return []
        return [] if found == field.all else sorted(found)

    def _text(self, field: Field, chosen: Iterable[int]) -> str:
        """A field as it is stored already, where it means the same: nothing has changed then."""
        found = sorted(chosen)
        if found == self._numbers(field) and self.seen[field.column]:
            return str(self.seen[field.column])
        return ",".join(map(str, found)) or "*"
