"""`leap jobs`: what a user has scheduled, when it is due, and how it went."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import lazyload

from leap_pipeline.commands.context import Platform, open_platform, print_json, say
from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.domain.due_times import crontab_of, interval_of
from leap_pipeline.domain.permissions import Rights, Role
from leap_pipeline.errors import InputError, LeapError, NotFound
from leap_pipeline.services import jobs as service
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.automation_rows import LIVE, FiringState
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.users import find_user
from leap_pipeline.supervisor.status import daemon_alive

app = typer.Typer(no_args_is_help=True, help="Automations: what is scheduled, and how it went.")
OPERATOR = Editor(Actor(None, "leap jobs"), Rights(Role.ADMIN))
FOLLOW_SECONDS = 0.3

Job = Annotated[int, typer.Argument(help="Its number, as `list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Cron = Annotated[
    str | None, typer.Option("--cron", help="Five fields: minute hour day month weekday.")
]
Every = Annotated[str | None, typer.Option("--every", help="An interval, such as “90 minutes”.")]
Zone = Annotated[
    str | None, typer.Option("--timezone", help="Of the crontab; “owner” is its owner's.")
]
Template = Annotated[int | None, typer.Option(help="Only its recordings; 0 is any template.")]
Source = Annotated[list[int] | None, typer.Option(help="Only of this source; repeat it for more.")]
Type = Annotated[str | None, typer.Option("--type", help=" or ".join(service.JOB_TYPES) + ".")]
Description = Annotated[str | None, typer.Option(help="Shown in Dagster too.")]
BeyondPlan = Annotated[
    bool, typer.Option("--beyond-plan", help="Closer together than its owner's plan allows.")
]


class JobFailed(LeapError):
    """A firing that was followed ended with an error."""


@app.command("list")
def list_(
    *,
    user: Annotated[str | None, typer.Option("--user", help="Address of the owner.")] = None,
    as_json: AsJson = False,
) -> None:
    """The jobs of a user, or of all: when they are due, how they went, why they do not fire."""
    platform = open_platform()
    with platform.database.system() as session:
        owner = find_user(session, user).id if user is not None else None
        found = service.list_jobs(session, datetime.now(UTC), of=owner)
    if as_json:
        print_json({"jobs": [asdict(each) for each in found]})
    else:
        _show(found)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is called; unique among its owner's.")],
    *,
    user: Annotated[str, typer.Option("--user", help="Address of the owner.")],
    cron: Cron = None,
    every: Every = None,
    timezone: Zone = None,
    type_: Type = "sync_and_process",
    template: Template = None,
    source: Source = None,
    description: Description = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Switched off.")] = False,
    beyond_plan: BeyondPlan = False,
    as_json: AsJson = False,
) -> None:
    """Schedule a job: `--cron "0 6 * * mon-fri"` or `--every "90 minutes"`."""
    if (cron is None) == (every is None):
        msg = "Say when it is due: either `--cron` or `--every`."
        raise InputError(msg)
    values = _values(cron, every, timezone, type_, template, source, description)
    platform = open_platform()
    with platform.database.system() as session:
        owner = find_user(session, user).id
    with platform.database.tenant(owner) as session:
        row = service.create_job(
            session, OPERATOR, beyond_plan=beyond_plan, name=name, enabled=not disabled, **values
        )
        view = service.view_job(session, row.id, datetime.now(UTC))
    _tell(view, "is scheduled", as_json=as_json)


@app.command("set")
def set_(
    job: Job,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    cron: Cron = None,
    every: Every = None,
    timezone: Zone = None,
    type_: Type = None,
    template: Template = None,
    source: Source = None,
    all_sources: Annotated[bool, typer.Option("--all-sources", help="Of every source.")] = False,
    description: Description = None,
    beyond_plan: BeyondPlan = False,
    as_json: AsJson = False,
) -> None:
    """Change a job; what is not given stays. A new schedule counts from now on."""
    if cron is not None and every is not None:
        msg = "A job is due by a crontab or at an interval: give `--cron` or `--every`."
        raise InputError(msg)
    values = _values(cron, every, timezone, type_, template, source, description)
    values |= {"name": name} if name is not None else {}
    values |= {"source_ids": []} if all_sources else {}
    if not values:
        msg = "Say what is to be changed: `leap jobs set --help` shows what can be."
        raise InputError(msg)
    platform = open_platform()
    with platform.database.tenant(_owner(platform, job)) as session:
        service.update_job(session, OPERATOR, job, beyond_plan=beyond_plan, **values)
        view = service.view_job(session, job, datetime.now(UTC))
    _tell(view, "is changed", as_json=as_json)


@app.command()
def enable(job: Job, *, beyond_plan: BeyondPlan = False, as_json: AsJson = False) -> None:
    """Switch a job on; what was due while it was off is not made up for."""
    platform = open_platform()
    with platform.database.tenant(_owner(platform, job)) as session:
        service.enable_job(session, OPERATOR, job, beyond_plan=beyond_plan)
        view = service.view_job(session, job, datetime.now(UTC))
    _tell(view, "is switched on", as_json=as_json)


@app.command()
def disable(job: Job, *, as_json: AsJson = False) -> None:
    """Switch a job off."""
    platform = open_platform()
    with platform.database.tenant(_owner(platform, job)) as session:
        service.disable_job(session, OPERATOR, job)
        view = service.view_job(session, job, datetime.now(UTC))
    _tell(view, "is switched off", as_json=as_json)


@app.command()
def remove(job: Job) -> None:
    """Delete a job and the history of its firings; what it launched goes on."""
    platform = open_platform()
    with platform.database.tenant(_owner(platform, job)) as session:
        name = service.view_job(session, job, datetime.now(UTC)).name
        service.delete_job(session, OPERATOR, job)
    say(f"{job} “{name}” is removed.")


@app.command("next")
def next_(
    job: Job,
    *,
    number: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many.")] = 5,
    as_json: AsJson = False,
) -> None:
    """The next times that a job is due, switched on or not."""
    platform = open_platform()
    with platform.database.tenant(_owner(platform, job)) as session:
        found = service.next_times(session, job, number, datetime.now(UTC))
    if as_json:
        print_json({"job_id": job, "next": [each.isoformat() for each in found]})
    else:
        say("\n".join(f"{each:%a %Y-%m-%d %H:%M:%S} UTC" for each in found))


@app.command()
def run(
    job: Job,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not follow it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fire a job now, beside its schedule, and follow it to its end."""
    platform = open_platform()
    with platform.database.tenant(_owner(platform, job)) as session:
        firing_id = service.run_job(session, OPERATOR, job, dry_run=dry_run)
    alive = daemon_alive(platform.settings)
    firing = _firing(platform, firing_id)
    while alive and not no_wait and firing.state in LIVE:
        time.sleep(FOLLOW_SECONDS)
        firing, alive = _firing(platform, firing_id), daemon_alive(platform.settings)
    if as_json:
        print_json(_document(firing))
    elif firing.state in LIVE:
        when = "in a moment" if alive else "when `leap up` runs"
        say(f"It is fired ({firing_id}) and begins {when}: `leap jobs history {job}` shows it.")
    else:
        _show_history([firing])
    if firing.state == FiringState.FAILED:
        raise JobFailed(firing.error or "It failed.")


@app.command()
def history(
    job: Job,
    *,
    number: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """How a job went, the newest first."""
    platform = open_platform()
    with platform.database.tenant(_owner(platform, job)) as session:
        found = service.job_history(session, job, number)
    if as_json:
        print_json({"job_id": job, "firings": [_document(each) for each in found]})
    else:
        _show_history(found)


def _values(
    cron: str | None,
    every: str | None,
    timezone: str | None,
    type_: str | None,
    template: int | None,
    source: list[int] | None,
    description: str | None,
) -> dict[str, Any]:
    """The columns that were spoken of."""
    values: dict[str, Any] = {}
    if cron is not None:
        values |= crontab_of(cron)
    if every is not None:
        values |= interval_of(every)
    if timezone is not None:
        values["timezone"] = None if timezone == "owner" else timezone
    if template is not None:
        values["template_id"] = template or None
    if source:
        values["source_ids"] = source
    said = {"job_type": type_, "description": description}
    return values | {name: value for name, value in said.items() if value is not None}


def _owner(platform: Platform, job_id: int) -> str:
    with platform.database.system() as session:
        found = session.scalar(select(AutomationJob.user_id).where(AutomationJob.id == job_id))
    if found is None:
        msg = f"There is no automation {job_id}: `leap jobs list` shows which there are."
        raise NotFound(msg)
    return found


def _firing(platform: Platform, firing_id: int) -> AutomationFiring:
    with platform.database.system() as session:
        return session.get_one(AutomationFiring, firing_id, options=[lazyload("*")])


def _document(firing: AutomationFiring) -> dict[str, Any]:
    names = (
        "id job_id due_at state fired_by dry_run missed attempts dagster_run_id counts error"
        " started_at finished_at"
    )
    return {name: getattr(firing, name) for name in names.split()}


def _tell(view: service.JobView, done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(view))
        return
    due = f", due next at {view.next[0]:%Y-%m-%d %H:%M:%S} UTC" if view.next else ""
    say(f"{view.id} “{view.name}” {done}: {view.schedule}{due}.")
    if view.problem:
        say(f"It does not fire: {view.problem}")


def _show(found: Sequence[service.JobView]) -> None:
    table = Table("", "name", "owner", "schedule", "next", "last run", box=None)
    for each in found:
        due = f"{each.next[0]:%Y-%m-%d %H:%M:%S}" if each.next else "off"
        ran = f"{each.last_run_at:%Y-%m-%d %H:%M}" if each.last_run_at else "never"
        table.add_row(
            str(each.id),
            each.name,
            each.user,
            each.schedule,
            each.problem or due,
            f"{ran} {each.last_run_status or ''}".strip(),
        )
    Console(markup=False).print(table)


def _show_history(found: Sequence[AutomationFiring]) -> None:
    table = Table("due (UTC)", "by", "state", "found", "new", "to do", "launched", "", box=None)
    for each in found:
        counts, synced = each.counts, each.counts.get("synced", {})
        numbers = (synced.get("found"), synced.get("new"), counts.get("planned"))
        table.add_row(
            f"{each.due_at:%Y-%m-%d %H:%M:%S}",
            each.fired_by + (", dry run" if each.dry_run else ""),
            each.state + (f", {each.missed} missed" if each.missed else ""),
            *(str(number or 0) for number in (*numbers, counts.get("launched"))),
            each.error or "",
        )
    Console(markup=False).print(table)
