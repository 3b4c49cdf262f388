"""Holds: what stops a recording's work until somebody releases it, and how far each kind reaches.

A hold changes no status: the planner refuses, and says the hold's reason and facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from leap_pipeline.domain.states import Phase, Platform


class HoldKind(StrEnum):
    """A pause stops everything; the other kinds stop publishing, so that work can go on.

    A doubtful upload always names its target: it may be on the platform already.
    """

    QUALITY = "quality"
    DOUBTFUL_UPLOAD = "doubtful_upload"
    APPROVAL = "approval"
    PAUSE = "pause"


KIND_NAMES: Mapping[HoldKind, str] = {
    HoldKind.QUALITY: "by a quality gate",
    HoldKind.DOUBTFUL_UPLOAD: "as a doubtful upload",
    HoldKind.APPROVAL: "for approval",
    HoldKind.PAUSE: "by a pause",
}


@dataclass(frozen=True)
class Hold:
    """A live hold; without a platform it is on the recording, with one on that target alone."""

    kind: HoldKind
    reason: str
    platform: Platform | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def stops(self, phase: Phase, platform: Platform | None) -> bool:
        """Whether it stops a piece of work."""
        if phase is Phase.PREPARE:
            return self.kind is HoldKind.PAUSE and self.platform is None
        return self.platform is None or self.platform is platform

    @property
    def sentence(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in sorted(self.facts.items()))
        known = f" ({facts})" if facts else ""
        return f"it is held {KIND_NAMES[self.kind]}: {self.reason}{known}"


def held(holds: Iterable[Hold], phase: Phase, platform: Platform | None) -> str | None:
    """Why a piece of work is held, every hold that stops it; None where it may go on."""
    return "; ".join(each.sentence for each in holds if each.stops(phase, platform)) or None
