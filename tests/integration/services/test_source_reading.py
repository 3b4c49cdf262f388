"""A source that a person reads by hand, from a Zoom over sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.errors import NotFound, StaleChange, UserActionError
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.catalogue import create_source, update_source
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.source_reading import SourceReader
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.support.bench import Bench
from tests.support.zoom.clock import wall_clock
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.serve import serving

PERSON = Editor(SYSTEM, Rights())


def made(bench: Bench, settings: Settings, document: dict[str, Any]) -> int:
    with bench.database.tenant(bench.user_id) as session:
        store = Credentials(session, bench.user_id, load_vault(settings))
        account = store.create("zoom", document, PERSON, account_name="school").id
        given = {"source_type": "ZOOM", "credential_id": account, "config": {}}
        return create_source(session, PERSON, name="Lab", **given).id


def recordings(bench: Bench) -> int:
    with bench.database.tenant(bench.user_id) as session:
        return session.scalar(select(func.count(Recording.id))) or 0


def test_it_is_tried_looked_at_and_read(bench: Bench, tmp_path: Path) -> None:
    fake = FakeZoom(wall_clock)
    account = fake.add_account()
    for number in range(3):
        fake.add_recording(fake.owner(account), topic=f"Lecture {number}")
    with serving(fake) as served:
        given: dict[str, Any] = served.settings()
        settings = Settings(home=tmp_path / "home", **given)
        app = account.app
        document = {
            "account_id": account.id,
            "client_id": app.client_id,
            "client_secret": app.client_secret,
        }
        source = made(bench, settings, document)
        vault = load_vault(settings)
        reader = SourceReader(bench.database, vault, settings, bench.user_id)
        assert "Zoom lets it read the recordings" in reader.check(source)
        looked = reader.read(source, dry_run=True)
        assert (looked.counts.found, looked.counts.new, looked.is_whole) == (3, 3, True)
        assert recordings(bench) == 0
        read = reader.read(source)
        assert (read.counts.new, read.dry_run, recordings(bench)) == (3, False, 3)
        hurried = settings.model_copy(update={"poll_budget_seconds": 1e-9})
        part = SourceReader(bench.database, vault, hurried, bench.user_id).read(source)
        assert not part.is_whole
        with bench.database.system() as session:
            other = add_user(session, "other@example.org").id
        stranger = SourceReader(bench.database, vault, settings, other)
        for touch in (stranger.check, stranger.read):
            with pytest.raises(NotFound):
                touch(source)
        with bench.database.tenant(bench.user_id) as session:
            update_source(session, PERSON, source, credential_id=None)
        with pytest.raises(UserActionError, match="has no Zoom account"):
            reader.check(source)


def test_an_edit_is_stale_by_what_people_edit_and_not_by_a_poll(bench: Bench) -> None:
    with bench.database.tenant(bench.user_id) as session:
        source = create_source(session, PERSON, name="Lab", source_type="LOCAL_FILE").id
    seen = {"name": "Lab", "description": None}
    with bench.database.system() as session:
        session.get_one(InputSource, source).failures = 3
    with bench.database.tenant(bench.user_id) as session:
        update_source(session, PERSON, source, unchanged=seen, description="mine")
        with pytest.raises(StaleChange):
            update_source(session, PERSON, source, unchanged=seen, description="theirs")
        assert session.get_one(InputSource, source).description == "mine"
