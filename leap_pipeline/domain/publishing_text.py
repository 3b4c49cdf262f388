"""The texts of one publication: what the templates say, within the platform's limits.

What is too long is cut, and a note tells it: no upload fails for its texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from leap_pipeline.domain.platform_limits import LIMITS, Limits, fit_tags
from leap_pipeline.domain.published_description import render_description
from leap_pipeline.domain.published_title import render_title
from leap_pipeline.domain.states import Platform
from leap_pipeline.domain.text_templates import Values, parse
from leap_pipeline.domain.topics_display import Topic, TopicsDisplay, shown


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the owner: how a text differs from what its template says, and why."""

    about: Literal["title", "description", "tags"]
    text: str


@dataclass(frozen=True, slots=True)
class Publication:
    """What is sent to the platform; the title is never empty."""

    title: str
    description: str
    tags: tuple[str, ...]
    notes: tuple[Note, ...]


def render_publication(
    platform: Platform,
    values: Values,
    *,
    title_template: str,
    description_template: str,
    topics: Sequence[Topic] = (),
    topics_display: TopicsDisplay | None = None,
    tags: Sequence[str] = (),
) -> Publication:
    """The texts of a recording for a platform, always within its limits.

    `{topics}` is made of `topics` (from `read_topics`) by `topics_display`, whatever `values` says;
    in a title they stand in one line without times. Raises InputError for a template with a
    mistake, and nothing else.
    """
    limits, display = LIMITS[platform], topics_display or TopicsDisplay()
    chosen = shown(topics, display)
    in_line = replace(values, topics=", ".join(topic.title for topic in chosen))
    title, title_notes = render_title(parse(title_template), in_line, limits)
    description, description_notes = render_description(
        parse(description_template), values, chosen, display, limits
    )
    fitting, left_out = fit_tags(tags, limits)
    notes = (
        *(Note("title", text) for text in title_notes),
        *(Note("description", text) for text in description_notes),
        *(Note("tags", text) for text in _tag_notes(left_out, limits)),
    )
    return Publication(title, description, fitting, notes)


def _tag_notes(left_out: Sequence[str], limits: Limits) -> list[str]:
    if not left_out or not limits.tags:
        return []
    named = ", ".join(f"“{tag:.30}”" for tag in left_out[:5])
    more = ", …" if len(left_out) > 5 else ""
    return [
        f"{limits.name} takes {limits.tags} characters of tags in all; left out: {named}{more}."
    ]
