"""Which row has the last word about a recording."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from leap_pipeline.domain.config import (
    Configuration,
    Placed,
    Preset,
    configuration,
    of_base,
    of_recording,
    of_template,
    of_user,
    one_a_platform,
)
from leap_pipeline.domain.layers import Origin, OriginKind
from leap_pipeline.domain.shapes.processing import ProcessingConfig
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError

GLOBAL = Origin(OriginKind.GLOBAL_BASE, 1, "everybody")
OWN = Origin(OriginKind.USER_BASE, 2, "faculty")
USER = Origin(OriginKind.USER, 7)
TEMPLATE = Origin(OriginKind.TEMPLATE, 3, "ML course")
RECORDING = Origin(OriginKind.RECORDING, 142)


def user(**said: object) -> Placed:
    columns = {"processing": None, "transcription": None, "metadata": None, "upload": None}
    return of_user(USER, **{**columns, **said})


def template(**said: object) -> Placed:
    columns = {"processing": None, "metadata": None, "output": None}
    return of_template(TEMPLATE, **{**columns, **said})


def of(*rows: Placed, presets: tuple[Preset, ...] = ()) -> Configuration:
    return configuration([each for row in rows for each in row], presets)


PADDINGS: tuple[tuple[Origin, Any], ...] = (
    (GLOBAL, lambda: of_base(GLOBAL, "processing", {"padding": 1})),
    (OWN, lambda: of_base(OWN, "processing", {"padding": 2})),
    (USER, lambda: user(processing={"padding": 3})),
    (TEMPLATE, lambda: template(processing={"video": {"padding": 4}})),
    (RECORDING, lambda: of_recording(RECORDING, {"video": {"padding": 5}})),
)


@pytest.mark.parametrize("count", range(1, 6))
def test_the_order_of_processing_layers(count: int) -> None:
    found = of(*(rows() for _, rows in PADDINGS[:count])).processing()
    assert found.value.video.padding == float(count)
    assert found.origins["video.padding"] == PADDINGS[count - 1][0]


def test_nothing_said_means_the_defaults_of_the_product() -> None:
    found = of(user(), template(processing={}), of_recording(RECORDING, None)).processing()
    assert found.value == ProcessingConfig()
    assert {origin.kind for origin in found.origins.values()} == {OriginKind.DEFAULT}


def test_speech_has_its_own_column_at_the_user() -> None:
    found = of(
        of_base(GLOBAL, "transcription", {"language": "en", "vocabulary": ["a", "b"]}),
        user(transcription={"language": "ru"}),
        of_recording(RECORDING, {"transcription": {"vocabulary": ["c"]}}),
    ).processing()
    assert (found.value.transcription.language, found.value.transcription.vocabulary) == (
        "ru",
        ("c",),
    )
    assert found.origins["transcription.language"] == USER


TITLES: tuple[tuple[Origin, Any], ...] = (
    (GLOBAL, lambda: of_base(GLOBAL, "metadata", {"title_template": "1"})),
    (GLOBAL, lambda: of_base(GLOBAL, "metadata", {"youtube": {"title_template": "2"}})),
    (OWN, lambda: of_base(OWN, "metadata", {"title_template": "3"})),
    (USER, lambda: user(metadata={"title_template": "4"})),
    (USER, lambda: user(metadata={"youtube": {"title_template": "5"}})),
    (Origin(OriginKind.PRESET, 9, "Channel"), None),
    (TEMPLATE, lambda: template(metadata={"title_template": "7"})),
    (TEMPLATE, lambda: template(metadata={"youtube": {"title_template": "8"}})),
    (
        RECORDING,
        lambda: of_recording(RECORDING, {"metadata_config": {"title_template": "9"}}),
    ),
    (
        RECORDING,
        lambda: of_recording(RECORDING, {"metadata_config": {"youtube": {"title_template": "10"}}}),
    ),
)


@pytest.mark.parametrize("count", range(1, 11))
def test_the_order_of_what_is_published(count: int) -> None:
    preset = Preset(9, "Channel", Platform.YOUTUBE, {"title_template": "6"})
    rows = [row() for _, row in TITLES[:count] if row is not None]
    found = of(*rows, presets=(preset,) if count >= 6 else ()).metadata(Platform.YOUTUBE)
    assert found.value.title_template == str(count)
    assert found.origins["title_template"] == TITLES[count - 1][0]


def test_a_block_holds_for_its_platform_alone() -> None:
    said = {
        "tags": ["all"],
        "youtube": {"tags": ["yt"], "privacy": "public"},
        "vk": {"repeat": True},
    }
    found = of(template(metadata=said))
    assert found.metadata(Platform.YOUTUBE).value.tags == ("yt",)
    vk = found.metadata(Platform.VK)
    assert vk.value.tags == ("all",)
    assert vk.origins["repeat"] == TEMPLATE
    assert "privacy" not in vk.origins


def test_topics_display_merges_by_key() -> None:
    found = of(
        user(metadata={"topics_display": {"format": "inline", "max_count": 5}}),
        template(metadata={"topics_display": {"max_count": 7, "format": None}}),
    ).metadata(Platform.VK)
    assert found.value.topics_display.format == "inline"
    assert found.origins["topics_display.format"] == USER
    assert found.origins["topics_display.max_count"] == TEMPLATE


def test_output_comes_from_upload_config_and_output_config() -> None:
    found = of(
        of_base(OWN, "upload", {"preset_ids": [1]}),
        user(upload={"auto_upload": True}),
        template(output={"preset_ids": [4, 5]}),
        of_recording(RECORDING, {"output_config": {"auto_upload": False}}),
    ).output()
    assert found.value.preset_ids == (4, 5)
    assert not found.value.auto_upload
    assert found.origins == {"preset_ids": TEMPLATE, "auto_upload": RECORDING}


def test_a_base_configuration_of_no_known_type_says_nothing() -> None:
    for config_type in (None, "", "download"):
        found = of(of_base(OWN, config_type, {"padding": 9})).processing()
        assert found.value == ProcessingConfig()


def test_a_wrong_title_keeps_nobody_from_transcribing() -> None:
    found = of(
        template(processing={"video": {"padding": 1}}, metadata={"title_template": "{oops}"})
    )
    assert found.processing().value.video.padding == 1.0
    with pytest.raises(InputError, match=r'the template "ML course" \(3\) `metadata_config\.title'):
        found.metadata(Platform.YOUTUBE)


def wrong() -> Iterator[tuple[Placed, str]]:
    bad = {"padding": -1}
    must = "must be 0 or more."
    yield (
        of_base(GLOBAL, "processing", bad),
        f'In the global base configuration "everybody" (1) `config_data.padding` {must}',
    )
    yield (
        of_base(OWN, "processing", bad),
        f'In the base configuration "faculty" (2) `config_data.padding` {must}',
    )
    yield user(processing=bad), f"In the user's defaults `processing_config.padding` {must}"
    yield (
        template(processing={"video": bad}),
        f'In the template "ML course" (3) `processing_config.video.padding` {must}',
    )
    yield (
        of_recording(RECORDING, {"video": bad}),
        f"In the recording's own settings `processing_preferences.video.padding` {must}",
    )
    yield (
        template(processing=["video"]),
        'In the template "ML course" (3) `processing_config` must be an object in curly braces.',
    )


@pytest.mark.parametrize(("row", "sentence"), list(wrong()), ids=lambda each: None)
def test_a_wrong_value_is_told_with_its_row_and_path(row: Placed, sentence: str) -> None:
    found = of(row)
    with pytest.raises(InputError) as caught:
        found.processing()
    assert str(caught.value) == sentence


def test_rows_of_the_original_platform_count() -> None:
    found = of(
        template(
            processing={
                "processing_config": {"transcription": {"granularity": "short"}},
                "trimming": {"enable_trimming": False},
            },
            metadata={"common": {"tags": ["x"]}, "title_template": "T"},
        )
    )
    assert found.processing().value.transcription.topics_granularity == "short"
    assert found.processing().value.video.remove_silence is False
    assert found.metadata(Platform.VK).value.tags == ("x",)


def test_values_of_several_rows_must_go_together() -> None:
    preset = Preset(9, "Channel", Platform.YOUTUBE, {"privacy": "public"})
    said = {"youtube": {"publish_at": "2027-01-01T00:00:00Z"}}
    with pytest.raises(InputError) as caught:
        of(template(metadata=said), presets=(preset,)).metadata(Platform.YOUTUBE)
    assert str(caught.value).startswith(
        'In the template "ML course" (3) `publish_at` does not go with the other settings'
    )


def test_a_platform_has_one_preset() -> None:
    first = Preset(1, "Main", Platform.YOUTUBE)
    assert one_a_platform([first, Preset(2, "Wall", Platform.VK), first]).keys() == set(Platform)
    with pytest.raises(InputError) as caught:
        one_a_platform([first, Preset(4, "Other", Platform.YOUTUBE)])
    assert str(caught.value) == (
        'The presets "Main" (1) and "Other" (4) are both for YOUTUBE: keep one of them in '
        "`output_config.preset_ids`."
    )
