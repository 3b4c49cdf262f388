"""An automation's settings: while its schedule is typed, the next times show what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard.app_pages._automation_schedule import SchedulePart
from dashboard.app_pages._automation_words import TYPES
from dashboard.fields import told_apart
from dashboard.live import live
from dashboard.messages import say_later
from dashboard.owners import Owner, visit
from dashboard.session import Me
from dashboard.texts import ago, t, when, zone
from dashboard.words import plain
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.catalogue import AutomationJobs, Sources, Templates
from leap_pipeline.domain.crontab_fields import MINUTE
from leap_pipeline.domain.due_times import crontab_of
from leap_pipeline.errors import InputError, StaleChange
from leap_pipeline.services.job_lists import plan_schedule
from leap_pipeline.services.jobs import SCHEDULE_COLUMNS, create_job, update_job

PAGE = "automation"
SEEN, VERSION = "job_seen", "job_version"
EDITED = ("name", "description", "job_type", "template_id", "source_ids", *SCHEDULE_COLUMNS)
FRESH: Mapping[str, Any] = {
    **dict.fromkeys(EDITED),
    "name": "",
    "job_type": "sync_and_process",
    "source_ids": [],
    **crontab_of("0 6 * * *"),
}


@dataclass(frozen=True)
class _Choices:
    """What an owner has to choose from, by number."""

    templates: Mapping[int, str]
    sources: Mapping[int, str]
    timezone: str


@live()
def builder(me: Me, owner: Owner, job_id: int | None) -> None:
    """The settings of a job, or of a new one (None)."""
    seen = _seen(me, owner, job_id)
    choices = _choices(me, owner)
    key = _key(job_id)
    values = _what(seen, choices, key)
    schedule = SchedulePart(seen, choices.timezone, key).columns()
    enabled = job_id is not None or st.checkbox(t("Switched on"), value=True, key=f"{key}_enabled")
    beyond = me.is_admin and st.checkbox(
        t("Closer together than the owner's plan allows"), key=f"{key}_beyond"
    )
    _preview(me, owner, job_id, schedule, enabled=enabled, beyond=beyond)
    if st.button(t("Save"), key=f"{key}_save", type="primary"):
        more = {"beyond_plan": beyond, **values, **schedule}
        if job_id is None:
            _create(me, owner, {**more, "enabled": enabled})
        else:
            _update(me, owner, job_id, seen, more)


def _what(seen: Mapping[str, Any], choices: _Choices, key: str) -> dict[str, Any]:
    """What it is called and does."""
    name = st.text_input(t("Name"), seen["name"], key=f"{key}_name", max_chars=255)
    kind = st.segmented_control(
        t("What it does"),
        list(TYPES),
        default=seen["job_type"] if seen["job_type"] in TYPES else None,
        required=True,
        format_func=lambda each: t(TYPES[each]),
        key=f"{key}_type",
    )
    templates: list[int | None] = [None, *choices.templates]
    if seen["template_id"] not in templates:
        templates.append(seen["template_id"])
    template = st.selectbox(
        t("Recordings of"),
        templates,
        index=templates.index(seen["template_id"]),
        format_func=lambda each: t("Any template") if each is None else _template(choices, each),
        key=f"{key}_template",
    )
    chosen = list(seen["source_ids"] or [])
    sources = st.multiselect(
        t("Sources"),
        [*choices.sources, *(each for each in chosen if each not in choices.sources)],
        default=chosen,
        format_func=lambda each: _source(choices, each),
        placeholder=t("All sources"),
        key=f"{key}_sources",
    )
    description = st.text_input(
        t("Description (optional)"), seen["description"] or "", key=f"{key}_description"
    )
    return {
        "name": (name or "").strip(),
        "job_type": kind or seen["job_type"],
        "template_id": template,
        "source_ids": sources,
        "description": (description or "").strip() or None,
    }


def _preview(
    me: Me,
    owner: Owner,
    job_id: int | None,
    schedule: Mapping[str, Any],
    *,
    enabled: bool,
    beyond: bool,
) -> None:
    now = datetime.now(UTC)
    try:
        with me.tenant(owner.id) as session:
            planned = plan_schedule(
                session,
                owner.id,
                schedule,
                now,
                job_id=job_id,
                enabled=enabled,
                beyond_plan=beyond,
            )
    except InputError as error:
        # It names the column; on the page that is the field.
        st.error(plain(str(error).replace(f"`{MINUTE.column}`", f"“{t('Minutes')}”")))
        return
    lines = [f"- {when(each, 'EEE d MMM y, HH:mm:ss')} ({ago(each)})" for each in planned.next]
    st.markdown(t("**It is due next** (times in {zone}):", zone=plain(zone().key)))
    st.markdown("\n".join(lines))
    if planned.refusal is not None:
        st.warning(plain(planned.refusal))


def _create(me: Me, owner: Owner, values: dict[str, Any]) -> None:
    with me.tenant(owner.id) as session:
        row = create_job(session, me.editor, **values)
        job_id, name = row.id, row.name
    _forget()
    say_later(t("“{name}” is scheduled.", name=name))
    visit(me, owner, PAGE, id=str(job_id))


def _update(
    me: Me, owner: Owner, job_id: int, seen: Mapping[str, Any], values: dict[str, Any]
) -> None:
    try:
        with me.tenant(owner.id) as session:
            row = update_job(session, me.editor, job_id, unchanged=seen, **values)
            name = row.name
    except StaleChange as error:
        # What was typed stays on the page until somebody loads it anew.
        st.error(plain(str(error)))
        return
    _forget()
    say_later(t("“{name}” is saved.", name=name))
    st.rerun(scope="app")


def _seen(me: Me, owner: Owner, job_id: int | None) -> Mapping[str, Any]:
    """The job as it was when these widgets were first drawn: what the person has in mind."""
    if job_id is None:
        return FRESH
    known = st.session_state.get(SEEN)
    if known is not None and known[0] == job_id and f"{_key(job_id)}_name" in st.session_state:
        found: Mapping[str, Any] = known[1]
        return found
    with me.tenant(owner.id) as session:
        row = AutomationJobs(session).require(job_id)
        found = {name: getattr(row, name) for name in EDITED}
    st.session_state[SEEN] = (job_id, found)
    return found


def _forget() -> None:
    """Draw other widgets from now on, with what is stored."""
    st.session_state.pop(SEEN, None)
    st.session_state[VERSION] = st.session_state.get(VERSION, 0) + 1


def _key(job_id: int | None) -> str:
    return f"job_{job_id or 'new'}_{st.session_state.get(VERSION, 0)}"


def _choices(me: Me, owner: Owner) -> _Choices:
    with me.tenant(owner.id) as session:
        templates, sources = Templates(session).all(), Sources(session).all()
        timezone = session.get_one(User, owner.id).timezone
        return _Choices(
            told_apart({row.id: row.name for row in templates}),
            told_apart({row.id: row.name for row in sources}),
            timezone,
        )


def _source(choices: _Choices, number: int) -> str:
    if number in choices.sources:
        return choices.sources[number]
    return t("Deleted source {id}", id=number)


def _template(choices: _Choices, number: int) -> str:
    if number in choices.templates:
        return choices.templates[number]
    return t("Deleted template {id}", id=number)
