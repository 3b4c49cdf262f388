"""What is said after a change, on the page that comes next."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page_that_is_left_once() -> None:
    import streamlit as st

    from dashboard.messages import say_later, saying

    if "left" not in st.session_state:
        st.session_state["left"] = True
        say_later("Saved")
        with saying():
            st.rerun()
    with saying():
        st.title("Here")


def test_what_is_said_outlives_a_page_that_was_left_before_it_was_drawn() -> None:
    page = AppTest.from_function(page_that_is_left_once).run()
    assert [each.value for each in page.toast] == ["Saved"]
    assert not page.run().toast
