"""The one builder of storage paths; all are relative to the storage root, with `/`.

users/user_000001/recordings/142/source.mp4
users/user_000001/recordings/142/transcriptions/master.json
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from leap_pipeline.errors import InputError

_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


def user_folder(user_slug: int) -> str:
    return f"users/user_{user_slug:06d}"


@dataclass(frozen=True)
class RecordingPaths:
    """Where the artifacts of one recording live."""

    user_slug: int
    recording_id: int

    @property
    def folder(self) -> str:
        return f"{user_folder(self.user_slug)}/recordings/{self.recording_id}"

    def source(self, suffix: str = ".mp4") -> str:
        """The raw video, under the suffix of its container (lower case, with the dot)."""
        if not _SUFFIX.fullmatch(suffix):
            msg = f"“{suffix}” cannot end a video's name: use a plain ending such as .mp4."
            raise InputError(msg)
        return f"{self.folder}/source{suffix}"

    @property
    def video(self) -> str:
        return f"{self.folder}/video.mp4"

    @property
    def audio(self) -> str:
        return f"{self.folder}/audio.mp3"

    @property
    def transcriptions(self) -> str:
        return f"{self.folder}/transcriptions"

    @property
    def transcript(self) -> str:
        return f"{self.transcriptions}/master.json"

    @property
    def topics(self) -> str:
        return f"{self.transcriptions}/topics.json"

    @property
    def srt(self) -> str:
        return f"{self.transcriptions}/subtitles.srt"

    @property
    def vtt(self) -> str:
        return f"{self.transcriptions}/subtitles.vtt"
