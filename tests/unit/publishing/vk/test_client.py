"""Calls to VK: what is sent, whose token it is, refusals by kind, tries, the gate, secrets."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from PIL import Image

from leap_pipeline.errors import DataError, MustWaitError, TransientError, UserActionError
from leap_pipeline.redaction import redact
from leap_pipeline.web.errors import CredentialRefused
from tests.support.vk import faults
from tests.support.vk.desk import NOW, Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_communitys_token_is_nobodys(desk: Desk) -> None:
    desk.token.kind = "community"
    with pytest.raises(UserActionError, match="connect a user's account"):
        desk.client.user_id()


def test_which_communities_are_managed(desk: Desk) -> None:
    mine = desk.vk.world.add_group(desk.person)
    other = desk.vk.world.add_group()
    assert (desk.client.manages(mine.id), desk.client.manages(other.id)) == (True, False)


def test_the_token_is_in_no_address_and_every_call_passes_the_gate(desk: Desk) -> None:
    seen: list[httpx.Request] = []
    desk.http.event_hooks = {"request": [seen.append]}
    desk.client.user_id()
    desk.client.save({"name": "Graphs"})
    assert [str(each.url) for each in seen] == [
        "https://api.vk.com/method/users.get",
        "https://api.vk.com/method/video.save",
    ]
    assert desk.gate.passed == 2


def test_a_token_that_has_ended_is_renewed_once(desk: Desk) -> None:
    desk.token.ended = True
    desk.tokens.next = [desk.vk.world.grant(desk.person).value]
    assert desk.client.user_id() == desk.person.id
    assert desk.tokens.refused == 1
    desk.vk.world.tokens.clear()
    desk.tokens.next = ["another one"]
    with pytest.raises(CredentialRefused, match="connect the VK account again") as refused:
        desk.client.user_id()
    assert refused.value.gone
    assert desk.tokens.refused == 2


def test_a_token_for_another_address_is_not_renewed(desk: Desk) -> None:
    desk.token.elsewhere = True
    with pytest.raises(CredentialRefused, match="another network address") as refused:
        desk.client.user_id()
    assert (refused.value.gone, desk.tokens.refused) == (True, 0)


@pytest.mark.parametrize("code", [1, 6, 10])
def test_what_passes_is_tried_again(desk: Desk, code: int) -> None:
    desk.vk.fail(faults.refusal(code=code, times=2))
    assert desk.client.user_id() == desk.person.id
    assert desk.vk.ledger.count("users.get") == 3


def test_too_many_calls_hold_everybody_back_for_a_second(desk: Desk) -> None:
    desk.vk.fail(faults.refusal(code=6))
    desk.client.user_id()
    assert desk.gate.blocks == [NOW + timedelta(seconds=1)]
    assert desk.clock() >= NOW + timedelta(seconds=1)


def test_too_many_calls_for_a_minute_are_a_wait(desk: Desk) -> None:
    desk.vk.fail(faults.refusal(code=6, times=None))
    with pytest.raises(MustWaitError, match="VK wants fewer requests"):
        desk.client.user_id()


@pytest.mark.parametrize("code", [1, 10])
def test_a_vk_that_stays_broken_is_given_up_after_a_minute(desk: Desk, code: int) -> None:
    desk.vk.fail(faults.refusal(code=code, times=None))
    with pytest.raises(TransientError, match=rf"a fault of its own \(code {code}\)"):
        desk.client.user_id()
    assert desk.clock() <= NOW + timedelta(seconds=60)


@pytest.mark.parametrize(("code", "hours"), [(9, 1), (29, 6)])
def test_a_flood_and_a_days_limit_are_long_waits(desk: Desk, code: int, hours: int) -> None:
    desk.vk.fail(faults.refusal(code=code))
    with pytest.raises(MustWaitError, match=f"code {code}") as wait:
        desk.client.save({"name": "a"})
    assert wait.value.due_at == NOW + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (7, "connect it again with the right to videos"),
        (14, "captcha before a new video, which only a person can answer"),
        (15, "not permitted: this account is denied"),
        (17, "login confirmed"),
        (18, "deleted or blocked"),
        (24, "confirmation by the account's owner"),
        (27, "not permitted: .* community's"),
        (28, "not permitted: .* app's"),
        (114, "correct `album_id`"),
        (125, "correct `group_id`"),
        (203, "make it an editor"),
        (204, "belongs to somebody else"),
        (214, "switch `wallpost` off"),
        (219, "no advertising"),
        (222, "no links"),
        (1051, "not permitted: the app was not granted the right"),
        (3300, "captcha"),
        (3301, "phone number"),
        (3302, "password"),
        (3609, "connect the VK account again"),
        (3610, "switched off"),
    ],
)
def test_what_a_person_must_do_is_one_sentence_and_never_tried_again(
    desk: Desk, code: int, words: str
) -> None:
    desk.vk.fail(faults.refusal(code=code, times=None))
    with pytest.raises(UserActionError, match=words) as refused:
        desk.client.save({"name": "a"})
    assert desk.vk.ledger.count("video.save") == 1
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("code", [23, 100, 113, 4242])
def test_other_refusals_are_faults_of_leap(desk: Desk, code: int) -> None:
    desk.vk.fail(faults.refusal(code=code, times=None))
    with pytest.raises(DataError, match=f"code {code}"):
        desk.client.save({"name": "a"})


def test_a_wrong_address_is_said(desk: Desk) -> None:
    desk.vk.fail(faults.Fault("404", status=404, body="<html>"))
    with pytest.raises(DataError, match="LEAP_VK_API_URL is right"):
        desk.client.user_id()
    desk.vk.fail(
        faults.Fault("302", status=302, body="", headers={"Location": "https://evil.example/x"})
    )
    with pytest.raises(UserActionError, match=r"sends requests on to evil\.example"):
        desk.client.user_id()


def test_an_answer_without_a_response_comes_again_later(desk: Desk) -> None:
    desk.vk.fail(faults.Fault("odd", status=200, body={"ok": 1}))
    with pytest.raises(TransientError, match="cannot be read"):
        desk.client.user_id()
    desk.vk.fail(faults.Fault("odd", status=200, body={"response": {"video_id": 1}}))
    with pytest.raises(TransientError, match="no place to send it to"):
        desk.client.save({"name": "a"})


def test_secrets_are_known_from_then_on_and_shown_nowhere(desk: Desk) -> None:
    saved = desk.client.save({"name": "a"})
    assert saved.access_key is not None
    assert saved.upload_url not in repr(saved)
    assert saved.access_key not in repr(saved)
    hidden = redact(f"{saved.access_key} {saved.upload_url}")
    assert saved.access_key not in hidden
    assert saved.upload_url not in hidden


def test_what_vk_says_of_a_request_does_not_show_its_token(desk: Desk) -> None:
    words = {"error": {"error_code": 100, "error_msg": f"bad access_token={desk.token.value}"}}
    desk.vk.fail(faults.Fault("leak", status=200, body=words))
    with pytest.raises(DataError) as refused:
        desk.client.save({"name": "a"})
    assert desk.token.value not in str(refused.value)


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_a_thumbnail_is_sent_and_set(desk: Desk, tmp_path: Path, format_: str) -> None:
    picture = tmp_path / f"t.{format_.lower()}"
    Image.new("RGB", (320, 180), "navy").save(picture, format_)
    saved = desk.client.save({"name": "a"})
    desk.client.set_thumb(saved.owner_id, saved.video_id, picture)
    (draft,) = desk.vk.world.drafts()
    assert draft.thumb is not None
    assert desk.vk.ledger.refused() == []


def test_what_is_no_picture_is_refused_in_a_sentence(desk: Desk, tmp_path: Path) -> None:
    picture = tmp_path / "t.png"
    picture.write_text("<svg/>")
    saved = desk.client.save({"name": "a"})
    with pytest.raises(UserActionError, match=r"does not take the picture t\.png"):
        desk.client.set_thumb(saved.owner_id, saved.video_id, picture)
