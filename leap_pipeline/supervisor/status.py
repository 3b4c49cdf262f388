"""What runs, asked from any process."""

from __future__ import annotations

from dataclasses import dataclass, field

from leap_pipeline.settings import Settings
from leap_pipeline.supervisor.state import read_state

DAEMON = "dagster-daemon"


@dataclass(frozen=True)
class PartStatus:
    """One part as it is now."""

    name: str
    running: bool
    healthy: bool
    pid: int | None
    url: str | None
    restarts: int


@dataclass(frozen=True)
class SupervisorStatus:
    """The supervisor as it is now; no parts where it does not run."""

    running: bool
    pid: int | None = None
    started_at: str | None = None
    parts: list[PartStatus] = field(default_factory=list)


def read_status(settings: Settings) -> SupervisorStatus:
    """From the state file, checked against the processes that it names."""
    state = read_state(settings)
    if state is None or not state.process.lives:
        return SupervisorStatus(running=False)
    parts = []
    for part in state.parts:
        running = part.process is not None and part.process.lives
        parts.append(
            PartStatus(
                name=part.name,
                running=running,
                healthy=running and part.healthy,
                pid=part.process.pid if part.process and running else None,
                url=part.url,
                restarts=part.restarts,
            )
        )
    return SupervisorStatus(
        running=True, pid=state.process.pid, started_at=state.started_at, parts=parts
    )


def daemon_alive(settings: Settings) -> bool:
    """Is there somebody who takes runs from the queue?"""
    return any(part.name == DAEMON and part.running for part in read_status(settings).parts)
