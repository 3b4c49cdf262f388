"""VK as a publisher: a video has its id before its first byte, so doubts are settled by asking.

An upload cannot be resumed, and what is sent again to the same address keeps the id.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.errors import DataError, TransientError, UserActionError
from leap_pipeline.progress import ProgressCallback
from leap_pipeline.publishing.uploader import (
    Absent,
    Doubtful,
    Found,
    Gone,
    Kept,
    NotOffered,
    Opened,
    Processing,
    SessionGone,
    Upload,
    Video,
    VideoFile,
)
from leap_pipeline.publishing.vk.client import VkClient
from leap_pipeline.publishing.vk.limits import LARGEST_FORM
from leap_pipeline.publishing.vk.listing import edit_form, save_form
from leap_pipeline.publishing.vk.models import VkVideo
from leap_pipeline.redaction import remember

OLD = timedelta(days=1)
"""From this age on an upload address may have ended, whatever words it is refused with."""


class VkPublisher:
    """Fulfils `publishing.uploader.Publisher` for one VK account. Not shared between threads.

    `larger` lets files of more than 2 GB be tried, which VK does not document.
    """

    def __init__(
        self,
        client: VkClient,
        *,
        larger: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._larger = larger
        self._clock = clock

    def open(self, file: VideoFile, sent: Sent, marker: str) -> Opened:  # noqa: ARG002 - VK has no tags
        """See Uploader; the video's id is allotted here."""
        self._require_size(file)
        saved = self._client.save(save_form(sent))
        return Opened(
            session={"upload_url": saved.upload_url, "access_key": saved.access_key},
            account=str(saved.owner_id),
            video_id=str(saved.video_id),
            owner_id=saved.owner_id,
        )

    def ask(self, upload: Upload) -> Found | Kept | Gone | Doubtful:
        """See Uploader: the video is there once VK knows a playing time, or works on it."""
        doubt = self._other_account(upload)
        if doubt is not None:
            return doubt
        found = self._look(upload)
        if found is not None and found.has_content:
            return Found(_video(upload))
        ends = _ends_at(_url(upload)) if upload.session else None
        return Kept() if upload.session and (ends is None or self._clock() < ends) else Gone()

    def search(self, upload: Upload) -> Found | Absent | Doubtful:
        """See Uploader: what was opened has an id to look for."""
        if upload.video_id is None or upload.owner_id is None:
            return Absent()
        doubt = self._other_account(upload)
        if doubt is not None:
            return doubt
        found = self._look(upload)
        return Found(_video(upload)) if found is not None and found.has_content else Absent()

    def send(
        self,
        upload: Upload,
        file: VideoFile,
        offset: int,
        progress: ProgressCallback,
        closing: Callable[[], None],
    ) -> Video:
        """See Uploader; always the whole file, as VK resumes nothing."""
        if offset:
            msg = f"VK resumes no upload, and was asked to go on at byte {offset}."
            raise DataError(msg)
        if not upload.session:
            msg = "The upload to VK has no address any more."
            raise SessionGone(msg)
        self._require_size(file)
        closing()
        said = self._client.upload(
            _url(upload), file.path, file.size, progress, old=self._may_have_ended(upload)
        )
        for name, wanted in (("video_id", upload.video_id), ("owner_id", upload.owner_id)):
            if name in said and str(said[name]) != str(wanted):
                msg = f"VK put the video at {name} {said[name]!s:.40} in place of {wanted}."
                raise DataError(msg)
        return _video(upload)

    def discard(self, upload: Upload) -> bool:
        """See Uploader: an open address takes the new file; else the empty video is deleted."""
        if upload.session:
            return True
        if upload.video_id is None or upload.owner_id is None:
            return False
        found = self._look(upload)
        if found is not None and found.has_content:
            msg = "The video has turned up on VK after all: it is looked at again later."
            raise TransientError(msg)
        self._delete(upload.owner_id, int(upload.video_id))
        return False

    def is_own(self, video: Video) -> bool:
        """Whether it belongs to this account, or to a community that it manages.

        VK shows anybody's public video to everybody.
        """
        return self._is_of(_named(video)[0], self._client.user_id())

    def processing(self, video: Video) -> Processing:
        """See Uploader."""
        owner, number = _named(video)
        found = self._client.video(owner, number)
        if found is None:
            return Processing("gone", reason="VK lists no such video any more.")
        if found.refused is not None:
            return Processing("failed", reason=found.refused)
        if found.in_work or not found.seconds:
            return Processing("processing")
        return Processing("processed", float(found.seconds))

    def retract(self, video: Video) -> None:
        """See Uploader."""
        self._delete(*_named(video))

    def restate(self, video: Video, sent: Sent, marker: str) -> None:  # noqa: ARG002 - VK has no tags
        """See Publisher; the community and the wall stay as they were."""
        self._client.edit(*_named(video), edit_form(sent))

    def set_thumbnail(self, video: Video, picture: Path) -> None:
        """See Publisher."""
        self._client.set_thumb(*_named(video), picture)

    def put_captions(
        self,
        video: Video,  # noqa: ARG002 - there is nothing to put them to
        captions: Path,  # noqa: ARG002
        language: str,  # noqa: ARG002
        name: str,  # noqa: ARG002
        known: str | None,  # noqa: ARG002
    ) -> str:
        """See Publisher; always NotOffered."""
        msg = "VK takes no captions from an app: add them at vk.com by hand."
        raise NotOffered(msg)

    def collect(self, video: Video, collection: str) -> str | None:
        """See Publisher; `collection` is an album of the video's owner, and entries have no id."""
        self._client.add_to_album(*_named(video), _album(collection))
        return None

    def take_out(self, video: Video, collection: str, entry: str | None) -> None:  # noqa: ARG002
        """See Publisher."""
        album = _album(collection)
        if album in self._client.albums_of(*_named(video)):
            self._client.remove_from_album(*_named(video), album)

    def _look(self, upload: Upload) -> VkVideo | None:
        if upload.video_id is None or upload.owner_id is None:
            msg = "The upload to VK was opened without the id of its video."
            raise DataError(msg)
        key = (upload.session or {}).get("access_key")
        remember(key or "")
        return self._client.video(upload.owner_id, int(upload.video_id), key)

    def _other_account(self, upload: Upload) -> Doubtful | None:
        """Another account sees other videos: its answers would prove nothing."""
        if upload.account is None:
            return None
        owner, user = int(upload.account), self._client.user_id()
        if self._is_of(owner, user):
            return None
        whose = "the community" if owner < 0 else "the VK account"
        return Doubtful(
            f"the upload was begun for {whose} {abs(owner)}, and the account connected now is "
            f"{user}: connect the right one and release it, or see whether the video is there and "
            "settle it with `leap publish settle`",
            {"begun_for": owner, "connected": user, "video": upload.video_id},
        )

    def _is_of(self, owner: int, user: int) -> bool:
        return owner == user or (owner < 0 and self._client.manages(-owner))

    def _delete(self, owner: int, number: int) -> None:
        """One that is gone is no error; another account sees none of the private ones."""
        try:
            self._client.delete(owner, number)
        except (UserActionError, DataError):
            gone = self._is_of(owner, self._client.user_id())
            if not gone or self._client.video(owner, number) is not None:
                raise

    def _may_have_ended(self, upload: Upload) -> bool:
        ends = _ends_at(_url(upload))
        now = self._clock()
        opened = upload.opened_at or now
        return now >= (ends if ends is not None else opened + OLD)

    def _require_size(self, file: VideoFile) -> None:
        if file.size > LARGEST_FORM and not self._larger:
            msg = (
                f"The video has {file.size / 1024**3:.1f} GB and VK takes 2 GB in one upload: make "
                "it smaller, or let larger ones be tried with LEAP_VK_LARGER_FILES."
            )
            raise UserActionError(msg)


def address(owner_id: int, video_id: str) -> str:
    """Where a video is watched."""
    return f"https://vk.com/video{owner_id}_{video_id}"


def _video(upload: Upload) -> Video:
    if upload.video_id is None or upload.owner_id is None:
        msg = "The upload to VK was opened without the id of its video."
        raise DataError(msg)
    return Video(upload.video_id, address(upload.owner_id, upload.video_id), upload.owner_id)


def _named(video: Video) -> tuple[int, int]:
    if video.owner_id is None or not video.video_id.isdecimal():
        msg = f"A video on VK needs its owner and a number, and this one is “{video.video_id:.40}”."
        raise DataError(msg)
    return video.owner_id, int(video.video_id)


def _album(collection: str) -> int:
    if not collection.isdecimal():
        msg = f"“{collection:.40}” is no album on VK: correct `album_id` of the preset."
        raise UserActionError(msg)
    return int(collection)


def _url(upload: Upload) -> str:
    found = str((upload.session or {}).get("upload_url", ""))
    remember(found)
    return found


def _ends_at(url: str) -> datetime | None:
    """When an address says that it ends, in milliseconds; most do not say it."""
    said = parse_qs(urlsplit(url).query).get("expires", [""])[0]
    if not said.isdecimal() or len(said) != 13:
        return None
    return datetime.fromtimestamp(int(said) / 1000, UTC)
