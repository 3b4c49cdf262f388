"""Values of a document by their path: what no field shows stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.fields import put, value_at


@pytest.mark.parametrize(
    ("document", "path", "value", "after"),
    [
        ({}, "video.padding", 0.5, {"video": {"padding": 0.5}}),
        ({"video": {"padding": 1}}, "video.padding", None, {}),
        ({"video": {"padding": 1, "x": 2}}, "video.padding", None, {"video": {"x": 2}}),
        (
            {"a": 1, "video": {"x": 2}},
            "video.padding",
            0,
            {"a": 1, "video": {"x": 2, "padding": 0}},
        ),
        ({"flag": True}, "flag", False, {"flag": False}),
        ({"video": None}, "video.padding", 1, {"video": {"padding": 1}}),
    ],
)
def test_a_value_is_put_or_taken_away(
    document: dict[str, Any], path: str, value: Any, after: dict[str, Any]
) -> None:
    put(document, path.split("."), value)
    assert document == after
    assert value_at(document, path.split(".")) == value
