"""VK's videos as one user's token may change them.

client = VkClient(http, tokens, gate=gate)
saved = client.save({"name": "Graphs"})
client.upload(saved.upload_url, path, size, progress)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from leap_pipeline.errors import TransientError, UserActionError
from leap_pipeline.progress import ProgressCallback, ignore
from leap_pipeline.publishing.vk.answers import (
    IN_ALBUM,
    judge,
    refusal,
    refused,
    wants_other_token,
)
from leap_pipeline.publishing.vk.limits import Gate, NoGate
from leap_pipeline.publishing.vk.models import Saved, VkVideo
from leap_pipeline.publishing.vk.upload import FileForm, upload_refusal
from leap_pipeline.publishing.vk.watched import watched
from leap_pipeline.redaction import remember
from leap_pipeline.web.calls import APART_SECONDS, PATIENCE, Answer, Budget, Calls
from leap_pipeline.web.tokens import TokenSource

API = "https://api.vk.com/method"
VERSION = "5.199"
LARGEST_ANSWER = 4 * 1024 * 1024
UPLOAD_TIMEOUT = httpx.Timeout(60, connect=10, read=300)
"""Seconds; the upload server answers once it has put the file away."""


class VkClient:
    """Calls VK's methods with the token of one user. Safe to share between threads.

    Each call waits for at most 60 s on a VK that fails or holds it back. Raises TransientError and
    MustWaitError after that, CredentialRefused where the token is taken no more, UserActionError
    where a person must act, DataError for what LEAP asked for wrongly.
    https://dev.vk.com/method/video
    """

    def __init__(
        self,
        http: httpx.Client,
        tokens: TokenSource,
        *,
        gate: Gate | None = None,
        api_url: str = API,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._gate = gate or NoGate()
        self._api_url = api_url.rstrip("/")
        self._clock = clock
        self._calls = Calls(http, "VK", clock=clock, sleep=sleep)
        self._uploads = Calls(
            http, "VK's upload server", apart=APART_SECONDS, clock=clock, sleep=sleep
        )

    def user_id(self) -> int:
        """Whose token it is."""
        said = self._call("users.get", {}, "the account")
        first = said[0] if isinstance(said, list) and said else None
        if not isinstance(first, Mapping) or not isinstance(first.get("id"), int):
            msg = "VK does not say whose token it is: connect a user's account, not a community's."
            raise UserActionError(msg)
        return int(first["id"])

    def manages(self, group_id: int) -> bool:
        """May the account put videos into this community?"""
        form = {"group_ids": str(group_id), "fields": "can_upload_video,is_admin"}
        said = self._call("groups.getById", form, f"the community {group_id}")
        groups = said.get("groups") if isinstance(said, Mapping) else said
        first = groups[0] if isinstance(groups, list) and groups else {}
        return bool(first.get("is_admin") or first.get("can_upload_video"))

    def save(self, form: Mapping[str, str]) -> Saved:
        """Announce a video; asked again it announces another, which is empty until it is sent."""
        found = Saved.read(self._call("video.save", form, "a new video"))
        remember(found.upload_url, found.access_key or "")
        return found

    def upload(
        self, url: str, path: Path, size: int, progress: ProgressCallback, *, old: bool = False
    ) -> Mapping[str, Any]:
        """Send the whole file of `size` bytes to the address that `save` gave.

        It is sent once: where it may have arrived, TransientError says that VK is to be asked.
        `old` says that the address may have ended. Raises SessionGone, and what `progress` raises.
        """
        answer = watched(
            lambda tell: self._send_file(url, path, size, "video_file", "video/mp4", tell), progress
        )
        wrong = upload_refusal(answer, old=old)
        if wrong is not None:
            raise wrong
        return answer.body

    def video(self, owner_id: int, video_id: int, access_key: str | None = None) -> VkVideo | None:
        """The video; None where VK lists none."""
        name = f"{owner_id}_{video_id}" + (f"_{access_key}" if access_key else "")
        said = self._call("video.get", {"videos": name, "count": "1"}, "a look at a video")
        items = said.get("items") if isinstance(said, Mapping) else None
        if not isinstance(items, list):
            msg = "VK's answer about a video is no listing: try again later."
            raise TransientError(msg)
        found = [VkVideo.read(each) for each in items if isinstance(each, Mapping)]
        return next((each for each in found if each.video_id == video_id), None)

    def edit(self, owner_id: int, video_id: int, form: Mapping[str, str]) -> None:
        """Change texts and settings; what is not said stays."""
        named = {"owner_id": str(owner_id), "video_id": str(video_id)}
        self._call("video.edit", {**form, **named}, "the change of a video")

    def delete(self, owner_id: int, video_id: int) -> None:
        """Delete it; VK refuses what is not there as what is somebody else's."""
        named = {"owner_id": str(owner_id), "video_id": str(video_id)}
        self._call("video.delete", named, "the deletion of a video")

    def albums_of(self, owner_id: int, video_id: int) -> tuple[int, ...]:
        """In which of the owner's albums a video is."""
        form = {"target_id": str(owner_id), "owner_id": str(owner_id), "video_id": str(video_id)}
        said = self._call("video.getAlbumsByVideo", form, "the albums of a video")
        return tuple(each for each in said if isinstance(each, int)) if said else ()

    def add_to_album(self, owner_id: int, video_id: int, album_id: int) -> None:
        """Put it into an album of its owner; one that is there already is no error."""
        form = _in_album(owner_id, video_id, album_id)
        self._call("video.addToAlbum", form, "putting a video into an album", fine=(IN_ALBUM,))

    def remove_from_album(self, owner_id: int, video_id: int, album_id: int) -> None:
        """Take it out of an album that it is in."""
        self._call(
            "video.removeFromAlbum",
            _in_album(owner_id, video_id, album_id),
            "taking out of an album",
        )

    def set_thumb(self, owner_id: int, video_id: int, picture: Path) -> None:
        """Give it a picture: an address, the file, and what came of it made the video's."""
        what = "the thumbnail of a video"
        said = self._call("video.getThumbUploadUrl", {"owner_id": str(owner_id)}, what)
        url = said.get("upload_url") if isinstance(said, Mapping) else None
        if not isinstance(url, str):
            msg = "VK names no place to send the thumbnail to: try again later."
            raise TransientError(msg)
        remember(url)
        mime = "image/png" if picture.suffix.lower() == ".png" else "image/jpeg"
        answer = self._send_file(url, picture, picture.stat().st_size, "file", mime, ignore)
        if refused(answer.body) is not None or not answer.body:
            msg = f"VK does not take the picture {picture.name}: choose another thumbnail."
            raise UserActionError(msg)
        form = {
            "owner_id": str(owner_id),
            "video_id": str(video_id),
            "thumb_json": json.dumps(answer.body, ensure_ascii=False),
            "set_thumb": "1",
        }
        self._call("video.saveUploadedThumb", form, what)

    def _call(
        self, method: str, form: Mapping[str, str], what: str, fine: Collection[int] = ()
    ) -> Any:
        """The response; None for a refusal whose code is in `fine`."""
        budget = self._calls.budget()
        token = self._tokens.get()
        answer = self._ask(method, form, token, budget)
        if wants_other_token(answer):
            token = self._tokens.renew(token)
            answer = self._ask(method, form, token, budget)
        found = refused(answer.body)
        if found is not None and found.code in fine:
            return None
        wrong = refusal(answer, what, self._clock())
        if wrong is not None:
            raise wrong
        return answer.body["response"]

    def _ask(
        self, method: str, form: Mapping[str, str], token: SecretStr, budget: Budget
    ) -> Answer:
        # In the body: an address is written into logs on the way.
        secret = {"access_token": token.get_secret_value(), "v": VERSION}
        request = self._http.build_request(
            "POST", f"{self._api_url}/{method}", data={**form, **secret}
        )
        return self._calls.send(
            request,
            budget,
            before=self._gate.wait,
            held_back=self._gate.block,
            judge=lambda answer: judge(answer, self._clock()),
            largest=LARGEST_ANSWER,
        )

    def _send_file(
        self,
        url: str,
        path: Path,
        size: int,
        field: str,
        mime: str,
        progress: ProgressCallback,
    ) -> Answer:
        if urlsplit(url).scheme not in ("https", urlsplit(self._api_url).scheme):
            msg = "VK names an address for the upload that is not safe: try again later."
            raise TransientError(msg)
        budget = self._uploads.budget()

        def tell(fraction: float) -> None:
            progress(fraction)
            budget.ends = self._clock() + PATIENCE + timedelta(seconds=UPLOAD_TIMEOUT.read or 0)

        form = FileForm(path, size, field, mime, tell)

        def once() -> None:
            if form.begun:
                msg = "VK's upload server took no more of the file: try again later."
                raise TransientError(msg)

        request = self._http.build_request(
            "POST", url, content=form, headers=form.headers, timeout=UPLOAD_TIMEOUT
        )
        return self._uploads.send(request, budget, before=once, repeatable=False)


def _in_album(owner_id: int, video_id: int, album_id: int) -> dict[str, str]:
    return {
        "target_id": str(owner_id),
        "album_id": str(album_id),
        "owner_id": str(owner_id),
        "video_id": str(video_id),
    }
