"""A night in a living `leap up`: a lecture goes out to two platforms with nobody touching it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leap_pipeline.cli import app
from leap_pipeline.db.engine import Database
from leap_pipeline.domain.processing import PROCESSED, RIGHT_DURATION
from leap_pipeline.settings import Settings
from tests.support.clockwork import until
from tests.support.night import Night, environment, night, short_lecture
from tests.support.studio import V, Y
from tests.support.supervised import with_free_ports


@pytest.fixture
def tonight(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Night]:
    with night(with_free_ports(settings), database) as found:
        for name, value in environment(found.leap.settings, found.studio.addresses).items():
            monkeypatch.setenv(name, value)
        yield found


def leap(*arguments: object, said: str | None = None) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], input=said)
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_lecture_goes_out_by_itself_and_a_revoked_account_stops_but_its_own_platform(
    tonight: Night, tmp_path: Path
) -> None:
    tonight.token_of_vk().ended = True
    found = tonight.ingest(short_lecture(tmp_path))
    tonight.leap.up()
    until(lambda: tonight.target(Y) == "UPLOADED", "YouTube", patience=300)
    until(lambda: tonight.target(V) == "FAILED", "VK's refusal")

    # Each target had a run of its own, and what YouTube got is shown where engineers look.
    (youtube,), (vk,) = tonight.runs(Y), tonight.runs(V)
    assert youtube.requested_by == vk.requested_by == "after it was prepared"
    assert youtube.dagster_run_id != vk.dagster_run_id
    until(lambda: tonight.dagster_status(youtube) == "SUCCESS", "the end of YouTube's run")
    until(lambda: tonight.dagster_status(vk) == "FAILURE", "the end of VK's run")
    # Nobody has looked whether it can be watched, so that no check says so.
    assert not [each for each, (_, partition) in tonight.checks(Y).items() if partition is None]
    (video,) = tonight.youtube.videos()
    shown = tonight.shown(Y)
    assert shown["link"] == f"https://www.youtube.com/watch?v={video.id}"
    assert shown["title"] == video.snippet["title"]
    assert shown["title"].startswith("Photosynthesis lecture, 20")
    assert video.snippet["description"] in shown["description"]
    assert "![the thumbnail](data:image/jpeg;base64," in shown["thumbnail"]
    assert video.picture is not None

    # The account is connected again by its owner, and VK goes on from there.
    told = leap("publish", "status", found.recording_id)
    assert f"YouTube: UPLOADED https://www.youtube.com/watch?v={video.id}" in told
    assert "VK: FAILED" in told
    assert "onnect" in told
    tonight.look_now()
    credential = tonight.studio.credentials[V]
    token = tonight.vk.world.grant(tonight.person)
    connect = ("connect", "vk-implicit", "--user", "owner@example.org", "--token")
    leap(*connect, "--credential", credential, said=f"{token.value}\n")
    assert leap("publish", "send", found.partition, "--on", "vk").startswith("VK: queued")
    until(lambda: tonight.target(V) == "UPLOADED", "VK")
    again = tonight.runs(V)[-1]
    until(lambda: tonight.dagster_status(again) == "SUCCESS", "the end of VK's second run")
    (clip,) = tonight.vk.world.whole()
    assert tonight.shown(V)["link"] == f"https://vk.com/video{clip.name}"
    assert clip.thumb is not None
    assert tonight.bench.row(found.recording_id).status == "READY"

    # The sensor asks whether it can be watched, and answers the checks of the upload.
    passed = dict.fromkeys((PROCESSED, RIGHT_DURATION), (True, found.partition))
    until(lambda: tonight.checks(Y) == passed, "the checks of YouTube")
    assert "YouTube says: processed" in leap("publish", "status", found.recording_id)

    assert len(tonight.youtube.videos()) == 1
    assert tonight.youtube.ledger.refused() == []
    assert tonight.vk.ledger.refused() == []
    for secret in (*tonight.tokens.values(), token.value):
        assert not _mentions(tonight.leap.settings.home, secret)


def _mentions(folder: Path, secret: str) -> list[Path]:
    """The files under a folder that hold a text."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if secret.encode() in path.read_bytes()]
