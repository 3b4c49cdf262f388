"""Platforms that say of published videos what a test wants to hear; they count what is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from leap_pipeline.domain.states import Platform
from leap_pipeline.publishing.uploader import Processing, Uploader, Video

READY = Processing("processed", 90.0)
Answer = Processing | Exception | Callable[[], Processing]


@dataclass
class Platforms:
    """Platforms of which the answers are known beforehand; what was asked is counted."""

    answers: dict[str, Answer] = field(default_factory=dict)
    accounts: dict[int, Exception] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    opened: Counter[int] = field(default_factory=Counter)
    seen: list[Video] = field(default_factory=list)

    def of(self, user_id: str, credential_id: int, platform: Platform) -> Uploader:
        assert user_id
        assert platform in Platform
        self.opened[credential_id] += 1
        if credential_id in self.accounts:
            raise self.accounts[credential_id]
        return cast("Uploader", _Asked(self))


@dataclass
class _Asked:
    platforms: Platforms

    def processing(self, video: Video) -> Processing:
        self.platforms.asked[video.video_id] += 1
        self.platforms.seen.append(video)
        answer = self.platforms.answers.get(video.video_id, READY)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Processing) else answer()
