"""What a digest says, and how long a channel rests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from leap_pipeline.domain.notices import (
    LISTED,
    LONGEST_PAUSE,
    NoticeKind,
    Told,
    document_of,
    pause,
    sentence,
    text_of,
    title_of,
)

CONSOLE = "https://leap.example.org"


def told(number: int = 1, kind: NoticeKind = NoticeKind.FAILED, **changes: object) -> Told:
    values: dict[str, object] = {
        "id": number,
        "kind": kind,
        "subject": f"Lecture {number}",
        "about": "TRIM",
        "reason": "no sound in it",
        "recording_id": number,
        "at": datetime(2026, 11, 23, tzinfo=UTC),
    }
    return Told(**(values | changes))  # type: ignore[arg-type]


def test_one_notice_is_the_title_itself() -> None:
    assert title_of([told()]) == "LEAP: “Lecture 1” failed at the cut: no sound in it"
    assert sentence(told(kind=NoticeKind.READY)) == "“Lecture 1” is published."


def test_what_needs_a_person_comes_first_and_many_are_counted() -> None:
    notices = [told(n) for n in range(1, 31)]
    notices += [told(40, NoticeKind.READY), told(41, NoticeKind.CONNECT, recording_id=None)]
    assert title_of(notices) == "LEAP: 1 connect again, 30 failed, 1 published"
    lines = text_of(notices, CONSOLE).splitlines()
    headings = [line for line in lines if line.endswith(")") and not line.startswith("-")]
    assert headings == ["Connect again (1)", "Failed (30)", "Published (1)"]
    assert "- and 10 more" in lines
    assert f"  {CONSOLE}/recording?id=20" in lines
    assert f"  {CONSOLE}/recording?id=21" not in lines
    assert f"  {CONSOLE}/connections" in lines


def test_a_name_can_neither_break_a_line_nor_steer_what_shows_it() -> None:
    said = sentence(told(subject="A\r\nBcc: eve@example.org\x1b[31m\u202e", reason="\x00\n"))
    assert said.isprintable()


def test_a_program_gets_a_hundred_and_the_number_of_all() -> None:
    document = document_of([told(n) for n in range(1, 500)], CONSOLE)
    assert (document["total"], len(document["notices"])) == (499, LISTED)
    assert document["notices"][0]["url"] == f"{CONSOLE}/recording?id=1"


def test_a_channel_rests_twice_as_long_each_time_up_to_an_hour() -> None:
    minutes = [pause(attempts) // timedelta(minutes=1) for attempts in (0, 1, 2, 3, 4, 7, 500)]
    assert minutes == [1, 1, 2, 4, 8, 60, 60]
    assert pause(10**6) == LONGEST_PAUSE
