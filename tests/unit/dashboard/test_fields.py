"""Values of a document by their path: what no field shows or nobody touches stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.fields import put, told_apart, value_at


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


def form() -> None:
    """A script of its own: it imports what it needs."""
    import streamlit as st

    from dashboard.fields import Field, Kind, draw

    kinds = {"choices": {"a": "A", "b": "B"}}
    fields = [
        Field("flag", "flag", Kind.FLAG),
        Field("choice", "choice", Kind.CHOICE, **kinds),  # type: ignore[arg-type]
        Field("number", "number", Kind.NUMBER, least=0, most=10),
        Field("whole", "whole", Kind.WHOLE, least=1, most=999),
        Field("line", "line", Kind.LINE),
        Field("text", "text", Kind.TEXT),
        Field("lines", "lines", Kind.LINES),
        Field("several", "several", Kind.SEVERAL, **kinds),  # type: ignore[arg-type]
        Field("block.inner", "inner", Kind.LINE),
    ]
    st.session_state["after"] = draw(fields, st.session_state["before"], key="k", inherited={})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"line": "", "text": "", "lines": [], "several": [], "block": {}},
        {"line": " a\nb ", "text": "x\r\n", "lines": [" AI", "a ", "b\nc"], "several": ["gone"]},
        {"flag": False, "choice": "z", "number": 0, "whole": 1000, "lines": None, "line": None},
        {"whole": 0, "number": 10.5},
        {"whole": 2**60},
    ],
)
def test_a_form_that_is_only_looked_at_changes_nothing(document: dict[str, Any]) -> None:
    page = AppTest.from_function(form)
    page.session_state["before"] = document
    page = page.run().run()
    assert not page.exception, page.exception
    assert page.session_state["after"] == document


def test_what_is_typed_is_taken_as_it_is() -> None:
    page = AppTest.from_function(form)
    page.session_state["before"] = {"lines": ["old"], "line": "x", "several": ["a"]}
    page = page.run()
    page.text_area(key="k:lines").set_value(" AI\n\nRAID\n")
    page.text_input(key="k:line").set_value("")
    page.multiselect(key="k:several").set_value([])
    page = page.run()
    assert page.session_state["after"] == {"lines": [" AI", "RAID"]}


def test_no_two_rows_are_called_the_same() -> None:
    assert told_apart({1: "Lab", 2: "Hall"}) == {1: "Lab", 2: "Hall"}
    assert told_apart({1: "Lab", 2: "Lab", 3: "Hall"})[2] == "Lab (2)"
    assert len(set(told_apart({1: "Lab", 2: "Lab", 3: "Lab (2)"}).values())) == 3
