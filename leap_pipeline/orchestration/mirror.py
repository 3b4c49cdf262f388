"""Keeps Dagster's schedules what the rows of `automation_jobs` say, and nobody restarts anything.

A sensor of the location `leap`, for a location cannot wait for its own reload. On every turn it
compares the fingerprint of the rows with the one that the webserver has loaded, and reloads the
location `automation` once the rows have stopped changing. The code server is shared, so that the
daemon sees it too. What somebody toggled in Dagster's UI is reset: the row alone switches a job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import httpx

# What was toggled in the UI is told and taken back by nothing public.
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus
from pydantic import BaseModel

from leap_pipeline.commands.dagster_home import AUTOMATION_LOCATION, webserver_url
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.errors import LeapError, TransientError
from leap_pipeline.orchestration.automation.dispatcher import DISPATCHER, FINGERPRINT_TAG
from leap_pipeline.orchestration.automation.rows import read_fingerprint
from leap_pipeline.settings import Settings, load_settings

REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": AUTOMATION_LOCATION}
# Rows that keep changing are not waited for longer than this.
MOST_WAIT_SECONDS = 15.0
# Between two reloads; one that failed is tried again after it.
APART_SECONDS = 10.0
# After a reload the daemon may still write states of what is gone.
TIDY_SECONDS = 90.0
REQUEST_SECONDS = 50.0
TOGGLED = {InstigatorStatus.RUNNING, InstigatorStatus.STOPPED}
_ANY = {*TOGGLED, InstigatorStatus.DECLARED_IN_CODE}

_LOADED = """query Loaded($sensor: SensorSelector!) {
  sensorOrError(sensorSelector: $sensor) { __typename ... on Sensor { tags { key value } } }
}"""
_NAMES = """query Names($repository: RepositorySelector!) {
  repositoryOrError(repositorySelector: $repository) {
    __typename ... on Repository { schedules { name } sensors { name } }
  }
}"""
_RELOAD = """mutation Reload($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on WorkspaceLocationEntry {
      locationOrLoadError { __typename ... on PythonError { message } }
    }
    ... on ReloadNotSupported { message }
    ... on RepositoryLocationNotFound { message }
  }
}"""
_RESET = {
    InstigatorType.SCHEDULE: """mutation Reset($selector: ScheduleSelector!) {
      resetSchedule(scheduleSelector: $selector) { __typename }
    }""",
    InstigatorType.SENSOR: """mutation Reset($selector: SensorSelector!) {
      resetSensor(sensorSelector: $selector) { __typename }
    }""",
}
_NAMED = {InstigatorType.SCHEDULE: "scheduleName", InstigatorType.SENSOR: "sensorName"}


class Seen(BaseModel):
    """What the mirror remembers between its turns; times are seconds since 1970."""

    wanted: str | None = None
    changed_at: float = 0.0
    reloaded_at: float = 0.0


@dataclass(frozen=True)
class Step:
    """What a turn does, and remembers."""

    reload: bool
    seen: Seen


def next_step(seen: Seen, wanted: str, loaded: str | None, now: float) -> Step:
    """Reload when rows that differ from what is loaded were the same on two turns in a row.

    `loaded` is None where the location has no answer. Pure.
    """
    if wanted == loaded:
        return Step(reload=False, seen=seen.model_copy(update={"wanted": None}))
    waiting = seen.wanted is not None
    since = seen.changed_at if waiting else now
    settled = seen.wanted == wanted or (waiting and now - since >= MOST_WAIT_SECONDS)
    if settled and now - seen.reloaded_at >= APART_SECONDS:
        return Step(reload=True, seen=Seen(reloaded_at=now))
    changed = {"wanted": wanted, "changed_at": since}
    return Step(reload=False, seen=seen.model_copy(update=changed))


class DagsterUi:
    """Dagster's GraphQL (https://docs.dagster.io/api/graphql) on its loopback port."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/graphql"

    def loaded(self) -> str | None:
        """The fingerprint of the rows that the webserver shows; None where it shows none."""
        selector = {**REPOSITORY, "sensorName": DISPATCHER}
        found = self._ask(_LOADED, sensor=selector)["sensorOrError"]
        tags = {each["key"]: str(each["value"]) for each in found.get("tags", [])}
        return tags.get(FINGERPRINT_TAG)

    def names(self) -> dict[str, InstigatorType] | None:
        """Every clock of the location; None where it is not loaded."""
        found = self._ask(_NAMES, repository=REPOSITORY)["repositoryOrError"]
        if found["__typename"] != "Repository":
            return None
        schedules = {each["name"]: InstigatorType.SCHEDULE for each in found["schedules"]}
        return schedules | {each["name"]: InstigatorType.SENSOR for each in found["sensors"]}

    def reload(self) -> None:
        """Load the location anew; raises `TransientError` where it does not load."""
        found = self._ask(_RELOAD, location=AUTOMATION_LOCATION)["reloadRepositoryLocation"]
        entry = found.get("locationOrLoadError") or found
        if entry["__typename"] != "RepositoryLocation":
            msg = f"The automations' schedules do not load: {entry.get('message')}"
            raise TransientError(msg)

    def reset(self, name: str, kind: InstigatorType) -> None:
        """Let a clock do what its row says again."""
        self._ask(_RESET[kind], selector={**REPOSITORY, _NAMED[kind]: name})

    def _ask(self, query: str, **variables: Any) -> Any:
        try:
            answer = httpx.post(
                self._url,
                json={"query": query, "variables": variables},
                timeout=REQUEST_SECONDS,
                trust_env=False,
            )
            document = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            msg = f"Dagster's webserver at {self._url} does not answer ({error}): is it up?"
            raise TransientError(msg) from error
        if document.get("errors"):
            msg = f"Dagster's webserver refused: {document['errors'][0].get('message')}"
            raise TransientError(msg)
        return document["data"]


@dg.sensor(
    name="automation_mirror",
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Reloads the location `automation` when automations were added, changed, switched or "
        "deleted, and resets what was toggled here: an automation is switched in LEAP alone."
    ),
)
def automation_mirror(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    settings = load_settings()
    seen = Seen.model_validate_json(context.cursor) if context.cursor else Seen()
    try:
        seen, said = mirror(
            context.instance, DagsterUi(webserver_url(settings)), settings, seen, datetime.now(UTC)
        )
    except LeapError as error:
        said = str(error)
    context.update_cursor(seen.model_dump_json())
    return dg.SkipReason(said)


def mirror(
    instance: dg.DagsterInstance, ui: DagsterUi, settings: Settings, seen: Seen, now: datetime
) -> tuple[Seen, str]:
    """One turn: what to remember, and what was done."""
    database = Database(resolve(settings))
    with database.system() as session:
        wanted = read_fingerprint(session, settings.mirrored_jobs)
    step = next_step(seen, wanted, ui.loaded(), now.timestamp())
    said = []
    if step.reload:
        try:
            ui.reload()
        except TransientError as error:
            return step.seen, str(error)
        said.append(f"Reloaded, for the automations changed to {wanted}.")
    tidy = now.timestamp() - step.seen.reloaded_at < TIDY_SECONDS
    states = instance.all_instigator_state(instigator_statuses=_ANY if tidy else TOGGLED)
    wrong = [state for state in states if _is_ours(state)]
    names = ui.names() if wrong else None
    if names is not None:
        said += [_put_right(instance, ui, state, names) for state in wrong]
    return step.seen, " ".join(filter(None, said)) or "The schedules are what the rows say."


def _is_ours(state: InstigatorState) -> bool:
    origin = state.origin.repository_origin.code_location_origin
    return origin.location_name == AUTOMATION_LOCATION


def _put_right(
    instance: dg.DagsterInstance,
    ui: DagsterUi,
    state: InstigatorState,
    names: Mapping[str, InstigatorType],
) -> str:
    """Reset a state that was toggled or is of the other kind; remove one of nobody."""
    name = state.instigator_name
    kind = names.get(name)
    if kind is None:
        instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)
        return f"{name} is gone."
    if kind is state.instigator_type and state.status not in TOGGLED:
        return ""
    ui.reset(name, kind)
    return f"{name} was reset."
