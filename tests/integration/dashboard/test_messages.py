"""What is said after a change, on the page that comes next."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page_that_is_left_once() -> None:
    import streamlit as st

    from dashboard.messages import say_later, saying

    is_new = "seen" not in st.session_state
    if is_new:
        st.session_state["seen"] = True
        say_later("Saved")
    with saying():
        if is_new:
            st.stop()
        st.title("Here")


def test_what_is_said_outlives_a_page_that_was_left_before_it_was_drawn() -> None:
    page = AppTest.from_function(page_that_is_left_once).run()
    assert not page.title
    assert [each.value for each in page.run().toast] == ["Saved"]
    assert not page.run().toast
