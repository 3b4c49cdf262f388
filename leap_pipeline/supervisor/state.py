"""What the supervisor tells others through its home: `run/supervisor.json`, written whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from leap_pipeline.processes import began, is_alive
from leap_pipeline.runtime_files import write_private
from leap_pipeline.settings import Settings


@dataclass(frozen=True)
class ProcessState:
    """A process named for good: its id and the moment it began, in the system's own unit."""

    pid: int
    began: str

    @property
    def lives(self) -> bool:
        return is_alive(self.pid) and began(self.pid) == self.began


@dataclass(frozen=True)
class PartState:
    """One part: its process (also its process group), whether it is well, how often it died."""

    name: str
    process: ProcessState | None
    url: str | None
    healthy: bool
    restarts: int


@dataclass(frozen=True)
class SupervisorState:
    """The supervisor and its parts; `started_at` is ISO 8601 in UTC."""

    process: ProcessState
    started_at: str
    parts: list[PartState] = field(default_factory=list)


def run_folder(settings: Settings) -> Path:
    return settings.home.absolute() / "run"


def lock_path(settings: Settings) -> Path:
    return run_folder(settings) / "supervisor.lock"


def log_path(settings: Settings, name: str) -> Path:
    return settings.home.absolute() / "logs" / f"{name}.log"


def identify(pid: int) -> ProcessState:
    return ProcessState(pid, began(pid) or "")


def write_state(settings: Settings, state: SupervisorState) -> None:
    write_private(_path(settings), json.dumps(asdict(state), indent=1))


def read_state(settings: Settings) -> SupervisorState | None:
    """What the last supervisor of this home wrote, alive or not; None where none ran."""
    try:
        raw = json.loads(_path(settings).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    parts = [PartState(**{**part, "process": _process(part["process"])}) for part in raw["parts"]]
    return SupervisorState(ProcessState(**raw["process"]), raw["started_at"], parts)


def forget_state(settings: Settings) -> None:
    _path(settings).unlink(missing_ok=True)


def _process(raw: dict[str, str | int] | None) -> ProcessState | None:
    return ProcessState(int(raw["pid"]), str(raw["began"])) if raw else None


def _path(settings: Settings) -> Path:
    return run_folder(settings) / "supervisor.json"
