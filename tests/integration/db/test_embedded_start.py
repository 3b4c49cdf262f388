"""The embedded server: first and later starts, many at once, ports, stopping."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path

import pytest

from leap_pipeline.db.binaries import Binaries, find_binaries
from leap_pipeline.db.cluster import HOST, make_data
from leap_pipeline.db.embedded import EmbeddedServer, ServerAddress
from leap_pipeline.db.server_folder import make_folder
from leap_pipeline.db.urls import connect, embedded_url
from leap_pipeline.errors import UserActionError
from leap_pipeline.settings import Settings
from tests.support.homes import home_settings, start_child

FIRST_START_SECONDS = 2.0
LATER_START_SECONDS = 0.5
LOOK_SECONDS = 0.05


def ask(address: ServerAddress, query: str) -> list[tuple[object, ...]]:
    with connect(embedded_url(address)) as connection:
        return connection.execute(query.encode()).fetchall()


def test_first_start_later_start_and_look_are_quick() -> None:
    # On a busy machine nothing can be quicker than PostgreSQL's own program.
    first_limit = max(FIRST_START_SECONDS, 2.5 * bare_initdb_seconds())
    limits = (first_limit, LOOK_SECONDS, LATER_START_SECONDS)
    measured: list[tuple[float, ...]] = []
    for _ in range(3):
        measured.append(start_seconds())
        if all(seconds < limit for seconds, limit in zip(measured[-1], limits, strict=True)):
            return
    pytest.fail(f"three tries, none within {limits}: {measured}")


def bare_initdb_seconds() -> float:
    with home_settings() as settings:
        folder = make_folder(settings)
        begun = time.monotonic()
        make_data(folder, find_binaries(), "password", keep_open=[])
        return time.monotonic() - begun


def start_seconds() -> tuple[float, float, float]:
    """First start, a look at the running server, and a start of one that was stopped."""
    with home_settings() as settings:
        server = EmbeddedServer(settings)
        begun = time.monotonic()
        server.ensure_running()
        made = time.monotonic()
        server.ensure_running()
        looked = time.monotonic()
        server.stop()
        stopped = time.monotonic()
        server.ensure_running()
        return made - begun, looked - made, time.monotonic() - stopped


# One import, then six processes that begin together.
SIX_AT_ONCE = """
import os
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.settings import load_settings
server = EmbeddedServer(load_settings())
children = []
for _ in range(6):
    child = os.fork()
    if child == 0:
        os.write(1, f"{server.ensure_running().port}\\n".encode())
        os._exit(0)
    children.append(child)
failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
raise SystemExit(len(failed))
"""


def test_six_processes_at_once_share_one_server(own_home: Settings) -> None:
    parent = start_child(own_home, SIX_AT_ONCE)
    said, complaints = parent.communicate(timeout=60)
    assert (parent.returncode, complaints) == (0, "")
    status = EmbeddedServer(own_home).status()
    assert status.running
    assert said.split() == [str(status.port)] * 6


FOLDERS_AT_ONCE = """
import os
from leap_pipeline.db.server_folder import make_folder
from leap_pipeline.settings import load_settings
settings = load_settings()
failed = 0
for turn in range(20):
    home = settings.home / str(turn)
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            make_folder(settings.model_copy(update={"home": home}))
            os._exit(0)
        children.append(child)
    failed += len([child for child in children if os.waitpid(child, 0)[1] != 0])
raise SystemExit(failed)
"""


def test_the_folder_is_made_once_by_many(own_home: Settings) -> None:
    parent = start_child(own_home, FOLDERS_AT_ONCE)
    _, complaints = parent.communicate(timeout=60)
    assert (parent.returncode, complaints) == (0, "")


def test_server_outlives_who_started_it_and_is_not_its_family(own_home: Settings) -> None:
    child = start_child(own_home)
    child.communicate(timeout=60)
    status = EmbeddedServer(own_home).status()
    assert status.running
    assert status.pid is not None
    assert os.getsid(status.pid) != os.getsid(0)


def test_databases_belong_to_an_owner_who_is_no_superuser(made_home: Settings) -> None:
    address = EmbeddedServer(made_home).ensure_running()
    owners = ask(
        address,
        "SELECT datname, pg_get_userbyid(datdba) FROM pg_database "
        "WHERE datname LIKE 'leap%' ORDER BY 1",
    )
    assert owners == [("leap", "leap_owner"), ("leap_dagster", "leap_owner")]
    rights = ask(
        address,
        "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user",
    )
    assert rights == [(False, False, True)]


def test_server_is_durable_and_listens_on_loopback_with_passwords(made_home: Settings) -> None:
    address = EmbeddedServer(made_home).ensure_running()
    names = ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "TimeZone")
    found = {name: ask(address, f"SHOW {name}")[0][0] for name in names}
    assert found == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "127.0.0.1",
        "TimeZone": "UTC",
    }
    wrong = ServerAddress(address.host, address.port, address.user, "guessed")
    with pytest.raises(Exception, match="password authentication failed"):
        ask(wrong, "SELECT 1")


def test_secrets_are_readable_by_their_owner_alone(made_home: Settings) -> None:
    server = EmbeddedServer(made_home)
    server.ensure_running()
    for path in (server.folder.record, server.folder.superuser, server.folder.log):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_taken_port_is_left_to_who_has_it(made_home: Settings) -> None:
    server = EmbeddedServer(made_home)
    before = server.ensure_running()
    server.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind((HOST, before.port))
        squatter.listen()
        after = server.ensure_running()
        assert after.port != before.port
        assert ask(after, "SELECT 1") == [(1,)]
    server.stop()
    assert server.ensure_running().port == after.port, "the new port is the remembered one"


def test_a_home_has_one_server_by_whatever_name(made_home: Settings) -> None:
    by_name = EmbeddedServer(made_home).ensure_running()
    link = made_home.home.with_name("link")
    link.symlink_to(made_home.home)
    try:
        by_link = EmbeddedServer(Settings(home=link))
        assert by_link.ensure_running() == by_name
        assert by_link.status().pid == EmbeddedServer(made_home).status().pid
    finally:
        link.unlink()


def test_stop_says_whether_there_was_something_to_stop(made_home: Settings) -> None:
    server = EmbeddedServer(made_home)
    assert not server.stop()
    server.ensure_running()
    assert server.stop()
    assert not server.stop()
    assert not server.status().running
    assert server.status().version == "18"


def test_sessions_that_are_open_do_not_hold_up_the_stop(made_home: Settings) -> None:
    server = EmbeddedServer(made_home)
    with connect(embedded_url(server.ensure_running())):
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 5


def test_postgres_data_names_the_folder(own_home: Settings) -> None:
    named = own_home.home.parent / "named"
    settings = own_home.model_copy(update={"postgres_data": named})
    server = EmbeddedServer(settings)
    try:
        server.ensure_running()
        assert (named / "data" / "PG_VERSION").exists()
        assert not (own_home.home / "postgres").exists()
    finally:
        server.stop()


def test_a_foreign_data_folder_is_refused_and_left_alone(made_home: Settings) -> None:
    foreign = made_home.home.parent / "foreign"
    foreign.mkdir(mode=0o755)
    (foreign / "PG_VERSION").write_text("15\n")
    settings = made_home.model_copy(update={"postgres_data": foreign})
    with pytest.raises(UserActionError, match="is itself a PostgreSQL data folder"):
        EmbeddedServer(settings).ensure_running()
    assert [path.name for path in foreign.iterdir()] == ["PG_VERSION"]


def test_data_of_another_version_is_refused_in_a_sentence(made_home: Settings) -> None:
    server = EmbeddedServer(made_home)
    server.ensure_running()
    server.stop()
    version = server.folder.data / "PG_VERSION"
    right = version.read_text()
    version.write_text("13\n")
    try:
        with pytest.raises(UserActionError, match="needs the programs of PostgreSQL 13"):
            server.ensure_running()
        other = Binaries(Path("/nowhere/bin"), "14.2", "a test")
        with pytest.raises(UserActionError, match=r"belongs to PostgreSQL 13.*of 14\.2"):
            EmbeddedServer(made_home, binaries=other).ensure_running()
    finally:
        version.write_text(right)
    assert server.ensure_running().port


def test_a_server_that_cannot_start_says_why(made_home: Settings) -> None:
    server = EmbeddedServer(made_home)
    server.ensure_running()
    server.stop()
    broken = EmbeddedServer(made_home, options={"shared_buffers": "lots"})
    with pytest.raises(UserActionError, match=r"does not start \(.*shared_buffers.*server\.log"):
        broken.ensure_running()
