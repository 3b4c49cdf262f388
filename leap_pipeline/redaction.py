"""No secret, token, passcode or signed URL is ever written: what hides them in a text.

Two nets. *Values*: every secret that this process has opened is remembered, and hidden wherever it
turns up. *Patterns*: what looks like a secret is hidden though nobody told of it. A hidden piece is
replaced by `***`.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

HIDDEN = "***"
# A shorter value would be hidden inside ordinary words ("postgres"); patterns must do there.
SHORTEST = 10
# Of so many secrets that a process opened last; each costs one search a text.
REMEMBERED = 2000

# Names of values that are secret wherever they stand: in a query, in JSON, in key=value.
_NAMES = (
    r"(?:[\w-]*[_-])?(?:"
    r"access[_-]?token|refresh[_-]?token|id[_-]?token|auth[_-]?token|download[_-]?token|"
    r"secret[_-]?token|session[_-]?token|security[_-]?token|download[_-]?access[_-]?token|"
    r"client[_-]?secret|secret[_-]?key|secret[_-]?access[_-]?key|api[_-]?key|private[_-]?key|"
    r"encryption[_-]?keys?|code[_-]?verifier|passwords?|passwd|passcode|passphrase|"
    r"credentials?|signature|hashed[_-]?password|token[_-]?hash|encrypted[_-]?data|"
    r"secret|token|session[_-]?uri|upload[_-]?url)"
)
_QUOTED = r'"(?:[^"\\]|\\.)*"?|' + r"'(?:[^'\\]|\\.)*'?"

_I = re.IGNORECASE
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A URL's password, also one whose special characters were not encoded.
    (re.compile(r"(://[^\s/@:\"']{0,256}:)[^\s\"']{1,256}@"), rf"\1{HIDDEN}@"),
    (
        re.compile(
            r"((?:proxy-)?authorization|x-[\w-]*(?:token|key|signature|secret))"
            rf"([\"']?\s*[:=,]\s*)(?:{_QUOTED}|(?:(?:bearer|basic|token|digest)\s+)?[^\s,;\"'}})\]]+)",
            _I,
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"((?:set-)?cookie[\"']?\s*[:=]\s*)[^\r\n]+", _I), rf"\1{HIDDEN}"),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{16,}", _I), rf"\1 {HIDDEN}"),
    # "name": "value", 'name': 'value'
    (
        re.compile(rf"([\"']{_NAMES}[\"']\s*:\s*)(?:{_QUOTED}|[^\s,}}\]]+)", _I),
        rf"\1{HIDDEN}",
    ),
    # Several keys, separated by commas.
    (re.compile(r"(encryption[_-]?keys?\s?=\s?)[^\s\"']+", _I), rf"\1{HIDDEN}"),
    # name=value, name='value', name="value"
    (
        re.compile(rf"((?<![\w-]){_NAMES}\s?=\s?)(?:{_QUOTED}|[^\s,;&)\]}}\"']+)", _I),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\bgAAAA[A-Za-z0-9_-]{20,}={0,2}"), HIDDEN),  # a Fernet token
    (re.compile(r"(?<![\w=-])[A-Za-z0-9_-]{43}=(?![\w=-])"), HIDDEN),  # a Fernet key
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"), HIDDEN),  # a JWT
    (re.compile(r"\$(?:argon2\w{1,2}|2[aby]|pbkdf2[\w-]*)\$[^\s\"']+"), HIDDEN),
    # What platforms' own tokens begin with: Google, VK, DeepSeek, Fireworks, AWS.
    (
        re.compile(
            r"\b(?:ya29\.[\w.-]+|1//[\w-]{16,}|GOCSPX-[\w-]+|vk\d\.a\.[\w-]+|sk-[\w-]{16,}|"
            r"fw_\w{16,}|AKIA[A-Z0-9]{12,})"
        ),
        HIDDEN,
    ),
)
# More names, but only in the query of a URL: one of them makes all of it a secret.
_QUERY_NAMES = re.compile(
    r"sig|pwd|pass|code|state|hash|access_key|key|upload_id|policy|key-pair-id|jwt|auth|zak|tk|ak|"
    rf"x-amz-[\w-]+|x-goog-[\w-]+|{_NAMES}",
    _I,
)
_URL_QUERY = re.compile(r"(https?://[^\s?\"'<>]{1,2048}\?)([^\s\"'<>]+)", _I)
_SECRET_NAME = re.compile(rf"(?:{_NAMES}|(?:proxy-)?authorization|(?:set-)?cookie|pwd)", _I)

_values: OrderedDict[str, None] = OrderedDict()
_guard = threading.Lock()


def remember(*secrets: str) -> None:
    """From here on `redact` hides these values, whatever stands around them."""
    with _guard:
        for secret in secrets:
            if len(secret) >= SHORTEST:
                for form in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}:
                    _values[form] = None
                    _values.move_to_end(form)
        while len(_values) > REMEMBERED:
            _values.popitem(last=False)


def redact(text: str) -> str:
    """The text without its secrets; what is hidden twice looks the same as once."""
    with _guard:
        known = [value for value in _values if value in text]
    # Longest first: one secret may be part of another.
    for value in sorted(known, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    text = _URL_QUERY.sub(_without_signed_query, text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_tree(value: Any) -> Any:
    """JSON without its secrets: texts are redacted; below a secret's name every value is hidden.

    The structure stays as it is, and so do keys and what stands under keys that begin with `__`.
    """
    return _redacted(value, hidden=False)


def is_secret_name(name: str) -> bool:
    """Is a value of this name (of a field, a header, a parameter) secret by its name alone?"""
    return _SECRET_NAME.fullmatch(name) is not None


def _without_signed_query(url: re.Match[str]) -> str:
    names = (part.partition("=")[0] for part in re.split("[&;]", url[2]))
    return f"{url[1]}{HIDDEN}" if any(map(_QUERY_NAMES.fullmatch, names)) else url[0]


def _redacted(value: Any, *, hidden: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            key: inner
            if str(key).startswith("__")
            else _redacted(inner, hidden=hidden or is_secret_name(str(key)))
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(inner, hidden=hidden) for inner in value]
    if isinstance(value, str):
        return (HIDDEN if value else value) if hidden else redact(value)
    if hidden and isinstance(value, int | float) and not isinstance(value, bool):
        return 0
    return value
