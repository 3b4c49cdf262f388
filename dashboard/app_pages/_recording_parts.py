"""What the parts of a recording's page share: whose it is, words for states, trying an act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from dashboard.messages import say_later
from dashboard.texts import mark, t
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
from leap_pipeline.errors import MustWaitError, SessionEnded, TransientError, UserActionError

STEPS: Mapping[str, str] = {
    DOWNLOAD: mark("Download"),
    Stage.TRIM: mark("Cut"),
    Stage.TRANSCRIBE: mark("Transcript"),
    Stage.EXTRACT_TOPICS: mark("Topics"),
    Stage.GENERATE_SUBTITLES: mark("Subtitles"),
    **{str(platform): name for platform, name in PLATFORM_NAMES.items()},
}
STATES: Mapping[str, tuple[str, str]] = {
    DownloadStatus.PENDING_SOURCE: (mark("At the source"), "gray"),
    StageStatus.PENDING: (mark("To do"), "gray"),
    StageStatus.IN_PROGRESS: (mark("At work"), "blue"),
    StageStatus.COMPLETED: (mark("Done"), "green"),
    StageStatus.FAILED: (mark("Failed"), "red"),
    StageStatus.SKIPPED: (mark("Left out"), "gray"),
    TargetStatus.NOT_UPLOADED: (mark("Not published"), "gray"),
    TargetStatus.UPLOADING: (mark("On its way"), "violet"),
    TargetStatus.UPLOADED: (mark("Published"), "green"),
}
"""What a step's state is called, and its colour."""
RUN_STATES: Mapping[str, str] = {
    RunState.QUEUED: mark("queued"),
    RunState.RUNNING: mark("at work"),
    RunState.WAITING: mark("waits"),
    RunState.DONE: mark("done"),
    RunState.FAILED: mark("failed"),
    RunState.CANCELLED: mark("cancelled"),
}
STEP_STATES: Mapping[str, str] = {
    StepState.PENDING: mark("to do"),
    StepState.DONE: mark("done"),
    StepState.FAILED: mark("failed"),
    StepState.SKIPPED: mark("left out"),
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


def attempt(act: Callable[[], str | None], *, of: str | None = None) -> None:
    """Do it and draw the page anew, with what it says; a refusal is told where it was asked.

    `of` is the platform that is asked: that it does not answer, or has to be waited for, is told
    there too.
    """
    try:
        said = act()
    except SessionEnded:
        raise
    except UserActionError as error:
        st.error(plain(str(error)))
        return
    except (TransientError, MustWaitError) as error:
        if of is None:
            raise
        st.error(plain(t("{platform} did not do it: {why}", platform=of, why=str(error))))
        return
    if said:
        say_later(said)
    st.rerun()
