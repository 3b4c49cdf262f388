"""The fake of VK refuses what VK refuses: parameters, rights, uploads, pictures, rates."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.support.vk import faults
from tests.support.vk.desk import Desk, lecture
from tests.support.vk.fake import API
from tests.support.vk.serve import Served, process, serving

OTHER = 743784475
"""A second person, once there is one."""


@pytest.fixture
def desk() -> Desk:
    return Desk()


def code(answer: Any) -> int | None:
    found: int | None = answer.get("error", {}).get("error_code")
    return found


def form(content: bytes = b"video", field: str = "video_file", name: str = "v.mp4") -> Any:
    return {field: (name, content, "video/mp4")}


def upload_error(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error_code"]


@pytest.mark.parametrize(
    ("method", "said", "wanted"),
    [
        pytest.param("video.save", {"name": "a" * 129}, 100, id="name of 129 characters"),
        pytest.param("video.save", {"description": "a" * 5001}, 100, id="description of 5001"),
        pytest.param("video.save", {"wallpost": "true"}, 100, id="a truth that is no 0 or 1"),
        pytest.param("video.save", {"group_id": "0"}, 100, id="community 0"),
        pytest.param("video.save", {"group_id": "-5"}, 100, id="community with a sign"),
        pytest.param("video.save", {"group_id": "club"}, 100, id="community by name"),
        pytest.param("video.save", {"group_id": "77"}, 125, id="no such community"),
        pytest.param("video.save", {"album_id": "-1"}, 100, id="album -1"),
        pytest.param("video.save", {"album_id": "9"}, 114, id="no such album"),
        pytest.param("video.save", {"privacy_view": "private"}, 100, id="unknown audience"),
        pytest.param("video.save", {"privacy": "all"}, 100, id="misspelt name"),
        pytest.param("video.save", {"title": "a"}, 100, id="another method's name"),
        pytest.param("video.save", {"v": "5.81"}, 8, id="old version"),
        pytest.param("video.save", {"v": ""}, 8, id="no version"),
        pytest.param("video.get", {"videos": "12"}, 100, id="id without an owner"),
        pytest.param("video.get", {"videos": "1_2;3_4"}, 100, id="ids not by commas"),
        pytest.param("video.get", {"videos": "1_2", "count": "201"}, 100, id="count over 200"),
        pytest.param("video.edit", {"name": "a"}, 100, id="edit without an id"),
        pytest.param("video.edit", {"video_id": "0"}, 100, id="video 0"),
        pytest.param("video.edit", {"video_id": "5"}, 204, id="no such video"),
        pytest.param("video.edit", {"video_id": "x"}, 100, id="id no number"),
        pytest.param("video.delete", {"video_id": "5", "owner_id": "0"}, 100, id="owner 0"),
        pytest.param("video.delete", {"video_id": "5"}, 204, id="delete what is not there"),
        pytest.param("video.addToAlbum", {"video_id": "5"}, 100, id="album without owner"),
        pytest.param("video.getAlbums", {"count": "101"}, 100, id="count over 100"),
        pytest.param("video.getAlbums", {"owner_id": "me"}, 100, id="owner no number"),
        pytest.param("video.getThumbUploadUrl", {}, 100, id="thumbnail of nobody"),
        pytest.param("video.getThumbUploadUrl", {"owner_id": "1"}, 204, id="thumbnail of another"),
        pytest.param(
            "video.saveUploadedThumb", {"owner_id": "743784474"}, 100, id="thumbnail without a file"
        ),
        pytest.param(
            "video.saveUploadedThumb",
            {"owner_id": "743784474", "thumb_json": "{}", "video_id": "1", "set_thumb": "1"},
            100,
            id="thumbnail that was never sent",
        ),
        pytest.param("video.upload", {}, 3, id="no such method"),
        pytest.param("video.add_to_album", {}, 3, id="method in Python's spelling"),
        pytest.param("vid.save", {}, 3, id="no such category"),
        pytest.param("groups.getById", {"group_ids": "1", "fields": "video"}, 100, id="no field"),
    ],
)
def test_a_wrong_call_is_refused(desk: Desk, method: str, said: Any, wanted: int) -> None:
    assert code(desk.call(method, **said)) == wanted
    assert [entry.code for entry in desk.vk.ledger.refused()] == [wanted]
    assert desk.vk.world.videos == {}


@pytest.mark.parametrize(
    ("kind", "rights", "wanted"),
    [
        ("user", 0, 15),
        ("vk_id", 16, 1051),
        ("community", 16, 27),
        ("service", 16, 28),
    ],
)
def test_a_token_without_the_right_is_refused(
    desk: Desk, kind: str, rights: int, wanted: int
) -> None:
    token = desk.vk.world.grant(desk.person, kind=kind, rights=rights).value
    assert code(desk.call("video.save", token, name="Graphs")) == wanted


def test_a_token_that_has_ended_or_is_from_elsewhere_is_refused(desk: Desk) -> None:
    assert code(desk.call("users.get", "made up")) == 5
    desk.token.elsewhere = True
    assert desk.call("users.get")["error"]["error_subcode"] == 1130
    desk.token.ended = True
    assert code(desk.call("users.get")) == 5


def test_a_parameter_said_twice_or_as_json_is_refused(desk: Desk) -> None:
    twice = desk.http.post(f"{API}/users.get?v=5.199", data={"v": "5.199"}).json()
    as_json = desk.http.post(f"{API}/users.get", json={"v": "5.199"}).json()
    assert (code(twice), code(as_json)) == (100, 100)


def test_a_community_takes_videos_of_its_editors_only_and_without_privacy(desk: Desk) -> None:
    group = desk.vk.world.add_group()
    assert code(desk.call("video.save", group_id=group.id)) == 203
    desk.person.groups.add(group.id)
    assert code(desk.call("video.save", group_id=group.id, privacy_view="all")) == 100
    assert desk.announce(group_id=group.id)["owner_id"] == -group.id


def test_the_videos_of_another_are_hidden_and_not_touched(desk: Desk) -> None:
    said = desk.announce()
    name = f"{said['owner_id']}_{said['video_id']}"
    desk.http.post(said["upload_url"], files=form())
    other = desk.vk.world.grant(desk.vk.world.add_person("Alan", "Turing")).value
    assert desk.call("video.get", other, videos=name)["response"]["count"] == 0
    keyed = f"{name}_{said['access_key']}"
    assert desk.call("video.get", other, videos=keyed)["response"]["count"] == 1
    named = {"owner_id": said["owner_id"], "video_id": said["video_id"]}
    assert code(desk.call("video.edit", other, **named, name="Mine")) == 204
    assert code(desk.call("video.delete", other, **named)) == 204


def test_albums_take_own_videos_once(desk: Desk) -> None:
    said, album = desk.announce(), desk.vk.world.add_album(desk.person.id)
    into = {"owner_id": said["owner_id"], "video_id": said["video_id"]}
    assert code(desk.call("video.addToAlbum", **into)) == 100
    assert code(desk.call("video.addToAlbum", **into, album_id=99)) == 114
    assert code(desk.call("video.addToAlbum", **into, album_id=album.id, album_ids="1")) == 100
    assert code(desk.call("video.removeFromAlbum", **into, album_id=album.id)) == 204
    assert desk.call("video.addToAlbum", **into, album_id=album.id) == {"response": 1}
    assert code(desk.call("video.addToAlbum", **into, album_id=album.id)) == 800


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        pytest.param(form(field="file"), (400, 100), id="another field"),
        pytest.param(form(b""), (200, 22), id="empty"),
        pytest.param(form(name="v.txt"), (200, 22), id="no video's name"),
        pytest.param(
            [("video_file", ("a.mp4", b"a")), ("x", ("b.mp4", b"b"))], (400, 100), id="two"
        ),
    ],
)
def test_a_wrong_upload_is_refused(desk: Desk, files: Any, wanted: tuple[int, int]) -> None:
    url = desk.announce()["upload_url"]
    assert upload_error(desk.http.post(url, files=files)) == wanted
    assert desk.vk.world.whole() == []


def test_an_upload_is_one_form_of_a_known_length(desk: Desk) -> None:
    url = desk.announce()["upload_url"]
    good = httpx.Request("POST", url, files=form(b"a" * 500))
    body, kind = good.read(), good.headers["content-type"]
    raw = desk.http.post(url, content=b"a", headers={"Content-Type": "video/mp4"})
    chunked = desk.http.post(url, content=iter([body]), headers={"Content-Type": kind})
    open_ended = desk.http.post(url, content=body[:-30], headers={"Content-Type": kind})
    got = desk.http.get(url)
    assert [upload_error(each)[0] for each in (raw, chunked, open_ended, got)] == [400] * 4
    headers = {"Content-Type": kind, "Content-Length": str(len(body) + 1)}
    with pytest.raises(httpx.WriteError):
        desk.http.post(url, content=body, headers=headers)
    assert desk.vk.world.whole() == []
    assert desk.http.post(url, content=body, headers={"Content-Type": kind}).json()["size"] == 500


def test_an_address_ends_and_stands_for_one_video(desk: Desk) -> None:
    said = desk.announce()
    forged = said["upload_url"].replace("sig=", "sig=0")
    assert upload_error(desk.http.post(forged, files=form())) == (200, 104)
    answers = [desk.http.post(said["upload_url"], files=form(each)) for each in (b"one", b"two")]
    assert [each.json()["video_id"] for each in answers] == [said["video_id"]] * 2
    (video,) = desk.vk.world.whole()
    assert video.content is not None
    assert video.content.sha256 == hashlib.sha256(b"two").hexdigest()
    assert [entry.did for entry in desk.vk.ledger.of("upload")] == [None, "stored", "replaced"]
    desk.later(hours=25)
    assert upload_error(desk.http.post(said["upload_url"], files=form())) == (200, 105)


def test_what_was_deleted_takes_no_file(desk: Desk) -> None:
    said = desk.announce()
    assert desk.call("video.delete", video_id=said["video_id"]) == {"response": 1}
    assert upload_error(desk.http.post(said["upload_url"], files=form())) == (200, 50)
    assert code(desk.call("video.delete", video_id=said["video_id"])) == 204


def test_drafts_lag_and_work_are_as_the_rules_say(desk: Desk) -> None:
    def listed() -> Any:
        return desk.call("video.get", videos=name)["response"]["items"]

    said = desk.announce()
    name = f"{said['owner_id']}_{said['video_id']}"
    assert [each["duration"] for each in listed()] == [0]
    desk.vk.rules.drafts_listed = False
    assert listed() == []
    desk.vk.rules.lag, desk.vk.rules.working = timedelta(minutes=1), timedelta(minutes=2)
    desk.http.post(said["upload_url"], files=form())
    assert listed() == []
    desk.later(minutes=1)
    assert [each["processing"] for each in listed()] == [1]
    desk.later(minutes=1)
    assert [(each["duration"], "processing" in each) for each in listed()] == [(60, False)]


def test_a_thumbnail_is_a_real_picture_and_one_that_was_sent(desk: Desk) -> None:
    def sent(content: bytes) -> httpx.Response:
        return desk.http.post(url, files={"file": ("t.jpg", content, "image/jpeg")})

    said = desk.announce()
    url = desk.call("video.getThumbUploadUrl", owner_id=desk.person.id)["response"]["upload_url"]
    picture = io.BytesIO()
    Image.new("RGB", (320, 180), "navy").save(picture, "JPEG")
    assert upload_error(sent(b"<svg/>")) == (200, 8)
    assert upload_error(sent(picture.getvalue()[:200])) == (200, 8)
    assert upload_error(sent(picture.getvalue() + bytes(6 * 1024 * 1024))) == (200, 9)
    set_for: dict[str, Any] = {
        "owner_id": desk.person.id,
        "thumb_json": sent(picture.getvalue()).text,
    }
    assert code(desk.call("video.saveUploadedThumb", **set_for, set_thumb=1)) == 100
    set_for["video_id"] = said["video_id"]
    assert "photo_hash" in desk.call("video.saveUploadedThumb", **set_for, set_thumb=1)["response"]
    (draft,) = desk.vk.world.drafts()
    assert draft.thumb == hashlib.sha256(picture.getvalue()).hexdigest()


def test_a_fourth_call_within_a_second_is_refused() -> None:
    desk = Desk(enforce_rates=True)
    assert [code(desk.call("users.get")) for _ in range(4)] == [None, None, None, 6]
    desk.later(seconds=1)
    assert code(desk.call("users.get")) is None
    assert desk.vk.ledger.peak(desk.person.id) == 3


def test_a_day_has_its_limit(desk: Desk) -> None:
    desk.vk.rules.saves_a_day = 1
    assert [code(desk.call("video.save")) for _ in range(2)] == [None, 29]
    desk.later(days=1)
    assert code(desk.call("video.save")) is None


def test_planned_faults_hit_and_are_noted(desk: Desk) -> None:
    desk.vk.fail(faults.refusal("video.save", code=14))
    desk.vk.fail(faults.server_error("users.get"))
    desk.vk.fail(faults.lost("video.save"))
    assert desk.call("video.save")["error"]["captcha_sid"]
    with pytest.raises(httpx.ReadError):
        desk.call("video.save")
    assert len(desk.vk.world.drafts()) == 1
    assert desk.http.post(f"{API}/users.get").status_code == 503
    assert [entry.fault for entry in desk.vk.ledger.entries] == ["code 14", "lost", "503"]
    assert desk.vk.ledger.refused() == []


@pytest.mark.parametrize("at", [0, 1, 90, 400_000, 900_000])
def test_an_upload_is_cut_at_any_byte(desk: Desk, tmp_path: Path, at: int) -> None:
    file, url = lecture(tmp_path), desk.announce()["upload_url"]
    desk.vk.fail(faults.cut(at))
    with pytest.raises(httpx.WriteError):
        desk.http.post(url, files=form(file.path.read_bytes()))
    (entry,) = desk.vk.ledger.of("upload")
    assert (entry.received, entry.whole, entry.status) == (at, False, 0)
    assert desk.vk.world.whole() == []


def test_no_secret_is_in_the_ledger(desk: Desk) -> None:
    desk.announce()
    assert desk.token.value not in str(desk.vk.ledger.as_json())


def cut_over_sockets(desk: Desk, served: Served) -> None:
    with httpx.Client() as http:
        desk.http = http
        data = {"access_token": desk.token.value, "v": "5.199", "name": "Graphs"}
        said = http.post(f"{served.api}/video.save", data=data).json()["response"]
        with pytest.raises(httpx.TransportError):
            http.post(said["upload_url"], files=form(b"a" * 3_000_000))
        assert (
            http.post(said["upload_url"], files=form(b"b" * 3_000_000)).json()["size"] == 3_000_000
        )


def test_the_same_over_sockets(desk: Desk) -> None:
    desk.vk.fail(faults.cut(100_000))
    with serving(desk.vk) as served:
        cut_over_sockets(desk, served)
        assert [each["sha256"] is not None for each in served.videos()] == [True]
    first, second = desk.vk.ledger.of("upload")
    assert (first.received, first.whole, second.did) == (100_000, False, "stored")


def test_the_same_in_a_process_of_its_own(desk: Desk, tmp_path: Path) -> None:
    with process(desk.vk, tmp_path) as served:
        served.fail(name="cut", on=["upload"], cut_at=100_000)
        cut_over_sockets(desk, served)
        uploads = [entry for entry in served.ledger() if entry["route"] == "upload"]
        assert [(each["received"] > 100_000, each["did"]) for each in uploads] == [
            (False, None),
            (True, "stored"),
        ]
        served.ahead(timedelta(hours=25))
        said = {"access_token": desk.token.value, "v": "5.199"}
        assert "response" in httpx.post(f"{served.api}/users.get", data=said).json()
