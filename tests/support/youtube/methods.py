"""What each method of the API does to the fake's world, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.support.youtube import limits
from tests.support.youtube.errors import Refused
from tests.support.youtube.multipart import Upload
from tests.support.youtube.world import Playlist, Track, Video

if TYPE_CHECKING:
    from tests.support.youtube.fake import Call, FakeYouTube

Parts = Sequence[str]
Body = dict[str, Any]
MOST = 50


def check_video(document: Mapping[str, Any], parts: Parts) -> None:
    """What videos.insert says of a video; or Refused."""
    if "snippet" in parts:
        limits.snippet(document.get("snippet", {}))
    if "status" in parts:
        limits.status(document.get("status", {}))


def video_body(fake: FakeYouTube, video: Video, parts: Parts) -> Body:
    """A video as its owner sees it."""
    now = fake.clock()
    done = now >= video.processed_at
    made: Body = {"kind": "youtube#video", "etag": "etag", "id": video.id}
    if "snippet" in parts:
        made["snippet"] = {
            **video.snippet,
            "channelId": video.channel,
            "channelTitle": fake.world.channels[video.channel].title,
            "publishedAt": written(video.made_at),
        }
    if "status" in parts:
        made["status"] = _status(video, now, done=done)
    if "processingDetails" in parts:
        state = "failed" if video.failure else "succeeded"
        made["processingDetails"] = {"processingStatus": state if done else "processing"}
    if "contentDetails" in parts:
        playing = video.seconds if done and not video.failure else 0
        made["contentDetails"] = {
            "duration": _duration(playing),
            "hasCustomThumbnail": video.picture is not None,
        }
    return made


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(video: Video, now: datetime, *, done: bool) -> Body:
    upload = ("failed" if video.failure else "processed") if done else "uploaded"
    about = {**video.status, "uploadStatus": upload}
    if done and video.failure:
        about["failureReason"] = video.failure
    at = about.get("publishAt")
    if at is not None and datetime.fromisoformat(at) <= now:
        del about["publishAt"]
        about["privacyStatus"] = "public"
    return about


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if not whole:
        return "P0D"
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    parts = ((hours, "H"), (minutes, "M"), (rest, "S"))
    return "PT" + "".join(f"{value}{unit}" for value, unit in parts if value)


def _channels(fake: FakeYouTube, call: Call, parts: Parts, _document: Body) -> Body:
    if call.params.get("mine") != "true":
        raise Refused(400, "missingRequiredParameter", "The fake knows only mine=true.")
    assert call.grant is not None
    mine = fake.world.channels.get(call.grant.channel or "")
    items = []
    if mine is not None:
        item: Body = {"kind": "youtube#channel", "id": mine.id}
        if "snippet" in parts:
            item["snippet"] = {"title": mine.title}
        if "contentDetails" in parts:
            item["contentDetails"] = {"relatedPlaylists": {"uploads": mine.uploads}}
        items.append(item)
    return {"kind": "youtube#channelListResponse", **({"items": items} if items else {})}


def _list_videos(fake: FakeYouTube, call: Call, parts: Parts, _document: Body) -> Body:
    ids = [each for each in call.params.get("id", "").split(",") if each]
    if not ids:
        raise Refused(400, "missingRequiredParameter", "No filter selected.")
    if len(ids) > MOST:
        raise Refused(400, "invalidFilters", f"{len(ids)} ids are more than {MOST}.")
    if "maxResults" in call.params:
        raise Refused(400, "incompatibleParameters", "maxResults does not go with id.")
    found = [fake.world.videos.get(each) for each in ids]
    seen = [
        video_body(fake, each, parts)
        for each in found
        if each is not None and not each.deleted and _is_seen(each, call, parts)
    ]
    return {"kind": "youtube#videoListResponse", "items": seen}


def _is_seen(video: Video, call: Call, parts: Parts) -> bool:
    if video.channel == call.channel:
        return True
    if {"processingDetails", "fileDetails", "suggestions"} & set(parts):
        raise Refused(403, "forbidden", "These parts are for the owner alone.")
    return video.status.get("privacyStatus") != "private"


def _update_video(fake: FakeYouTube, call: Call, parts: Parts, document: Body) -> Body:
    video = _own_video(fake, call, str(document.get("id", "")))
    if "snippet" in parts:
        snippet = document.get("snippet", {})
        if not snippet.get("title") or not snippet.get("categoryId"):
            raise Refused(400, "invalidVideoMetadata", "A snippet has a title and a category.")
        limits.snippet(snippet)
    if "status" in parts:
        now_public = _status(video, call.now, done=True).get("privacyStatus") == "public"
        limits.status(document.get("status", {}), was_public=now_public)
    # The whole part is replaced: what the request leaves out goes back to nothing.
    if "snippet" in parts:
        video.snippet = dict(document["snippet"])
    if "status" in parts:
        video.status = {"privacyStatus": "public", **document.get("status", {})}
    call.note(did="updated")
    return video_body(fake, video, ("id", *parts))


def _delete_video(fake: FakeYouTube, call: Call, _parts: Parts, _document: Body) -> None:
    video = _own_video(fake, call, call.params["id"])
    video.deleted = True
    for playlist in fake.world.playlists.values():
        playlist.entries = [each for each in playlist.entries if each[1] != video.id]
    call.note(did="deleted")


def _own_video(fake: FakeYouTube, call: Call, video_id: str) -> Video:
    call.note(video=video_id)
    video = fake.world.videos.get(video_id)
    if video is None or video.deleted:
        message = "The video that you are trying to change cannot be found."
        raise Refused(404, "videoNotFound", message, domain="youtube.video")
    if video.channel != call.channel:
        raise Refused(403, "forbidden", "Forbidden", domain="youtube.video")
    return video


def _list_entries(fake: FakeYouTube, call: Call, parts: Parts, _document: Body) -> Body:
    playlist_id = call.params.get("playlistId", "")
    entries = _entries(fake, call, playlist_id)
    if "videoId" in call.params:
        entries = [each for each in entries if each[1] == call.params["videoId"]]
    size = int(call.params.get("maxResults", "5"))
    begin = _begin(call.params.get("pageToken"))
    page = entries[begin : begin + size]
    body: Body = {
        "kind": "youtube#playlistItemListResponse",
        "pageInfo": {"totalResults": len(entries), "resultsPerPage": size},
        "items": [_entry_body(fake, playlist_id, each, parts) for each in page],
    }
    if begin + size < len(entries):
        body["nextPageToken"] = f"P{begin + size}"
    return body


def _begin(token: str | None) -> int:
    if token is None:
        return 0
    if not token.startswith("P") or not token[1:].isdecimal():
        raise Refused(400, "invalidPageToken", "The page token is invalid.")
    return int(token[1:])


def _entries(fake: FakeYouTube, call: Call, playlist_id: str) -> list[tuple[str, str, datetime]]:
    if not playlist_id:
        raise Refused(400, "missingRequiredParameter", "No filter selected.")
    for channel in fake.world.channels.values():
        if playlist_id == channel.uploads:
            return _uploads(fake, call, channel.id)
    return list(_playlist(fake, call, playlist_id).entries)


def _uploads(fake: FakeYouTube, call: Call, channel: str) -> list[tuple[str, str, datetime]]:
    """Newest first; a new one is not there at once."""
    every = [each for each in fake.world.videos.values() if each.channel == channel]
    if not every:
        raise Refused(404, "playlistNotFound", "The playlist cannot be found.")
    shown = [
        each for each in every if not each.deleted and call.now >= each.made_at + fake.world.lag
    ]
    ordered = sorted(enumerate(shown), key=lambda pair: (pair[1].made_at, pair[0]), reverse=True)
    return [(f"UUI{each.id}", each.id, each.made_at) for _, each in ordered]


def _entry_body(
    fake: FakeYouTube, playlist_id: str, entry: tuple[str, str, datetime], parts: Parts
) -> Body:
    entry_id, video_id, added_at = entry
    body: Body = {"kind": "youtube#playlistItem", "id": entry_id}
    if "snippet" in parts:
        body["snippet"] = {
            "playlistId": playlist_id,
            "publishedAt": written(added_at),
            "title": str(fake.world.videos[video_id].snippet.get("title", "")),
            "resourceId": {"kind": "youtube#video", "videoId": video_id},
        }
    if "contentDetails" in parts:
        body["contentDetails"] = {"videoId": video_id}
    return body


def _playlist(fake: FakeYouTube, call: Call, playlist_id: str) -> Playlist:
    call.note(subject=playlist_id)
    playlist = fake.world.playlists.get(playlist_id)
    if playlist is None:
        raise Refused(404, "playlistNotFound", "The playlist cannot be found.")
    if playlist.channel != call.channel:
        raise Refused(403, "playlistItemsNotAccessible", "Forbidden")
    return playlist


def _insert_entry(fake: FakeYouTube, call: Call, _parts: Parts, document: Body) -> Body:
    snippet = document.get("snippet", {})
    resource = snippet.get("resourceId", {})
    if not snippet.get("playlistId") or not resource:
        raise Refused(400, "required", "playlistId and resourceId are required.")
    if resource.get("kind") != "youtube#video" or not resource.get("videoId"):
        raise Refused(400, "resourceIdRequired", "The resource must be a video.")
    playlist = _playlist(fake, call, snippet["playlistId"])
    video = fake.world.videos.get(resource["videoId"])
    if video is None or video.deleted:
        raise Refused(404, "videoNotFound", "Video not found.", domain="youtube.playlistItem")
    entry = (fake.new_id(24), video.id, call.now)
    playlist.entries.append(entry)
    call.note(did="inserted", video=video.id, subject=playlist.id)
    return _entry_body(fake, playlist.id, entry, ("snippet",))


def _delete_entry(fake: FakeYouTube, call: Call, _parts: Parts, _document: Body) -> None:
    for playlist in fake.world.playlists.values():
        kept = [each for each in playlist.entries if each[0] != call.params["id"]]
        if len(kept) < len(playlist.entries):
            _playlist(fake, call, playlist.id)
            playlist.entries = kept
            call.note(did="deleted")
            return
    raise Refused(404, "playlistItemNotFound", "The item cannot be found.")


def _list_captions(fake: FakeYouTube, call: Call, parts: Parts, _document: Body) -> Body:
    video = _own_video(fake, call, call.params["videoId"])
    tracks = [_track_body(video, each, parts) for each in video.tracks]
    return {"kind": "youtube#captionListResponse", "items": tracks}


def _track_body(video: Video, track: Track, parts: Parts) -> Body:
    body: Body = {"kind": "youtube#caption", "id": track.id}
    if "snippet" in parts:
        body["snippet"] = {
            "videoId": video.id,
            "language": track.language,
            "name": track.name,
            "trackKind": "standard",
            "isDraft": track.is_draft,
            "lastUpdated": written(track.updated_at),
            "status": "serving",
        }
    return body


def _track(fake: FakeYouTube, call: Call, track_id: str) -> tuple[Video, Track]:
    for video in fake.world.videos.values():
        for track in video.tracks:
            if track.id == track_id and not video.deleted:
                return _own_video(fake, call, video.id), track
    raise Refused(404, "captionNotFound", "The caption track could not be found.")


def _delete_captions(fake: FakeYouTube, call: Call, _parts: Parts, _document: Body) -> None:
    video, track = _track(fake, call, call.params["id"])
    video.tracks.remove(track)
    call.note(did="deleted", subject=track.id)


def _insert_captions(fake: FakeYouTube, call: Call, parts: Parts, sent: Upload) -> Body:
    snippet = sent.document.get("snippet", {})
    if "snippet" not in sent.document:
        raise Refused(400, "required", "snippet is required.")
    video = _own_video(fake, call, snippet["videoId"])
    limits.track(snippet)
    limits.captions(sent.content)
    language, name = snippet["language"], snippet["name"]
    if any((each.language, each.name) == (language, name) for each in video.tracks):
        message = "The video has a track with this language and name."
        raise Refused(409, "captionExists", message, domain="youtube.caption")
    track = Track(
        fake.new_id(20), language, name, sent.content, snippet.get("isDraft", False), call.now
    )
    video.tracks.append(track)
    call.note(did="inserted", subject=track.id)
    return _track_body(video, track, parts)


def _update_captions(fake: FakeYouTube, call: Call, parts: Parts, sent: Upload) -> Body:
    video, track = _track(fake, call, str(sent.document.get("id", "")))
    if set(sent.document.get("snippet", {})) - {"isDraft"}:
        raise Refused(400, "invalidMetadata", "Only isDraft of a track can be changed.")
    limits.captions(sent.content)
    track.content, track.updated_at = sent.content, call.now
    call.note(did="updated", subject=track.id)
    return _track_body(video, track, parts)


def _set_thumbnail(fake: FakeYouTube, call: Call, _parts: Parts, sent: Upload) -> Body:
    video = _own_video(fake, call, call.params["videoId"])
    width, height = limits.picture(sent.content, sent.media_type.partition(";")[0].strip())
    video.picture, video.picture_size = sent.content, (width, height)
    call.note(did="updated")
    about = {"url": f"https://i.ytimg.com/vi/{video.id}/x.jpg", "width": width, "height": height}
    return {"kind": "youtube#thumbnailSetResponse", "items": [{"default": about}]}


Method = Callable[["FakeYouTube", "Call", Parts, Body], Body | None]
METHODS: Mapping[str, Method] = {
    "channels.list": _channels,
    "videos.list": _list_videos,
    "videos.update": _update_video,
    "videos.delete": _delete_video,
    "playlistItems.list": _list_entries,
    "playlistItems.insert": _insert_entry,
    "playlistItems.delete": _delete_entry,
    "captions.list": _list_captions,
    "captions.delete": _delete_captions,
}
UPLOADS: Mapping[str, Callable[[FakeYouTube, Call, Parts, Upload], Body]] = {
    "captions.insert": _insert_captions,
    "captions.update": _update_captions,
    "thumbnails.set": _set_thumbnail,
}
