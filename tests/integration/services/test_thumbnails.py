"""A user's pictures: taken over, found, counted, and kept as long as something names them."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageColor
from sqlalchemy import select, update

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.runs import StoredObject
from leap_pipeline.db.models.subscriptions import UserSubscription
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.db.models.users import BaseConfig, User, UserConfig, UserCredential
from leap_pipeline.errors import InputError, NotFound, QuotaExceeded, UserActionError
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.deletion import delete_user
from leap_pipeline.services.quotas import stored_bytes
from leap_pipeline.services.thumbnails import (
    Thumbnail,
    add_thumbnail,
    delete_thumbnail,
    find_thumbnail,
    list_thumbnails,
    users_of_thumbnail,
)
from leap_pipeline.services.users import add_user
from tests.support.bench import Bench, make_bench

SHARED = ["lecture.png", "seminar.png", "workshop.png"]


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 360), colour).save(buffer, "PNG")
    return buffer.getvalue()


def add(bench: Bench, name: str, content: bytes | None = None, **given: Any) -> Thumbnail:
    return add_thumbnail(
        bench.database,
        bench.storage,
        bench.user_id,
        name,
        png() if content is None else content,
        actor=SYSTEM,
        at=datetime.now(UTC),
        **given,
    )


def delete(bench: Bench, name: str) -> None:
    with bench.database.tenant(bench.user_id) as session:
        delete_thumbnail(
            session, bench.storage, bench.user_id, name, actor=SYSTEM, at=datetime.now(UTC)
        )


def find(bench: Bench, name: str) -> str | None:
    with bench.database.tenant(bench.user_id) as session:
        return find_thumbnail(session, bench.storage, bench.user_id, name)


def listed(bench: Bench) -> list[Thumbnail]:
    with bench.database.tenant(bench.user_id) as session:
        return list_thumbnails(session, bench.storage, bench.user_id)


def rows(bench: Bench) -> dict[str, int]:
    with bench.database.tenant(bench.user_id) as session:
        return {row.path: row.bytes for row in session.scalars(select(StoredObject))}


def test_an_own_picture_comes_before_a_shared_one(bench: Bench) -> None:
    assert [each.name for each in listed(bench) if each.is_shared] == SHARED
    assert find(bench, "lecture.png") == "shared/thumbnails/lecture.png"
    made = add(bench, " lecture.png")
    own = f"users/user_{bench.slug:06d}/thumbnails/lecture.png"
    assert (made.path, find(bench, "lecture.png")) == (own, own)
    found = listed(bench)
    assert [each.name for each in found] == SHARED
    assert [each.is_shared for each in found] == [False, True, True]
    # Its file is gone: the shared one serves again.
    bench.storage.remove(own)
    assert find(bench, "lecture.png") == "shared/thumbnails/lecture.png"
    assert find(bench, "other.png") is None
    with pytest.raises(InputError, match="leave out the folders"):
        find(bench, "../../user_000001/thumbnails/a.png")


def test_another_tenant_s_picture_is_not_found(bench: Bench) -> None:
    add(bench, "mine.png")
    other = make_bench(bench.database, bench.storage.root, "other@example.org")
    assert find(other, "mine.png") is None
    with pytest.raises(NotFound, match="is not there"):
        delete(other, "mine.png")
    assert find(bench, "mine.png") is not None


def test_what_is_stored_is_counted_noted_and_drawn_anew(bench: Bench) -> None:
    made = add(bench, "Осень.png", png() + b"<script>")
    content = bench.storage.fetch(made.path).read_bytes()
    assert b"<script>" not in content
    assert Image.open(io.BytesIO(content)).size == (1280, 720)
    assert rows(bench) == {made.path: len(content)} == {made.path: made.bytes}
    with bench.database.system() as session:
        assert stored_bytes(session, bench.user_id) == len(content)
        entry = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "thumbnail.add")
            .order_by(AuditEntry.id.desc()).limit(1)
        ).one()  # fmt: skip
        assert (entry.subject_id, entry.after) == ("Осень.png", {"bytes": len(content)})
    assert not list((bench.storage.root / ".scratch").iterdir())


def test_a_name_that_is_taken_is_replaced_only_when_asked(bench: Bench) -> None:
    first = add(bench, "a.png")
    with pytest.raises(InputError, match=r"There is a picture a\.png already: replace it"):
        add(bench, "a.png", png("blue"))
    assert bench.storage.fetch(first.path).stat().st_size == first.bytes
    second = add(bench, "a.png", png("blue"), replace=True)
    with Image.open(bench.storage.fetch(second.path)) as picture:
        assert picture.convert("RGB").getpixel((9, 9)) == (0, 0, 255)
    assert rows(bench) == {second.path: second.bytes}


def test_of_many_at_once_of_one_name_one_is_stored(bench: Bench) -> None:
    def act(colour: str) -> str:
        try:
            add(bench, "a.png", png(colour))
        except InputError:
            return "refused"
        return colour

    colours = ["red", "blue", "green", "white", "black"]
    with ThreadPoolExecutor(len(colours)) as pool:
        outcomes = list(pool.map(act, colours))
    (winner,) = (each for each in outcomes if each != "refused")
    ((path, size),) = rows(bench).items()
    with Image.open(bench.storage.fetch(path)) as picture:
        assert picture.getpixel((9, 9)) == ImageColor.getrgb(winner)
    assert bench.storage.fetch(path).stat().st_size == size


def test_what_is_no_picture_or_finds_no_room_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(InputError, match="cannot be read as a picture"):
        add(bench, "a.png", b"<svg/>")

    with bench.database.system() as session:
        own = update(UserSubscription).where(UserSubscription.user_id == bench.user_id)
        session.execute(own.values(custom_max_storage_gb=0))
    with pytest.raises(QuotaExceeded, match="storage of 0 GB has no room"):
        add(bench, "a.png")
    assert rows(bench) == {}
    assert not bench.storage.path(f"users/user_{bench.slug:06d}/thumbnails").exists()


def test_a_picture_is_deleted_when_nothing_names_it(bench: Bench) -> None:
    assert len(listed(bench)) == len(SHARED)
    made = add(bench, "ml.png")
    add(bench, "ml2.png")
    bench.template(None, name="Course", metadata_config={"thumbnail_name": "ml2.png"})
    delete(bench, "ml.png")
    assert not bench.storage.path(made.path).exists()
    assert [path.rpartition("/")[2] for path in rows(bench)] == ["ml2.png"]
    with pytest.raises(NotFound, match=r"ml\.png is not there: `leap thumbnails list`"):
        delete(bench, "ml.png")
    with pytest.raises(NotFound, match="is shared, and not yours"):
        delete(bench, "lecture.png")


def test_a_picture_that_something_names_is_kept_and_told_by_what(bench: Bench) -> None:
    made = add(bench, "ml.png")
    named = {"thumbnail_name": "ml.png"}
    bench.template(None, name="Course", metadata_config=named)
    bench.template(None, name="Of old", metadata_config={"common": named, "youtube": {}})
    bench.template(None, name="One platform", metadata_config={"vk": named}, is_active=False)
    bench.template(None, name="Another", metadata_config={"title_template": "ml.png"})
    number = bench.recording(processing_preferences={"metadata_config": named})
    with bench.database.tenant(bench.user_id) as session:
        account = UserCredential(
            user_id=bench.user_id, platform="youtube", account_name="a", encrypted_data="x"
        )
        session.add(account)
        session.flush()
        session.add(
            OutputPreset(
                user_id=bench.user_id, name="Channel", platform="YOUTUBE",
                credential_id=account.id, preset_metadata=named,
            )
        )  # fmt: skip
        session.add(
            BaseConfig(
                user_id=bench.user_id, name="Base", config_type="metadata", config_data=named
            )
        )
        own = session.scalars(select(UserConfig)).one()
        own.metadata_config = {"youtube": named}
    with pytest.raises(UserActionError) as refused:
        delete(bench, "ml.png")
    assert str(refused.value) == (
        "The picture ml.png is named by the template “Course”, the template “Of old”, the template "
        "“One platform”, the preset “Channel”, the user's defaults and 2 more: choose another one "
        "there first."
    )
    assert bench.storage.path(made.path).is_file()
    with bench.database.tenant(bench.user_id) as session:
        told = users_of_thumbnail(session, bench.user_id, "ml.png")
        assert told[-2:] == ["the base configuration “Base”", f"recording {number}"]
        assert users_of_thumbnail(session, bench.user_id, "l.png") == []


def test_a_new_user_gets_copies_which_go_with_the_account(bench: Bench, tmp_path: Path) -> None:
    with bench.database.system() as session:
        user = add_user(session, "new@example.org", storage=bench.storage)
        user_id, slug = user.id, user.user_slug
    folder = bench.storage.root / f"users/user_{slug:06d}/thumbnails"
    assert sorted(each.name for each in folder.iterdir()) == SHARED
    with bench.database.tenant(user_id) as session:
        found = list_thumbnails(session, bench.storage, user_id)
        assert [(each.name, each.is_shared) for each in found] == [(n, False) for n in SHARED]
        assert stored_bytes(session, user_id) == sum(each.bytes or 0 for each in found) > 0
        delete_thumbnail(
            session, bench.storage, user_id, "seminar.png", actor=SYSTEM, at=datetime.now(UTC)
        )  # fmt: skip
        assert find_thumbnail(session, bench.storage, user_id, "seminar.png") == (
            "shared/thumbnails/seminar.png"
        )
    delete_user(bench.database, bench.storage, user_id, actor=SYSTEM)
    assert not folder.exists()
    assert (bench.storage.root / "shared/thumbnails/lecture.png").is_file()
    with bench.database.system() as session:
        assert session.scalar(select(User.id).where(User.id == user_id)) is None
