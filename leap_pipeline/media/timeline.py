"""What is kept of a recording, and the map between its two timelines. Pure: no files."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

from leap_pipeline.errors import DataError
from leap_pipeline.media.silence import Interval

Mode = Literal["all", "edges"]

EDGE = 0.05
"""A silence that begins or ends this near, in seconds, to an end of the file reaches it."""
MIN_CUT = 0.1
"""What is shorter, in seconds, is not worth a join."""
MIN_KEEP = 0.25
"""What is kept is widened to this, in seconds: a shorter flash of picture is unwatchable."""


@dataclass(frozen=True)
class CutPlan:
    """The parts of a recording of `duration` seconds that stay: sorted, disjoint, not empty.

    `no_speech` says that nothing but silence was found, so that all was kept.
    """

    duration: float
    keep: tuple[Interval, ...]
    no_speech: bool = False

    def __post_init__(self) -> None:
        edges = [0.0, *(t for part in self.keep for t in (part.start, part.end)), self.duration]
        if sorted(edges) != edges or any(part.length <= 0 for part in self.keep):
            msg = f"a cut plan needs sorted, disjoint parts within 0 and {self.duration} s"
            raise DataError(msg)
        if not self.keep and self.duration > 0:
            msg = "a cut plan must keep something"
            raise DataError(msg)

    @property
    def removed(self) -> tuple[Interval, ...]:
        """The parts that go, in source time."""
        edges = [0.0, *(t for part in self.keep for t in (part.start, part.end)), self.duration]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return tuple(Interval(a, b) for a, b in pairs if b > a)

    @property
    def duration_after(self) -> float:
        """Length of the trimmed recording in seconds."""
        return self.joins[-1]

    @cached_property
    def joins(self) -> tuple[float, ...]:
        """Trimmed time at which each kept part begins, and at last the trimmed duration."""
        found = [0.0]
        for part in self.keep:
            found.append(found[-1] + part.length)
        return tuple(found)

    def to_trimmed(self, t: float) -> float:
        """Trimmed time of source time `t`; what was removed falls on its join. Never decreases."""
        index = bisect.bisect_right(self.keep, t, key=lambda part: part.start) - 1
        if index < 0:
            return 0.0
        inside = min(t, self.keep[index].end) - self.keep[index].start
        return min(self.joins[index] + inside, self.joins[index + 1])

    def to_source(self, t: float) -> float:
        """Source time of trimmed time `t`; a join belongs to the part after it."""
        if not self.keep:
            return 0.0
        index = bisect.bisect_right(self.joins, t, hi=len(self.keep)) - 1
        part = self.keep[max(index, 0)]
        return min(part.start + max(t - self.joins[max(index, 0)], 0.0), part.end)

    def to_json(self) -> dict[str, Any]:
        """`{"duration", "keep": [[start, end], …], "no_speech"}`, times in seconds."""
        keep = [[part.start, part.end] for part in self.keep]
        return {"duration": self.duration, "keep": keep, "no_speech": self.no_speech}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The plan that `to_json` wrote; DataError where the document is not one."""
        try:
            keep = tuple(Interval(float(start), float(end)) for start, end in document["keep"])
            return cls(float(document["duration"]), keep, bool(document.get("no_speech", False)))
        except (KeyError, TypeError, ValueError) as error:
            msg = f"not a cut plan: {error!r}"
            raise DataError(msg) from error


def plan_cuts(
    silences: Sequence[Interval], duration: float, *, mode: Mode = "all", padding: float = 0.5
) -> CutPlan:
    """What to keep of `duration` seconds, given the silences (source time, any order).

    `mode` "edges" cuts only the empty start and end, "all" also the silences inside. `padding` is
    the length in seconds that stays beside speech. A recording with no speech is kept whole.
    """
    found = _merge(silences, duration)
    cuts = [cut for silence in found if (cut := _cut(silence, duration, mode, padding)) is not None]
    spoken = _between(_merge(cuts, duration), duration)
    if not spoken or (found and found[0].start <= EDGE and found[0].end >= duration - EDGE):
        return CutPlan(duration, (Interval(0.0, duration),), no_speech=True)
    return CutPlan(duration, tuple(_widened(spoken, duration)))


def _merge(silences: Iterable[Interval], duration: float) -> list[Interval]:
    """Sorted, disjoint and within the recording."""
    merged: list[Interval] = []
    for found in sorted(silences):
        start, end = max(found.start, 0.0), min(found.end, duration)
        if merged and start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(end, merged[-1].end))
        elif end > start:
            merged.append(Interval(start, end))
    return merged


def _cut(found: Interval, duration: float, mode: Mode, padding: float) -> Interval | None:
    """What goes of one silence: its padding stays where speech is beside it."""
    leads, trails = found.start <= EDGE, found.end >= duration - EDGE
    if mode == "edges" and not (leads or trails):
        return None
    start = 0.0 if leads else found.start + padding
    end = duration if trails else found.end - padding
    return Interval(start, end) if end - start >= MIN_CUT else None


def _between(cuts: Sequence[Interval], duration: float) -> list[Interval]:
    edges = [0.0, *(t for cut in cuts for t in (cut.start, cut.end)), duration]
    return [Interval(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]


def _widened(parts: Iterable[Interval], duration: float) -> list[Interval]:
    """Short parts grown on both sides; parts that come near each other become one."""
    grown: list[Interval] = []
    for part in parts:
        extra = max(MIN_KEEP - part.length, 0.0) / 2
        start, end = max(part.start - extra, 0.0), min(part.end + extra, duration)
        if grown and start - grown[-1].end < MIN_CUT:
            grown[-1] = Interval(grown[-1].start, max(end, grown[-1].end))
        else:
            grown.append(Interval(start, end))
    return grown
