"""`leap publish` from the first upload to the last doubt, with both platforms on sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from leap_pipeline.cli import app
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.templates import RecordingTemplate
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.holds import hold
from leap_pipeline.settings import Settings
from tests.support.night import Night, environment, night
from tests.support.studio import V, Y


@pytest.fixture
def desk(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Night]:
    """A prepared recording with accounts on both platforms; no daemon lives."""
    with night(settings, database) as found:
        for name, value in environment(settings, found.studio.addresses).items():
            monkeypatch.setenv(name, value)
        found.studio.prepare(name="Graphs")
        yield found


def leap(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def publish(desk: Night, platform: Platform) -> None:
    """A run of it, to a good end."""
    if (error := desk.studio.publish(platform).error) is not None:
        raise error
    assert desk.target(platform) == "UPLOADED"


def change_template(desk: Night, **metadata: object) -> None:
    with desk.bench.database.system() as session:
        session.execute(update(RecordingTemplate).values(metadata_config=metadata))


def test_sent_changed_taken_away_and_sent_again(desk: Night) -> None:
    number = desk.studio.recording
    with pytest.raises(UserActionError, match="not published on YouTube: publish it first"):
        leap("publish", "update", number, "--on", "youtube", "--dry-run")
    said = leap("publish", "send", number)
    assert [line.split(" (")[0] for line in said.splitlines()] == ["YouTube: queued", "VK: queued"]
    assert "and begins with the next `leap up`" in said
    assert "YouTube: NOT_UPLOADED\n  queued\n" in leap("publish", "status", number)
    for platform in (Y, V):
        publish(desk, platform)
    (first,) = desk.youtube.videos()
    said = leap("publish", "status", number)
    assert f"YouTube: UPLOADED https://www.youtube.com/watch?v={first.id}\n" in said
    assert "  title, description and settings: done\n  thumbnail: done\n  playlist (PL" in said
    assert "  captions (ru): skipped: VK takes no captions" in said
    assert leap("publish", "send", number, "--on", "vk") == "VK: everything is already done\n"

    change_template(desk, title_template="{display_name}, anew", tags=["ML", "AI"])
    dry = leap("publish", "update", number, "--on", "youtube", "--dry-run")
    assert "  An update would change title: Graphs 0 → Graphs 0, anew\n" in dry
    assert "  An update would change tags: + AI\n" in dry
    said = leap("publish", "update", number, "--on", "youtube")
    assert said.startswith("YouTube: queued (run ")
    assert said.partition("\n")[2] == dry.replace("An update would", "It will")
    publish(desk, Y)
    assert first.snippet["title"] == "Graphs 0, anew"
    assert leap("publish", "update", number, "--on", "youtube", "--dry-run") == (
        "  An update would change nothing.\n"
    )

    # The account that sent it takes it away again, whichever the preset has by now.
    mine = desk.studio.credentials[Y]
    other = desk.youtube.add_grant(desk.youtube.add_channel("another"))
    desk.studio.use(Y, desk.studio.account(Y, other, "another"))
    said = leap("publish", "retract", number, "--on", "youtube", "--reason", "wrong", "--yes")
    desk.studio.use(Y, mine)
    assert said == f"YouTube: the video of recording {number} is gone.\n"
    assert desk.youtube.videos() == []
    assert leap("publish", "status", number).startswith("YouTube: NOT_UPLOADED\nVK: UPLOADED")
    leap("publish", "send", number, "--on", "youtube")
    publish(desk, Y)
    (second,) = desk.youtube.videos()
    assert second.id != first.id


def test_a_failure_and_a_doubt_say_what_to_do(desk: Night) -> None:
    number = desk.studio.recording
    desk.token_of_vk().ended = True
    with pytest.raises(UserActionError, match="onnect"):
        publish(desk, V)
    said = leap("publish", "status", number)
    assert "VK: FAILED\n  why: " in said
    assert "onnect" in said

    with desk.bench.database.system() as session:
        facts = {"videos": ["aaa", "bbb"]}
        hold(
            session,
            number,
            HoldKind.DOUBTFUL_UPLOAD,
            "two videos have the marker",
            platform=Y,
            facts=facts,
            actor=SYSTEM,
        )
    said = leap("publish", "status", number)
    assert "  held (doubtful upload): two videos have the marker\n    videos: aaa, bbb\n" in said
    assert f"`leap publish settle {number} --on youtube` with `--video ID` or" in said
    with pytest.raises(InputError, match="--video ID where it is there, --send-again where"):
        leap("publish", "settle", number, "--on", "youtube")
    assert leap("publish", "settle", number, "--on", "youtube", "--send-again") == (
        "YouTube: it is sent again.\n"
    )
    with pytest.raises(UserActionError, match="no doubt about the YouTube upload"):
        leap("publish", "settle", number, "--on", "youtube", "--send-again")
