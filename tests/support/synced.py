"""A tenant with sources of a fake Zoom in a real database, and a clock that both share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import RateBucket
from leap_pipeline.db.models.recordings import Recording, SourceMetadata
from leap_pipeline.db.models.templates import InputSource, RecordingTemplate
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.shapes.sources import SyncCounts
from leap_pipeline.security.keys import new_key
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sync import sync_source
from leap_pipeline.settings import Settings
from tests.support.bench import Bench
from tests.support.zoom.clock import Clock
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.world import Account, User

ZOOM = "ZOOM"
WRITTEN = ("recordings", "source_metadata", "processing_stages", "recording_counts")


@dataclass(frozen=True)
class Row:
    """A recording with its source's row."""

    recording: Recording
    key: str
    meta: dict[str, Any]
    source_id: int | None


@dataclass
class Synced:
    """`account` is at Zoom, `host` its owner; `accounts` asks the fake without a socket."""

    bench: Bench
    settings: Settings
    fake: FakeZoom
    accounts: ZoomAccounts
    account: Account
    source_id: int = 0
    names: Counter[str] = field(default_factory=Counter)

    @property
    def clock(self) -> Clock:
        found = self.fake.clock
        assert isinstance(found, Clock)
        return found

    @property
    def now(self) -> datetime:
        return self.clock()

    @property
    def host(self) -> User:
        return self.fake.owner(self.account)

    @property
    def database(self) -> Database:
        return self.bench.database

    def credential(self, account: Account | None = None, *, host: str | None = None) -> int:
        app = (account or self.account).app
        said = {
            "account_id": app.account_id,
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            **({"host": host} if host else {}),
        }
        self.names["credential"] += 1
        with self.database.tenant(self.bench.user_id) as session:
            row = UserCredential(
                user_id=self.bench.user_id,
                platform="zoom",
                account_name=f"account {self.names['credential']}",
                encrypted_data=load_vault(self.settings).encrypt(said),
            )
            session.add(row)
            session.flush()
            return row.id

    def source(self, credential_id: int | None, **config: Any) -> int:
        self.names["source"] += 1
        with self.database.tenant(self.bench.user_id) as session:
            row = InputSource(
                user_id=self.bench.user_id,
                name=f"Zoom {self.names['source']}",
                source_type=ZOOM,
                credential_id=credential_id,
                config=config,
            )
            session.add(row)
            session.flush()
            return row.id

    def configure(self, **config: Any) -> None:
        self.set_source(config=config)

    def set_source(self, source_id: int | None = None, **columns: Any) -> None:
        with self.database.system() as session:
            session.execute(
                update(InputSource)
                .where(InputSource.id == (source_id or self.source_id))
                .values(**columns)
            )

    def sync(self, source_id: int | None = None, **given: Any) -> SyncCounts:
        return sync_source(
            self.database,
            self.accounts,
            source_id or self.source_id,
            now=self.now,
            settings=self.settings,
            **given,
        )

    def advance(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))

    def adopt(self, key: str, meta: dict[str, Any] | None, **columns: Any) -> int:
        """A recording as it comes from the original platform."""
        number = self.bench.recording(input_source_id=self.source_id, **columns)
        with self.database.tenant(self.bench.user_id) as session:
            session.add(
                SourceMetadata(
                    recording_id=number,
                    user_id=self.bench.user_id,
                    input_source_id=self.source_id,
                    source_type=ZOOM,
                    source_key=key,
                    meta=meta,
                )
            )
        return number

    def rows(self) -> list[Row]:
        """All of the user's Zoom recordings, by key."""
        with self.database.system() as session:
            found = session.execute(
                select(Recording, SourceMetadata)
                .join(SourceMetadata, SourceMetadata.recording_id == Recording.id)
                .where(Recording.user_id == self.bench.user_id, SourceMetadata.source_type == ZOOM)
                .order_by(SourceMetadata.source_key)
                .options(lazyload("*"))
            ).all()
            return [
                Row(recording, source.source_key, source.meta or {}, source.input_source_id)
                for recording, source in found
            ]

    def one(self) -> Row:
        (row,) = self.rows()
        return row

    def source_row(self, source_id: int | None = None) -> InputSource:
        with self.database.system() as session:
            return session.scalars(
                select(InputSource)
                .where(InputSource.id == (source_id or self.source_id))
                .options(lazyload("*"))
            ).one()

    def template(self, **rules: Any) -> int:
        """A stored template, of which matching has not heard."""
        self.names["template"] += 1
        with self.database.tenant(self.bench.user_id) as session:
            row = RecordingTemplate(
                user_id=self.bench.user_id,
                name=f"Template {self.names['template']}",
                matching_rules=rules,
            )
            session.add(row)
            session.flush()
            return row.id

    def writes(self) -> dict[str, int]:
        """Rows inserted, updated and deleted since the server's counters began, by table."""
        with self.database.system() as session:
            session.execute(text("SELECT pg_stat_force_next_flush()"))
        with self.database.system() as session:
            rows = session.execute(
                text(
                    "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables "
                    "WHERE relname = ANY(:tables)"
                ),
                {"tables": list(WRITTEN)},
            )
            return {row[0]: row[1] for row in rows}

    def states(self) -> list[tuple[Any, ...]]:
        """Every version of the recordings' rows: one that is written again has another."""
        with self.database.system() as session:
            found = session.execute(
                text(
                    "SELECT r.id, r.xmin::text, m.xmin::text, r.ctid::text, m.ctid::text "
                    "FROM recordings r JOIN source_metadata m ON m.recording_id = r.id "
                    "WHERE r.user_id = :user ORDER BY r.id"
                ),
                {"user": self.bench.user_id},
            )
            return [tuple(row) for row in found]


def make_synced(bench: Bench, *, seed: int = 0, **settings: Any) -> Synced:
    fake = FakeZoom(Clock(), seed=seed)
    account = fake.add_account()
    made = Settings(encryption_keys=SecretStr(new_key()), **settings)
    with bench.database.system() as session:
        session.execute(delete(RateBucket))  # the same seed makes the same account
    accounts = ZoomAccounts(
        bench.database,
        load_vault(made),
        made,
        http=fake.client(),
        clock=fake.clock,
        sleep=fake.sleep,
    )
    synced = Synced(bench, made, fake, accounts, account)
    synced.source_id = synced.source(synced.credential())
    return synced
