"""The fake of VK against models that others made of VK's schema, and a client that others wrote."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import BaseModel
from vkbottle import API, VideoUploader, VKAPIError
from vkbottle_types.codegen.methods.account import AccountCategory
from vkbottle_types.codegen.methods.groups import GroupsCategory
from vkbottle_types.codegen.methods.users import UsersCategory
from vkbottle_types.codegen.methods.video import VideoCategory

from tests.support.vk.desk import Desk, lecture
from tests.support.vk.serve import serving


class Witness:
    """What vkbottle-types' methods ask, sent to the fake; they parse what it answers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.said: Any = None

    async def request(self, method: str, params: Mapping[str, Any]) -> Any:
        def text(value: Any) -> str:
            return ",".join(map(str, value)) if isinstance(value, list) else str(value)

        form = {name: text(value) for name, value in params.items()}
        answer = self._desk.call(method, **form)
        self.said = answer.get("response")
        return answer


def unknown(said: Any, model: Any) -> list[str]:
    """Names in what was said that the model has not, and values that it does not know."""
    if isinstance(said, list):
        return [
            each for one, other in zip(said, model, strict=True) for each in unknown(one, other)
        ]
    if isinstance(said, dict) and isinstance(model, BaseModel):
        found = [name for name in said if name not in type(model).model_fields]
        return found + [
            f"{name}.{each}"
            for name, value in said.items()
            if name in type(model).model_fields
            for each in unknown(value, getattr(model, name))
        ]
    if getattr(model, "name", None) == "NOT_SUPPORTED_MEMBER":
        return [repr(said)]
    return []


def picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (320, 180), "navy").save(made, "PNG")
    return made.getvalue()


def test_every_answer_is_one_of_vks(tmp_path: Path) -> None:
    desk = Desk()
    group = desk.vk.world.add_group(desk.person)
    desk.vk.world.add_album(desk.person.id)
    witness = Witness(desk)
    api: Any = witness
    video = VideoCategory(api)

    def ask(coroutine: Any) -> Any:
        model = asyncio.run(coroutine)
        assert unknown(witness.said, model) == []
        return model

    ask(UsersCategory(api).get())
    ask(AccountCategory(api).get_app_permissions())
    ask(GroupsCategory(api).get_by_id(group_ids=[group.id]))
    saved = ask(video.save(name="Graphs", privacy_view=["all"], wallpost=True))
    named = {"owner_id": saved.owner_id, "video_id": saved.video_id}
    name = f"{saved.owner_id}_{saved.video_id}"
    assert ask(video.get(videos=[name])).items[0].duration == 0
    file = lecture(tmp_path)
    sent = {"video_file": ("l.mp4", file.path.read_bytes())}
    answer = desk.http.post(saved.upload_url, files=sent).json()
    assert set(answer) == {"video_hash", "size", "owner_id", "video_id"}
    (listed,) = ask(video.get(videos=[name])).items
    assert (listed.id, listed.owner_id, listed.duration) == (saved.video_id, saved.owner_id, 60)
    assert ask(video.edit(**named, name="Trees", repeat=True)).success
    ask(video.add_to_album(**named, album_id=1))
    assert ask(video.get_albums()).items[0].title == "Graphs"
    assert ask(video.get_albums(extended=True)).items[0].count == 1
    assert ask(video.get_albums_by_video(**named)) == [1]
    ask(video.remove_from_album(**named, album_id=1))
    place = ask(video.get_thumb_upload_url(owner_id=desk.person.id))
    thumb = desk.http.post(place.upload_url, files={"file": ("t.png", picture())}).json()
    ask(video.save_uploaded_thumb(**named, thumb_json=json.dumps(thumb), set_thumb=True))
    ask(video.delete(**named))
    assert desk.vk.world.whole() == []
    assert desk.vk.ledger.refused() == []


def test_a_working_and_a_failed_video_are_vks_too() -> None:
    desk = Desk()
    desk.vk.rules.working = desk.vk.rules.lifetime
    said = desk.announce()
    sha256 = hashlib.sha256(b"video").hexdigest()
    desk.vk.uploads.refused.add(sha256)
    desk.http.post(said["upload_url"], files={"video_file": ("v.mp4", b"video")})
    witness, name = Witness(desk), f"{said['owner_id']}_{said['video_id']}"
    api: Any = witness
    working = asyncio.run(VideoCategory(api).get(videos=[name])).items[0]
    assert unknown(witness.said["items"][0], working) == []
    assert (working.processing, working.converting) == (1, True)
    desk.later(days=2)
    failed = asyncio.run(VideoCategory(api).get(videos=[name])).items[0]
    assert unknown(witness.said["items"][0], failed) == []
    assert failed.content_restricted_message == "The video cannot be read."


def test_somebody_elses_client_publishes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, file = Desk(), lecture(tmp_path)

    async def publish(root: str) -> tuple[str, int]:
        monkeypatch.setattr(API, "API_URL", f"{root}/method/")
        api = API(desk.token.value)
        try:
            attachment = await VideoUploader(api).upload(str(file.path), name="Graphs")
            with pytest.raises(VKAPIError) as refused:
                await api.video.edit(video_id=1, name="Nobody's")
            return attachment, refused.value.code
        finally:
            await api.http_client.close()

    with serving(desk.vk) as served:
        attachment, code = asyncio.run(publish(served.root))
    (video,) = desk.vk.world.whole()
    assert video.content is not None
    assert (attachment, code) == (f"video{video.name}", 204)
    assert (video.title, video.content.sha256) == ("Graphs", file.sha256)
