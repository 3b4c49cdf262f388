"""The steps of a recording as they go on: a list that follows by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard.app_pages._recording_parts import STATES, Subject, state_name, step_name
from dashboard.live import live, rerun_page
from dashboard.session import Me
from dashboard.texts import clock, number, size, t, tn, when
from dashboard.words import html
from leap_pipeline.domain.states import Stage, StageStatus
from leap_pipeline.domain.status import DOWNLOAD
from leap_pipeline.services.recording_view import Line, View, load_view

REFRESH_SECONDS = 5
COLORS = {
    "gray": "#8a8f98",
    "blue": "#2f7de1",
    "violet": "#8b5cf6",
    "green": "#21a366",
    "red": "#e5484d",
}
STYLE = """
<style>
.steps { list-style: none; margin: 0; padding: 0; }
.steps li { position: relative; margin: 0; padding: 0 0 .9rem 1.5rem; }
.steps li::before { content: ""; position: absolute; left: .2rem; top: .35rem; width: .7rem;
  height: .7rem; border-radius: 50%; background: var(--state); }
.steps li:not(:last-child)::after { content: ""; position: absolute; left: .5rem; top: 1.2rem;
  bottom: -.2rem; width: .1rem; background: currentColor; opacity: .2; }
.steps b { font-weight: 600; }
.steps small { display: block; opacity: .75; font-size: .85rem; overflow-wrap: anywhere; }
.steps .why { opacity: 1; }
.steps a { color: inherit; text-decoration: underline; }
.steps progress { width: 100%; height: .4rem; accent-color: var(--state); display: block;
  margin-top: .3rem; }
</style>
"""
Stamp = tuple[object, ...]


def stamp(view: View) -> Stamp:
    """What the rest of the page depends on: when it changes, all of it is drawn anew."""
    row = view.recording
    return (
        row.status,
        row.delete_state,
        row.display_name,
        row.failed_at,
        bool(row.local_video_path),
        bool(row.processed_video_path),
        tuple((each.id, each.state) for each in view.live_runs),
        tuple(each.id for each in view.holds),
        tuple((each.target_type, each.status) for each in row.targets),
    )


@live(REFRESH_SECONDS)
def follow(me: Me, subject: Subject, seen: Stamp, fresh: list[View]) -> None:
    """The list; `fresh` holds what the page has just read, for the first time alone."""
    if fresh:
        view = fresh.pop()
    else:
        with me.tenant(subject.owner_id) as session:
            view = load_view(session, subject.number, datetime.now(UTC))
        if stamp(view) != seen:
            rerun_page()
    st.html(STYLE + timeline(view, links=me.is_admin))


def timeline(view: View, *, links: bool) -> str:
    """As HTML; `links` leads to the runs in Dagster."""
    found = "".join(_item(each, view, links=links) for each in view.lines)
    return f'<ol class="steps" aria-label="{html(t("Steps"))}">{found}</ol>'


def _item(line: Line, view: View, *, links: bool) -> str:
    colour = COLORS[STATES[line.status][1]] if line.status in STATES else COLORS["gray"]
    name, state = html(step_name(line.name)), html(state_name(line.status))
    parts = [f"<b>{name}</b> · {state}"]
    about = " · ".join(_about(line, view))
    if about:
        parts.append(f"<small>{html(about)}</small>")
    if line.reason:
        parts.append(f'<small class="why">{html(line.reason)}</small>')
    if line.progress is not None:
        done = f"{line.progress:.0%}"
        parts.append(
            f'<progress max="1" value="{line.progress:.3f}" aria-label="{name}"></progress>'
            f"<small>{done}</small>"
        )
    parts.extend(_links(line, links=links))
    return f'<li style="--state: {colour}">{"".join(parts)}</li>'


def _about(line: Line, view: View) -> Iterator[str]:
    """When, how long, how often, and what came of it."""
    if line.at is not None:
        yield when(line.at)
    if line.seconds is not None and line.is_at_work:
        yield t("for {time} now", time=clock(line.seconds))
    elif line.seconds is not None:
        yield t("took {time}", time=clock(line.seconds))
    spent = sum((line.facts.get("cpu_seconds") or {}).values())
    if round(spent):
        yield t("{time} of processor time", time=clock(spent))
    if line.failures:
        yield tn("failed once", "failed {n} times", line.failures)
    if "due" in line.facts:
        yield t("waits until {until}", until=when(line.facts["due"]))
    if line.status == StageStatus.COMPLETED:
        yield from _made(line, view)


def _made(line: Line, view: View) -> Iterator[str]:
    facts = line.facts
    if line.name == DOWNLOAD and facts.get("bytes"):
        yield size(facts["bytes"])
    elif line.name == Stage.TRIM:
        yield from _cut(facts)
    elif line.name == Stage.TRANSCRIBE:
        if facts.get("language"):
            yield str(facts["language"])
        if isinstance(facts.get("words"), int):
            yield tn("{n} word", "{n} words", facts["words"])
        if isinstance(facts.get("real_time_factor"), float) and facts["real_time_factor"] > 0:
            speed = number(1 / facts["real_time_factor"], 1)
            yield t("{speed} × real time", speed=speed)
    elif line.name == Stage.EXTRACT_TOPICS and view.recording.topic_timestamps:
        found = len(view.recording.topic_timestamps)
        yield tn("{n} topic", "{n} topics", found)
    elif line.name == Stage.GENERATE_SUBTITLES and isinstance(facts.get("cues"), int):
        yield tn("{n} subtitle", "{n} subtitles", facts["cues"])


def _cut(facts: Any) -> Iterator[str]:
    if facts.get("no_speech"):
        yield t("no speech was found: it is kept whole")
    plan = facts.get("timeline")
    if isinstance(plan, dict) and isinstance(plan.get("keep"), list):
        kept = sum(end - start for start, end in plan["keep"])
        yield t("{kept} of {whole} kept", kept=clock(kept), whole=clock(plan.get("duration")))


def _links(line: Line, *, links: bool) -> Iterator[str]:
    found = []
    if line.url and line.url.startswith(("https://", "http://")):
        found.append(f'<a href="{html(line.url)}" rel="noreferrer">{html(t("Watch it there"))}</a>')
    run = line.run.dagster_run_id if line.run is not None else None
    if links and run:
        found.append(f'<a href="/dagster/runs/{html(run)}">{html(t("Run in Dagster"))}</a>')
    if found:
        yield f"<small>{' · '.join(found)}</small>"
