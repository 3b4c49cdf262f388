"""One user's rows, all that is not a recording: one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.adoption import accounts, library, schedules
from leap_pipeline.adoption.accounts import Plan
from leap_pipeline.adoption.coverage import say_unread
from leap_pipeline.adoption.ledger import Ledger
from leap_pipeline.adoption.naming import Names
from leap_pipeline.adoption.old_secrets import OldSecrets
from leap_pipeline.adoption.outcome import Entry, Leave, Notes, Row, left, taken
from leap_pipeline.adoption.references import References
from leap_pipeline.adoption.settings import base_config, user_config
from leap_pipeline.adoption.source import Source
from leap_pipeline.adoption.target import Target, existing
from leap_pipeline.db.base import Base
from leap_pipeline.db.models.automation import AutomationJob
from leap_pipeline.db.models.subscriptions import QuotaChange, QuotaUsage, UserSubscription
from leap_pipeline.db.models.templates import InputSource, OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import BaseConfig, User, UserConfig, UserCredential
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.credentials import keep_keys
from leap_pipeline.services.quotas import free_plan

Values = dict[str, Any]
Mapper = Callable[[Row, Notes], Values | list[Values]]


@dataclass(frozen=True)
class Move:
    """What all parts of one adoption work with; `plans` by their old ids."""

    source: Source
    target: Target
    ledger: Ledger
    vault: Vault
    secrets: OldSecrets | None
    plans: dict[int, Plan] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    """The time zone of each user that was adopted."""


@dataclass(frozen=True)
class Tenant:
    """An adopted user; `presets` maps ids here to platforms, `templates` to names.

    `source_keys` are those, with their types, that are known to be in use.
    """

    id: str
    references: References
    presets: dict[int, str] = field(default_factory=dict)
    templates: dict[int, str] = field(default_factory=dict)
    source_keys: set[tuple[str, str]] = field(default_factory=set)


def take(
    move: Move,
    session: Session,
    rows: list[Row],
    model: type[Base],
    mapper: Mapper,
    references: References | None = None,
) -> list[Values]:
    """Write what `mapper` makes of the rows that are new, and note it; the values written."""
    table = model.__tablename__
    done = move.ledger.taken(session, table, [row["id"] for row in rows])
    written: list[Values] = []
    entries: list[Entry] = []
    for row in rows:
        if str(row["id"]) in done:
            continue
        notes = Notes()
        try:
            made = mapper(row, notes)
        except Leave as why:
            entries.append(left(table, row["id"], str(why)))
            continue
        say_unread(table, row, notes)
        each = made if isinstance(made, list) else [made]
        for values, new_id in zip(
            each, move.target.new_ids(session, table, len(each)), strict=True
        ):
            written.append(values | {"id": new_id})
        new = [values["id"] for values in written[-len(each) :]]
        if references is not None:
            references.put(table, row["id"], new[0])
        entries.append(taken(table, row["id"], " ".join(map(str, new)), notes))
    move.target.insert(session, model, written)
    move.ledger.write(session, entries)
    return written


def tenant_rows(move: Move, session: Session, user_id: str) -> Tenant:
    """Take everything of a user but recordings; what was taken before is only looked up."""
    tenant = Tenant(user_id, References())
    _accounts(move, session, tenant)
    _library(move, session, tenant)
    _templates_and_jobs(move, session, tenant)
    _only_one(
        move,
        session,
        user_id,
        UserConfig,
        lambda row, notes: user_config(row, tenant.references, notes),
        dict,
    )
    return tenant


def _accounts(move: Move, session: Session, tenant: Tenant) -> None:
    def rows(table: str) -> list[Row]:
        return move.source.rows(table, "user_id", [tenant.id])

    history = rows("quota_change_history")
    authors = [row["changed_by"] for row in history]
    for row in rows("user_subscriptions"):
        authors += [row["created_by"], row["modified_by"]]
    users = frozenset(existing(session, User.id, authors) | set(move.users))
    _only_one(
        move,
        session,
        tenant.id,
        UserSubscription,
        lambda row, notes: accounts.subscription(row, move.plans, users, notes),
        lambda: {"plan_id": free_plan(session).id},
    )
    _usage(move, session, rows("quota_usage"), tenant.id)
    take(
        move,
        session,
        history,
        QuotaChange,
        lambda row, notes: accounts.quota_change(row, move.plans, users, notes),
    )
    take(move, session, rows("base_configs"), BaseConfig, base_config)


def _usage(move: Move, session: Session, rows: list[Row], user_id: str) -> None:
    """Several rows of one month become one; a month that LEAP counts already is left alone."""
    done = move.ledger.taken(session, "quota_usage", [row["id"] for row in rows])
    counted = set(session.scalars(select(QuotaUsage.period).where(QuotaUsage.user_id == user_id)))
    months: dict[str, list[Row]] = {}
    entries: list[Entry] = []
    for row in rows:
        try:
            month = accounts.period(row["period"])
        except Leave as why:
            entries.append(left("quota_usage", row["id"], str(why)))
            continue
        if str(row["id"]) in done:
            continue
        if month in counted:
            why_not = "LEAP counts this month already"
            entries.append(left("quota_usage", row["id"], why_not))
            continue
        months.setdefault(month, []).append(row)
    new_ids = move.target.new_ids(session, "quota_usage", len(months))
    written = []
    for new_id, same in zip(new_ids, months.values(), strict=True):
        said = Notes()
        written.append(accounts.usage(same, said) | {"id": new_id})
        for row in same:
            notes = Notes([*said.lines])
            say_unread("quota_usage", row, notes)
            entries.append(taken("quota_usage", row["id"], new_id, notes))
    move.target.insert(session, QuotaUsage, written)
    move.ledger.write(session, entries)


def _library(move: Move, session: Session, tenant: Tenant) -> None:
    keep_keys(session)
    references = tenant.references
    accounts_taken = Names(
        (platform, name or platform)
        for platform, name in session.execute(
            select(UserCredential.platform, UserCredential.account_name).where(
                UserCredential.user_id == tenant.id
            )
        )
    )

    def credential(row: Row, notes: Notes) -> Values:
        opened = move.secrets.open(row["encrypted_data"]) if move.secrets else None
        values = library.credential(row, opened, accounts_taken, notes)
        return values | {"encrypted_data": move.vault.encrypt(values.pop("document"))}

    _take_named(move, session, tenant, UserCredential, credential)
    sources = Names(
        ((kind, credential_id), name)
        for kind, credential_id, name in session.execute(
            select(InputSource.source_type, InputSource.credential_id, InputSource.name).where(
                InputSource.user_id == tenant.id
            )
        )
    )
    _take_named(
        move,
        session,
        tenant,
        InputSource,
        lambda row, notes: library.source(row, references, sources, notes),
    )
    presets = _names(session, OutputPreset, tenant.id)
    made = _take_named(
        move,
        session,
        tenant,
        OutputPreset,
        lambda row, notes: library.preset(row, references, presets, notes),
    )
    tenant.presets.update(
        session.execute(
            select(OutputPreset.id, OutputPreset.platform).where(OutputPreset.user_id == tenant.id)
        ).all()
    )
    tenant.presets.update({values["id"]: values["platform"] for values in made})


def _templates_and_jobs(move: Move, session: Session, tenant: Tenant) -> None:
    references = tenant.references
    names = _names(session, RecordingTemplate, tenant.id)
    made = _take_named(
        move,
        session,
        tenant,
        RecordingTemplate,
        lambda row, notes: library.template(row, references, tenant.presets, names, notes),
    )
    tenant.templates.update(
        session.execute(
            select(RecordingTemplate.id, RecordingTemplate.name).where(
                RecordingTemplate.user_id == tenant.id
            )
        ).all()
    )
    tenant.templates.update({values["id"]: values["name"] for values in made})
    job_names = _names(session, AutomationJob, tenant.id)
    take(
        move,
        session,
        move.source.rows("automation_jobs", "user_id", [tenant.id]),
        AutomationJob,
        lambda row, notes: schedules.jobs(
            row, references, tenant.templates, move.users[tenant.id], job_names, notes
        ),
    )


def _take_named(
    move: Move, session: Session, tenant: Tenant, model: Any, mapper: Mapper
) -> list[Values]:
    """Take rows that others refer to, and know those that were taken before and are still here."""
    table = model.__tablename__
    rows = move.source.rows(table, "user_id", [tenant.id])
    before = move.ledger.taken(session, table, [row["id"] for row in rows])
    here = set(session.scalars(select(model.id).where(model.user_id == tenant.id)))
    for old, new in before.items():
        if int(new) in here:
            tenant.references.put(table, int(old), int(new))
    return take(move, session, rows, model, mapper, tenant.references)


def _names(session: Session, model: Any, user_id: str) -> Names:
    found = session.scalars(select(model.name).where(model.user_id == user_id))
    return Names((None, name) for name in found)


def _only_one(
    move: Move,
    session: Session,
    user_id: str,
    model: Any,
    mapper: Mapper,
    default: Callable[[], Values],
) -> None:
    """A row of which a user has one: taken where LEAP has none, and made where both have none."""
    here = session.scalar(select(model.id).where(model.user_id == user_id)) is not None

    def unless_here(row: Row, notes: Notes) -> Values | list[Values]:
        if here:
            msg = "LEAP has this of the user already"
            raise Leave(msg)
        return mapper(row, notes)

    rows = move.source.rows(model.__tablename__, "user_id", [user_id])
    take(move, session, rows, model, unless_here)
    if not rows and not here:
        move.target.insert(session, model, [{"user_id": user_id, **default()}])
