"""Layers of configuration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.config import ProcessingConfig, deep_merge, resolve_processing
from leap_pipeline.errors import InputError


@pytest.mark.parametrize(
    ("layers", "merged"),
    [
        ([], {}),
        ([None, {}], {}),
        ([{"a": 1}, {"a": 2}], {"a": 2}),
        ([{"a": 1}, {"a": None}], {"a": 1}),
        ([{"a": None}], {}),
        ([{"a": False}, {"a": None}, {"a": 0}], {"a": 0}),
        ([{"a": [1, 2]}, {"a": [3]}], {"a": [3]}),
        ([{"a": [1]}, {"a": []}], {"a": []}),
        ([{"a": {"b": 1, "c": 2}}, {"a": {"c": 3, "d": None}}], {"a": {"b": 1, "c": 3}}),
        ([{"a": {"b": {"c": 1}}}, {"a": {"b": {"d": 2}}}], {"a": {"b": {"c": 1, "d": 2}}}),
        ([{"a": 1}, {"a": {"b": 2}}], {"a": {"b": 2}}),
        ([{"a": {"b": 2}}, {"a": 1}], {"a": 1}),
        ([{"a": {"b": 2}}, {"a": {}}], {"a": {"b": 2}}),
    ],
)
def test_the_last_layer_that_says_something_wins(
    layers: list[dict[str, Any] | None], merged: dict[str, Any]
) -> None:
    assert deep_merge(layers) == merged


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
layers = st.dictionaries(st.sampled_from("abc"), json_values, max_size=3)


@given(layers, layers, layers)
def test_merging_does_not_depend_on_how_layers_are_grouped(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    whole = deep_merge([first, second, third])
    assert deep_merge([deep_merge([first, second]), third]) == whole
    assert deep_merge([whole, {}, None]) == whole
    assert "None" not in repr(whole)


def test_merging_changes_no_layer() -> None:
    below, above = {"a": {"b": 1}}, {"a": {"c": 2}}
    deep_merge([below, above])
    assert (below, above) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_nothing_said_means_the_defaults_of_the_product() -> None:
    resolved = resolve_processing([None, {}, {"video": None}])
    assert resolved == ProcessingConfig()
    video = resolved.video
    assert (video.remove_silence, video.silence_mode, video.padding) == (True, "all", 0.5)


def test_layers_reach_the_config() -> None:
    resolved = resolve_processing(
        [
            {"video": {"padding": 1, "silence_threshold": -35}},
            {"video": {"padding": 2}, "transcription": {"vocabulary": ["a", "b"]}},
            {"transcription": {"vocabulary": ["c"], "topics_granularity": "short"}},
        ]
    )
    assert (resolved.video.padding, resolved.video.silence_threshold) == (2.0, -35.0)
    assert resolved.transcription.vocabulary == ("c",)
    assert resolved.transcription.topics_granularity == "short"


@pytest.mark.parametrize(
    ("layer", "path"),
    [
        ({"video": {"padding": -1}}, "video.padding"),
        ({"video": {"padding": "much"}}, "video.padding"),
        ({"video": {"paddings": 1}}, "video.paddings"),
        ({"video": 3}, "video"),
        ({"audio": {}}, "audio"),
        ({"transcription": {"vocabulary": ["a", 4]}}, "transcription.vocabulary.1"),
        ({"transcription": {"topics_granularity": "tiny"}}, "transcription.topics_granularity"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(layer: dict[str, Any], path: str) -> None:
    with pytest.raises(InputError, match=rf"is wrong at {path}: .*; correct it there\."):
        resolve_processing([layer])


def test_a_layer_that_is_no_object_is_refused() -> None:
    with pytest.raises(InputError, match=r"is no object but \['video'\]"):
        resolve_processing([["video"]])  # type: ignore[list-item]
