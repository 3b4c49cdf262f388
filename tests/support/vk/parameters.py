"""The contract of the methods: parameters and their types are those of vkbottle-types, which is
made from VK's own schema; limits are those of VK's documentation.

One thing is stricter than VK, which passes over parameters that it does not know: here they are
refused, so that a misspelt one is seen.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from enum import EnumMeta
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from vkbottle_types.codegen.methods.account import AccountCategory
from vkbottle_types.codegen.methods.groups import GroupsCategory
from vkbottle_types.codegen.methods.users import UsersCategory
from vkbottle_types.codegen.methods.video import VideoCategory

from tests.support.vk.errors import Refused

CATEGORIES: Mapping[str, type] = {
    "account": AccountCategory,
    "groups": GroupsCategory,
    "users": UsersCategory,
    "video": VideoCategory,
}
GENERAL = frozenset({"access_token", "v", "lang", "test_mode", "captcha_sid", "captcha_key"})
AUDIENCES = frozenset({"all", "friends", "friends_of_friends", "only_me", "nobody", "by_link"})
OLDEST = (5, 131)
_WHOLE = re.compile(r"-?\d{1,18}")
_MOST = 10**18
_BETWEEN = {
    "video_id": (1, _MOST),
    "group_id": (1, _MOST),
    "album_id": (0, _MOST),
    "offset": (0, _MOST),
    "count": (0, 200),
}
_LONGEST = {"name": 128, "description": 5000, "desc": 5000}
_VIDEO = re.compile(r"-?\d{1,18}_\d{1,18}(_[\w-]+)?")


def checked(method: str, form: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a call by their types. Raises Refused 3, 8 or 100."""
    known = _parameters(method)
    if known is None:
        raise Refused(3, method)
    _version(form.get("v", ""))
    said = {name: text for name, text in form.items() if name not in GENERAL}
    for name in said:
        if name not in known:
            raise Refused(100, f"{name} is not a parameter of {method}")
    for name, (_kind, required) in known.items():
        if required and name not in said:
            raise Refused(100, f"{name} is undefined")
    values = {name: _value(name, text, known[name][0]) for name, text in said.items()}
    _limits(values)
    return values


@cache
def _parameters(method: str) -> Mapping[str, tuple[Any, bool]] | None:
    category, _, name = method.partition(".")
    python = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    function = getattr(CATEGORIES.get(category), python, None)
    if function is None or "_" in name:
        return None
    return {
        each.name.removeprefix("_"): (each.annotation, each.default is inspect.Parameter.empty)
        for each in inspect.signature(function).parameters.values()
        if each.name != "self" and each.kind is not inspect.Parameter.VAR_KEYWORD
    }


def _version(said: str) -> None:
    parts = said.split(".")
    if len(parts) != 2 or not all(map(str.isdecimal, parts)):
        raise Refused(8, "v (version) is required")
    if tuple(map(int, parts)) < OLDEST:
        raise Refused(8, "versions below 5.131 are not supported")


def _value(name: str, text: str, kind: Any) -> Any:
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    for each in kinds:
        if get_origin(each) is list:
            parts = text.split(",") if text else []
            return [_value(name, part, get_args(each)[0]) for part in parts]
    if bool in kinds:
        if text not in ("0", "1"):
            raise Refused(100, f"{name} should be 0 or 1")
        return text == "1"
    if int in kinds and (str not in kinds or _WHOLE.fullmatch(text)):
        if not _WHOLE.fullmatch(text):
            raise Refused(100, f"{name} not integer")
        return int(text)
    for each in kinds:
        if isinstance(each, EnumMeta):
            members: Mapping[str, Any] = each.__members__
            values = {str(member.value) for member in members.values()}
            if text not in values:
                raise Refused(100, f"{name} should be one of {len(values)} values")
    return text


def _limits(values: Mapping[str, Any]) -> None:
    for name, (least, most) in _BETWEEN.items():
        if not least <= values.get(name, least) <= most:
            raise Refused(100, f"{name} should be from {least} to {most}")
    for name, most in _LONGEST.items():
        if len(values.get(name, "")) > most:
            raise Refused(100, f"{name} is longer than {most}")
    audiences = [*values.get("privacy_view", []), *values.get("privacy_comment", [])]
    if not AUDIENCES.issuperset(audiences):
        raise Refused(100, "privacy is in no known format")
    if not all(map(_VIDEO.fullmatch, values.get("videos", []))):
        raise Refused(100, "videos should be OWNER_ID or OWNER_ID_KEY")
    if values.get("owner_id") == 0:
        raise Refused(100, "owner_id should not be 0")
