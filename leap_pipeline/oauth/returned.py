"""What a platform answers, from the query or the fragment of the address that it sent people to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from leap_pipeline.errors import InputError
from leap_pipeline.oauth.platform import Returned
from leap_pipeline.oauth.reading import as_claimed

LONGEST_VALUE = 8192
MOST_FIELDS = 40


def returned_from(address: str) -> Returned:
    """Read a whole address, or what is behind its `?` or `#`.

    Raises InputError where something stands there twice, or is too long to be an answer.
    """
    return returned_of(fields_of(_answer(address.strip())))


def returned_of(fields: Mapping[str, str]) -> Returned:
    """Read the fields of an answer; a token that no header takes is none."""
    return Returned(
        state=fields.get("state"),
        code=as_claimed(fields.get("code")),
        error=fields.get("error"),
        issuer=fields.get("iss"),
        device_id=fields.get("device_id"),
        access_token=as_claimed(fields.get("access_token")),
        seconds=fields.get("expires_in"),
    )


def fields_of(text: str) -> dict[str, str]:
    """Names and values of a query or a form; raises as `returned_from` does."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        msg = f"The answer has more than {MOST_FIELDS} fields: connect again."
        raise InputError(msg) from None
    found = dict(pairs)
    if len(found) != len(pairs) or any(len(value) > LONGEST_VALUE for value in found.values()):
        msg = "The answer says something twice, or something too long: connect again."
        raise InputError(msg)
    return found


def _answer(address: str) -> str:
    if "://" not in address.partition("?")[0].partition("#")[0]:
        return address.removeprefix("#").removeprefix("?")
    try:
        parts = urlsplit(address)
    except ValueError:
        msg = "This is no address: paste the whole one, from the browser's bar."
        raise InputError(msg) from None
    return parts.fragment or parts.query
