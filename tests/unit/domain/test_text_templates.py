"""The language of titles and descriptions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from leap_pipeline.domain.text_templates import (
    NAMED_FORMATS,
    TIME_PARTS,
    TIMES,
    VARIABLES,
    TextTemplate,
    Values,
    check,
    h_mm_ss,
    parse,
)
from leap_pipeline.errors import InputError

VALUES = Values(
    display_name="ML, лекция 7",
    record_time=datetime(2026, 4, 5, 6, 7, 8, tzinfo=UTC),
    publish_time=datetime(2026, 12, 31, 22, 30, tzinfo=UTC),
    duration=5409.9,
    themes=("Градиентный спуск", "Learning rate"),
    topics="1. A\n2. B",
    summary="",
    timezone="Europe/Moscow",
)


def rendered(template: str, values: Values = VALUES) -> str:
    return parse(template).render(values)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("no variable", "no variable"),
        ("{themes} | {record_time:DD.MM.YYYY}", "Градиентный спуск, Learning rate | 05.04.2026"),
        ("{topics}\\n\\nДлительность: {duration}", "1. A\n2. B\n\nДлительность: 1:30:09"),
        ("{topics}\n\n{duration}", "1. A\n2. B\n\n1:30:09"),
        ("{display_name}{display_name}", "ML, лекция 7ML, лекция 7"),
        ("[{summary}]", "[]"),
        ("{record_time}", "05.04.2026 09:07"),
        ("{record_time:date}", "05.04.2026"),
        ("{record_time:time}", "09:07"),
        ("{record_time:datetime}", "05.04.2026 09:07"),
        ("{record_time:YYYY-MM-DD hh:mm:ss}", "2026-04-05 09:07:08"),
        ("{record_time:YYYYMMDDhhmmss}", "20260405090708"),
        ("{record_time:DD/MM/YY}", "05/04/26"),
        ("{record_time:mm}", "07"),
        ("{publish_time:DD.MM.YYYY hh:mm}", "01.01.2027 01:30"),
        ("{{topics}}", "{topics}"),
        ("{{{duration}}}", "{1:30:09}"),
        ("{{{{}}}}", "{{}}"),
        ("a\\b \\\\n", "a\\b \\\n"),
    ],
)
def test_what_a_template_makes(template: str, text: str) -> None:
    check(template)
    assert rendered(template) == text


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{topcs}", "unknown variable {topcs} at character 1; {topics} is probably meant."),
        ("Лекция {Topics}", "unknown variable {Topics} at character 8; {topics} is probably meant"),
        ("{ duration }", "unknown variable { duration } at character 1; {duration} is"),
        ("{dispaly_name:x}", "{display_name} is probably meant"),
        ("{date}", "{record_time:date} is probably meant"),
        ("{professor}", "the variables are {display_name}, {record_time}"),
        ("{}", "unknown variable {} at character 1; the variables are"),
        ("a {topics", "has a { without its } at character 3; write {{"),
        ("{topics {duration}", "has a { without its } at character 1"),
        ("{topics}}", "has a } without its { at character 9; write }}"),
        ("5 > 3}", "has a } without its { at character 6"),
        ("{duration:hh}", "a format in {duration:hh} at character 1, which only times take"),
        ("{topics:}", "which only times take; write {topics}"),
        ("{record_time:}", "has no part of a time; write YYYY"),
        ("{record_time:--.--}", "has no part of a time"),
        ("{record_time:dd.MM.YYYY}", "the unknown part dd; DD is probably meant"),
        ("{record_time:DD.MM.yyyy}", "the unknown part yyyy; YYYY is probably meant"),
        ("{record_time:DD.MM.yy}", "the unknown part yy; YY is probably meant"),
        ("{record_time:HH:mm}", "the unknown part HH; hh is probably meant"),
        ("{record_time:DD.ММ.YYYY}", "the unknown part ММ; MM is probably meant"),  # Cyrillic
        ("{record_time:ГГГГ}", "the unknown part ГГГГ; YYYY is probably meant"),
        ("{record_time:мм}", "the unknown part мм; mm is probably meant"),
        ("{record_time:Datetime}", "is unknown; datetime is probably meant"),
        ("{record_time:DD MMMM}", "the unknown part MMMM; MM is probably meant"),
        ("{record_time:%d.%m.%Y}", "the unknown part d; write YYYY"),
        ("{record_time:DD at hh}", "the unknown part a; write YYYY"),
        ("{publish_time:YYYY г.}", "and words outside the braces"),
    ],
)
def test_a_wrong_template_is_refused_with_place_and_remedy(template: str, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        check(template)
    message = str(refused.value)
    assert message.startswith("The text template has ")
    assert problem in message


def test_a_model_refuses_it_as_well() -> None:
    class Metadata(BaseModel):
        title_template: TextTemplate

    assert Metadata(title_template="{themes}").title_template == "{themes}"
    with pytest.raises(ValidationError, match=r"\{themes\} is probably meant"):
        Metadata(title_template="{theme}")


def test_what_is_missing_is_nothing() -> None:
    everything = "|".join(f"{{{name}}}" for name in VARIABLES)
    assert rendered(everything, Values()) == "|" * (len(VARIABLES) - 1)
    assert rendered("{record_time:date}{publish_time:time}", Values()) == ""


@pytest.mark.parametrize("name", ["{topics}", "{record_time:DD}", "{{", "}", "a\\nb", "{"])
def test_a_value_is_never_read_as_a_template(name: str) -> None:
    odd = replace(VALUES, display_name=name, themes=(name,), topics=name, summary=name)
    assert rendered("{display_name}", odd) == name
    assert rendered("{themes}/{topics}/{summary}", odd) == f"{name}/{name}/{name}"


@pytest.mark.parametrize(
    ("utc", "timezone_name", "text"),
    [
        # Berlin leaves winter time on 29 March 2026 at 01:00 UTC and comes back on 25 October.
        ("2026-03-29T00:59:59", "Europe/Berlin", "29.03.2026 01:59:59"),
        ("2026-03-29T01:00:00", "Europe/Berlin", "29.03.2026 03:00:00"),
        ("2026-10-25T00:30:00", "Europe/Berlin", "25.10.2026 02:30:00"),
        ("2026-10-25T01:30:00", "Europe/Berlin", "25.10.2026 02:30:00"),
        ("2026-03-08T06:59:00", "America/New_York", "08.03.2026 01:59:00"),
        ("2026-03-08T07:00:00", "America/New_York", "08.03.2026 03:00:00"),
        ("2026-12-31T21:00:00", "Europe/Moscow", "01.01.2027 00:00:00"),
        ("2026-01-01T00:00:00", "America/Los_Angeles", "31.12.2025 16:00:00"),
        ("2026-06-01T00:00:00", "Asia/Kathmandu", "01.06.2026 05:45:00"),
        ("2026-06-01T00:00:00", "Pacific/Kiritimati", "01.06.2026 14:00:00"),
        ("2010-07-01T12:00:00", "Europe/Moscow", "01.07.2010 16:00:00"),  # Moscow still had summer
        ("2026-06-01T00:00:00", "UTC", "01.06.2026 00:00:00"),
        ("2026-06-01T00:00:00", None, "01.06.2026 00:00:00"),
        ("2026-06-01T00:00:00", "Mars/Olympus", "01.06.2026 00:00:00"),
        ("2026-06-01T00:00:00", "../../etc/passwd", "01.06.2026 00:00:00"),
        ("2026-06-01T00:00:00", "Europe", "01.06.2026 00:00:00"),
    ],
)
def test_times_are_the_owners(utc: str, timezone_name: str | None, text: str) -> None:
    moment = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    values = Values(record_time=moment, timezone=timezone_name)
    template = "{record_time:DD.MM.YYYY hh:mm:ss}"
    assert rendered(template, values) == text
    elsewhere = moment.astimezone(timezone(timedelta(hours=-9)))
    assert rendered(template, replace(values, record_time=elsewhere)) == text
    assert rendered(template, replace(values, record_time=moment.replace(tzinfo=None))) == text


def test_the_first_and_the_last_moment_have_a_text() -> None:
    for moment in (datetime.min, datetime.max):  # noqa: DTZ901
        for zone in ("America/Los_Angeles", "Pacific/Kiritimati"):
            values = Values(record_time=moment.replace(tzinfo=UTC), timezone=zone)
            assert rendered("{record_time:YYYY}", values) == f"{moment.year:04d}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00:00"),
        (59.999, "0:00:59"),
        (3600, "1:00:00"),
        (100 * 3600 + 61, "100:01:01"),
        (-1, ""),
        (float("nan"), ""),
        (float("inf"), ""),
    ],
)
def test_a_duration_is_hours_minutes_seconds(seconds: float, text: str) -> None:
    assert h_mm_ss(seconds) == text


VARIABLE = st.one_of(
    st.sampled_from([f"{{{name}}}" for name in VARIABLES]),
    st.builds(
        "{{{}:{}}}".format,
        st.sampled_from(TIMES),
        st.one_of(
            st.sampled_from(sorted(NAMED_FORMATS)),
            st.lists(st.sampled_from([*TIME_PARTS, ".", ":", " "]), min_size=1).map(".".join),
        ),
    ),
)
LITERAL = st.text().map(lambda text: text.replace("{", "{{").replace("}", "}}"))
ANY_VALUES = st.builds(
    Values,
    display_name=st.none() | st.text(),
    record_time=st.none() | st.datetimes(timezones=st.none() | st.just(UTC)),
    publish_time=st.none() | st.datetimes(timezones=st.timezones()),
    duration=st.none() | st.integers() | st.floats(),
    themes=st.none() | st.lists(st.text()),
    topics=st.none() | st.text(),
    summary=st.none() | st.text(),
    timezone=st.none() | st.timezone_keys() | st.text(),
)


@settings(deadline=None)
@given(st.lists(VARIABLE | LITERAL).map("".join), ANY_VALUES)
def test_what_is_checked_can_be_rendered(template: str, values: Values) -> None:
    try:
        check(template)
    except InputError:  # a format of separators alone
        return
    parse(template).render(values)


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("{}:n\\aDtopics_reMhY ")), ANY_VALUES)
def test_any_text_is_read_or_refused(template: str, values: Values) -> None:
    try:
        found = parse(template)
    except InputError:
        return
    found.render(values)


@settings(deadline=None)
@given(st.text())
def test_escaped_text_comes_out_as_it_went_in(text: str) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert rendered(escaped) == text.replace("\\n", "\n")
