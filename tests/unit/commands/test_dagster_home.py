"""The files by which Dagster's processes go."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from leap_pipeline.commands.dagster_home import workspace_file, write_dagster_home
from leap_pipeline.db.urls import resolve
from leap_pipeline.settings import Settings
from leap_pipeline.supervisor.state import (
    SupervisorState,
    forget_state,
    identify,
    run_folder,
    write_state,
)


def test_a_living_leap_keeps_its_own_files_whatever_others_have_set(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="postgresql://ada@127.0.0.1:5999/leap")
    urls = resolve(settings)
    others = settings.model_copy(update={"code_server_port": 4001})
    write_dagster_home(settings, urls)
    run_folder(settings).mkdir()
    before = workspace_file(settings).read_text()
    write_state(settings, SupervisorState(identify(os.getpid()), datetime.now(UTC).isoformat()))
    write_dagster_home(others, urls)
    assert workspace_file(settings).read_text() == before
    forget_state(settings)
    write_dagster_home(others, urls)
    assert "4001" in workspace_file(settings).read_text()
