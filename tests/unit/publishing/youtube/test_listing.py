"""What YouTube is told of a video."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.publishing_text import Publication
from leap_pipeline.domain.shapes.publishing import YouTubeMetadata
from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.publishing.youtube.listing import notes, resource, seconds, sent
from tests.support.youtube.limits import snippet as check_snippet
from tests.support.youtube.limits import status as check_status
from tests.support.youtube.limits import tags_size

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MARKER = "0123456789abcdef0123"


def _publication(tags: tuple[str, ...] = ()) -> Publication:
    return Publication("Graphs", "0:00 Beginning", tags, ())


def test_settings_are_in_youtubes_own_words() -> None:
    metadata = YouTubeMetadata(
        privacy="private",
        category_id="28",
        default_language="en",
        made_for_kids=True,
        embeddable=False,
        publish_at=NOW.astimezone(tz=None) + timedelta(days=1),
    )
    said = sent(_publication(("graphs",)), metadata)
    assert said == Sent(
        title="Graphs",
        description="0:00 Beginning",
        tags=("graphs",),
        settings={
            "categoryId": "28",
            "defaultLanguage": "en",
            "privacyStatus": "private",
            "publishAt": "2026-03-03T09:00:00Z",
            "selfDeclaredMadeForKids": True,
            "embeddable": False,
        },
    )
    made = resource(said, MARKER, NOW)
    assert made.part == "snippet,status"
    assert made.body == {
        "snippet": {
            "title": "Graphs",
            "description": "0:00 Beginning",
            "tags": ["graphs", f"leap-{MARKER}"],
            "categoryId": "28",
            "defaultLanguage": "en",
        },
        "status": {
            "privacyStatus": "private",
            "publishAt": "2026-03-03T09:00:00Z",
            "selfDeclaredMadeForKids": True,
            "embeddable": False,
        },
    }


def test_what_is_not_said_is_not_sent() -> None:
    assert "defaultLanguage" not in sent(_publication(), YouTubeMetadata()).settings
    assert "publishAt" not in sent(_publication(), YouTubeMetadata()).settings


@given(st.lists(st.text(alphabet="ab cя🎓,", min_size=1, max_size=60), max_size=60))
def test_the_marker_always_fits(tags: list[str]) -> None:
    said = sent(_publication(tuple(tags)), YouTubeMetadata())
    made = resource(said, MARKER, NOW).body
    assert made["snippet"]["tags"] == [*said.tags, f"leap-{MARKER}"]
    assert tags_size(made["snippet"]["tags"]) <= 500
    check_snippet(made["snippet"])
    check_status(made["status"])


def test_a_video_without_a_marker_gets_none() -> None:
    made = resource(Sent(title="x", tags=("a", "b")), "", NOW, {"snippet": {"tags": ["leap-old"]}})
    assert made.body["snippet"]["tags"] == ["a", "b"]
    # None has to make room for it either.
    long = tuple(f"{number:09}" for number in range(50))
    assert resource(Sent(title="x", tags=long), "", NOW).body["snippet"]["tags"] == list(long)


def test_tags_that_have_to_make_room_for_the_marker_are_named() -> None:
    long = tuple(f"{number:09}" for number in range(50))
    said = sent(_publication(long), YouTubeMetadata())
    assert said.tags == long[:47]
    (told,) = notes(_publication(long))
    assert told == (
        "YouTube takes 500 characters of tags in all, and LEAP's own tag leaves 474 of them; "
        "left out: “000000047”, “000000048”, “000000049”."
    )
    assert notes(_publication(long[:47])) == ()


def test_a_marker_that_was_sent_is_not_there_twice() -> None:
    made = resource(Sent(title="x", tags=(f"LEAP-{MARKER}", "a")), MARKER, NOW)
    assert made.body["snippet"]["tags"] == ["a", f"leap-{MARKER}"]


@pytest.mark.parametrize("after", [timedelta(0), timedelta(days=30)])
def test_a_time_that_has_come_made_it_public(after: timedelta) -> None:
    said = sent(_publication(), YouTubeMetadata(privacy="private", publish_at=NOW))
    status = resource(said, MARKER, NOW + after).body["status"]
    assert status["privacyStatus"] == "public"
    assert "publishAt" not in status


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("PT1H2M3S", 3723.0),
        ("PT45S", 45.0),
        ("PT2M", 120.0),
        ("P1DT1S", 86_401.0),
        ("P1W", 604_800.0),
        ("PT1.5S", 1.5),
        ("P0D", None),
        ("PT0S", None),
        ("", None),
        ("3723", None),
        (None, None),
        (17, None),
    ],
)
def test_durations(text: object, wanted: float | None) -> None:
    assert seconds(text) == wanted
