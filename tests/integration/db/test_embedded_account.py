"""Who runs the embedded server: an ordinary user himself, root by an unprivileged account."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leap_pipeline.db import binaries as binaries_module
from leap_pipeline.db import server_folder as folder_module
from leap_pipeline.db.account import can_reach, server_account
from leap_pipeline.db.binaries import Binaries, find_binaries
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.urls import connect, embedded_url
from leap_pipeline.errors import UserActionError
from leap_pipeline.settings import Settings
from tests.support.homes import home_settings

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")

# The interpreter may lie where the ordinary user cannot read it, so all that is needed is
# loaded by a first run before root becomes that user.
AS_ORDINARY_USER = """
import os, sys
from pathlib import Path
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.urls import connect, embedded_url
from leap_pipeline.settings import Settings

def use(home, *statements):
    server = EmbeddedServer(Settings(home=Path(home)))
    with connect(embedded_url(server.ensure_running())) as connection:
        for statement in statements:
            connection.execute(statement)
    return server

use(sys.argv[1], "SELECT 1")
os.setgroups([])
os.setgid(int(sys.argv[4]))
os.setuid(int(sys.argv[3]))
insert = "INSERT INTO kept VALUES (1)"
use(sys.argv[2], "CREATE TABLE kept (n int)", insert).stop()
print(use(sys.argv[2], insert).status().pid)
"""


@root_only
def test_as_an_ordinary_user_and_later_as_root(made_home: Settings) -> None:
    nobody = pwd.getpwnam("nobody")
    with home_settings() as settings:
        os.chown(settings.home.parent, nobody.pw_uid, nobody.pw_gid)
        arguments = [made_home.home, settings.home, nobody.pw_uid, nobody.pw_gid]
        done = subprocess.run(
            [sys.executable, "-c", AS_ORDINARY_USER, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
        )
        assert done.returncode == 0, done.stderr
        server = EmbeddedServer(settings)
        folder = settings.home / "postgres"
        assert server.folder.root == folder
        assert Path("/proc", done.stdout.strip()).stat().st_uid == nobody.pw_uid
        assert server.stop()
        with connect(embedded_url(server.ensure_running())) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
        owners = {path.stat().st_uid for path in (folder, *folder.iterdir())}
        assert owners == {nobody.pw_uid}, "root left something that its owner cannot use"


@pytest.fixture
def closed_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A home that only its owner can enter, and a place for what must be reachable."""
    with home_settings() as shared:
        shared.home.mkdir(mode=0o755)
        for module in (binaries_module, folder_module):
            monkeypatch.setattr(module, "SHARED", shared.home)
        with home_settings(mode=0o700) as settings:
            yield settings


@root_only
def test_root_keeps_the_data_where_the_account_can_reach_it(closed_home: Settings) -> None:
    server = EmbeddedServer(closed_home)
    address = server.ensure_running()
    assert closed_home.home not in server.folder.root.parents
    assert binaries_module.SHARED in server.folder.root.parents
    assert EmbeddedServer(closed_home).ensure_running() == address
    assert server.folder.account is not None
    assert server.folder.data.stat().st_uid == server.folder.account.uid != 0


@root_only
def test_data_of_a_home_that_was_deleted_is_set_aside(closed_home: Settings) -> None:
    server = EmbeddedServer(closed_home)
    with connect(embedded_url(server.ensure_running())) as connection:
        connection.execute("CREATE TABLE old (n int)")
    first_pid = server.status().pid
    shutil.rmtree(closed_home.home)
    with connect(embedded_url(server.ensure_running())) as connection:
        assert connection.execute("SELECT to_regclass('old')").fetchone() == (None,)
    assert server.status().pid != first_pid
    folders = [path for path in binaries_module.SHARED.iterdir() if path.is_dir()]
    assert len(folders) == 2
    assert all((folder / "data" / "PG_VERSION").exists() for folder in folders)


@root_only
def test_programs_that_the_account_cannot_reach_are_copied_once(closed_home: Settings) -> None:
    found = find_binaries()
    package = closed_home.home.parent / "site" / found.bin.parents[1].name
    shutil.copytree(found.bin.parent, package / "pginstall")
    libraries = found.bin.parents[1].with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, package.with_name(libraries.name))
    hidden = Binaries(package / "pginstall" / "bin", found.version, found.origin)
    assert not can_reach(hidden.postgres, server_account(closed_home.home))
    server = EmbeddedServer(closed_home, binaries=hidden)
    address = server.ensure_running()
    with connect(embedded_url(address)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    copy = binaries_module.SHARED / f"postgres-{found.version}"
    made = copy.stat().st_ctime_ns
    server.stop()
    server.ensure_running()
    assert copy.stat().st_ctime_ns == made


@root_only
def test_a_named_folder_that_cannot_be_reached_is_said_in_a_sentence(
    closed_home: Settings,
) -> None:
    named = closed_home.home.parent / "named"
    settings = closed_home.model_copy(update={"postgres_data": named})
    with pytest.raises(UserActionError, match=f"cannot enter {named}: point LEAP_POSTGRES_DATA"):
        EmbeddedServer(settings).ensure_running()


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = Settings(home=tmp_path, postgres_data=tmp_path / "file" / "data")
    with pytest.raises(UserActionError, match="cannot be made: Not a directory"):
        EmbeddedServer(settings).ensure_running()
