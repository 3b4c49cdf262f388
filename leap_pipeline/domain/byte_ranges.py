"""Which bytes of a file are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""(start, stop) in bytes, half open."""


class ByteRanges:
    """A set of bytes, as spans that are sorted and do not touch."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: list[Span] = []
        for start, stop in spans:
            self.add(start, stop)

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByteRanges) and self._spans == other._spans

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ByteRanges({self._spans})"

    @property
    def count(self) -> int:
        """How many bytes."""
        return sum(stop - start for start, stop in self._spans)

    def add(self, start: int, stop: int) -> None:
        """Add a span; it may overlap what is there."""
        if start >= stop:
            return
        apart = [span for span in self._spans if span[1] < start or span[0] > stop]
        touching = [span for span in self._spans if not (span[1] < start or span[0] > stop)]
        for span in touching:
            start, stop = min(start, span[0]), max(stop, span[1])
        self._spans = sorted([*apart, (start, stop)])

    def copy(self) -> ByteRanges:
        made = ByteRanges()
        made._spans = list(self._spans)
        return made

    def first_gap(self, stop: int) -> Span | None:
        """The first missing span before `stop`; None where nothing is missing."""
        at = 0
        for start, end in self._spans:
            if start > at:
                break
            at = end
        else:
            start = stop
        return (at, min(start, stop)) if at < stop else None
