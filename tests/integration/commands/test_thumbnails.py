"""`leap thumbnails …` and `leap preview …` on a real database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from leap_pipeline.cli import app
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import plain
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, NotFound, UserActionError
from tests.support.bench import Bench, make_bench

OWNER = ("--user", "owner@example.org")


@pytest.fixture
def bench(
    database: Database, database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    monkeypatch.setenv("LEAP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEAP_STORAGE_ROOT", str(tmp_path / "storage"))
    monkeypatch.setenv("LEAP_DATABASE_URL", plain(database_url))
    return make_bench(database, tmp_path / "storage")


def leap(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_pictures_come_and_go(bench: Bench, tmp_path: Path) -> None:
    given = tmp_path / "Моя.webp"
    Image.new("RGB", (1920, 1080), "green").save(given)
    assert leap("thumbnails", "add", given, *OWNER).startswith("Моя.png is stored (")
    with pytest.raises(InputError, match="There is a picture"):
        leap("thumbnails", "add", given, *OWNER)
    leap("thumbnails", "add", given, *OWNER, "--replace", "--json")
    made = json.loads(leap("thumbnails", "add", given, *OWNER, "--name", "b.jpg", "--json"))
    assert (made["name"], made["shared"]) == ("b.jpg", False)

    found = json.loads(leap("thumbnails", "list", *OWNER, "--json"))["thumbnails"]
    assert [(each["name"], each["shared"]) for each in found] == [
        ("b.jpg", False), ("Моя.png", False),
        ("lecture.png", True), ("seminar.png", True), ("workshop.png", True),
    ]  # fmt: skip
    assert "Моя.png" in leap("thumbnails", "list", *OWNER)

    bench.template(None, name="Course", metadata_config={"thumbnail_name": "b.jpg"})
    with pytest.raises(UserActionError, match="named by the template “Course”"):
        leap("thumbnails", "delete", "b.jpg", *OWNER)
    assert leap("thumbnails", "delete", "Моя.png", *OWNER) == "Моя.png is deleted.\n"
    with pytest.raises(NotFound, match="is not there"):
        leap("thumbnails", "delete", "Моя.png", *OWNER)
    with pytest.raises(InputError, match="cannot be read"):
        leap("thumbnails", "add", tmp_path / "none.png", *OWNER)
    with pytest.raises(InputError, match="There is no user"):
        leap("thumbnails", "list", "--user", "nobody@example.org")


def test_a_registered_user_has_the_default_pictures(bench: Bench) -> None:
    leap("user", "add", "new@example.org")
    found = json.loads(leap("thumbnails", "list", "--user", "new@example.org", "--json"))
    assert [each["shared"] for each in found["thumbnails"]] == [False] * 3


def test_a_preview_shows_what_would_be_published(bench: Bench) -> None:
    template = bench.template(
        None,
        metadata_config={
            "title_template": "Курс: {display_name}",
            "description_template": "Раз\\nДва",
            "tags": ["ML", "AI"],
            "thumbnail_name": "none.png",
            "vk": {"privacy_view": 1},
        },
    )
    number = bench.recording(display_name="Лекция", template_id=template)
    assert leap("preview", number, "--platform", "youtube") == (
        "YouTube, no preset\n"
        "  title        Курс: Лекция\n"
        "  tags         ML, AI\n"
        "  settings     categoryId 27, privacyStatus private, selfDeclaredMadeForKids no, "
        "embeddable yes\n"
        "  video        none\n"
        "  thumbnail    none\n"
        "  captions     none\n"
        "  playlist     none\n"
        "  description\n"
        "    Раз\n"
        "    Два\n"
        "  note: There is no video to publish yet: run the recording first.\n"
        "  note: There is no picture none.png: it is published without a thumbnail.\n"
        "  note: Captions are left out: the subtitles are not made yet.\n"
    )
    both = leap("preview", number)
    assert "VK, no preset\n  title        Курс: Лекция\n  tags         none\n" in both
    bench.target(number, Platform.YOUTUBE, "UPLOADED")
    shown = json.loads(leap("preview", number, "--json"))
    assert shown["recording_id"] == number
    assert list(shown["previews"]) == ["youtube", "vk"]
    youtube = shown["previews"]["youtube"]
    assert youtube["description"] == "Раз\nДва"
    assert [each["field"] for each in youtube["published"]["changes"]][:2] == [
        "title", "description",
    ]  # fmt: skip
    assert shown["previews"]["vk"]["published"] is None
    text = leap("preview", number, "--platform", "YOUTUBE")
    assert "  An update would change title: none → Курс: Лекция\n" in text
    assert "  An update would change tags: + ML, + AI\n" in text
    assert "    + Два\n" in text
    with pytest.raises(InputError, match="no recording"):
        leap("preview", number + 1)
