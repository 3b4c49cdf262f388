"""The contract: Google's own description of the API, as `google-api-python-client` carries it.

https://developers.google.com/discovery/v1/reference/apis
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from tests.support.youtube.errors import Refused

DOCUMENT = ("discovery_cache", "documents", "youtube.v3.json")
UPLOAD = "/upload"
# What the upload server takes besides, see the guides of the two protocols.
UPLOAD_PARAMETERS = frozenset({"uploadType", "upload_id"})
_KINDS: Mapping[str, Any] = {
    "array": list,
    "object": Mapping,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "any": object,
}
_WHOLE = re.compile(r"-?\d{1,20}")


@dataclass(frozen=True)
class Method:
    """One method: `uploads` says that the request came to its upload address."""

    id: str
    described: Mapping[str, Any]
    uploads: bool

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.described.get("scopes", ()))

    @property
    def media(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.described.get("mediaUpload", {})
        return found


class Contract:
    """Which requests there are, and what is in them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Any] = document["schemas"]
        self._common: Mapping[str, Any] = document["parameters"]
        self._methods: dict[tuple[str, str], Method] = {}
        self._paths: set[str] = set()
        for resource in document["resources"].values():
            for described in resource.get("methods", {}).values():
                self._add(described)

    def method(self, verb: str, path: str) -> Method:
        """Or Refused."""
        if found := self._methods.get((verb, path)):
            return found
        if path in self._paths:
            raise Refused(405, "methodNotAllowed", f"There is no {verb} at {path}.")
        raise Refused(404, "notFound", f"There is nothing at {path}.")

    def params(self, method: Method, query: Sequence[tuple[str, str]]) -> dict[str, str]:
        """The parameters, of which there is each as it must be; several values are one text."""
        known = {**self._common, **method.described.get("parameters", {})}
        found: dict[str, str] = {}
        for name, value in query:
            if method.uploads and name in UPLOAD_PARAMETERS:
                pass
            elif name not in known:
                raise Refused(400, "unexpectedParameter", f"Unexpected parameter: {name}")
            else:
                self._value(known[name], value, name)
            if name in found and not known.get(name, {}).get("repeated"):
                raise Refused(400, "invalidParameter", f"The parameter {name} is there twice.")
            found[name] = f"{found[name]},{value}" if name in found else value
        for name, about in known.items():
            if about.get("required") and not found.get(name):
                raise Refused(400, "missingRequiredParameter", f"No {name} parameter was given.")
        return found

    def parts(self, method: Method, params: Mapping[str, str]) -> tuple[str, ...]:
        """What `part` asks for: parts of the resource, and no others."""
        if "part" not in method.described.get("parameters", {}):
            return ()
        named = tuple(part.strip() for part in params.get("part", "").split(",") if part.strip())
        known = self._resource(method)["properties"]
        for part in named:
            if part not in known or part in ("kind", "etag"):
                raise Refused(400, "unknownPart", f"'{part}' is no part of it.")
        return named

    def body(self, method: Method, document: Any, parts: Sequence[str]) -> dict[str, Any]:
        """What a request tells of a resource: only fields that there are, all in `part`."""
        if not isinstance(document, dict):
            raise Refused(400, "parseError", "The body is no JSON object.")
        schema = self._schemas[method.described["request"]["$ref"]]
        self._object(schema, document, "")
        for name in document:
            if name not in parts and name not in ("id", "kind", "etag"):
                raise Refused(
                    400, "unexpectedPart", f"{name} is sent, but `part` does not name it."
                )
        self._required(schema, document, method.id, "")
        return document

    def answer(self, method: Method, document: Mapping[str, Any]) -> None:
        """The fake's own answers keep the contract as well."""
        self._object(self._schemas[method.described["response"]["$ref"]], document, "")

    def _add(self, described: Mapping[str, Any]) -> None:
        path = "/" + described["path"]
        simple = described.get("mediaUpload", {}).get("protocols", {}).get("simple", {})
        plain = "mediaUpload" not in described or "request" in described
        named = [(path, False)] if plain else []
        named += [(simple["path"], True)] if simple else []
        for at, uploads in named:
            name = described["id"].removeprefix("youtube.")
            self._methods[described["httpMethod"], at] = Method(name, described, uploads)
            self._paths.add(at)

    def _resource(self, method: Method) -> Mapping[str, Any]:
        schema: Mapping[str, Any] = self._schemas[method.described["response"]["$ref"]]
        items = schema["properties"].get("items")
        if items is None or not method.id.endswith(".list"):
            return schema
        found: Mapping[str, Any] = self._schemas[items["items"]["$ref"]]
        return found

    def _required(
        self, schema: Mapping[str, Any], document: Mapping[str, Any], method: str, where: str
    ) -> None:
        """By the annotations of the description, below what is there."""
        for name, about in schema.get("properties", {}).items():
            wanted = f"youtube.{method}" in about.get("annotations", {}).get("required", ())
            # A track may have no name, but says so.
            lacks = document.get(name) in (None, {}) or (name != "name" and document[name] == "")
            if wanted and lacks:
                raise Refused(400, "required", f"Required: {where}{name}")
            inner = document.get(name)
            if "$ref" in about and isinstance(inner, Mapping):
                self._required(self._schemas[about["$ref"]], inner, method, f"{where}{name}.")

    def _object(self, schema: Mapping[str, Any], document: Any, where: str) -> None:
        if not isinstance(document, Mapping):
            raise Refused(400, "invalidValue", f"At {where}: " + "no object")
        known = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for name, value in document.items():
            about = known.get(name, others)
            if about is None:
                why = f"Invalid JSON payload received. Unknown name: {where}{name}"
                raise Refused(400, "badRequest", why)
            self._checked(about, value, f"{where}{name}")

    def _checked(self, about: Mapping[str, Any], value: Any, where: str) -> None:
        if "$ref" in about:
            self._object(self._schemas[about["$ref"]], value, f"{where}.")
            return
        kind = about["type"]
        if not isinstance(value, _KINDS[kind]) or (
            kind in ("integer", "number") and isinstance(value, bool)
        ):
            raise Refused(400, "invalidValue", f"At {where}: no {kind}")
        if kind == "array":
            for each in value:
                self._checked(about["items"], each, where)
        elif kind == "object":
            self._object(about, value, f"{where}.")
        elif kind == "string":
            self._value(about, value, where)

    def _value(self, about: Mapping[str, Any], text: str, where: str) -> None:
        """A value that came as text: of a parameter, or of a string with a format."""
        if about.get("type") == "boolean" and text not in ("true", "false"):
            raise Refused(400, "invalidValue", f"At {where}: " + text)
        if "enum" in about and text not in about["enum"]:
            raise Refused(
                400,
                "invalidValue",
                f"At {where}: " + f"{text} is none of {', '.join(about['enum'])}",
            )
        if about.get("type") == "integer" or about.get("format") in ("uint64", "int64"):
            low, high = int(about.get("minimum", -(2**63))), int(about.get("maximum", 2**64))
            if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
                raise Refused(400, "invalidValue", f"At {where}: " + text)
        if about.get("format") == "date-time" and not _is_time(text):
            raise Refused(400, "invalidValue", f"At {where}: " + text)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


@cache
def document() -> dict[str, Any]:
    """Of the release that is installed."""
    file = files("googleapiclient").joinpath(*DOCUMENT)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@cache
def contract() -> Contract:
    return Contract(document())
