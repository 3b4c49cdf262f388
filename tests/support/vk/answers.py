"""The fake's things as VK writes them. https://dev.vk.com/reference/objects/video"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.support.vk.world import Album, Person, Video


def person_body(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "can_access_closed": True,
        "is_closed": False,
    }


def video_body(video: Video, now: datetime) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": video.id,
        "owner_id": video.owner_id,
        "title": video.title,
        "description": video.description,
        "date": int(video.saved_at.timestamp()),
        "duration": 0,
        "type": "video",
        "views": 0,
        "comments": 0,
        "access_key": video.access_key,
        "can_edit": 1,
        "can_delete": 1,
    }
    content = video.content
    if content is None:
        return body
    if now < content.ready_at:
        return {**body, "processing": 1, "converting": 1}
    if content.refused is not None:
        said = {"content_restricted": 1, "content_restricted_message": content.refused}
        return {**body, **said}
    player = f"https://vk.com/video_ext.php?oid={video.owner_id}&id={video.id}"
    shown = {"duration": content.seconds, "player": player, "converting": 0}
    return {**body, **shown, "width": 1280, "height": 720}


def album_body(album: Album, now: datetime, *, full: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"id": album.id, "owner_id": album.owner_id, "title": album.title}
    if not full:
        return {**body, "response_type": "min"}
    counted = {"count": len(album.videos), "updated_time": int(now.timestamp())}
    return {**body, **counted, "response_type": "full"}
