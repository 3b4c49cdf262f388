"""Parts of a page that rerun alone: every few seconds, or as a dialog.

Such a rerun does not pass through `main`, so the part itself looks up who is there, asks whether
its page is still theirs, and says what is wrong where it is.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Concatenate, Literal, ParamSpec

import streamlit as st
from streamlit.errors import StreamlitAPIException

from dashboard.pages import page_named
from dashboard.session import Me, entered
from dashboard.texts import t
from dashboard.words import plain
from leap_pipeline.errors import (
    DataError,
    LeapError,
    SessionEnded,
    TransientError,
)

P = ParamSpec("P")
Width = Literal["small", "medium", "large"]
logger = logging.getLogger("leap.console")

RETRY_SECONDS = 2
OPEN = "dialog_is_open"

_page: ContextVar[str | None] = ContextVar("page", default=None)


@contextmanager
def on_page(name: str) -> Iterator[None]:
    """What is drawn within is of that page."""
    token = _page.set(name)
    try:
        yield
    finally:
        _page.reset(token)


def live(
    seconds: float | None = None,
) -> Callable[[Callable[Concatenate[Me, P], None]], Callable[P, None]]:
    """A fragment: reruns alone when it is used, and every so many seconds.

    The function gets the person first; what it is called with stays the same between reruns.
    """

    def decorate(body: Callable[Concatenate[Me, P], None]) -> Callable[P, None]:
        @st.fragment(run_every=seconds)
        @functools.wraps(body)
        def part(page: str | None, /, *args: P.args, **kwargs: P.kwargs) -> None:
            with guarded(), _allowed(page) as me:
                body(me, *args, **kwargs)

        @functools.wraps(body)
        def drawn(*args: P.args, **kwargs: P.kwargs) -> None:
            part(_page.get(), *args, **kwargs)

        return drawn

    return decorate


def dialog(
    title: Callable[[], str], *, width: Width = "small"
) -> Callable[[Callable[Concatenate[Me, P], None]], Callable[P, None]]:
    """A dialog, whose title is asked for when it opens, in the language of the moment."""

    def decorate(body: Callable[Concatenate[Me, P], None]) -> Callable[P, None]:
        def opened(*args: P.args, **kwargs: P.kwargs) -> None:
            page = _page.get()

            def part() -> None:
                with guarded():
                    try:
                        with _allowed(page) as me:
                            body(me, *args, **kwargs)
                    except TransientError:
                        forget_dialog()  # nothing is left of what was typed: it may close
                        raise

            # Dialogs are told apart by the name of what they run.
            part.__qualname__ = body.__qualname__
            st.session_state[OPEN] = True
            st.dialog(title(), width=width, on_dismiss=forget_dialog)(part)()

        return opened

    return decorate


@contextmanager
def _allowed(page: str | None) -> Iterator[Me]:
    """The person, who may still see the page that a part is of; otherwise there is another page.

    Rights are taken away while a page is open, and a part's rerun does not pass through the page.
    """
    with entered() as me:
        if page is None:
            yield me
            return
        if not page_named(page).allows(me):
            st.rerun(scope="app")
        with on_page(page):
            yield me


def again() -> None:
    """Run this part anew; the whole page, where it runs as a part of that.

    A click can be merged into a rerun of the whole page, within which no part asks for its own.
    """
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # Streamlit's own signal of a rerun is no such error
        st.rerun()


def rerun_page() -> None:
    """Draw the whole page anew, but not under a dialog that somebody is filling in.

    For parts that rerun by themselves: a rerun of the page closes its dialog. What is put off here
    is for the part's next rerun; closing the dialog draws the page anew as well.
    """
    if not st.session_state.get(OPEN):
        st.rerun(scope="app")


def forget_dialog() -> None:
    """No dialog is open: it was closed, or the whole page is drawn anew."""
    st.session_state.pop(OPEN, None)


@contextmanager
def guarded() -> Iterator[None]:
    """Turns what goes wrong into a sentence at the place where it went wrong.

    Streamlit's own signals (stop, rerun, switch of the page) pass through.
    """
    try:
        yield
    except SessionEnded as error:
        _leave(error)
    except TransientError as error:
        logger.warning("A page waits: %s", error)
        st.warning(t("The database does not answer at the moment. This page comes back by itself."))
        _come_back()
    except DataError as error:
        logger.exception("A page met bad data")
        st.error(plain(str(error)))
    except LeapError as error:
        st.error(plain(str(error)))


def _leave(error: SessionEnded) -> None:
    st.warning(plain(str(error)))
    st.html(f'<a href="/login">{t("Log in")}</a>')
    st.iframe("/leave", height=1)
    st.stop()


@st.fragment(run_every=RETRY_SECONDS)
def _come_back() -> None:
    try:
        with entered():
            pass
    except TransientError:
        return
    except SessionEnded:
        pass
    try:
        rerun_page()
    except StreamlitAPIException:  # the page has been left meanwhile
        return
