"""A short lecture and a home to process it in."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

from leap_pipeline.db.engine import Database
from leap_pipeline.security.keys import ensure_keys
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import CHECKOUT, Settings
from tests.support import postgres
from tests.support.pipeline import Pipeline, pipeline
from tests.support.postgres import TestServer
from tests.support.supervised import with_free_ports

SECONDS = 26


@pytest.fixture(scope="session")
def short_lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first sentences of the sample, with the silence before them and one after."""
    made = tmp_path_factory.mktemp("lecture") / "short lecture.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin"]
    source = str(CHECKOUT / "samples" / "lecture.mp4")
    subprocess.run(
        [*command, "-i", source, "-t", str(SECONDS), "-c", "copy", str(made)], check=True
    )
    return made


@pytest.fixture(scope="module")
def quiet_leap(
    postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """The same for what leaves nothing behind: one home for all tests of a module."""
    folder = tmp_path_factory.mktemp("quiet")
    with postgres_server.database() as url:
        settings = Settings(
            home=folder / "home",
            storage_root=folder / "storage",
            database_url=url.render_as_string(hide_password=False),
        )
        opened = Database(postgres.urls_of(url), pooled=True)
        with pipeline(with_free_ports(settings), opened) as found:
            _used_before(found)
            yield found
        opened.dispose()


@pytest.fixture
def leap(settings: Settings, database: Database) -> Iterator[Pipeline]:
    """The pipeline of a fresh home, with one user."""
    with pipeline(with_free_ports(settings), database) as found:
        _used_before(found)
        yield found


def _used_before(leap: Pipeline) -> None:
    ensure_keys(leap.settings)
    with leap.database.system() as session:
        add_user(session, "lecturer@example.org", "Lecturer")
