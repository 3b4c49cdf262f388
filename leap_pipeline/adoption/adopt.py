"""`leap adopt`: from a database of the original platform, tenant by tenant.

Users first, since others name them; then each user's configuration in one transaction, and the
recordings in bounded ones. What a transaction takes it notes, so that a run that was killed at any
instant goes on where it stopped, and a later one takes what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.engine import URL

from leap_pipeline.adoption import report
from leap_pipeline.adoption.batches import BATCH, take_recordings, take_thumbnails
from leap_pipeline.adoption.files import FileMode, Files
from leap_pipeline.adoption.ledger import Ledger, known_source
from leap_pipeline.adoption.old_secrets import SALT, OldSecrets
from leap_pipeline.adoption.people import take_global_configs, take_plans, take_users
from leap_pipeline.adoption.report import Report
from leap_pipeline.adoption.source import Source, opened
from leap_pipeline.adoption.target import Target
from leap_pipeline.adoption.tenants import Move, tenant_rows
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.errors import InputError
from leap_pipeline.progress import ProgressCallback, ignore
from leap_pipeline.security.vault import Vault
from leap_pipeline.storage.local import LocalStorage


@dataclass(frozen=True)
class Wanted:
    """What to adopt and how; no `emails` means everybody."""

    url: URL
    secret: str | None = None
    salt: str = SALT
    files: FileMode = FileMode.LEAVE
    old_storage: Path | None = None
    emails: Sequence[str] = ()
    dry: bool = False
    batch: int = BATCH

    def __repr__(self) -> str:
        return "Wanted()"  # the URL and the secret are nobody's business


def adopt(
    database: Database,
    storage: LocalStorage,
    vault: Vault,
    wanted: Wanted,
    progress: ProgressCallback = ignore,
) -> Report:
    """Take over what is new. Raises a LeapError, for a wrong secret before anything is written."""
    target = Target(database, dry=wanted.dry)
    files = Files(storage, wanted.files, wanted.old_storage, dry=wanted.dry)
    with opened(wanted.url) as source, target.alone():
        secrets = _secrets(source, wanted)
        user_ids = _user_ids(source, wanted.emails)
        move = Move(source, target, _ledger(source, target), vault, secrets)
        take_plans(move)
        slugs = take_users(move, user_ids)
        if not wanted.emails:
            take_global_configs(move)
        target.keep_free("recordings_id_seq", source.highest("recordings", "id"))
        for number, (user_id, numbers) in enumerate(slugs.items()):
            progress(number / len(slugs))
            with database.system() as session:
                tenant = tenant_rows(move, session, user_id)
            take_thumbnails(move, files, tenant, numbers)
            take_recordings(move, files, tenant, numbers, wanted.batch)
        found = report.made(source, target, move.ledger, all_users=not wanted.emails)
        found.warnings += _warnings(database)
        progress(1.0)
        return found


def _secrets(source: Source, wanted: Wanted) -> OldSecrets | None:
    """What opens the credentials; raises InputError where it opens none of them."""
    tokens = [row["encrypted_data"] for row in source.everything("user_credentials")]
    if not tokens:
        return None
    if wanted.secret is None:
        msg = (
            f"{source.name} has {len(tokens)} encrypted credentials: give the secret that they "
            "were encrypted with, by --secret-env or --secret-file."
        )
        raise InputError(msg)
    secrets = OldSecrets(wanted.secret, wanted.salt)
    if all(secrets.open(token) is None for token in tokens):
        msg = (
            f"This secret opens none of the {len(tokens)} credentials of {source.name}: check the "
            "secret and --salt. Nothing was written."
        )
        raise InputError(msg)
    return secrets


def _user_ids(source: Source, emails: Sequence[str]) -> list[str]:
    if not emails:
        return source.user_ids()
    wanted = {each.strip().lower() for each in emails}
    found = {row["id"]: row["email"].lower() for row in source.everything("users")}
    unknown = sorted(wanted - set(found.values()))
    if unknown:
        msg = f"{source.name} has no user {', '.join(unknown)}: check the address."
        raise InputError(msg)
    return [user_id for user_id, email in found.items() if email in wanted]


def _ledger(source: Source, target: Target) -> Ledger:
    with target.database.system() as session:
        name = known_source(session, source.user_ids()) or source.fingerprint()
    return Ledger(name, dry=target.dry)


def _warnings(database: Database) -> list[str]:
    """What retention will do next with recordings, among them those just adopted."""
    now = datetime.now(UTC)
    active = Recording.delete_state == DeleteState.ACTIVE
    soft = Recording.delete_state == DeleteState.SOFT_DELETED
    with database.system() as session:
        expired, gone = (
            session.scalar(select(func.count()).select_from(Recording).where(state, time <= now))
            for state, time in ((active, Recording.expire_at), (soft, Recording.hard_delete_at))
        )
    found = []
    if expired:
        found.append(
            f"{expired} recordings have expired by their `expire_at`: the next clean-up deletes "
            "them, restorably."
        )
    if gone:
        found.append(
            f"{gone} deleted recordings are past their time to be restored: the next clean-up "
            "removes their files."
        )
    return found
