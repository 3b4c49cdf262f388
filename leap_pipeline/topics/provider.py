"""What finds the topics of a transcript. Remote services stand here beside the local one."""

from __future__ import annotations

from typing import Protocol

from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.topics.shapes import Granularity, Topics


class TopicExtractor(Protocol):
    """One provider of topics; `topics.local.extract_topics` is the one that needs no key."""

    def __call__(self, transcript: Transcript, *, granularity: Granularity = "long") -> Topics:
        """The topics in order of time, each with real times of the transcript.

        A transcript without words has no topics.
        """
        ...
