"""The accounts of one tenant: entered once, opened by the pipeline, shown to nobody again.

An account without a given name takes the one that its document says, or “main”: a NULL would slip
past the unique constraint on (user, platform, name), so none is written. Rows that came from
elsewhere may have one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.credentials import (
    Credential,
    CredentialPlatform,
    masked,
    parse_credential,
    reveal,
    secrets_of,
)
from leap_pipeline.domain.permissions import Permission, Rights, require
from leap_pipeline.errors import InputError, LeapError, Undecryptable, UserActionError
from leap_pipeline.redaction import redact, remember
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.audit import Actor, record

SUBJECT = "credential"
UNNAMED = "main"
LONGEST_NAME = 255
USED_SECONDS = 60
# Shared by all who write secrets, exclusive for who takes keys away: pg_advisory_xact_lock(a, b).
KEYS_IN_USE = (0x4C454158, 1)

# At most once a minute an account, and nobody waits for anybody: it is only a mark.
TOUCH = text("""
    UPDATE user_credentials SET last_used_at = now(), updated_at = now()
    WHERE id = (
        SELECT id FROM user_credentials
        WHERE id = :id AND user_id = :user_id
          AND (last_used_at IS NULL OR last_used_at < now() - make_interval(secs => :seconds))
        FOR NO KEY UPDATE SKIP LOCKED)
""")


@dataclass(frozen=True)
class Editor:
    """Who changes credentials, and what that person may do."""

    actor: Actor
    rights: Rights


@dataclass(frozen=True)
class CredentialView:
    """What may be shown of an account."""

    id: int
    platform: str
    account_name: str | None
    is_active: bool
    last_used_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    details: Mapping[str, Any] | None
    """The document, of its secrets the last 4 characters at most; None: it cannot be read."""

    @property
    def title(self) -> str:
        return _title(self.platform, self.account_name)


@dataclass(frozen=True)
class Credentials:
    """The credentials of one user, within one transaction; rows of others are as if not there."""

    session: Session
    user_id: str
    vault: Vault

    def views(self, platform: CredentialPlatform | None = None) -> list[CredentialView]:
        """All of them, by platform and name."""
        wanted = UserCredential.user_id == self.user_id
        if platform is not None:
            wanted &= UserCredential.platform == platform
        rows = self.session.execute(
            select(*UserCredential.__table__.columns)
            .where(wanted)
            .order_by(UserCredential.platform, UserCredential.account_name, UserCredential.id)
        )
        return [self._view(row) for row in rows]

    def view(self, credential_id: int) -> CredentialView:
        """Raises InputError where there is none."""
        return self._view(self._row(credential_id))

    def open(self, credential_id: int) -> Credential:
        """The credential for the pipeline's use, which marks it as used.

        Raises InputError where there is none, UserActionError where it is inactive, Undecryptable
        where its key is gone.
        """
        row = self._row(credential_id)
        if not row.is_active:
            msg = f"{_title(row.platform, row.account_name)} is inactive: connect it again."
            raise UserActionError(msg)
        found = self._credential(row)
        self.session.execute(
            TOUCH, {"id": credential_id, "user_id": self.user_id, "seconds": USED_SECONDS}
        )
        return found

    def stored(self, credential_id: int) -> Credential | None:
        """What is stored of an account, also of an inactive one; None where it cannot be read.

        For connecting it again. Raises InputError where there is none.
        """
        row = self._row(credential_id)
        try:
            return self._credential(row)
        except LeapError:
            return None

    def create(
        self,
        platform: str,
        data: Mapping[str, Any],
        editor: Editor,
        *,
        account_name: str | None = None,
    ) -> CredentialView:
        """Store an account.

        Raises InputError for a document that does not fit (with the path) or a name that is taken,
        UserActionError without the permission.
        """
        require(editor.rights, Permission.MANAGE_CREDENTIALS)
        credential = parse_credential(platform, data)
        name = checked_name(account_name or credential.account or UNNAMED)
        statement = (
            insert(UserCredential)
            .values(
                user_id=self.user_id,
                platform=platform,
                account_name=name,
                encrypted_data=self._sealed(credential),
            )
            .on_conflict_do_nothing()
            .returning(UserCredential.id)
        )
        number = self.session.scalar(statement)
        if number is None:
            raise _taken(platform, name)
        self._tell(editor.actor, "create", number, after={"platform": platform, "account": name})
        return self.view(number)

    def update(
        self,
        credential_id: int,
        editor: Editor,
        *,
        data: Mapping[str, Any] | None = None,
        account_name: str | None = None,
    ) -> CredentialView:
        """Replace the document (which makes the account active again), the name, or both."""
        require(editor.rights, Permission.MANAGE_CREDENTIALS)
        row = self._row(credential_id, lock=True)
        values: dict[str, Any] = {}
        if data is not None:
            values["encrypted_data"] = self._sealed(parse_credential(row.platform, data))
            values["is_active"] = True
        if account_name is not None:
            values["account_name"] = checked_name(account_name)
        if values:
            self._write(row, values)
            after = {"account": values.get("account_name", row.account_name)}
            after |= {"document": "replaced"} if data is not None else {}
            before = {"account": row.account_name, "is_active": row.is_active}
            self._tell(editor.actor, "update", credential_id, before=before, after=after)
        return self.view(credential_id)

    def switch(self, credential_id: int, editor: Editor, *, active: bool) -> CredentialView:
        """Activate or deactivate an account."""
        require(editor.rights, Permission.MANAGE_CREDENTIALS)
        row = self._row(credential_id, lock=True)
        if bool(row.is_active) != active:
            self._write(row, {"is_active": active})
            action = "activate" if active else "deactivate"
            self._tell(editor.actor, action, credential_id, after={"is_active": active})
        return self.view(credential_id)

    def delete(self, credential_id: int, editor: Editor, *, with_presets: bool = False) -> None:
        """Remove an account; sources that used it stay, without one.

        Raises UserActionError where presets publish with it, which would go with it, unless
        `with_presets` says that they may.
        """
        require(editor.rights, Permission.MANAGE_CREDENTIALS)
        row = self._row(credential_id, lock=True)
        presets = self.session.scalars(
            select(OutputPreset.name)
            .where(
                OutputPreset.credential_id == credential_id, OutputPreset.user_id == self.user_id
            )
            .order_by(OutputPreset.name)
        ).all()
        if presets and not with_presets:
            names = ", ".join(f"“{name}”" for name in presets)
            title = _title(row.platform, row.account_name)
            msg = (
                f"{title} publishes for the presets {names}, which would be deleted with it: give "
                "them another account first, or say that they may go."
            )
            raise UserActionError(msg)
        self.session.execute(delete(UserCredential).where(self._is(credential_id)))
        before = {"platform": row.platform, "account": row.account_name, "presets": list(presets)}
        self._tell(editor.actor, "delete", credential_id, before=before)

    def mark_inactive(
        self, credential_id: int, tried: Credential, reason: str, actor: Actor
    ) -> bool:
        """Note that the platform refused what was `tried`; its owner must connect again.

        False where the account was connected again meanwhile, so that a fresh grant does not suffer
        for an old one. Commit it before raising anything, or it is rolled back.
        """
        row = self._row(credential_id, lock=True)
        if not row.is_active or self._credential(row) != tried:
            return False
        self._write(row, {"is_active": False})
        after = {"is_active": False, "reason": redact(reason)}
        self._tell(actor, "refused", credential_id, after=after)
        return True

    def _row(self, credential_id: int, *, lock: bool = False) -> Row[Any]:
        query = select(*UserCredential.__table__.columns).where(self._is(credential_id))
        row = self.session.execute(query.with_for_update(key_share=True) if lock else query).first()
        if row is None:
            msg = f"There is no credential {credential_id}: see which there are, and choose one."
            raise InputError(msg)
        return row

    def _is(self, credential_id: int) -> ColumnElement[bool]:
        return and_(UserCredential.id == credential_id, UserCredential.user_id == self.user_id)

    def _credential(self, row: Row[Any]) -> Credential:
        """What is in a row; read once more where its key went away under our hands."""
        try:
            data = self.vault.decrypt(row.encrypted_data)
        except Undecryptable as shut:
            again = self._row(row.id)
            if again.encrypted_data == row.encrypted_data:
                msg = f"{_title(row.platform, row.account_name)} cannot be read: {shut}"
                raise Undecryptable(msg) from None
            data = self.vault.decrypt(again.encrypted_data)
        try:
            found = parse_credential(row.platform, data)
        except InputError as wrong:
            msg = f"{_title(row.platform, row.account_name)} cannot be used, enter it anew: {wrong}"
            raise InputError(msg) from None
        remember(*secrets_of(found))
        return found

    def _view(self, row: Row[Any]) -> CredentialView:
        try:
            details = masked(self._credential(row))
        except LeapError:
            details = None
        return CredentialView(
            id=row.id,
            platform=row.platform,
            account_name=row.account_name,
            is_active=bool(row.is_active),
            last_used_at=row.last_used_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
            details=details,
        )

    def _sealed(self, credential: Credential) -> str:
        """Encrypted with a key that is not taken away before this transaction ends."""
        remember(*secrets_of(credential))
        keep_keys(self.session)
        return self.vault.encrypt(reveal(credential))

    def _write(self, row: Row[Any], values: Mapping[str, Any]) -> None:
        try:
            with self.session.begin_nested():
                self.session.execute(
                    update(UserCredential).where(self._is(row.id)).values(**values)
                )
        except IntegrityError as error:
            raise _taken(row.platform, values.get("account_name", "")) from error

    def _tell(self, actor: Actor, action: str, number: int, **said: Mapping[str, Any]) -> None:
        record(
            self.session,
            actor,
            f"credential.{action}",
            SUBJECT,
            number,
            owner_id=self.user_id,
            **said,
        )


def keep_keys(session: Session) -> None:
    """See that no key is taken away before this transaction ends: before it encrypts anything."""
    session.execute(select(func.pg_advisory_xact_lock_shared(*KEYS_IN_USE)))


def checked_name(text: str) -> str:
    """The name of an account, without blanks around it. Raises InputError."""
    name = text.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        msg = (
            f"An account's name has 1 to {LONGEST_NAME} characters on one line: give it such a one."
        )
        raise InputError(msg)
    return name


def _title(platform: str, account_name: str | None) -> str:
    return f"The {platform} account " + (f"“{account_name}”" if account_name else "without a name")


def _taken(platform: str, name: str) -> InputError:
    msg = (
        f"There is a {platform} account “{name}” already: change that one, or give this one "
        "another name."
    )
    return InputError(msg)
