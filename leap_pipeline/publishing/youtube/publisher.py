"""YouTube as `publishing.uploader` asks for it: one account that uploads and decorates.

publisher = youtube_publisher(http, tokens, quota)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.errors import InputError, TransientError
from leap_pipeline.progress import ProgressCallback
from leap_pipeline.publishing.uploader import (
    Absent,
    Doubtful,
    Found,
    Gone,
    Kept,
    Opened,
    Processing,
    SessionGone,
    Upload,
    Video,
    VideoFile,
)
from leap_pipeline.publishing.youtube.answers import (
    GONE,
    CaptionsExist,
    CaptionsMissing,
    VideoMissing,
)
from leap_pipeline.publishing.youtube.api import ROOT, YouTubeApi
from leap_pipeline.publishing.youtube.client import Channel, YouTubeClient
from leap_pipeline.publishing.youtube.listing import marker_tag, resource, seconds
from leap_pipeline.publishing.youtube.quota import Quota, QuotaCall
from leap_pipeline.publishing.youtube.session import CHUNK, ResumableSession
from leap_pipeline.publishing.youtube.session_requests import SessionRequests
from leap_pipeline.publishing.youtube.watched import Watched
from leap_pipeline.redaction import remember
from leap_pipeline.web.tokens import TokenSource

SEARCHED_BEFORE = timedelta(days=1)
"""So much earlier than its session no video of it can be, however wrong a clock is."""
LARGEST_THUMBNAIL = 2 * 1024 * 1024
LARGEST_CAPTIONS = 100 * 1024 * 1024
PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
BROKEN_OFF = ("uploadAborted", "emptyFile")

logger = logging.getLogger(__name__)


class YouTubePublisher:
    """One channel. Fulfils `publishing.uploader.Publisher`; not shared between threads.

    Clock and sleep are the caller's.
    """

    def __init__(
        self,
        http: httpx.Client,
        tokens: TokenSource,
        quota: Quota,
        *,
        root_url: str = ROOT,
        chunk: int = CHUNK,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._quota = quota
        self._chunk = chunk
        self._clock = clock
        self._sleep = sleep
        api = YouTubeApi(http, tokens, quota, root_url=root_url, clock=clock, sleep=sleep)
        self._client = YouTubeClient(api)
        self._known: Channel | None = None

    def channel(self) -> Channel:
        """Whose token it is; asked once."""
        if self._known is None:
            self._known = self._client.channel()
        return self._known

    def open(self, file: VideoFile, sent: Sent, marker: str) -> Opened:
        """See Uploader; the session lives about a week."""
        account = self.channel().channel_id
        wanted = resource(sent, marker, self._clock())
        uri = self._client.open_upload(wanted, file.size)
        session = {"uri": uri.get_secret_value()}
        return Opened(session, account)

    def ask(self, upload: Upload) -> Found | Kept | Gone | Doubtful:
        """See Uploader."""
        if _uri(upload) is None:
            return Gone()
        if doubt := self._other_channel(upload):
            return doubt
        try:
            said = self._session(upload, self._sleep).probe()
        except SessionGone:
            return Gone()
        return Kept(said.kept) if said.video is None else Found(_video(said.video["id"]))

    def search(self, upload: Upload) -> Found | Absent | Doubtful:
        """See Uploader: by the marker among the tags of what was uploaded since."""
        if doubt := self._other_channel(upload):
            return doubt
        earliest = upload.opened_at - SEARCHED_BEFORE if upload.opened_at else None
        tag = marker_tag(upload.marker)
        found: dict[str, Mapping[str, Any]] = {}
        for ids in self._client.uploaded_since(self.channel().uploads, earliest):
            for each in self._look(ids, "snippet,status", QuotaCall.SEARCH_VIDEOS):
                if _has_tag(each, tag) and not _is_broken_off(each):
                    found[str(each.get("id"))] = each
        if len(found) > 1:
            urls = [address(video_id) for video_id in sorted(found)]
            return Doubtful(
                "YouTube has it more than once: delete all but one there, then release it",
                {"videos": urls, "channel": self.channel().channel_id},
            )
        return next((Found(_video(video_id)) for video_id in found), Absent())

    def send(
        self,
        upload: Upload,
        file: VideoFile,
        offset: int,
        progress: ProgressCallback,
        closing: Callable[[], None],
    ) -> Video:
        """See Uploader."""
        watched: Watched[Mapping[str, Any]] = Watched(file.size, progress)
        # The plain one would not end when the upload is stopped.
        sleep = watched.sleep if self._sleep is time.sleep else self._sleep
        session = self._session(upload, sleep)
        body = watched.run(lambda passed: session.send(file.path, offset, passed, closing))
        return _video(body["id"])

    def discard(self, upload: Upload) -> bool:
        """See Uploader: a session is made for one file, so that another needs another one.

        That a session can be ended is Google's way everywhere, but not promised for YouTube; one
        that lives on has no file to go on with.
        """
        if _uri(upload) is not None:
            try:
                self._session(upload, self._sleep).cancel()
            except TransientError as failed:
                logger.info("an upload session could not be ended: %s", failed)
        return False

    def processing(self, video: Video) -> Processing:
        """See Uploader."""
        part = "status,processingDetails,contentDetails"
        found = self._look([video.video_id], part, QuotaCall.VIDEO_LIST)
        return _processing(found[0]) if found else Processing("gone")

    def retract(self, video: Video) -> None:
        """See Uploader."""
        self._client.delete_video(video.video_id)

    def restate(self, video: Video, sent: Sent, marker: str) -> None:
        """See Publisher; what a person set at YouTube besides stays."""
        found = self._look([video.video_id], "snippet,status", QuotaCall.VIDEO_LIST)
        if not found:
            msg = f"YouTube has no video {video.video_id:.20} any more: {GONE}."
            raise VideoMissing(msg)
        wanted = resource(sent, marker, self._clock(), found[0])
        self._client.update_video(video.video_id, wanted)

    def set_thumbnail(self, video: Video, picture: Path) -> None:
        """See Publisher."""
        content = _read(picture, LARGEST_THUMBNAIL, "picture")
        kind = next((PICTURES[start] for start in PICTURES if content.startswith(start)), None)
        if kind is None:
            msg = f"The picture {picture.name:.100} is no JPEG and no PNG: give it another one."
            raise InputError(msg)
        self._client.set_thumbnail(video.video_id, content, kind)

    def put_captions(
        self, video: Video, captions: Path, language: str, name: str, known: str | None
    ) -> str:
        """See Publisher. A track's language and name never change, so another takes its place."""
        srt = _read(captions, LARGEST_CAPTIONS, "captions file")
        if known is not None:
            tracks = {track.track_id: track for track in self._client.captions(video.video_id)}
            if (track := tracks.get(known)) is not None:
                if (track.language, track.name) == (language, name):
                    return self._replaced(known, srt)
                self._client.delete_captions(known)
        try:
            return self._client.insert_captions(video.video_id, language, name, srt)
        except CaptionsExist:
            for track in self._client.captions(video.video_id):
                if (track.language, track.name) == (language, name):
                    return self._replaced(track.track_id, srt)
            raise

    def collect(self, video: Video, collection: str) -> str | None:
        """See Publisher."""
        there = self._client.entries(collection, video.video_id)
        return there[0] if there else self._client.insert_entry(collection, video.video_id)

    def take_out(self, video: Video, collection: str, entry: str | None) -> None:
        """See Publisher."""
        entries = [entry] if entry else self._client.entries(collection, video.video_id)
        for each in entries:
            self._client.delete_entry(each)

    def _replaced(self, track_id: str, srt: bytes) -> str:
        try:
            self._client.update_captions(track_id, srt)
        except CaptionsMissing as gone:
            msg = "Captions went away at YouTube while they were replaced: try again later."
            raise TransientError(msg) from gone
        return track_id

    def _look(self, ids: list[str], part: str, call: QuotaCall) -> list[Mapping[str, Any]]:
        return self._client.videos(ids, part, call) if ids else []

    def _other_channel(self, upload: Upload) -> Doubtful | None:
        channel = self.channel()
        if upload.account in (None, channel.channel_id):
            return None
        return Doubtful(
            "the upload was begun on another YouTube channel than the account has now: see "
            "whether the video is there, then settle it with `leap publish settle`",
            {"begun on": upload.account, "now": channel.channel_id},
        )

    def _session(self, upload: Upload, sleep: Callable[[float], None]) -> ResumableSession:
        uri = _uri(upload)
        if uri is None:
            msg = "The upload has no session."
            raise SessionGone(msg)
        requests = SessionRequests(
            self._http, self._tokens, self._quota, uri, upload.size, self._clock
        )
        return ResumableSession(
            requests,
            self._tokens,
            upload.size,
            sleep=sleep,
            clock=self._clock,
            chunk=self._chunk,
        )


def _uri(upload: Upload) -> SecretStr | None:
    found = (upload.session or {}).get("uri")
    if not isinstance(found, str) or not found:
        return None
    remember(found)
    return SecretStr(found)


def address(video_id: str) -> str:
    """Where a video is watched."""
    return f"https://www.youtube.com/watch?v={video_id}"


def _video(video_id: str) -> Video:
    return Video(video_id, address(video_id))


def _has_tag(video: Mapping[str, Any], tag: str) -> bool:
    tags = (video.get("snippet") or {}).get("tags")
    return isinstance(tags, list) and tag in tags


def _is_broken_off(video: Mapping[str, Any]) -> bool:
    """What YouTube made of an upload that never ended, or what was deleted just now."""
    status = video.get("status") or {}
    return status.get("uploadStatus") == "deleted" or status.get("failureReason") in BROKEN_OFF


def _processing(video: Mapping[str, Any]) -> Processing:
    status = video.get("status") or {}
    details = video.get("processingDetails") or {}
    playing = seconds((video.get("contentDetails") or {}).get("duration"))
    upload = status.get("uploadStatus")
    if upload == "deleted":
        return Processing("gone")
    if upload in ("failed", "rejected"):
        return Processing("failed", playing, _said(status, "failureReason", "rejectionReason"))
    if details.get("processingStatus") in ("failed", "terminated"):
        return Processing("failed", playing, _said(details, "processingFailureReason"))
    return Processing("processed" if upload == "processed" else "processing", playing)


def _said(about: Mapping[str, Any], *names: str) -> str | None:
    return next((str(about[name])[:100] for name in names if about.get(name)), None)


def _read(path: Path, largest: int, what: str) -> bytes:
    size = path.stat().st_size
    if size > largest:
        msg = (
            f"The {what} {path.name:.100} has {size} bytes, and YouTube takes {largest}: make it "
            "smaller."
        )
        raise InputError(msg)
    return path.read_bytes()
