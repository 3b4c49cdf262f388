"""The five fields of a crontab: what may be typed into each, and the numbers that it means.

`*`, numbers, ranges, steps over `*` or a range, lists of these, and names of months and days.
Where systems disagree on the meaning (`5/15`, `fri-mon`, `L`, `#`, a day of the month together with
a day of the week) it is refused with what to write instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from leap_pipeline.errors import InputError

_ITEM = re.compile(r"(?P<low>\*|[0-9a-z]+)(?:-(?P<high>[0-9a-z]+))?(?:/(?P<step>[0-9]{1,3}))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class Field:
    """A field: its column, the numbers it takes, and the names that stand for numbers."""

    column: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    @property
    def all(self) -> frozenset[int]:
        """Every value; 7 is Sunday once more, and no value of its own."""
        return frozenset(range(self.low, self.high + (self is not WEEKDAY)))


MINUTE = Field("crontab_minute", 0, 59)
HOUR = Field("crontab_hour", 0, 23)
DAY = Field("crontab_day_of_month", 1, 31)
MONTH = Field("crontab_month_of_year", 1, 12, _MONTHS)
WEEKDAY = Field("crontab_day_of_week", 0, 7, _DAYS)
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


def field_values(field: Field, text: str) -> frozenset[int]:
    """The numbers that a field names; Sunday is 0. Raises `InputError`."""
    found: set[int] = set()
    for item in text.lower().split(","):
        found.update(_item_values(field, item.strip(), text))
    return frozenset(each % 7 for each in found) if field is WEEKDAY else frozenset(found)


def field_text(field: Field, text: str) -> str:
    """The field in the plainest form: `*`, `*/n`, or a list of numbers."""
    values = field_values(field, text)
    if values == field.all:
        return "*"
    plain = text.replace(" ", "")
    if field is not WEEKDAY and re.fullmatch(r"\*/[0-9]+", plain):
        return plain
    return ",".join(str(each) for each in sorted(values))


def require_days(days: frozenset[int], months: frozenset[int], weekdays: frozenset[int]) -> None:
    """Raise `InputError` for days that never come, or that systems understand differently."""
    if days != DAY.all and weekdays != WEEKDAY.all:
        msg = (
            "`crontab_day_of_month` and `crontab_day_of_week` are both restricted, which systems "
            "understand differently: leave one of them `*`."
        )
        raise InputError(msg)
    if min(days) > max(_DAYS_IN_MONTH[month - 1] for month in months):
        msg = f"`crontab_day_of_month` is {min(days)}: none of its months has so many days."
        raise InputError(msg)


def _item_values(field: Field, item: str, text: str) -> range:
    found = _ITEM.fullmatch(item)
    if found is None or (found["low"] == "*" and found["high"]):
        raise _wrong(field, text, "it takes `*`, numbers, ranges such as `1-5` and `*/15`, and “,”")
    if found["low"] == "*":
        low, high = field.low, field.high
    else:
        low = _number(field, found["low"], text)
        high = _number(field, found["high"], text) if found["high"] else low
    if high < low:
        raise _wrong(field, text, "the range runs backwards: write two ranges")
    if found["step"] is None:
        return range(low, high + 1)
    step = int(found["step"])
    if found["low"] != "*" and not found["high"]:
        raise _wrong(field, text, f"a step needs a range: write `{low}-{field.high}/{step}`")
    if not 1 <= step <= field.high:
        raise _wrong(field, text, f"a step is from 1 to {field.high}: use an interval for others")
    return range(low, high + 1, step)


def _number(field: Field, word: str, text: str) -> int:
    if word in field.names:
        return field.names.index(word) + field.low
    number = int(word) if word.isascii() and word.isdigit() and len(word) <= 2 else -1
    if not field.low <= number <= field.high:
        names = f", or a name such as `{field.names[1]}`" if field.names else ""
        raise _wrong(field, text, f"its numbers go from {field.low} to {field.high}{names}")
    return number


def _wrong(field: Field, text: str, why: str) -> InputError:
    return InputError(f"`{field.column}` “{text}” cannot be used: {why}.")
