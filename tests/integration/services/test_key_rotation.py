"""Changing the key: nothing is lost, whoever reads, writes or is killed meanwhile."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.db.urls import DatabaseUrls
from leap_pipeline.domain.credentials import ApiKey, parse_credential
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.errors import TransientError, UserActionError
from leap_pipeline.runtime_files import file_lock
from leap_pipeline.security.keys import FILE, KeyFile, new_key
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.audit import SYSTEM, AuditFilter, entries
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.key_rotation import LOCK, retire, rotate
from leap_pipeline.services.stored_secrets import BATCH, Unreadable, take_stock
from leap_pipeline.settings import Settings
from tests.support.bench import Bench
from tests.support.rotations import fork_server, run

ROWS = BATCH + 30
READERS = 20
SECONDS, LEAST_KILLS = 5.0, 3
OWNER = Editor(SYSTEM, Rights())


@pytest.fixture
def home(bench: Bench, tmp_path: Path) -> Settings:
    url = bench.database.urls.application.render_as_string(hide_password=False)
    return Settings(home=tmp_path / "home", database_url=url)


def key_file(home: Settings) -> KeyFile:
    return KeyFile(home.home.resolve() / FILE)


def document(number: int, version: int = 0) -> dict[str, str]:
    return {"api_key": f"key-of-{number}-version-{version}"}


def fill(bench: Bench, vault: Vault, count: int) -> list[int]:
    """Accounts in one statement each hundred; the ids."""
    with bench.database.system() as session:
        rows = [
            UserCredential(
                user_id=bench.user_id,
                platform="deepseek",
                account_name=f"account {number}",
                encrypted_data=vault.encrypt(document(number)),
            )
            for number in range(count)
        ]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def tokens(database: Database) -> dict[int, str]:
    with database.system() as session:
        rows = session.execute(select(UserCredential.id, UserCredential.encrypted_data)).all()
    return {row[0]: row[1] for row in rows}


def test_a_rotation_writes_everything_with_a_new_key(bench: Bench, home: Settings) -> None:
    vault = load_vault(home)
    ids = fill(bench, vault, ROWS)
    (old,) = key_file(home).read()
    seen: list[float] = []
    done = rotate(bench.database, home, progress=seen.append)
    assert (done.made_key, done.reencrypted, done.total, done.keys) == (True, ROWS, ROWS, 2)
    assert (seen[-1], sorted(seen)) == (1.0, seen)
    first, second = key_file(home).read()
    assert (first != old, second) == (True, old)
    fresh = tokens(bench.database)
    assert all(map(vault.is_current, fresh.values()))
    assert [vault.decrypt(fresh[each]) for each in ids] == [document(n) for n in range(ROWS)]

    done = retire(bench.database, home)
    assert (done.reencrypted, done.retired, key_file(home).read()) == (0, 1, (first,))
    assert retire(bench.database, home).retired == 0
    assert load_vault(home).decrypt(fresh[ids[0]]) == document(0)
    with bench.database.system() as session:
        told = entries(session, AuditFilter(action="encryption"))
        assert [each.action for each in told[:3]] == [
            "encryption.retire",
            "encryption.retire",
            "encryption.rotate",
        ]
        assert told[2].after == {"made": True, "reencrypted": ROWS, "retired": 0}


def test_an_interrupted_rotation_is_finished_with_its_own_key(bench: Bench, home: Settings) -> None:
    vault = load_vault(home)
    fill(bench, vault, 10)
    keys = (new_key(), *key_file(home).read())
    key_file(home).write(keys)
    some = dict(list(tokens(bench.database).items())[:4])
    with bench.database.system() as session:
        for number, token in some.items():
            fresh = vault.reencrypt(token)
            session.execute(
                update(UserCredential)
                .where(UserCredential.id == number)
                .values(encrypted_data=fresh)
            )
    done = rotate(bench.database, home)
    assert (done.made_key, done.reencrypted, key_file(home).read()) == (False, 6, keys)


def test_retiring_first_writes_what_still_needs_an_older_key(bench: Bench, home: Settings) -> None:
    fill(bench, load_vault(home), 3)
    key_file(home).write((new_key(), *key_file(home).read()))
    done = retire(bench.database, home)
    assert (done.reencrypted, done.retired) == (3, 1)
    assert take_stock(bench.database, load_vault(home)).current == 3


def test_what_no_key_opens_is_reported_and_left_alone(bench: Bench, home: Settings) -> None:
    (mine,) = fill(bench, load_vault(home), 1)
    foreign = load_vault(Settings(encryption_keys=SecretStr(new_key()))).encrypt(document(9))
    with bench.database.system() as session:
        row = UserCredential(user_id=bench.user_id, platform="vk", encrypted_data=foreign)
        session.add(row)
        session.flush()
        theirs = row.id
    done = rotate(bench.database, home)
    assert (done.made_key, done.reencrypted, done.total) == (True, 1, 2)
    assert done.unreadable == (Unreadable("user_credentials", theirs),)
    assert tokens(bench.database)[theirs] == foreign
    again = rotate(bench.database, home)
    assert (again.made_key, again.unreadable) == (True, done.unreadable)
    assert retire(bench.database, home).retired == 2
    assert load_vault(home).is_current(tokens(bench.database)[mine])


def test_an_empty_table_gets_a_new_key(bench: Bench, home: Settings) -> None:
    done = rotate(bench.database, home)
    assert (done.made_key, done.total, done.keys) == (True, 0, 2)


def test_two_rotations_do_not_mix(bench: Bench, home: Settings) -> None:
    home.home.mkdir(parents=True)
    with (
        file_lock(home.home / LOCK, timeout=0, what="test"),
        pytest.raises(TransientError, match="The rotation of keys is busy"),
    ):
        rotate(bench.database, home)


def test_keys_of_the_environment_are_used_and_never_changed(bench: Bench, home: Settings) -> None:
    old, new = new_key(), new_key()

    def settings(*keys: str) -> Settings:
        return home.model_copy(update={"encryption_keys": SecretStr(",".join(keys))})

    fill(bench, load_vault(settings(old)), 3)
    with pytest.raises(UserActionError, match=r"leap credentials new-key.*before the old one"):
        rotate(bench.database, settings(old))
    done = rotate(bench.database, settings(new, old))
    assert (done.made_key, done.reencrypted) == (False, 3)
    for tell in (rotate, retire):
        with pytest.raises(UserActionError, match="restart every process"):
            tell(bench.database, settings(new, old))
    assert take_stock(bench.database, load_vault(settings(new))).current == 3
    assert not key_file(home).path.exists()


def test_no_key_goes_while_a_writer_may_still_use_it(bench: Bench, home: Settings) -> None:
    """A writer sealed with the old key and has not committed: retiring waits for it."""
    vault = load_vault(home)
    key_file(home).write((new_key(), *key_file(home).read()))
    retired = threading.Event()

    def take_away() -> None:
        retire(bench.database, home)
        retired.set()

    with bench.database.tenant(bench.user_id) as session:
        Credentials(session, bench.user_id, vault).create("deepseek", document(1), OWNER)
        thread = threading.Thread(target=take_away)
        thread.start()
        assert not retired.wait(0.5)
    thread.join(20)
    assert retired.is_set()
    (token,) = tokens(bench.database).values()
    assert load_vault(home).decrypt(token) == document(1)


class Overtaken(Vault):
    """Every key is changed between its reader's look at the row and its look at the keys."""

    def __init__(self, bench: Bench, home: Settings) -> None:
        super().__init__(key_file(home))
        self.change = [lambda: rotate(bench.database, home), lambda: retire(bench.database, home)]

    def decrypt(self, token: str) -> dict[str, Any]:
        while self.change:
            self.change.pop(0)()
            self._ring = self._read()
        return super().decrypt(token)


def test_a_row_whose_key_went_away_meanwhile_is_read_again(bench: Bench, home: Settings) -> None:
    (number,) = fill(bench, load_vault(home), 1)
    with bench.database.tenant(bench.user_id) as session:
        opened = Credentials(session, bench.user_id, Overtaken(bench, home)).open(number)
    assert opened == parse_credential("deepseek", document(0))


@dataclass
class Traffic:
    """Readers and one writer who are at it all the time, each with a vault of its own."""

    user_id: str
    urls: DatabaseUrls
    home: Settings
    ids: list[int]
    versions: list[int]
    reads: int = 0
    failures: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def work(self, seed: int) -> None:
        """The writer has the seed 0."""
        chance, vault = random.Random(seed), load_vault(self.home)
        database = Database(self.urls, pooled=True)
        step = self.read if seed else self.write
        while not self.over.is_set():
            try:
                with database.tenant(self.user_id) as session:
                    step(Credentials(session, self.user_id, vault), chance.randrange(len(self.ids)))
            except Exception as error:  # noqa: BLE001 - every failure counts, whatever it is
                self.failures.append(f"{seed}: {type(error).__name__}: {error}")
            time.sleep(0.1)
        database.dispose()

    def read(self, mine: Credentials, at: int) -> None:
        least = self.versions[at]
        found = mine.open(self.ids[at])
        assert isinstance(found, ApiKey)
        number, version = found.api_key.get_secret_value().split("-")[2::2]
        assert (int(number), int(version) >= least) == (at, True)
        self.reads += 1

    def write(self, mine: Credentials, at: int) -> None:
        version = self.versions[at] + 1
        mine.update(self.ids[at], OWNER, data=document(at, version))
        mine.session.commit()
        self.versions[at] = version


@contextmanager
def traffic(bench: Bench, home: Settings, ids: list[int]) -> Iterator[Traffic]:
    made = Traffic(bench.user_id, bench.database.urls, home, ids, [0] * len(ids))
    threads = [threading.Thread(target=made.work, args=(seed,)) for seed in range(READERS + 1)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.over.set()
        for thread in threads:
            thread.join(30)


def test_rotation_killed_at_random_while_20_read_loses_nothing(
    bench: Bench, home: Settings
) -> None:
    ids = fill(bench, load_vault(home), ROWS)
    chance = random.Random(3)
    context = fork_server()
    tried = killed = finished = 0
    with traffic(bench, home, ids) as busy:
        began = time.monotonic()
        rotate(bench.database, home)
        whole = time.monotonic() - began
        while time.monotonic() - began < SECONDS or killed < LEAST_KILLS:
            ready = context.Event()
            given = {"and_retire": chance.random() < 0.25}
            child = context.Process(target=run, args=(home, ready), kwargs=given)
            child.start()
            assert ready.wait(30)
            child.join(chance.uniform(0, whole))
            child.kill()
            child.join()
            killed += child.exitcode == -signal.SIGKILL
            finished += child.exitcode == 0
            tried += 1
        rotate(bench.database, home)
        retire(bench.database, home)
    assert not busy.failures, busy.failures[:5]
    assert (killed + finished, killed >= LEAST_KILLS) == (tried, True)
    assert busy.reads > READERS * 3
    vault = load_vault(home)
    assert vault.key_count == 1
    found = tokens(bench.database)
    assert [vault.decrypt(found[each]) for each in ids] == [
        document(number, version) for number, version in enumerate(busy.versions)
    ]
    assert sum(busy.versions) > 10
