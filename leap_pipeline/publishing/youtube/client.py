"""What LEAP asks of the YouTube Data API, as one channel.

client = YouTubeClient(YouTubeApi(http, tokens, quota))
channel = client.channel()
uri = client.open_upload(resource, size)

    https://developers.google.com/youtube/v3/docs
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from leap_pipeline.errors import TransientError, UserActionError
from leap_pipeline.publishing.youtube.answers import (
    CaptionsMissing,
    EntryMissing,
    PlaylistMissing,
    VideoMissing,
)
from leap_pipeline.publishing.youtube.api import Asked, Params, YouTubeApi, items
from leap_pipeline.publishing.youtube.listing import Resource
from leap_pipeline.publishing.youtube.quota import QuotaCall
from leap_pipeline.redaction import remember

API = "/youtube/v3"
UPLOAD = "/upload/youtube/v3"
PAGE = 50
VIDEO_TYPE = "video/*"
SRT_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Channel:
    """A channel; `uploads` is the playlist of everything that was ever uploaded to it."""

    channel_id: str
    title: str
    uploads: str


@dataclass(frozen=True)
class Track:
    """Captions of a video."""

    track_id: str
    language: str
    name: str


class YouTubeClient:
    """Safe to share between threads. Raises what `answers.refusal` makes of YouTube's refusals."""

    def __init__(self, api: YouTubeApi) -> None:
        self._api = api

    def channel(self) -> Channel:
        """The channel that the token belongs to."""
        what = "the channel of the account"
        params = {"part": "id,snippet,contentDetails", "mine": "true"}
        found = items(self._get(what, QuotaCall.CHANNEL, "channels", params))
        if not found:
            msg = (
                "The Google account has no YouTube channel: create one at youtube.com, then "
                "connect it again."
            )
            raise UserActionError(msg)
        details = _within(found[0], "contentDetails", "relatedPlaylists")
        title = _within(found[0], "snippet").get("title")
        channel_id, uploads = found[0].get("id"), details.get("uploads")
        if not isinstance(channel_id, str) or not isinstance(uploads, str):
            msg = f"YouTube's answer about {what} cannot be read: try again later."
            raise TransientError(msg)
        return Channel(channel_id, title if isinstance(title, str) else "", uploads)

    def open_upload(self, resource: Resource, size: int) -> SecretStr:
        """The address of a new session, a secret; no byte is sent."""
        what = "the upload of a video"
        answer = self._api.ask(
            Asked(
                what,
                QuotaCall.VIDEO_INSERT,
                "POST",
                f"{UPLOAD}/videos",
                {"uploadType": "resumable", "part": resource.part},
                resource.body,
                headers={
                    "X-Upload-Content-Length": str(size),
                    "X-Upload-Content-Type": VIDEO_TYPE,
                },
                repeatable=False,
            )
        )
        if not answer.location or not self._api.is_ours(answer.location):
            msg = f"YouTube's answer to {what} names no session: try again later."
            raise TransientError(msg)
        remember(answer.location)
        return SecretStr(answer.location)

    def uploaded_since(self, uploads: str, earliest: datetime | None) -> Iterator[list[str]]:
        """Ids of the videos of an uploads playlist, newest first, a page at a time."""
        params: Params = {"part": "snippet", "playlistId": uploads, "maxResults": PAGE}
        asked = Asked(
            "the list of uploads",
            QuotaCall.SEARCH_UPLOADS,
            "GET",
            f"{API}/playlistItems",
            params,
        )
        try:
            for page in self._api.pages(asked):
                snippets = [_within(each, "snippet") for each in page]
                ids = [_within(each, "resourceId").get("videoId") for each in snippets]
                yield [each for each in ids if isinstance(each, str)]
                dates = [_date(each.get("publishedAt")) for each in snippets]
                if earliest and dates and all(at is not None and at < earliest for at in dates):
                    return
        except PlaylistMissing:
            return  # so YouTube answers for a channel to which nothing was ever uploaded

    def videos(
        self, ids: Iterable[str], part: str, call: QuotaCall = QuotaCall.VIDEO_LIST
    ) -> list[Mapping[str, Any]]:
        """At most 50 videos; those that are gone are left out."""
        params = {"part": part, "id": ",".join(ids)}
        return items(self._get("the state of a video", call, "videos", params))

    def update_video(self, video_id: str, resource: Resource) -> None:
        """Make its parts what `resource` says; what it leaves out of a part is deleted."""
        self._api.ask(
            Asked(
                f"the change of the video {video_id:.20}",
                QuotaCall.VIDEO_UPDATE,
                "PUT",
                f"{API}/videos",
                {"part": resource.part},
                {"id": video_id, **resource.body},
            )
        )

    def delete_video(self, video_id: str) -> None:
        """One that is gone is no error."""
        try:
            self._delete("the deletion of a video", QuotaCall.VIDEO_DELETE, "videos", video_id)
        except VideoMissing:
            return

    def set_thumbnail(self, video_id: str, picture: bytes, media_type: str) -> None:
        """A JPEG or PNG of at most 2 MiB."""
        self._api.ask(
            Asked(
                f"the thumbnail of the video {video_id:.20}",
                QuotaCall.THUMBNAIL_SET,
                "POST",
                f"{UPLOAD}/thumbnails/set",
                {"videoId": video_id, "uploadType": "media"},
                media=picture,
                media_type=media_type,
            )
        )

    def captions(self, video_id: str) -> list[Track]:
        """Its tracks, without those that YouTube made by itself."""
        params = {"part": "snippet", "videoId": video_id}
        what = f"the captions of the video {video_id:.20}"
        found = items(self._get(what, QuotaCall.CAPTIONS_LIST, "captions", params))
        tracks = [(each.get("id"), _within(each, "snippet")) for each in found]
        return [
            Track(track_id, str(about.get("language", "")), str(about.get("name", "")))
            for track_id, about in tracks
            if isinstance(track_id, str) and str(about.get("trackKind", "")).lower() != "asr"
        ]

    def insert_captions(self, video_id: str, language: str, name: str, srt: bytes) -> str:
        """The id of the new track; raises CaptionsExist where there is one of this name."""
        what = f"the captions of the video {video_id:.20}"
        about = {"videoId": video_id, "language": language, "name": name, "isDraft": False}
        answer = self._api.ask(
            Asked(
                what,
                QuotaCall.CAPTIONS_INSERT,
                "POST",
                f"{UPLOAD}/captions",
                {"uploadType": "multipart", "part": "snippet"},
                {"snippet": about},
                srt,
                SRT_TYPE,
                repeatable=False,
            )
        )
        return _id_of(answer.body, what)

    def update_captions(self, track_id: str, srt: bytes) -> None:
        """Other text for a track."""
        self._api.ask(
            Asked(
                "the captions of a video",
                QuotaCall.CAPTIONS_UPDATE,
                "PUT",
                f"{UPLOAD}/captions",
                {"uploadType": "multipart", "part": "snippet"},
                {"id": track_id, "snippet": {"isDraft": False}},
                srt,
                SRT_TYPE,
            )
        )

    def delete_captions(self, track_id: str) -> None:
        """One that is gone is no error."""
        try:
            self._delete(
                "the deletion of captions", QuotaCall.CAPTIONS_DELETE, "captions", track_id
            )
        except CaptionsMissing:
            return

    def entries(self, playlist_id: str, video_id: str) -> list[str]:
        """The entries of a playlist that show this video."""
        params: Params = {
            "part": "id",
            "playlistId": playlist_id,
            "videoId": video_id,
            "maxResults": PAGE,
        }
        what = f"the playlist {playlist_id:.40}"
        found = items(self._get(what, QuotaCall.PLAYLIST_LIST, "playlistItems", params))
        return [entry for each in found if isinstance(entry := each.get("id"), str)]

    def insert_entry(self, playlist_id: str, video_id: str) -> str:
        """The id of the new entry; asked twice it would be there twice."""
        what = f"the playlist {playlist_id:.40}"
        resource = {"kind": "youtube#video", "videoId": video_id}
        answer = self._api.ask(
            Asked(
                what,
                QuotaCall.PLAYLIST_INSERT,
                "POST",
                f"{API}/playlistItems",
                {"part": "snippet"},
                {"snippet": {"playlistId": playlist_id, "resourceId": resource}},
                repeatable=False,
            )
        )
        return _id_of(answer.body, what)

    def delete_entry(self, entry: str) -> None:
        """One that is gone is no error."""
        try:
            self._delete(
                "the entry of a playlist", QuotaCall.PLAYLIST_DELETE, "playlistItems", entry
            )
        except EntryMissing:
            return

    def _get(self, what: str, call: QuotaCall, name: str, params: Params) -> Mapping[str, Any]:
        return self._api.ask(Asked(what, call, "GET", f"{API}/{name}", params)).body

    def _delete(self, what: str, call: QuotaCall, name: str, resource_id: str) -> None:
        self._api.ask(Asked(what, call, "DELETE", f"{API}/{name}", {"id": resource_id}))


def _id_of(body: Mapping[str, Any], what: str) -> str:
    if isinstance(found := body.get("id"), str) and found:
        return found
    msg = f"YouTube's answer to {what} names no id: try again later."
    raise TransientError(msg)


def _within(document: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        found = document.get(name)
        if not isinstance(found, Mapping):
            return {}
        document = found
    return document


def _date(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
