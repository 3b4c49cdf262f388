"""The configuration of recordings, from rows of a real database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, insert, update

from leap_pipeline.db.models.templates import OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import BaseConfig, UserConfig, UserCredential
from leap_pipeline.domain.layers import Origin, OriginKind
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError
from leap_pipeline.services.configuration import load_configuration
from leap_pipeline.services.planning import processing_config
from leap_pipeline.services.projection import lock_recording
from tests.support.bench import Bench


@pytest.fixture(autouse=True)
def _no_global_defaults(bench: Bench) -> None:
    with bench.database.system() as session:
        session.query(BaseConfig).delete()


def base(bench: Bench, config_type: str, data: Any, **columns: Any) -> int:
    values = {"user_id": bench.user_id, "name": f"base {config_type}", "is_active": True}
    with bench.database.system() as session:
        row = BaseConfig(config_type=config_type, config_data=data, **(values | columns))
        session.add(row)
        session.flush()
        return row.id


def defaults(bench: Bench, **columns: Any) -> None:
    with bench.database.system() as session:
        changed = session.execute(
            update(UserConfig).where(UserConfig.user_id == bench.user_id).values(**columns)
        )
        if not changed.rowcount:  # type: ignore[attr-defined]
            session.execute(insert(UserConfig).values(user_id=bench.user_id, **columns))


def preset(bench: Bench, name: str, platform: str, metadata: Any, **columns: Any) -> int:
    with bench.database.tenant(bench.user_id) as session:
        account = UserCredential(
            user_id=bench.user_id, platform=platform.lower(), account_name=name, encrypted_data="x"
        )
        session.add(account)
        session.flush()
        row = OutputPreset(
            user_id=bench.user_id,
            name=name,
            platform=platform,
            credential_id=account.id,
            preset_metadata=metadata,
            **columns,
        )
        session.add(row)
        session.flush()
        return row.id


@contextmanager
def reading(connection: Connection) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(connection, "before_cursor_execute", note)


@pytest.fixture
def rich(bench: Bench) -> int:
    """A recording about which every layer says something."""
    base(bench, "processing", {"padding": 1, "silence_threshold": -50}, user_id=None)
    base(bench, "processing", {"padding": 2, "min_silence_duration": 3})
    base(bench, "processing", {"padding": 9}, is_active=False)
    base(bench, "metadata", {"tags": ["base"]}, user_id=None)
    defaults(
        bench,
        processing_config={"silence_mode": "edges"},
        transcription_config={"language": "ru"},
        metadata_config={"description_template": "{topics}", "vk": {"repeat": True}},
        upload_config={"auto_upload": True},
    )
    channel = preset(bench, "Channel", "YOUTUBE", {"privacy": "unlisted", "tags": ["preset"]})
    wall = preset(bench, "Wall", "VK", {"group_id": 5})
    template = bench.template(
        {"video": {"padding": 4}},
        name="ML course",
        metadata_config={"title_template": "{themes}", "youtube": {"privacy": "public"}},
        output_config={"preset_ids": [channel, wall]},
    )
    return bench.recording(
        template_id=template,
        processing_preferences={
            "video": {"padding": 5},
            "metadata_config": {"youtube": {"title_template": "Mine"}},
        },
    )


def test_every_value_with_its_row(bench: Bench, rich: int) -> None:
    with bench.database.tenant(bench.user_id) as session:
        found = load_configuration(session, rich)
    processing = found.processing()
    video = processing.value.video
    assert (video.padding, video.silence_threshold, video.min_silence_duration) == (5, -50, 3)
    assert video.silence_mode == "edges"
    kinds = {path: origin.kind for path, origin in processing.origins.items()}
    assert kinds["video.padding"] is OriginKind.RECORDING
    assert kinds["video.silence_threshold"] is OriginKind.GLOBAL_BASE
    assert kinds["video.min_silence_duration"] is OriginKind.USER_BASE
    assert kinds["video.silence_mode"] is OriginKind.USER
    assert kinds["transcription.language"] is OriginKind.USER
    assert kinds["video.remove_silence"] is OriginKind.DEFAULT
    assert processing.origins["video.silence_threshold"].name == "base processing"

    youtube = found.metadata(Platform.YOUTUBE)
    assert youtube.value.title_template == "Mine"
    assert youtube.value.tags == ("preset",)
    assert youtube.origins["tags"] == Origin(
        OriginKind.PRESET, found.presets[Platform.YOUTUBE].id, "Channel"
    )
    assert youtube.origins["privacy"].name == "ML course"
    assert youtube.origins["description_template"].kind is OriginKind.USER
    vk = found.metadata(Platform.VK)
    assert vk.value.title_template == "{themes}"
    assert vk.value.tags == ("base",)
    assert vk.origins["repeat"].kind is OriginKind.USER
    assert vk.origins["group_id"].name == "Wall"

    output = found.output()
    assert output.value.auto_upload
    assert output.origins["auto_upload"].kind is OriginKind.USER
    assert output.origins["preset_ids"].kind is OriginKind.TEMPLATE


def test_it_takes_three_statements(bench: Bench, rich: int) -> None:
    plain = bench.recording()
    for recording, most in ((rich, 3), (plain, 2)):
        with (
            bench.database.tenant(bench.user_id) as session,
            reading(session.connection()) as seen,
        ):
            found = load_configuration(session, recording)
            for platform in Platform:
                found.metadata(platform)
            found.processing()
        assert len(seen) == most


def test_the_planner_sees_the_same(bench: Bench, rich: int) -> None:
    with bench.database.tenant(bench.user_id) as session:
        config = processing_config(session, lock_recording(session, rich))
        assert config == load_configuration(session, rich).processing().value


def test_presets_that_rest_or_are_gone_do_not_count(bench: Bench) -> None:
    resting = preset(bench, "Resting", "YOUTUBE", {"privacy": "public"}, is_active=False)
    wall = preset(bench, "Wall", "VK", None)
    gone = preset(bench, "Gone", "YOUTUBE", {})
    template = bench.template(None, output_config={"preset_ids": [resting, wall, gone]})
    recording = bench.recording(template_id=template)
    with bench.database.tenant(bench.user_id) as session:
        session.execute(delete(OutputPreset).where(OutputPreset.id == gone))
    with bench.database.tenant(bench.user_id) as session:
        found = load_configuration(session, recording)
    assert set(found.presets) == {Platform.VK}
    assert found.metadata(Platform.YOUTUBE).origins["privacy"].kind is OriginKind.DEFAULT


def test_two_presets_of_a_platform_are_refused_by_name(bench: Bench) -> None:
    ids = [preset(bench, name, "VK", {}) for name in ("Left", "Right")]
    recording = bench.recording(template_id=bench.template(None, output_config={"preset_ids": ids}))
    with (
        bench.database.tenant(bench.user_id) as session,
        pytest.raises(InputError, match=r'"Left" \(\d+\) and "Right" \(\d+\) are both for VK'),
    ):
        load_configuration(session, recording)


def test_a_wrong_row_is_named(bench: Bench) -> None:
    template = bench.template({"video": {"silence_threshold": 40}}, name="Loud")
    recording = bench.recording(template_id=template)
    with bench.database.tenant(bench.user_id) as session, pytest.raises(InputError) as caught:
        load_configuration(session, recording).processing()
    assert str(caught.value) == (
        f'In the template "Loud" ({template}) `processing_config.video.silence_threshold` must be '
        "0 or less."
    )


def test_a_wrong_row_fails_the_stage_with_the_same_sentence(bench: Bench) -> None:
    template = bench.template({"video": {"paddings": 1}}, name="Typo")
    recording = bench.recording(template_id=template)
    with bench.database.system() as session:
        locked = lock_recording(session, recording)
        with pytest.raises(InputError, match=r'"Typo" .*paddings` .* did you mean `padding`\?'):
            processing_config(session, locked)


def test_an_edit_of_the_template_counts_at_once(bench: Bench, rich: int) -> None:
    with bench.database.tenant(bench.user_id) as session:
        session.execute(
            update(RecordingTemplate).values(
                processing_config={"transcription": {"language": "en"}}
            )
        )
    with bench.database.tenant(bench.user_id) as session:
        found = load_configuration(session, rich).processing()
    assert found.value.transcription.language == "en"


def test_a_recording_that_is_not_there(bench: Bench) -> None:
    with (
        bench.database.tenant(bench.user_id) as session,
        pytest.raises(InputError, match="There is no recording 987654"),
    ):
        load_configuration(session, 987654)
