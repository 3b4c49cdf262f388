"""Every hard row of a legacy database: what becomes of it, and what the report says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, text
from sqlalchemy.engine import URL

from leap_pipeline.adoption.adopt import Wanted
from leap_pipeline.adoption.outcome import Outcome
from leap_pipeline.adoption.report import Report
from leap_pipeline.adoption.target import Target
from leap_pipeline.db.engine import Database
from leap_pipeline.db.metadata import metadata
from leap_pipeline.db.models.automation import AutomationJob
from leap_pipeline.db.models.recordings import (
    OutputTarget,
    ProcessingStage,
    Recording,
    SourceMetadata,
)
from leap_pipeline.db.models.runs import RecordingHold
from leap_pipeline.db.models.subscriptions import QuotaChange, QuotaUsage, UserSubscription
from leap_pipeline.db.models.templates import InputSource, OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import BaseConfig, User, UserConfig, UserCredential
from leap_pipeline.domain.deletion import TOMBSTONE, DeleteState
from leap_pipeline.domain.shapes.registry import COLUMNS, KIND_COLUMN, KINDS, validate_column
from leap_pipeline.errors import AlreadyRunning, InputError
from leap_pipeline.security.keys import EnvironmentKeys
from leap_pipeline.security.passwords import verify_password
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.projection import refresh_status
from leap_pipeline.services.users import user_of
from leap_pipeline.storage.local import LocalStorage
from tests.integration.adoption.conftest import Adoption, notes_of
from tests.support.legacy import ADA, BEN, EVE, OFF, PASSCODE, PASSWORDS, SECRET, ZOOM_SECRET
from tests.support.legacy_rows import STATUS_AFTER
from tests.support.postgres import TestServer, urls_of


@pytest.fixture(scope="module")
def adopted(
    postgres_server: TestServer, legacy_url: URL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Adoption, Report]]:
    """One adoption, which the tests only look at."""
    with postgres_server.database() as url:
        database = Database(urls_of(url))
        adoption = Adoption(
            database,
            LocalStorage(tmp_path_factory.mktemp("storage")),
            Vault(EnvironmentKeys((Fernet.generate_key().decode(),))),
            Wanted(legacy_url, secret=SECRET, batch=7),
        )
        yield adoption, adoption.run()
        database.dispose()


@pytest.fixture
def report(adopted: tuple[Adoption, Report]) -> Report:
    return adopted[1]


def rows(adopted: tuple[Adoption, Report], model: Any, user_id: str | None = ADA) -> list[Any]:
    with adopted[0].database.system() as session:
        statement = select(model).order_by(model.id)
        if user_id is not None:
            statement = statement.where(model.user_id == user_id)
        return list(session.scalars(statement))


def test_every_row_of_every_table_is_reported(report: Report, legacy_url: URL) -> None:
    with Database(urls_of(legacy_url))._engine.connect() as connection:
        counts = {
            table: connection.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in connection.scalars(
                text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200")
            ).all()
        }
    assert {name: table.rows for name, table in report.tables.items()} == counts
    for table in report.tables.values():
        assert sum(table.outcomes.values()) == table.rows == len(table.entries)
        for each in table.entries:
            assert (each.new_key is None) is (each.outcome is Outcome.LEFT)
            assert bool(each.note) is (each.outcome is not Outcome.TAKEN)


def test_no_secret_is_in_the_report(
    report: Report, tmp_path: Path, adopted: tuple[Adoption, Report]
) -> None:
    report.write(tmp_path / "report.json")
    said = (tmp_path / "report.json").read_text() + "\n".join(report.lines())
    said += repr(adopted[0].wanted)
    for secret in (SECRET, ZOOM_SECRET, PASSCODE, "vk1.a.x", "fw_ключ", "$2b$", "eyJ."):
        assert secret not in said
    assert len(json.loads((tmp_path / "report.json").read_text())["rows"]) == sum(
        table.rows for table in report.tables.values()
    )


def test_passcodes_and_signed_addresses_are_nowhere(adopted: tuple[Adoption, Report]) -> None:
    with adopted[0].database.system() as session:
        for table in metadata.sorted_tables:
            everything = session.scalars(text(f"SELECT t::TEXT FROM {table.name} AS t")).all()
            assert not [each for each in everything if PASSCODE in each or ZOOM_SECRET in each]


def test_users_keep_ids_folders_and_passwords(
    adopted: tuple[Adoption, Report], report: Report
) -> None:
    with adopted[0].database.system() as session:
        users = {user.id: user for user in session.scalars(select(User))}
        assert user_of(session, "MIXED.case@example.edu") is users[BEN]
        assert session.scalar(text("SELECT nextval('user_slug_seq')")) == 74
    assert {user.user_slug for user in users.values()} == {1, 2, 9, 73}
    for user_id in (ADA, BEN, EVE):
        verdict = verify_password(PASSWORDS[user_id], users[user_id].hashed_password)
        assert verdict.ok
        assert verdict.outdated
    assert not verify_password("never", users[OFF].hashed_password).ok
    assert (users[EVE].email, users[EVE].is_active) == ("mixed.case+2@example.edu", False)
    assert "mixed.case@example.edu is taken" in notes_of(report, "users", EVE)
    assert (users[OFF].timezone, users[OFF].is_active, users[EVE].role) == ("UTC", False, "user")
    assert (users[BEN].can_upload, users[ADA].role) == (False, "admin")
    assert all("sessions of that platform" in (e.note or "") for e in _entries(report))


def _entries(report: Report) -> list[Any]:
    return report.tables["refresh_tokens"].entries


def test_who_had_no_configuration_or_subscription_gets_the_defaults(
    adopted: tuple[Adoption, Report],
) -> None:
    [subscription] = rows(adopted, UserSubscription, OFF)
    [config] = rows(adopted, UserConfig, OFF)
    assert subscription.plan.name == "Free"
    assert config.processing_config == {}


def test_plans_by_name_and_own_limits_of_zero(
    adopted: tuple[Adoption, Report], report: Report
) -> None:
    [ada], [ben] = rows(adopted, UserSubscription), rows(adopted, UserSubscription, BEN)
    assert (ada.plan.name, ada.custom_max_recordings_per_month) == ("Pro", 0)
    assert ada.created_by == ADA
    assert (ben.plan.name, ben.plan.is_active, ben.modified_by) == ("legacy-gold", False, None)
    assert "max_automation_jobs is that of LEAP's plan" in notes_of(report, "subscription_plans", 3)


def test_two_rows_of_a_month_become_one(adopted: tuple[Adoption, Report], report: Report) -> None:
    usage = {row.period: row for row in rows(adopted, QuotaUsage)}
    assert set(usage) == {"202601", "202602"}
    assert usage["202602"].recordings_count == 43
    assert (str(usage["202602"].storage_used_gb), str(usage["202601"].storage_used_gb)) == (
        "34.60",
        "1.00",
    )
    assert "rows 1, 2" in notes_of(report, "quota_usage", 2)
    assert "`overage_cost` was left out: it was 1.50" in notes_of(report, "quota_usage", 3)
    assert notes_of(report, "quota_usage", 4) == "left\n202613 is no month"


def test_history_in_todays_words(adopted: tuple[Adoption, Report], report: Report) -> None:
    upgrade, override = rows(adopted, QuotaChange)
    assert (upgrade.change_type, upgrade.old_value, upgrade.new_value, upgrade.reason) == (
        "plan_upgrade",
        {"plan": "Free"},
        {"plan": "Pro"},
        "upgrade",
    )
    assert override.new_value == {"custom_max_storage_gb": 500}
    assert "`changes.i` was left out" in notes_of(report, "quota_change_history", 1)


def test_one_document_becomes_four_columns(
    adopted: tuple[Adoption, Report], report: Report
) -> None:
    [config] = rows(adopted, UserConfig)
    [preset, *_] = rows(adopted, OutputPreset)
    assert config.processing_config == {
        "remove_silence": True,
        "silence_threshold": -38.0,
        "padding": 5.0,
    }
    assert config.transcription_config["topics_granularity"] == "short"
    assert config.metadata_config["title_template"] == (
        "{display_name} | {themes} ({record_time:DD.MM.YY})"
    )
    assert config.metadata_config["youtube"] == {"privacy": "unlisted"}
    assert config.metadata_config["vk"] == {
        "disable_comments": True,
        "privacy_view": 1,
        "privacy_comment": 2,
    }
    assert config.upload_config == {"preset_ids": [preset.id], "auto_upload": True}
    assert config.preferences == {"retention": {"expire_after_days": 90, "restore_days": 33}}
    said = notes_of(report, "user_configs", 1)
    assert "`legacy_unknown_key` was left out" in said
    assert "padding is the longer of the two: 5.0 s" in said


def test_base_configurations(adopted: tuple[Adoption, Report], report: Report) -> None:
    everywhere = [row for row in rows(adopted, BaseConfig, None) if row.user_id is None]
    assert [row.config_data for row in everywhere] == [{"silence_threshold": -35.0}]
    assert everywhere[0].is_active
    assert notes_of(report, "base_configs", 2).startswith("left")


def test_credentials_are_opened_and_locked_anew(
    adopted: tuple[Adoption, Report], report: Report
) -> None:
    found = rows(adopted, UserCredential)
    vault = adopted[0].vault
    assert vault.decrypt(found[0].encrypted_data)["client_secret"] == ZOOM_SECRET
    assert vault.decrypt(found[1].encrypted_data) == {"api_key": "fw_ключ"}
    assert [(row.platform, row.account_name, row.is_active) for row in found] == [
        ("zoom", "host", True),
        ("fireworks", None, True),
        ("fireworks", "fireworks (2)", True),
        ("vk", "vk", True),
        ("youtube", "channel", True),
        ("youtube", "channel (2)", False),
        ("youtube", "lost", False),
    ]
    assert vault.decrypt(found[5].encrypted_data) == {"api_key": "of another platform"}
    assert vault.decrypt(found[6].encrypted_data) == {}
    assert "connect the account again" in notes_of(report, "user_credentials", 7)
    assert "LEAP knows no platform “openai”" in notes_of(report, "user_credentials", 8)


def test_sources_and_presets(adopted: tuple[Adoption, Report], report: Report) -> None:
    sources = rows(adopted, InputSource)
    assert [(row.name, row.source_type, row.is_active) for row in sources] == [
        ("Zoom 1", "ZOOM", True),
        ("Zoom 2", "ZOOM", True),
        ("Same", "LOCAL_FILE", False),
        ("Same (2)", "LOCAL_FILE", False),
        ("Drive", "LOCAL_FILE", False),
    ]
    assert sources[1].credential_id is None
    assert sources[4].description == "Was GOOGLE_DRIVE /lectures."
    presets = rows(adopted, OutputPreset)
    assert [(row.name, row.platform) for row in presets] == [
        ("основной", "YOUTUBE"),
        ("основной (2)", "YOUTUBE"),
        ("vk", "VK"),
    ]
    assert presets[2].preset_metadata == {"group_id": 227_000_001, "disable_comments": False}
    assert "its credential was left" in notes_of(report, "output_presets", 4)


def test_templates(adopted: tuple[Adoption, Report], report: Report) -> None:
    templates = {row.name: row for row in rows(adopted, RecordingTemplate)}
    sources = rows(adopted, InputSource)
    presets = rows(adopted, OutputPreset)
    assert templates["exact"].matching_rules == {
        "exact_matches": ["Введение в ML", " Math 101 "],
    }
    assert templates["redos"].matching_rules == {"patterns": ["(a+)+$"]}
    assert templates["numbers"].matching_rules == {"keywords": ["123", "chem"]}
    assert templates["broken"].matching_rules["patterns"] == ["physics"]
    assert templates["own source"].matching_rules["source_ids"] == [sources[0].id]
    second = templates["redos (2)"]
    assert second.processing_config == {"transcription": {"language": "en"}}
    assert second.output_config == {
        "preset_ids": [presets[0].id, presets[2].id],
        "auto_upload": True,
    }
    assert second.metadata_config["tags"] == ["x"]
    off = {name for name, row in templates.items() if not row.is_active}
    assert off == {"broken exclusion", "foreign source"}
    assert "`processing_config.k` was left out" in notes_of(report, "recording_templates", 8)
    assert "one preset a platform" in notes_of(report, "recording_templates", 8)
    assert "`used_count` was left out: it was 57" in notes_of(report, "recording_templates", 8)


def test_jobs(adopted: tuple[Adoption, Report], report: Report) -> None:
    jobs = {row.name: row for row in rows(adopted, AutomationJob)}
    templates = {row.name: row.id for row in rows(adopted, RecordingTemplate)}
    names = {"daily", "daily (2)", "week: exact", "week: redos", "cron", "both", "own"}
    assert set(jobs) == names | {"elsewhere"}
    assert crontab(jobs["daily"]) == ("30", "6", "*", "*", "*")
    assert crontab(jobs["week: redos"]) == ("5", "21", "*", "*", "0,1")
    assert jobs["week: redos"].template_id == templates["redos"]
    assert crontab(jobs["cron"]) == ("15", "*/4", "*", "*", "1-5")
    assert (jobs["daily (2)"].interval_every, jobs["daily (2)"].interval_period) == (6, "hours")
    off = {name for name, row in jobs.items() if not row.enabled}
    assert off == {"both", "own", "elsewhere"}
    zones = {name: row.timezone for name, row in jobs.items() if row.timezone is not None}
    assert zones == {"cron": "UTC", "elsewhere": "Mars/Olympus"}
    assert jobs["daily (2)"].anchored_at == jobs["daily (2)"].created_at
    assert jobs["daily (2)"].armed_at > jobs["daily (2)"].created_at
    assert "both restricted" in notes_of(report, "automation_jobs", 5)
    assert "is not known here" in notes_of(report, "automation_jobs", 9)
    assert "no schedule of type “sunrise”" in notes_of(report, "automation_jobs", 7)
    assert "its templates are not here" in notes_of(report, "automation_jobs", 8)


def crontab(job: AutomationJob) -> tuple[str | None, ...]:
    return (
        job.crontab_minute,
        job.crontab_hour,
        job.crontab_day_of_month,
        job.crontab_month_of_year,
        job.crontab_day_of_week,
    )


def test_the_status_is_the_projection_of_the_facts(adopted: tuple[Adoption, Report]) -> None:
    columns = ("status", "failed", "failed_at", "failed_reason", "failed_at_stage", "retry_count")
    for recording in rows(adopted, Recording, None):
        before = {name: getattr(recording, name) for name in columns}
        with adopted[0].database.tenant(recording.user_id) as session:
            after = refresh_status(session, recording.id).recording
            assert {name: getattr(after, name) for name in columns} == before, recording.id


def test_statuses(adopted: tuple[Adoption, Report]) -> None:
    found = {row.id: row.status for row in rows(adopted, Recording, None)}
    assert found == STATUS_AFTER


def test_recordings_keep_their_numbers_and_folders(
    adopted: tuple[Adoption, Report], report: Report
) -> None:
    recordings = {row.id: row for row in rows(adopted, Recording)}
    done = recordings[12]
    assert done.duration == 90 * 60
    assert done.processed_video_path == "users/user_000001/recordings/12/video.mp4"
    assert done.transcription_info == {"words": 1, "segments": 0, "language": "ru"}
    assert done.main_topics == ["Градиентный спуск"]
    assert done.processing_preferences["transcription"] == {"language": "en"}
    assert "title_template" in notes_of(report, "recordings", 12)
    assert (recordings[2].is_mapped, recordings[16].template_id) == (True, None)
    for number in (27, 28):
        assert recordings[number].local_video_path is None
        assert "leads out of the recording's folder" in notes_of(report, "recordings", number)
    assert recordings[3].failed_reason == "HTTP 500"


def test_stages_and_targets(adopted: tuple[Adoption, Report], report: Report) -> None:
    stages = {(row.recording_id, row.stage_type): row for row in rows(adopted, ProcessingStage)}
    assert {kind for number, kind in stages if number == 21} == {
        "TRIM",
        "TRANSCRIBE",
        "EXTRACT_TOPICS",
        "GENERATE_SUBTITLES",
    }
    assert stages[12, "TRIM"].status == "COMPLETED"
    assert stages[11, "TRIM"].status == "PENDING"
    assert stages[21, "TRANSCRIBE"].status == "COMPLETED"  # it was NULL, with a time of completion
    assert stages[8, "TRANSCRIBE"].status == "PENDING"
    targets = {(row.recording_id, row.target_type): row for row in rows(adopted, OutputTarget)}
    assert targets[15, "YOUTUBE"].target_meta == {"video_id": "b4b1"}
    assert (targets[14, "YOUTUBE"].status, targets[19, "VK"].status) == ("NOT_UPLOADED",) * 2
    [hold] = rows(adopted, RecordingHold)
    assert (hold.recording_id, hold.target_type, hold.kind) == (14, "YOUTUBE", "doubtful_upload")
    assert "LEAP does not publish to “LOCAL”" in "".join(
        each.note or "" for each in report.tables["output_targets"].entries
    )


def test_sources_of_recordings(adopted: tuple[Adoption, Report], report: Report) -> None:
    found = {row.recording_id: row for row in rows(adopted, SourceMetadata)}
    assert found[5].meta["topic"] == "SECRET Talk"
    assert found[7].source_type == "LOCAL_FILE"
    assert found[7].meta == {
        "file_name": "lecture.mp4",
        "stored_path": "users/user_000001/recordings/7/source.mp4",
        "bytes": 26_214_400,
    }
    keys = [row.source_key for row in found.values()]
    assert "twice" in keys
    assert "twice#2" in keys
    assert len(set(keys)) == len(keys)
    assert "google_drive:uuid==3" in keys
    assert rows(adopted, SourceMetadata, EVE) == []
    assert "tokens and signed addresses were left out" in notes_of(report, "source_metadata", 5)


def test_columns_of_a_deletion_are_written_together(adopted: tuple[Adoption, Report]) -> None:
    recordings = {row.id: row for row in rows(adopted, Recording)}
    for row in recordings.values():
        rest = (row.deleted_at, row.deletion_reason, row.soft_deleted_at, row.hard_delete_at)
        active = row.delete_state == DeleteState.ACTIVE
        assert row.deleted is not active
        assert all((each is None) is active for each in rest), row.id
    assert recordings[20].delete_state == recordings[21].delete_state == "soft_deleted"
    gone = recordings[22]
    assert (gone.delete_state, gone.deletion_reason) == ("hard_deleted", "expired")
    assert {name: getattr(gone, name) for name in TOMBSTONE} == TOMBSTONE


def test_what_nobody_owns_is_left(adopted: tuple[Adoption, Report], report: Report) -> None:
    assert notes_of(report, "recordings", 24) == "left\nnobody owns it, so nobody could see it"
    assert "LEAP has no such table" in notes_of(report, "homework", "(0,1)")
    assert "refer" in notes_of(report, "recordings", 26)  # Ben's, of Ada's source
    assert rows(adopted, Recording, BEN)[0].input_source_id is None


def test_every_document_has_todays_shape(adopted: tuple[Adoption, Report]) -> None:
    with adopted[0].database.system() as session:
        checked = 0
        for table, column in (*COLUMNS, *KINDS):
            kind = KIND_COLUMN.get((table, column), "NULL")
            for value, name in session.execute(text(f"SELECT {column}, {kind} FROM {table}")):
                validate_column(table, column, value, kind=name)
                checked += value is not None
    assert checked > 80


def test_a_wrong_secret_is_one_sentence_and_nothing_is_written(adoption: Adoption) -> None:
    for changes, words in (
        ({"secret": "wrong"}, "opens none of the 8 credentials"),
        ({"salt": "wrong"}, "opens none of the 8 credentials"),
        ({"secret": None}, "give the secret"),
        ({"emails": ["nobody@example.org"]}, "has no user nobody@example.org"),
    ):
        with pytest.raises(InputError, match=words):
            adoption.run(**changes)
    with adoption.database.system() as session:
        assert session.scalar(text("SELECT count(*) FROM users")) == 0
        assert session.scalar(text("SELECT count(*) FROM adopted_rows")) == 0


def test_another_database_is_refused(adoption: Adoption, database_url: URL) -> None:
    with pytest.raises(InputError, match="no database of the original platform"):
        adoption.run(url=database_url)


def test_two_at_once_are_one_too_many(adoption: Adoption) -> None:
    with (
        Target(adoption.database, dry=False).alone(),
        pytest.raises(AlreadyRunning, match="Another `leap adopt`"),
    ):
        adoption.run()
