"""`leap up`, `down`, `status`: the platform as processes, and what it is busy with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from leap_pipeline.commands.context import Platform, open_platform, print_json, say
from leap_pipeline.commands.dagster_home import (
    AUTOMATION_LOCATION,
    LOOPBACK,
    WEB_PREFIX,
    CodeServer,
    code_servers,
    environment,
    webserver_url,
    workspace_file,
    write_dagster_home,
)
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.states import LIVE_RUN_STATES
from leap_pipeline.services.health import look
from leap_pipeline.settings import Settings, load_settings
from leap_pipeline.supervisor.parts import Part
from leap_pipeline.supervisor.status import read_status
from leap_pipeline.supervisor.supervisor import Supervisor, stop

SHOWN = 20
CONNECTIONS = 1000
LARGEST_MESSAGE = 4 * 10**6  # as in dashboard/.streamlit/config.toml


def up() -> None:
    """Start all of LEAP and keep it running; Ctrl-C stops it cleanly."""
    platform = open_platform()
    write_dagster_home(platform.settings, platform.urls)
    Supervisor(platform.settings, parts(platform.settings)).run()


def parts(settings: Settings) -> list[Part]:
    """What runs beside PostgreSQL: Dagster's servers and daemon, and the console."""
    env = environment(settings)
    port, workspace = str(settings.dagster_port), str(workspace_file(settings))
    web = ["dagster_webserver", "-h", LOOPBACK, "-p", port, "-w", workspace]
    web += ["--path-prefix", WEB_PREFIX]
    daemon = ["dagster._daemon", "run", "-w", workspace]
    found = [_code_server(server, env) for server in code_servers(settings)]
    found += [
        Part("dagster-webserver", _module(*web), env, url=webserver_url(settings)),
        Part("dagster-daemon", _module(*daemon), env),
    ]
    found.append(_console(settings, env))
    return found


def _console(settings: Settings, env: Mapping[str, str]) -> Part:
    """Its pages stand at `public_url`, where a proxy may stand before it; here is its server."""
    here = f"http://{LOOPBACK}:{settings.console_port}"
    argv = console_server(settings.console_port)
    return Part("console", argv, env, url=here, health=f"{here}/health/live")


def console_server(port: int) -> list[str]:
    """The command that serves the console on loopback."""
    argv = _module("uvicorn", "--factory", "dashboard.asgi:make_app", "--host", LOOPBACK)
    argv += ["--port", str(port), "--log-level", "warning", "--no-access-log", "--no-server-header"]
    # A tab holds one connection, and a few more while it loads; a message has the state of a page.
    return [*argv, "--limit-concurrency", str(CONNECTIONS), "--ws-max-size", str(LARGEST_MESSAGE)]


def _code_server(server: CodeServer, env: Mapping[str, str]) -> Part:
    """The server of a location; where schedules change, a proxy that loads its code anew.

    A proxy does not notice when the process behind it dies, so there is none where none is needed.
    """
    kind = ("code-server", "start") if server.location == AUTOMATION_LOCATION else ("api", "grpc")
    argv = ["dagster", *kind, "-h", LOOPBACK, "-p", str(server.port)]
    argv += ["-m", server.module, "--location-name", server.location]
    address = f"tcp://{LOOPBACK}:{server.port}"
    return Part(f"code-{server.location}", _module(*argv), env, health=address)


def down() -> None:
    """Stop all of LEAP, the embedded PostgreSQL included."""
    say("LEAP is stopped." if stop(load_settings()) else "LEAP was not running.")


def status(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """What runs, and what the recordings are at."""
    settings = load_settings()
    asleep = settings.database_url is None and not EmbeddedServer(settings).status().running
    document = {"running": False, "parts": []} if asleep else _document(open_platform())
    if as_json:
        print_json(document)
    else:
        _show(document)


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _document(platform: Platform) -> dict[str, Any]:
    alive = read_status(platform.settings)
    with platform.database.system() as session:
        counts = session.execute(
            select(Recording.status, func.count()).group_by(Recording.status)
        ).all()
        live = session.execute(
            select(RecordingRun.state, func.count())
            .where(RecordingRun.state.in_([str(state) for state in LIVE_RUN_STATES]))
            .group_by(RecordingRun.state)
        ).all()
        latest = session.execute(
            select(
                User.user_slug,
                Recording.id,
                Recording.display_name,
                Recording.status,
                Recording.failed_reason,
            )
            .join(Recording, Recording.user_id == User.id)
            .where(Recording.deleted.is_not(True))
            .order_by(Recording.created_at.desc(), Recording.id.desc())
            .limit(SHOWN)
        ).all()
        health = look(session, datetime.now(UTC))
    return {
        "running": alive.running,
        "parts": [
            {"name": part.name, "running": part.running, "pid": part.pid, "url": part.url}
            for part in alive.parts
        ],
        "recordings": {row[0]: row[1] for row in counts},
        "runs": {row[0]: row[1] for row in live},
        "health": health.to_json(),
        "latest": [
            {
                "partition": partition_key(slug, recording_id),
                "name": name,
                "status": state,
                "reason": reason,
            }
            for slug, recording_id, name, state, reason in latest
        ],
    }


def _show(document: dict[str, Any]) -> None:
    console = Console()
    if not document["running"]:
        console.print("LEAP is not up; `leap up` starts it.")
    for part in document["parts"]:
        state = f"pid {part['pid']}" if part["running"] else "[red]down[/]"
        console.print(f"{part['name']}: {state} {part['url'] or ''}", highlight=False)
    if "runs" not in document:
        return
    queue = ", ".join(f"{count} {state}" for state, count in document["runs"].items())
    console.print(f"Runs: {queue or 'none live'}", highlight=False)
    health = document["health"]
    for finding in health["findings"]:
        console.print(f"[red]Stuck[/]: {finding['sentence']}", highlight=False)
    held = ", ".join(f"{count} {kind}" for kind, count in health["holds"].items())
    if held:
        console.print(f"Holds: {held}", highlight=False)
    table = Table()
    for heading in ("recording", "name", "status", "reason"):
        table.add_column(heading, overflow="fold")
    for row in document["latest"]:
        table.add_row(row["partition"], row["name"], row["status"], row["reason"] or "")
    console.print(table)
