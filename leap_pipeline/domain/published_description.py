"""A description from its template: within the platform's limit, with chapters where they can be."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from leap_pipeline.domain.chapters import FEWEST, SHORTEST, as_chapters, first_time
from leap_pipeline.domain.platform_limits import (
    Limits,
    fit_description,
    refused_signs,
    uncut_description,
)
from leap_pipeline.domain.text_templates import Template, Values, h_mm_ss
from leap_pipeline.domain.topics_display import Topic, TopicsDisplay, render_topics


def render_description(
    template: Template,
    values: Values,
    topics: Sequence[Topic],
    display: TopicsDisplay,
    limits: Limits,
) -> tuple[str, list[str]]:
    """The description, and a sentence for each change that the platform made necessary.

    Where it is too long, topics are left out from the end of their list, and only then is other
    text cut.
    """
    draft = _Draft(template, values, tuple(topics), display, limits)
    notes: list[str] = []
    if draft.may_have_chapters:
        chapters = as_chapters(topics, values.duration)
        draft = replace(draft, topics=chapters or draft.topics)
        notes = _chapter_notes(topics, chapters, draft.in_front)
        if draft.lists > 1:
            notes.append("YouTube may make no chapters: {topics} stands there more than once.")
    count = draft.fitting_topics()
    if draft.size(len(draft.topics)) > limits.description:
        notes.append(_length_note(draft, count))
        if draft.may_have_chapters and count < FEWEST <= len(draft.topics):
            notes.append(f"{limits.name} makes no chapters: too few topics are left.")
    notes += refused_signs(draft.raw(count), limits)
    return fit_description(draft.text(count), limits), notes


@dataclass(frozen=True, slots=True)
class _Draft:
    """A description whose list of topics may yet be shortened."""

    template: Template
    values: Values
    topics: tuple[Topic, ...]
    display: TopicsDisplay
    limits: Limits

    def raw(self, count: int) -> str:
        """What the template gives with the first `count` topics."""
        dropped = count < len(self.topics)
        block = render_topics(self.topics[:count], self.display, dropped=dropped)
        return self.template.render(replace(self.values, topics=block))

    def text(self, count: int) -> str:
        """The same as the platform takes it, of any length."""
        return uncut_description(self.raw(count), self.limits)

    def size(self, count: int) -> int:
        return self.limits.description_unit.size(self.text(count))

    def fitting_topics(self) -> int:
        """The most topics with which the description fits; 0 where it never does."""
        total = len(self.topics)
        if self.size(total) <= self.limits.description:
            return total
        return max(bisect_right(range(total), self.limits.description, key=self.size) - 1, 0)

    @property
    def may_have_chapters(self) -> bool:
        """Whether the template shows topics with times, each on its line, where that matters."""
        return (
            self.limits.makes_chapters
            and self.display.show_timestamps
            and "\n" in self.display.between
            and bool(self.topics)
            and "topics" in self.template.variables
        )

    @property
    def lists(self) -> int:
        """How often the template has the list of topics."""
        pieces = self.template.fill(replace(self.values, topics=""))
        return sum(each.name == "topics" for each in pieces)

    @property
    def in_front(self) -> str:
        """The text before the first topic."""
        pieces = self.template.fill(replace(self.values, topics=""))
        first = next(index for index, each in enumerate(pieces) if each.name == "topics")
        return "".join(each.text for each in pieces[:first]) + self.display.prefix


def _length_note(draft: _Draft, count: int) -> str:
    limits, total = draft.limits, len(draft.topics)
    ways = []
    if count < total and "topics" in draft.template.variables:
        ways.append(f"without the last {total - count} of {total} topics")
    if draft.size(count) > limits.description:
        ways.append("cut at its end")
    return (
        f"It has {draft.size(total)} {limits.description_unit.name.lower()} and {limits.name} "
        f"takes {limits.description}: it is sent {' and '.join(ways)}."
    )


def _chapter_notes(
    topics: Sequence[Topic], chapters: Sequence[Topic] | None, in_front: str
) -> list[str]:
    if chapters is None:
        return [f"YouTube makes no chapters: it takes {FEWEST} topics of {SHORTEST} s and more."]
    notes = []
    if topics[0].start >= 1:
        begin = h_mm_ss(topics[0].start)
        notes.append(f"The first topic, at {begin}, is listed at 0:00, where chapters must begin.")
    joined = len(topics) - len(chapters)
    if joined:
        notes.append(
            f"Joined to the topic before, as chapters last {SHORTEST} s and more: {joined} of "
            f"{len(topics)}."
        )
    time = first_time(in_front)
    if time:
        notes.append(
            f"YouTube may make no chapters: it sees a time ({time}) in front of the topics; "
            "put {topics} first."
        )
    return notes
