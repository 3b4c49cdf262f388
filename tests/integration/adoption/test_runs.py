"""Dry, again, for one user, beside what is here already, killed at any instant; and the files."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import URL

from leap_pipeline.adoption.files import FileMode
from leap_pipeline.adoption.outcome import Outcome
from leap_pipeline.db.engine import Database
from leap_pipeline.db.metadata import metadata
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.runs import StoredObject
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.db.models.users import BaseConfig, User
from leap_pipeline.errors import InputError
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.integration.adoption.conftest import Adoption, notes_of
from tests.support.legacy import ADA, BEN, SECRET, Legacy
from tests.support.postgres import TestServer, urls_of

SOURCE = "storage/users/user_000001/recordings/12"
HERE = "users/user_000001/recordings/12"


def everything(database: Database) -> dict[str, list[str]]:
    """All rows of all tables; what differs by the order of work is taken out of them."""
    with database.system() as session:
        return {
            table.name: sorted(
                session.scalars(text(f"SELECT to_jsonb(t)::TEXT FROM {table.name} AS t"))
            )
            for table in metadata.sorted_tables
        }


def test_a_dry_run_changes_nothing_and_tells_the_same(adoption: Adoption) -> None:
    before = everything(adoption.database)
    dry = adoption.run(dry=True)
    assert everything(adoption.database) == before
    with adoption.database.system() as session:
        assert session.scalar(text("SELECT nextval('user_slug_seq')")) == 1
        assert session.scalar(text("SELECT nextval('recordings_id_seq')")) == 1
    real = adoption.run()
    for name, table in real.tables.items():
        assert dry.tables[name].outcomes == table.outcomes, name
        assert [each.note for each in dry.tables[name].entries] == [
            each.note for each in table.entries
        ]


def test_again_takes_only_what_is_new(adoption: Adoption, own_legacy_url: URL) -> None:
    adoption.run(url=own_legacy_url)
    before = everything(adoption.database)
    adoption.run(url=own_legacy_url)
    assert everything(adoption.database) == before
    with Legacy(own_legacy_url) as legacy:
        new = legacy.add("recordings", user_id=ADA, status="INITIALIZED", template_id=1)
        late = legacy.add("output_targets", recording_id=7, user_id=ADA, target_type="VK")
        legacy.run("UPDATE recordings SET user_id = (SELECT min(id) FROM users) WHERE id = 24")
    with adoption.database.system() as session:
        session.execute(text("DELETE FROM users WHERE id = :id"), {"id": BEN})
        session.execute(text("DELETE FROM recordings WHERE id = 12"))
    report = adoption.run(url=own_legacy_url)
    assert notes_of(report, "recordings", new).startswith("changed\nduration")
    assert notes_of(report, "output_targets", late).startswith("left\nLEAP has its recording")
    assert notes_of(report, "recordings", 24).startswith("changed")  # what was left may come
    with adoption.database.system() as session:
        recording = session.get_one(Recording, new)
        assert recording.template_id is not None
        assert session.get(User, BEN) is None  # what was deleted here is not brought back
        assert session.get(Recording, 12) is None


def test_one_user_alone_then_the_others(adoption: Adoption) -> None:
    report = adoption.run(emails=["MIXED.case@example.edu"])
    assert report.tables["users"].outcomes[Outcome.LEFT] == 2  # both spellings were meant
    assert "its owner was not asked for" in notes_of(report, "recordings", 1)
    assert adoption.run().tables["users"].outcomes[Outcome.LEFT] == 0


def test_beside_what_is_here_already(adoption: Adoption) -> None:
    """Taken numbers, addresses and source keys: everything still comes, under another one."""
    with adoption.database.system() as session:
        native = add_user(session, "ada@example.edu").id
        session.flush()
        session.execute(
            text(
                "INSERT INTO recordings (id, user_id, display_name, start_time, duration)"
                " VALUES (12, :owner, 'Own', now(), 1)"
            ),
            {"owner": native},
        )
    report = adoption.run()
    with adoption.database.system() as session:
        ada = session.get_one(User, ADA)
        assert ada.user_slug not in (1, 2, 9, 73)
        assert (ada.email, ada.is_active) == ("ada+2@example.edu", False)
        assert session.get_one(Recording, 12).user_id == native
        moved = session.scalars(
            select(Recording).where(Recording.main_topics.is_not(None), Recording.user_id == ADA)
        ).one()
        assert moved.processed_video_path == (
            f"users/user_{ada.user_slug:06d}/recordings/{moved.id}/video.mp4"
        )
        configs = session.scalars(select(BaseConfig).where(BaseConfig.user_id.is_(None))).all()
        assert [each.is_active for each in configs] == [False]
    assert "another id: 12 was taken" in notes_of(report, "recordings", 12)
    assert "number 1 was taken" in notes_of(report, "users", ADA)


@pytest.fixture
def old_storage(tmp_path: Path) -> Path:
    root = tmp_path / "storage-of-old"
    for name in ("source.mp4", "video.mp4", "transcriptions/master.json"):
        path = root.parent / SOURCE.replace("storage", root.name, 1) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "users/user_000001/recordings/12/outside").symlink_to("/etc/passwd")
    pictures = root / "users/user_000001/thumbnails"
    pictures.mkdir()
    (pictures / "ml.png").write_bytes(b"picture")
    return root


@pytest.mark.parametrize("mode", [FileMode.LINK, FileMode.COPY])
def test_files_are_linked_or_copied(adoption: Adoption, old_storage: Path, mode: FileMode) -> None:
    """Also those that an earlier run had left."""
    if mode is FileMode.COPY:
        report = adoption.run(emails=["ada@example.edu"])
        assert f"no files: {HERE} belongs at {HERE}" in notes_of(report, "recordings", 12)
    adoption.run(files=mode, old_storage=old_storage, emails=["ada@example.edu"])
    root = adoption.storage.root
    master = root / HERE / "transcriptions/master.json"
    assert master.read_text() == "transcriptions/master.json"
    original = old_storage / HERE / "transcriptions/master.json"
    assert master.samefile(original) is (mode is FileMode.LINK)
    assert not (root / HERE / "outside").exists()
    with adoption.database.system() as session:
        stored = {row.path: row for row in session.scalars(select(StoredObject))}
    assert {path: row.kind for path, row in stored.items()} == {
        f"{HERE}/source.mp4": "raw_video",
        f"{HERE}/video.mp4": "trimmed_video",
        f"{HERE}/transcriptions/master.json": "transcript",
        "users/user_000001/thumbnails/ml.png": "thumbnail",
    }
    assert stored[f"{HERE}/source.mp4"].bytes == len("source.mp4")
    assert stored[f"{HERE}/source.mp4"].recording_id == 12


def test_files_that_are_left_count_where_they_lie_in_place(
    adoption: Adoption, old_storage: Path
) -> None:
    adoption.storage = type(adoption.storage)(old_storage)
    adoption.run()
    with adoption.database.system() as session:
        assert len(session.scalars(select(StoredObject)).all()) == 4


def test_a_folder_must_be_named_to_link_from(adoption: Adoption) -> None:
    with pytest.raises(InputError, match="--storage-root"):
        adoption.run(files=FileMode.LINK)


KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url
from leap_pipeline.adoption.adopt import Wanted, adopt
from leap_pipeline.db.engine import Database
from leap_pipeline.security.keys import EnvironmentKeys
from leap_pipeline.security.vault import Vault
from leap_pipeline.storage.local import LocalStorage
from tests.support.postgres import urls_of

target, legacy, secret, storage, key = sys.argv[1:6]

def attempt(dies_at):
    count = 0
    def die(*_):
        nonlocal count
        count += 1
        if count == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
    event.listen(Engine, "after_cursor_execute", die)
    event.listen(Engine, "commit", die)
    wanted = Wanted(make_url(legacy), secret=secret, batch=5)
    database = Database(urls_of(make_url(target)))
    adopt(database, LocalStorage(Path(storage)), Vault(EnvironmentKeys((key,))), wanted)

for dies_at in map(int, sys.argv[6:]):
    child = os.fork()
    if not child:
        try:
            attempt(dies_at)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
DEATHS = 6


def test_killed_at_any_instant_it_ends_as_if_it_never_was(
    adoption: Adoption, postgres_server: TestServer, legacy_url: URL, tmp_path: Path
) -> None:
    """Deaths at random statements and commits, then one run to the end."""
    adoption.run(batch=5)
    expected = told(adoption.database)
    moments = [random.randint(20, 250) for _ in range(DEATHS)]
    with postgres_server.database() as url:
        run = subprocess.run(
            [
                sys.executable,
                "-c",
                KILLED,
                url.render_as_string(hide_password=False),
                legacy_url.render_as_string(hide_password=False),
                SECRET,
                str(tmp_path / "other"),
                "A" * 43 + "=",
                *map(str, moments),
                "0",
            ],
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": os.defpath},
            cwd=Path(__file__).parents[3],
        )
        codes = list(map(int, run.stdout.split()))
        assert codes[-1] == 0, (moments, run.stderr)
        assert set(codes[:-1]) <= {-signal.SIGKILL, 0}, (moments, run.stderr)
        assert codes.count(-signal.SIGKILL) >= DEATHS // 3, moments
        other = Database(urls_of(url))
        found = told(other)
        other.dispose()
    for table, rows in expected.items():
        assert found[table] == rows, (table, moments)


def told(database: Database) -> dict[str, list[str]]:
    """The contents, without numbers that sequences drew, times of writing and encrypted text."""
    drawn = {
        "id",
        "credential_id",
        "template_id",
        "preset_id",
        "input_source_id",
        "plan_id",
        "new_key",
        "encrypted_data",
        "output_config",
        "upload_config",
        "matching_rules",
        "processing_preferences",
        "recordings",
        "crontab_id",
        "interval_id",
        "armed_at",
        "date_changed",
    }
    written_now = {"adopted_rows", "stored_objects", "recording_holds", "recording_counts"}
    defaults = {"user_subscriptions", "user_configs", "subscription_plans"}
    found: dict[str, list[str]] = {}
    with database.system() as session:
        for table in metadata.sorted_tables:
            left_out = drawn | (
                {"created_at", "updated_at", "starts_at"}
                if table.name in written_now | defaults
                else set()
            )
            if table.name == "recordings":
                left_out -= {"id"}
            if table.name == "celery_beat_schedule_entry":
                left_out |= {"name", "kwargs"}  # of the job's number
            columns = ", ".join(f"'{each}'" for each in sorted(left_out))
            found[table.name] = sorted(
                session.scalars(
                    text(f"SELECT (to_jsonb(t) - ARRAY[{columns}])::TEXT FROM {table.name} AS t")
                )
            )
        found["references"] = [
            str(tuple(row))
            for row in session.execute(
                text(
                    "SELECT r.id, s.name, t.name, p.name FROM recordings r"
                    " LEFT JOIN input_sources s ON s.id = r.input_source_id"
                    " LEFT JOIN recording_templates t ON t.id = r.template_id"
                    " LEFT JOIN output_targets o ON o.recording_id = r.id"
                    " LEFT JOIN output_presets p ON p.id = o.preset_id ORDER BY 1, 2, 3, 4"
                )
            )
        ]
        found["presets of templates"] = [
            str(tuple(row))
            for row in session.execute(
                select(OutputPreset.name, OutputPreset.platform).order_by(OutputPreset.id)
            )
        ]
    return found


def test_the_command(legacy_url: URL, settings: Settings, tmp_path: Path) -> None:
    """From the command line, with the secret in a variable."""

    report = tmp_path / "report.json"
    source = legacy_url.render_as_string(hide_password=False).replace("+psycopg", "")
    options = ["--from", source, "--secret-env", "OLD", "--report", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "leap_pipeline", "adopt", *options],
        check=False,
        capture_output=True,
        text=True,
        env={
            "PATH": os.defpath,
            "LEAP_HOME": str(settings.home),
            "LEAP_DATABASE_URL": settings.database_url or "",
            "OLD": SECRET,
        },
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    counts = [line.split() for line in done.stdout.splitlines()]
    assert ["recordings", "28", "1", "26", "1"] in counts
    assert report.exists()
