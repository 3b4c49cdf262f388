"""Layers merged, with who said what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.layers import (
    DEFAULT,
    Layer,
    Origin,
    OriginKind,
    merge,
    resolve,
)
from leap_pipeline.domain.shapes.processing import ProcessingConfig, VideoConfig
from leap_pipeline.domain.shapes.sources import ZoomSource
from leap_pipeline.errors import InputError

TEMPLATE = Origin(OriginKind.TEMPLATE, 3, "ML course")
RECORDING = Origin(OriginKind.RECORDING, 142)


def deep_merge(layers: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return merge((layer, None) for layer in layers)[0]


@pytest.mark.parametrize(
    ("layers", "merged"),
    [
        ([], {}),
        ([{}, {}], {}),
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
    layers: list[dict[str, Any]], merged: dict[str, Any]
) -> None:
    assert deep_merge(layers) == merged


def documents(depth: int = 2) -> st.SearchStrategy[dict[str, Any]]:
    """Documents of one form: `x` and `y` hold values everywhere, `a` and `b` hold objects."""
    values = st.none() | st.booleans() | st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2)
    said: dict[str, st.SearchStrategy[Any]] = dict.fromkeys("xy", values)
    if depth:
        said |= dict.fromkeys("ab", st.none() | documents(depth - 1))
    return st.fixed_dictionaries({}, optional=said)


def spoken(document: Mapping[str, Any], at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """The values of a document by path, found without the code that is tested."""
    found: dict[tuple[str, ...], Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= spoken(value, (*at, key))
        elif value is not None:
            found[(*at, key)] = value
    return found


@given(st.lists(documents(), max_size=5))
def test_each_value_is_that_of_the_last_layer_that_says_it(layers: list[dict[str, Any]]) -> None:
    merged, origins = merge([(layer, place) for place, layer in enumerate(layers)])
    by_layer = [spoken(layer) for layer in layers]
    last = {path: place for place, said in enumerate(by_layer) for path in said}
    assert origins == last
    assert spoken(merged) == {path: by_layer[place][path] for path, place in last.items()}


@given(documents(), documents(), documents())
def test_layers_can_be_grouped_in_any_way(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    whole = deep_merge([first, second, third])
    assert deep_merge([deep_merge([first, second]), third]) == whole
    assert deep_merge([first, deep_merge([second, third])]) == whole
    assert deep_merge([{}, whole, {}]) == whole
    assert deep_merge([whole, whole]) == whole


any_json = st.recursive(
    st.none() | st.booleans() | st.integers(),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), any_json, max_size=3), max_size=4))
def test_origins_name_just_the_values_that_are_there(layers: list[dict[str, Any]]) -> None:
    """Also where one layer has an object and the next a number in its place."""
    merged, origins = merge([(layer, place) for place, layer in enumerate(layers)])
    assert set(origins) == set(spoken(merged))
    for path, place in origins.items():
        assert spoken(layers[place])[path] == spoken(merged)[path]


def test_merging_changes_no_layer() -> None:
    below, above = {"a": {"b": 1}}, {"a": {"c": 2}}
    deep_merge([below, above])
    assert (below, above) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_every_value_of_the_model_has_an_origin() -> None:
    said = {"video": {"padding": 1.0}}
    resolved = resolve(
        ProcessingConfig, [(said, TEMPLATE), ({"transcription": {"language": "ru"}}, RECORDING)]
    )
    by_path = {each.path: each for each in resolved.values()}
    assert set(by_path) == set(resolved.origins)
    assert by_path["video.padding"].origin == TEMPLATE
    assert by_path["transcription.language"].origin == RECORDING
    others = set(by_path) - {"video.padding", "transcription.language"}
    assert {by_path[path].origin for path in others} == {DEFAULT}
    assert by_path["video.silence_mode"].value == "all"
    assert len(others) == 12


def test_saying_the_default_is_saying_it() -> None:
    resolved = resolve(VideoConfig, [({"padding": 0.5}, TEMPLATE)])
    assert resolved.value == VideoConfig()
    assert resolved.origins["padding"] == TEMPLATE


def test_a_wrong_value_names_its_row_and_path() -> None:
    layer = Layer(TEMPLATE, ProcessingConfig, {"video": {"silence_threshold": 3}}, "config")
    with pytest.raises(InputError) as caught:
        layer.said()
    assert str(caught.value) == (
        'In the template "ML course" (3) `config.video.silence_threshold` must be 0 or less.'
    )


def test_values_that_do_not_go_together_name_the_later_one() -> None:
    least = {"min_duration_minutes": 60}
    most = {"max_duration_minutes": 30}
    with pytest.raises(InputError) as caught:
        resolve(ZoomSource, [(least, TEMPLATE), (most, RECORDING)])
    assert str(caught.value) == (
        "In the recording's own settings `max_duration_minutes` does not go with the other "
        "settings: it is 30, below `min_duration_minutes` 60; nothing would be taken."
    )


def test_a_part_is_taken_from_a_document_and_put_in_its_place() -> None:
    layer = Layer(
        RECORDING,
        ProcessingConfig,
        {"video": {"padding": 2, "silence_mode": None}},
        "preferences",
        pick=("video",),
        at=("deep", "down"),
    )
    assert layer.said() == {"deep": {"down": {"padding": 2.0}}}
    assert Layer(RECORDING, ProcessingConfig, None, "preferences").said() == {}
