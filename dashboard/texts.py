"""The console's texts in the languages it speaks: English in the code, Russian in a catalogue.

    t("Recordings")                      in the language of whoever is looked after just now
    tn("{n} recording", "{n} recordings", 3)
    NAMES = {"a": mark("Audio")}         chosen when it is shown: t(NAMES[which])

The catalogue is `locale/ru.po`, in gettext's format
(https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html).
"""

from __future__ import annotations

import gettext
import io
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

LANGUAGES = ("en", "ru")
NAMES = {"en": "English", "ru": "Русский"}
LOCALE = Path(__file__).parent / "locale"
MINUTES = "d MMM y, HH:mm"
"""How a moment is written: day before month can be read by everybody where the month is a word."""

_language: ContextVar[str] = ContextVar("language", default=LANGUAGES[0])
_zone: ContextVar[ZoneInfo | None] = ContextVar("zone", default=None)


def speak(language: str | None, timezone: str = "UTC") -> None:
    """From here on this thread's texts are in that language, its times in that zone."""
    _language.set(language if language in LANGUAGES else LANGUAGES[0])
    _zone.set(_zone_of(timezone))


def language() -> str:
    return _language.get()


def zone() -> ZoneInfo:
    return _zone.get() or ZoneInfo("UTC")


def preferred(accept_language: str) -> str:
    """The language of a browser's `Accept-Language` header (RFC 9110, 12.5.4)."""
    ranked: list[tuple[float, str]] = []
    for part in accept_language.split(","):
        name, _, said = part.partition(";q=")
        try:
            ranked.append((-float(said or 1), name.strip()[:2].lower()))
        except ValueError:
            continue
    return next((name for _, name in sorted(ranked) if name in LANGUAGES), LANGUAGES[0])


def t(text: str, /, **values: object) -> str:
    """The text in the language of the moment, its `{names}` filled in."""
    return _filled(_catalogue(language()).gettext(text), values)


def mark(text: str) -> str:
    """A text that is said later, by `t`: here it is only told to those who translate."""
    return text


def tn(singular: str, plural: str, n: int, /, **values: object) -> str:
    """The form for a number, which the text can name `{n}`."""
    found = _catalogue(language()).ngettext(singular, plural, n)
    return _filled(found, {"n": number(n), **values})


def translated(text: str, into: str) -> str:
    """For a template, which is told the language."""
    return _catalogue(into).gettext(text)


def number(value: float, digits: int = 0) -> str:
    return format_decimal(round(value, digits) if digits else value, locale=language())


def when(moment: datetime | None, form: str = MINUTES) -> str:
    """A moment in the zone of whoever looks; `form` is a CLDR pattern
    (https://unicode.org/reports/tr35/tr35-dates.html#Date_Format_Patterns).
    """
    if moment is None:
        return "—"
    return format_datetime(moment, form, tzinfo=zone(), locale=language())


def ago(moment: datetime | None) -> str:
    """How long it is since (or until), in words."""
    if moment is None:
        return "—"
    return format_timedelta(
        moment - datetime.now(UTC), add_direction=True, locale=language(), threshold=1.2
    )


def clock(seconds: float | None) -> str:
    """A length as H:MM:SS."""
    return "—" if seconds is None else str(timedelta(seconds=round(seconds)))


def size(value: int | None) -> str:
    """Bytes as people read them."""
    if value is None:
        return "—"
    left = float(value)
    for unit in (mark("B"), mark("KB"), mark("MB"), mark("GB")):
        if left < 1000:
            return f"{number(left, 0 if unit == 'B' else 1)} {t(unit)}"
        left /= 1000
    return f"{number(left, 1)} {t('TB')}"


def _filled(text: str, values: dict[str, object]) -> str:
    return text.format(**values) if values else text


@cache
def _catalogue(into: str) -> gettext.NullTranslations:
    file = LOCALE / f"{into}.po"
    if not file.exists():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=into))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
