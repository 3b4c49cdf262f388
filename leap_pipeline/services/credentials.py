"""The accounts of one tenant: entered once, opened by the pipeline, shown to nobody again.

An account without a given name takes the one that its document says, or “main”: a NULL would slip
past the unique constraint on (user, platform, name), so none is written. Rows that came from
elsewhere may have one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.credentials import Credential, parse_credential, reveal, secrets_of
from leap_pipeline.domain.permissions import Permission, Rights, require
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.redaction import redact, remember
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.credential_rows import (
    CredentialRows,
    CredentialView,
    Uses,
    title_of,
    used_by_others,
)
from leap_pipeline.services.notices import Refused, tell_refused

SUBJECT = "credential"
UNNAMED = "main"
LONGEST_NAME = 255
# Shared by all who write secrets, exclusive for who takes keys away: pg_advisory_xact_lock(a, b).
KEYS_IN_USE = (0x4C454158, 1)


@dataclass(frozen=True)
class Editor:
    """Who changes credentials, and what that person may do."""

    actor: Actor
    rights: Rights


class Credentials(CredentialRows):
    """Reads and changes them: every change needs the permission, and is in the audit log."""

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

    def amend(
        self, credential_id: int, editor: Editor, said: Mapping[str, str | None]
    ) -> CredentialView:
        """Replace fields of the document; None takes one out, and what is not said stays as it is.

        So a secret can be kept that nobody is shown. Raises as `update` does.
        """
        require(editor.rights, Permission.MANAGE_CREDENTIALS)
        self._row(credential_id, lock=True)
        before = self.stored(credential_id)
        document = {**(reveal(before) if before is not None else {}), **said}
        kept = {name: value for name, value in document.items() if value is not None}
        return self.update(credential_id, editor, data=kept)

    def switch(self, credential_id: int, editor: Editor, *, active: bool) -> CredentialView:
        """Activate or deactivate an account."""
        require(editor.rights, Permission.MANAGE_CREDENTIALS)
        row = self._row(credential_id, lock=True)
        if bool(row.is_active) != active:
            self._write(row, {"is_active": active})
            action = "activate" if active else "deactivate"
            self._tell(editor.actor, action, credential_id, after={"is_active": active})
        return self.view(credential_id)

    def delete(
        self,
        credential_id: int,
        editor: Editor,
        *,
        with_presets: bool = False,
        expected: Uses | None = None,
    ) -> None:
        """Remove an account; sources that used it stay, without one.

        Raises UserActionError where presets publish with it, which would go with it, unless
        `with_presets` says that they may, and StaleChange where other things use it than
        `expected`.
        """
        require(editor.rights, Permission.MANAGE_CREDENTIALS)
        row = self._row(credential_id, lock=True)
        uses = self.uses(credential_id)
        if expected is not None and uses != expected:
            raise used_by_others(title_of(row.platform, row.account_name))
        if uses.presets and not with_presets:
            names = ", ".join(f"“{name}”" for name in uses.presets)
            title = title_of(row.platform, row.account_name)
            msg = (
                f"{title} publishes for the presets {names}, which would be deleted with it: give "
                "them another account first, or say that they may go."
            )
            raise UserActionError(msg)
        self.session.execute(delete(UserCredential).where(self._is(credential_id)))
        before = {"platform": row.platform, "account": row.account_name, **asdict(uses)}
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
        told = Refused(credential_id, row.platform, title_of(row.platform, row.account_name))
        tell_refused(self.session, self.user_id, told, reason, row.updated_at)
        return True

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


def _taken(platform: str, name: str) -> InputError:
    msg = (
        f"There is a {platform} account “{name}” already: change that one, or give this one "
        "another name."
    )
    return InputError(msg)
