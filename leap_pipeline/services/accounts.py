"""The accounts of a tenant as a page lists them: how each is, what uses it, what refused it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.domain.account_health import Health, ends_at, health_of
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.credential_rows import CredentialView, Uses
from leap_pipeline.services.credentials import SUBJECT, Credentials

# What decides why an account is off: its platform refused it, or a person switched it.
_DECIDES = ("credential.refused", "credential.activate", "credential.deactivate")


@dataclass(frozen=True)
class Refusal:
    """What a platform said when it refused an account."""

    at: datetime
    reason: str


@dataclass(frozen=True)
class Account:
    """`ends_at` is when a grant that cannot be renewed ends; `refusal` why it is off."""

    view: CredentialView
    uses: Uses
    health: Health
    ends_at: datetime | None
    refusal: Refusal | None


def accounts_of(database: Database, vault: Vault, user_id: str, now: datetime) -> list[Account]:
    """All accounts of a user, by platform and name.

    What refused one is read in the system's scope: a tenant's role writes the audit log and reads
    none of it.
    """
    with database.tenant(user_id) as session:
        store = Credentials(session, user_id, vault)
        views, uses = store.views(), store.all_uses()
    off = [view.id for view in views if not view.is_active]
    refusals: dict[int, Refusal] = {}
    if off:
        with database.system() as session:
            refusals = _refusals(session, user_id, off)
    return [_account(view, uses.get(view.id), refusals.get(view.id), now) for view in views]


def _account(
    view: CredentialView, uses: Uses | None, refusal: Refusal | None, now: datetime
) -> Account:
    health = health_of(
        view.details, is_active=view.is_active, is_refused=refusal is not None, now=now
    )
    return Account(view, uses or Uses(), health, ends_at(view.details), refusal)


def _refusals(session: Session, user_id: str, ids: Sequence[int]) -> dict[int, Refusal]:
    query = (
        select(AuditEntry.subject_id, AuditEntry.action, AuditEntry.at, AuditEntry.after)
        .ext(distinct_on(AuditEntry.subject_id))
        .where(
            AuditEntry.owner_id == user_id,
            AuditEntry.subject_type == SUBJECT,
            AuditEntry.subject_id.in_(str(each) for each in ids),
            AuditEntry.action.in_(_DECIDES),
        )
        .order_by(AuditEntry.subject_id, AuditEntry.at.desc(), AuditEntry.id.desc())
    )
    return {
        int(row.subject_id): Refusal(row.at, str((row.after or {}).get("reason", "")))
        for row in session.execute(query)
        if row.action == "credential.refused"
    }
