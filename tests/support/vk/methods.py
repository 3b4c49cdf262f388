"""The methods of VK that LEAP calls, over the world of the fake. The caller holds the lock."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.support.vk.answers import album_body, person_body, video_body
from tests.support.vk.errors import Refused
from tests.support.vk.world import VIDEO_RIGHT, Album, Person, Token, Video, World

WRITES = frozenset(
    {
        "video.save",
        "video.edit",
        "video.delete",
        "video.addToAlbum",
        "video.removeFromAlbum",
        "video.getThumbUploadUrl",
        "video.saveUploadedThumb",
    }
)


@dataclass
class Rules:
    """How this VK behaves; tests change it.

    `drafts_listed`: whether video.get shows what was announced and never sent. `lag`: so long a
    video that arrived is not listed. `working`: so long VK works on it. `lifetime`: of an address
    to upload to; with `says_expiry` the address tells when it ends. `saves_a_day`: for each user.
    """

    drafts_listed: bool = True
    lag: timedelta = timedelta(0)
    working: timedelta = timedelta(0)
    lifetime: timedelta = timedelta(hours=24)
    says_expiry: bool = True
    saves_a_day: int = 5000
    upload_host: str = "https://ovu.mycdn.me"


@dataclass
class Address:
    """A place to upload to."""

    video: str
    ends_at: datetime


@dataclass
class Call:
    """One call on its way through; `video` and `did` are for the ledger."""

    method: str
    params: Mapping[str, Any]
    now: datetime
    token: Token
    video: str | None = None
    did: str | None = None


@dataclass
class Methods:
    world: World
    rules: Rules
    addresses: dict[str, Address] = field(default_factory=dict)
    thumb_addresses: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Owner and SHA-256 of each picture that arrived, by the hash that was answered."""
    saves: dict[tuple[int, object], int] = field(default_factory=dict)

    def answer(self, call: Call) -> Any:
        """The response. Raises Refused."""
        _need_right(call)
        found: Callable[[Call], Any] | None = {
            "users.get": self._users,
            "account.getAppPermissions": self._rights,
            "groups.getById": self._groups,
            "video.save": self._save,
            "video.get": self._get,
            "video.edit": self._edit,
            "video.delete": self._delete,
            "video.getAlbums": self._albums,
            "video.getAlbumsByVideo": self._albums_by_video,
            "video.addToAlbum": self._add_to_album,
            "video.removeFromAlbum": self._remove_from_album,
            "video.getThumbUploadUrl": self._thumb_address,
            "video.saveUploadedThumb": self._save_thumb,
        }.get(call.method)
        if found is None:
            raise Refused(23, f"{call.method} is not part of the fake")
        return found(call)

    def _users(self, call: Call) -> list[dict[str, Any]]:
        own = [] if call.token.kind in ("community", "service") else [call.token.user_id]
        ids = call.params.get("user_ids", own)
        people = [self.world.people[each] for each in ids if each in self.world.people]
        return [person_body(each) for each in people]

    def _rights(self, call: Call) -> int:
        return call.token.rights

    def _groups(self, call: Call) -> dict[str, Any]:
        ids = call.params.get("group_ids", [call.params.get("group_id")])
        fields = {str(each) for each in call.params.get("fields", [])}
        mine = self._person(call).groups
        found = []
        for each in ids:
            if each not in self.world.groups:
                raise Refused(100, "group_ids is undefined")
            body: dict[str, Any] = {
                "id": each,
                "name": self.world.groups[each].name,
                "screen_name": f"club{each}",
                "type": "group",
                "is_admin": int(each in mine),
            }
            if "can_upload_video" in fields:
                body["can_upload_video"] = int(each in mine)
            found.append(body)
        return {"groups": found, "profiles": []}

    def _save(self, call: Call) -> dict[str, Any]:
        person, params = self._person(call), call.params
        owner_id = self._owner_of_new(person, params)
        if "link" in params:
            raise Refused(100, "links are not part of the fake")
        album_id = params.get("album_id")
        album = self._album(owner_id, album_id) if album_id else None
        today = (person.id, call.now.date())
        self.saves[today] = self.saves.get(today, 0) + 1
        if self.saves[today] > self.rules.saves_a_day:
            raise Refused(29)
        title, text = params.get("name") or "Untitled", params.get("description", "")
        kept = ("privacy_view", "privacy_comment", "no_comments", "repeat", "wallpost")
        video = Video(
            id=self.world.next_id(),
            owner_id=owner_id,
            saved_at=call.now,
            title=title,
            description=text,
            settings={name: params[name] for name in kept if name in params},
            access_key=secrets.token_hex(9),
        )
        self.world.videos[video.name] = video
        if album is not None:
            album.videos.append(video.name)
        call.video, call.did = video.name, "announced"
        return {
            "access_key": video.access_key,
            "description": text,
            "owner_id": owner_id,
            "title": title,
            "upload_url": self._new_address(video, call.now),
            "video_id": video.id,
        }

    def _owner_of_new(self, person: Person, params: Mapping[str, Any]) -> int:
        group_id = params.get("group_id")
        if group_id is None:
            return person.id
        if "privacy_view" in params or "privacy_comment" in params:
            raise Refused(100, "a community's video has no privacy of its own")
        if group_id not in self.world.groups:
            raise Refused(125)
        if group_id not in person.groups:
            raise Refused(203)
        return -int(group_id)

    def _new_address(self, video: Video, now: datetime) -> str:
        signature = secrets.token_hex(20)
        ends_at = now + self.rules.lifetime
        self.addresses[signature] = Address(video.name, ends_at)
        said = f"&expires={int(ends_at.timestamp() * 1000)}" if self.rules.says_expiry else ""
        return (
            f"{self.rules.upload_host}/upload.do?sig={signature}{said}&clientType=14"
            f"&vkOwnerId={video.owner_id}&vkVideoId={video.id}"
        )

    def _get(self, call: Call) -> dict[str, Any]:
        owner_id = call.params.get("owner_id", call.token.user_id)
        own = [each.name for each in self.world.videos.values() if each.owner_id == owner_id]
        found = []
        for each in call.params.get("videos", own):
            owner, number, *key = each.split("_", 2)
            video = self.world.videos.get(f"{owner}_{number}")
            if video is not None and self._is_listed(video, call, key[0] if key else None):
                call.video = video.name
                found.append(video_body(video, call.now))
        first = call.params.get("offset", 0)
        return {"count": len(found), "items": found[first:][: call.params.get("count", 100)]}

    def _is_listed(self, video: Video, call: Call, key: str | None) -> bool:
        if video.deleted_at is not None:
            return False
        mine = self._owns(call, video.owner_id)
        seen = mine or key == video.access_key or video.settings.get("privacy_view") == ["all"]
        if video.content is None:
            return mine and self.rules.drafts_listed
        return seen and video.content.listed_at <= call.now

    def _edit(self, call: Call) -> dict[str, Any]:
        video, params = self._own_video(call), call.params
        if video.owner_id < 0 and ("privacy_view" in params or "privacy_comment" in params):
            raise Refused(100, "a community's video has no privacy of its own")
        video.title = params.get("name", video.title)
        video.description = params.get("desc", video.description)
        for name in ("privacy_view", "privacy_comment", "no_comments", "repeat"):
            if name in params:
                video.settings[name] = params[name]
        call.did = "edited"
        return {"success": 1, "access_key": video.access_key}

    def _delete(self, call: Call) -> int:
        video = self._own_video(call)
        video.deleted_at = call.now
        for album in self.world.albums.values():
            album.videos = [each for each in album.videos if each != video.name]
        call.did = "deleted" if video.content is not None else "draft deleted"
        return 1

    def _albums(self, call: Call) -> dict[str, Any]:
        owner_id = call.params.get("owner_id", call.token.user_id)
        found = [each for each in self.world.albums.values() if each.owner_id == owner_id]
        first, most = call.params.get("offset", 0), call.params.get("count", 50)
        if most > 100:
            raise Refused(100, "count should be less or equal to 100")
        full = call.params.get("extended", False)
        items = [album_body(each, call.now, full=full) for each in found[first:][:most]]
        return {"count": len(found), "items": items}

    def _albums_by_video(self, call: Call) -> list[int]:
        video = self._own_video(call)
        target = call.params.get("target_id", call.token.user_id)
        found = self.world.albums.values()
        return [each.id for each in found if each.owner_id == target and video.name in each.videos]

    def _add_to_album(self, call: Call) -> int:
        video, album = self._own_video(call), self._own_album(call)
        if video.name in album.videos:
            raise Refused(800)
        album.videos.append(video.name)
        call.did = f"put into album {album.id}"
        return 1

    def _remove_from_album(self, call: Call) -> int:
        video, album = self._own_video(call), self._own_album(call)
        if video.name not in album.videos:
            raise Refused(204, "the video is not in the album")
        album.videos.remove(video.name)
        call.did = f"taken out of album {album.id}"
        return 1

    def _thumb_address(self, call: Call) -> dict[str, str]:
        owner_id = call.params["owner_id"]
        if not self._owns(call, owner_id):
            raise Refused(204)
        signature = secrets.token_hex(20)
        self.thumb_addresses[signature] = owner_id
        return {"upload_url": f"{self.rules.upload_host}/thumb.do?sig={signature}"}

    def _save_thumb(self, call: Call) -> dict[str, Any]:
        try:
            said = json.loads(call.params["thumb_json"])
            owner_id, picture = self.pictures[said["photo_hash"]]
        except (ValueError, KeyError, TypeError):
            raise Refused(100, "thumb_json is not what the upload server answered") from None
        if owner_id != call.params["owner_id"]:
            raise Refused(204)
        if call.params.get("set_thumb"):
            if "video_id" not in call.params:
                raise Refused(100, "set_thumb needs video_id")
            self._own_video(call).thumb = picture
            call.did = "thumbnail set"
        photo = int(hashlib.sha256(picture.encode()).hexdigest()[:7], 16)
        return {"photo_id": photo, "photo_owner_id": owner_id, "photo_hash": said["photo_hash"]}

    def _own_video(self, call: Call) -> Video:
        owner_id = call.params.get("owner_id", call.token.user_id)
        call.video = f"{owner_id}_{call.params['video_id']}"
        video = self.world.videos.get(call.video)
        if video is None or video.deleted_at is not None or not self._owns(call, owner_id):
            raise Refused(204)
        return video

    def _own_album(self, call: Call) -> Album:
        if ("album_id" in call.params) == ("album_ids" in call.params):
            raise Refused(100, "one of album_id and album_ids is needed")
        if "album_ids" in call.params:
            raise Refused(100, "album_ids is not part of the fake")
        target = call.params.get("target_id", call.token.user_id)
        if not self._owns(call, target):
            raise Refused(204)
        return self._album(target, call.params["album_id"])

    def _album(self, owner_id: int, album_id: int) -> Album:
        album = self.world.albums.get((owner_id, album_id))
        if album is None:
            raise Refused(114)
        return album

    def _owns(self, call: Call, owner_id: int) -> bool:
        if owner_id < 0:
            return -owner_id in self._person(call).groups
        return owner_id == call.token.user_id

    def _person(self, call: Call) -> Person:
        return self.world.people[call.token.user_id]


def _need_right(call: Call) -> None:
    token = call.token
    if call.method == "users.get":
        return
    if token.kind == "community":
        raise Refused(27)
    if token.kind == "service":
        raise Refused(28)
    if token.kind == "vk_id" and call.method in WRITES:
        raise Refused(1051)
    if call.method.startswith("video.") and not token.rights & VIDEO_RIGHT:
        raise Refused(15, "no access to call this method")
