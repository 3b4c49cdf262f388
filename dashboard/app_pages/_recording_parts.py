"""What the parts of a recording's page share: whose it is, words for states, trying an act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from dashboard.messages import say_later
from dashboard.session import Me
from dashboard.texts import t
from dashboard.words import plain
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.states import (
    DownloadStatus,
    RunState,
    Stage,
    StageStatus,
    StepState,
    TargetStatus,
)
from leap_pipeline.domain.status import DOWNLOAD
from leap_pipeline.errors import UserActionError
from leap_pipeline.services.published import Editor

STEPS: Mapping[str, str] = {
    DOWNLOAD: "Download",
    Stage.TRIM: "Cut",
    Stage.TRANSCRIBE: "Transcript",
    Stage.EXTRACT_TOPICS: "Topics",
    Stage.GENERATE_SUBTITLES: "Subtitles",
    **{str(platform): name for platform, name in PLATFORM_NAMES.items()},
}
STATES: Mapping[str, tuple[str, str]] = {
    DownloadStatus.PENDING_SOURCE: ("At the source", "gray"),
    StageStatus.PENDING: ("To do", "gray"),
    StageStatus.IN_PROGRESS: ("At work", "blue"),
    StageStatus.COMPLETED: ("Done", "green"),
    StageStatus.FAILED: ("Failed", "red"),
    StageStatus.SKIPPED: ("Left out", "gray"),
    TargetStatus.NOT_UPLOADED: ("Not published", "gray"),
    TargetStatus.UPLOADING: ("On its way", "violet"),
    TargetStatus.UPLOADED: ("Published", "green"),
}
"""What a step's state is called, and its colour."""
RUN_STATES: Mapping[str, str] = {
    RunState.QUEUED: "queued",
    RunState.RUNNING: "at work",
    RunState.WAITING: "waits",
    RunState.DONE: "done",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "cancelled",
}
STEP_STATES: Mapping[str, str] = {
    StepState.PENDING: "to do",
    StepState.DONE: "done",
    StepState.FAILED: "failed",
    StepState.SKIPPED: "left out",
}


@dataclass(frozen=True)
class Subject:
    """The recording that a page is about; `name` is its display name, as a person wrote it."""

    owner_id: str
    number: int
    name: str


def step_name(name: str) -> str:
    return t(STEPS.get(name, name))


def state_name(status: str) -> str:
    return t(STATES[status][0]) if status in STATES else status


def editor_of(me: Me) -> Editor:
    """The person as the publishing services take it."""
    return Editor(me.actor, me.rights)


def attempt(act: Callable[[], str | None]) -> None:
    """Do it and draw the page anew, with what it says; a refusal is told where it was asked."""
    try:
        said = act()
    except UserActionError as error:
        st.error(plain(str(error)))
        return
    if said:
        say_later(said)
    st.rerun()
