"""What a browser brings back: read from a query, a fragment or a whole address, without trust."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.errors import InputError
from leap_pipeline.oauth.reading import as_id, as_token, scopes_of, seconds_of
from leap_pipeline.oauth.returned import returned_from, returned_of
from leap_pipeline.redaction import redact


@pytest.mark.parametrize(
    "address",
    [
        "https://leap.example.edu/oauth/vk-id/callback?code=c1&state=s1&device_id=d&iss=i",
        " https://leap.example.edu/cb?code=c1&state=s1&device_id=d&iss=i\n",
        "?code=c1&state=s1&device_id=d&iss=i",
        "code=c1&state=s1&device_id=d&iss=i",
        "https://leap.example.edu/cb?x=1#code=c1&state=s1&device_id=d&iss=i",
    ],
)
def test_an_answer_is_found_wherever_it_stands(address: str) -> None:
    found = returned_from(address)
    assert found.code is not None
    assert found.code.get_secret_value() == "c1"
    assert (found.state, found.device_id, found.issuer) == ("s1", "d", "i")
    assert "c1" not in repr(found)
    assert "s1" not in repr(found)


@pytest.mark.parametrize("wrong", ["code=%0d%0aX-Evil: 1", "code=%D0%B6", "code="])
def test_a_code_that_no_request_takes_is_none(wrong: str) -> None:
    assert returned_from(wrong).code is None


@pytest.mark.parametrize(
    "wrong", ["state=a&state=b", "state=" + "a" * 9000, "&".join(f"a{n}=1" for n in range(41))]
)
def test_an_answer_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(InputError, match="connect again"):
        returned_from(wrong)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(InputError):
        returned_from(text)


def test_values_of_an_answer_are_read_without_trust() -> None:
    assert [as_id(each) for each in (7, "7", True, None, "", 1.5, "a\nb")] == [
        "7", "7", None, None, None, None, None
    ]  # fmt: skip
    assert [as_token(each) for each in (None, 7, "", "a b\r\n", "é")] == [None] * 5
    assert scopes_of("a,b  c") == ("a", "b", "c")
    assert (scopes_of(None), scopes_of("")) == ((), ())
    assert [seconds_of(each) for each in ("nan", "x", None, -5, "60", float("inf"))] == [
        3600, 3600, 3600, 0, 60, 90 * 86400
    ]  # fmt: skip


def test_what_anybody_may_claim_is_not_hidden_from_then_on() -> None:
    """Or whoever calls the address could push real secrets out of what is remembered."""
    returned_of({"state": "s", "code": "processing_started"})
    returned_of({"state": "s", "access_token": "processing_started"})
    assert redact("it says processing_started") == "it says processing_started"
