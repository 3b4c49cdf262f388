"""The accounts of one tenant as they are stored: shown without secrets, opened for use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, literal, select, text, union_all
from sqlalchemy.orm import Session

from leap_pipeline.db.models.templates import InputSource, OutputPreset
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.credentials import (
    Credential,
    CredentialPlatform,
    masked,
    parse_credential,
    secrets_of,
)
from leap_pipeline.errors import (
    InputError,
    LeapError,
    StaleChange,
    Undecryptable,
    UserActionError,
)
from leap_pipeline.redaction import remember
from leap_pipeline.security.vault import Vault

USED_SECONDS = 60
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
        return title_of(self.platform, self.account_name)


@dataclass(frozen=True)
class Uses:
    """Names of what an account is used by, in their order."""

    presets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __str__(self) -> str:
        kinds = (("preset", self.presets), ("source", self.sources))
        return " and ".join(
            f"the {kind}{'s' if len(names) > 1 else ''} {', '.join(f'“{name}”' for name in names)}"
            for kind, names in kinds
            if names
        )

    def __bool__(self) -> bool:
        return bool(self.presets or self.sources)


def used_by_others(title: str) -> StaleChange:
    """The refusal where something else uses an account than the person was shown."""
    return StaleChange(f"What uses {title} has changed meanwhile: look again what goes with it.")


@dataclass(frozen=True)
class CredentialRows:
    """Reads the credentials of one user, within one transaction; those of others are not there."""

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
            msg = f"{title_of(row.platform, row.account_name)} is inactive: connect it again."
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

    def uses(self, credential_id: int) -> Uses:
        """What would lose its account with it. Raises InputError where there is none."""
        self._row(credential_id)
        presets, sources = (
            self.session.scalars(
                select(table.name)
                .where(table.credential_id == credential_id, table.user_id == self.user_id)
                .order_by(table.name)
            )
            for table in (OutputPreset, InputSource)
        )
        return Uses(tuple(presets), tuple(sources))

    def all_uses(self) -> dict[int, Uses]:
        """What each account is used by, in one statement; one that nothing uses is left out."""
        tables: tuple[type[OutputPreset] | type[InputSource], ...] = (OutputPreset, InputSource)
        queries = [
            select(table.credential_id, literal(place).label("place"), table.name).where(
                table.user_id == self.user_id, table.credential_id.is_not(None)
            )
            for place, table in enumerate(tables)
        ]
        found: dict[int, tuple[list[str], list[str]]] = {}
        for row in self.session.execute(union_all(*queries).order_by("name")):
            found.setdefault(row.credential_id, ([], []))[row.place].append(row.name)
        return {
            number: Uses(tuple(presets), tuple(sources))
            for number, (presets, sources) in found.items()
        }

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
                msg = f"{title_of(row.platform, row.account_name)} cannot be read: {shut}"
                raise Undecryptable(msg) from None
            data = self.vault.decrypt(again.encrypted_data)
        try:
            found = parse_credential(row.platform, data)
        except InputError as wrong:
            msg = (
                f"{title_of(row.platform, row.account_name)} cannot be used, enter it anew: {wrong}"
            )
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


def title_of(platform: str, account_name: str | None) -> str:
    """How an account is called in a sentence."""
    return f"The {platform} account " + (f"“{account_name}”" if account_name else "without a name")
