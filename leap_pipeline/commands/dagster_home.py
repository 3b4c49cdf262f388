"""Dagster's own folder and instance, made from LEAP's settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from leap_pipeline.db.urls import DatabaseUrls
from leap_pipeline.runtime_files import write_private
from leap_pipeline.settings import CHECKOUT, Settings
from leap_pipeline.supervisor.status import read_status

if TYPE_CHECKING:
    from dagster import DagsterInstance

PARTITIONS = "recordings"
# States of sensors and schedules hang on a location's name: never rename one.
LEAP_LOCATION, AUTOMATION_LOCATION = "leap", "automation"
LEAP_MODULE = "leap_pipeline.orchestration.definitions"
AUTOMATION_MODULE = "leap_pipeline.orchestration.automation.definitions"
LOOPBACK = "127.0.0.1"
# Where the console passes the webserver on to admins; the webserver has it in all its addresses.
WEB_PREFIX = "/dagster"


@dataclass(frozen=True)
class CodeServer:
    """The process that serves one code location to Dagster's webserver and daemon."""

    location: str
    module: str
    port: int


def code_servers(settings: Settings) -> tuple[CodeServer, CodeServer]:
    """One a location, shared by webserver and daemon: a reload of one is seen by both."""
    return (
        CodeServer(LEAP_LOCATION, LEAP_MODULE, settings.code_server_port),
        CodeServer(AUTOMATION_LOCATION, AUTOMATION_MODULE, settings.automation_server_port),
    )


def webserver_url(settings: Settings) -> str:
    """Where Dagster's webserver answers; nobody logs in there, so it listens on loopback alone."""
    return f"http://{LOOPBACK}:{settings.dagster_port}{WEB_PREFIX}"


def workspace_config(settings: Settings) -> dict[str, object]:
    """The content of `workspace.yaml`: where the code servers are."""
    servers = [
        {"host": LOOPBACK, "port": server.port, "location_name": server.location}
        for server in code_servers(settings)
    ]
    return {"load_from": [{"grpc_server": server} for server in servers]}


def workspace_file(settings: Settings) -> Path:
    return settings.dagster_home.resolve() / "workspace.yaml"


def instance_config(settings: Settings) -> dict[str, object]:
    """The content of `dagster.yaml` (https://docs.dagster.io/deployment/oss/dagster-yaml)."""
    return {
        "storage": {
            "custom": {
                "module": "leap_pipeline.orchestration.dagster_storage",
                "class": "RedactingStorage",
                "config": {"url_file": str(_url_file(settings))},
            }
        },
        "run_coordinator": {
            "module": "leap_pipeline.orchestration.run_queue",
            "class": "LeapRunCoordinator",
            "config": {
                "max_concurrent_runs": settings.max_concurrent_runs,
                "dequeue_interval_seconds": 1,
                # A launch lasts until its process has begun: one after the other they would hold
                # up the run of whoever comes next.
                "dequeue_use_threads": True,
                "dequeue_num_workers": 4,
                # A code server that starts again fails no run: its location waits for it.
                "max_user_code_failure_retries": 1000,
                "user_code_failure_retry_delay": 5,
            },
        },
        # A killed worker is noticed here; what becomes of its work is decided by `reconcile`.
        "run_monitoring": {
            "enabled": True,
            "poll_interval_seconds": 10,
            "start_timeout_seconds": 120,
            "cancel_timeout_seconds": 30,
            "free_slots_after_run_end_seconds": 60,
        },
        "run_retries": {"enabled": False},
        "sensors": {"use_threads": True, "num_workers": 8, "num_submit_workers": 4},
        # Of a missed stretch the scheduler asks for the newest time; the claim counts the others.
        "schedules": {"use_threads": True, "num_workers": 4},
        "retention": {"sensor": {"purge_after_days": {"skipped": 1, "success": 7}}},
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def write_dagster_home(settings: Settings, urls: DatabaseUrls) -> None:
    """Write `dagster.yaml`, `workspace.yaml` and the database's URL, where they differ.

    Only their owner may read them, for the URL has a password. What a living `leap up` goes by is
    left alone: a command with other settings would lead its daemon to other ports.
    """
    if read_status(settings).running:
        return
    folder = settings.dagster_home
    folder.mkdir(parents=True, exist_ok=True)
    _write(_url_file(settings), urls.dagster.render_as_string(hide_password=False) + "\n")
    _write(folder / "dagster.yaml", yaml.safe_dump(instance_config(settings), sort_keys=False))
    workspace = yaml.safe_dump(workspace_config(settings), sort_keys=False)
    _write(workspace_file(settings), workspace)


def _url_file(settings: Settings) -> Path:
    return settings.dagster_home.resolve() / "database.url"


def _write(file: Path, content: str) -> None:
    if not file.exists() or file.read_text() != content:
        write_private(file, content)


def environment(settings: Settings) -> dict[str, str]:
    """What Dagster's processes need beside the environment they inherit."""
    return {
        "DAGSTER_HOME": str(settings.dagster_home.resolve()),
        "LEAP_HOME": str(settings.home.resolve()),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def instance(settings: Settings, urls: DatabaseUrls) -> Iterator[DagsterInstance]:
    """Dagster's instance; the import takes a second, so only commands that need it pay."""
    from dagster import DagsterInstance

    write_dagster_home(settings, urls)
    with DagsterInstance.from_config(str(settings.dagster_home)) as found:
        yield found


def register_partitions(settings: Settings, urls: DatabaseUrls, keys: Iterable[str]) -> None:
    """Make the recordings' partitions known to Dagster; known ones stay as they are."""
    with instance(settings, urls) as found:
        found.add_dynamic_partitions(PARTITIONS, list(keys))
