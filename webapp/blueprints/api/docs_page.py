"""The document of the API as its page shows it: references followed, types and limits in words. No HTML here."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_babel import gettext, lazy_gettext, ngettext

from webapp.blueprints.api.blueprint import who_may_call

Doc = Mapping[str, Any]
METHODS: Final = ("get", "post", "put", "patch", "delete")
# In the order in which one gets to know them.
RESOURCES: Final[Mapping[str, Any]] = {
    "auth": lazy_gettext("Sign-in"),
    "factors": lazy_gettext("Second factors and passkeys"),
    "federation": lazy_gettext("Sign-in with a provider"),
    "accounts": lazy_gettext("New accounts and mailed links"),
    "me": lazy_gettext("The account"),
    "sessions": lazy_gettext("Sessions"),
    "events": lazy_gettext("Activity"),
    "document": lazy_gettext("This document"),
}


@dataclass(frozen=True)
class Field:
    """A member of a body or an answer, or a parameter. `members` are those of the object, or of each in the list."""

    name: str
    kind: str
    is_required: bool
    limits: tuple[str, ...]
    note: str
    members: tuple["Field", ...]


@dataclass(frozen=True)
class Answer:
    """What a call gives when it goes well."""

    status: str
    phrase: str
    is_list: bool
    fields: tuple[Field, ...]
    example: str


@dataclass(frozen=True)
class Call:
    """One call."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    who: str
    parameters: tuple[Field, ...]
    fields: tuple[Field, ...]
    needs_body: bool
    example: str
    answers: tuple[Answer, ...]
    refusals: Mapping[str, tuple[str, ...]]  # status → codes


@dataclass(frozen=True)
class Resource:
    """The calls about one thing."""

    name: str
    title: str
    about: str
    calls: tuple[Call, ...]


def resources_of(specification: Doc) -> list[Resource]:
    """All calls, by what they are about."""
    reader = _Reader(specification)
    calls: dict[str, list[Call]] = {}
    for path, method, operation in operations_of(specification):
        calls.setdefault(operation["tags"][0], []).append(reader.call(path, method, operation))
    about = {tag["name"]: tag["description"] for tag in specification["tags"]}
    return [Resource(name, str(title), about[name], tuple(calls[name])) for name, title in RESOURCES.items()]


def operations_of(specification: Doc) -> Iterator[tuple[str, str, Doc]]:
    """Path, method and operation of each call."""
    for path, item in specification["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, {**item[method], "parameters": _parameters(item, method)}


def _parameters(item: Doc, method: str) -> list[Any]:
    return [*item.get("parameters", ()), *item[method].get("parameters", ())]


class _Reader:
    def __init__(self, specification: Doc) -> None:
        self._specification = specification

    def call(self, path: str, method: str, operation: Doc) -> Call:
        body = operation.get("requestBody", {})
        content = body.get("content", {}).get("application/json", {})
        answers = {status: answer for status, answer in operation["responses"].items() if status < "4"}
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "4"}
        return Call(
            name=operation["operationId"],
            method=method.upper(),
            path=path,
            summary=operation["summary"],
            description=operation["description"].removesuffix(who_may_call(operation["security"])).strip(),
            who=_who(operation["security"]),
            parameters=tuple(map(self._parameter, operation["parameters"])),
            fields=self._members(content.get("schema", {})),
            needs_body=bool(body.get("required")),
            example=_pretty(content),
            answers=tuple(self._answer(status, answer) for status, answer in answers.items()),
            refusals={status: self._codes(answer) for status, answer in refusals.items()},
        )

    def _answer(self, status: str, answer: Doc) -> Answer:
        content = answer.get("content", {}).get("application/json", {})
        schema = content.get("schema", {})
        return Answer(
            status, answer["description"], schema.get("type") == "array", self._members(schema), _pretty(content)
        )

    def _codes(self, refusal: Doc) -> tuple[str, ...]:
        (content,) = refusal["content"].values()
        examples = (self._followed(example)["value"] for example in content["examples"].values())
        return tuple(example["code"] for example in examples)

    def _parameter(self, parameter: Doc) -> Field:
        schema = {**parameter["schema"], "description": parameter.get("description", "")}
        return self._field(parameter["name"], schema, is_required=bool(parameter.get("required")))

    def _members(self, schema: Doc) -> tuple[Field, ...]:
        schema = self._followed(schema)
        if schema.get("type") == "array":
            return self._members(schema["items"])
        required = schema.get("required", ())
        return tuple(
            self._field(name, inner, is_required=name in required)
            for name, inner in schema.get("properties", {}).items()
        )

    def _field(self, name: str, schema: Doc, *, is_required: bool) -> Field:
        schema = self._followed(schema)
        limits = tuple(_limits(schema))
        return Field(name, _kind(schema), is_required, limits, schema.get("description", ""), self._members(schema))

    def _followed(self, schema: Doc) -> Doc:
        found: Any = schema
        while "$ref" in found:
            reference, found = found["$ref"], self._specification
            for part in reference.removeprefix("#/").split("/"):
                found = found[part]
        return found  # type: ignore[no-any-return]


def _pretty(content: Doc) -> str:
    return json.dumps(content["example"], indent=2, ensure_ascii=False) if "example" in content else ""


def _who(security: list[Doc]) -> str:
    schemes = {scheme for way in security for scheme in way}
    if not schemes:
        return str(gettext("Everybody"))
    if schemes == {"accessToken"}:
        return str(gettext("Whoever has an access token"))
    if schemes == {"refreshToken"}:
        return str(gettext("Whoever has a refresh token"))
    return str(gettext("Whoever has an access token or a refresh token"))


def _types(schema: Doc) -> list[str]:
    kinds = schema.get("type", "object")
    return list(kinds) if isinstance(kinds, list) else [kinds]


def _kind(schema: Doc) -> str:
    kind = _types(schema)[0]
    formats = {"uuid": gettext("id (UUID)"), "date-time": gettext("time (RFC 3339)"), "uri": gettext("address (URL)")}
    kinds = {
        "string": gettext("text"),
        "integer": gettext("whole number"),
        "boolean": gettext("true or false"),
        "array": gettext("list"),
        "object": gettext("object"),
    }
    return str(formats.get(schema.get("format", "")) or kinds[kind])


def _limits(schema: Doc) -> Iterator[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most is not None and least:
        yield gettext("%(least)d to %(most)d characters", least=least, most=most)
    elif most is not None:
        yield ngettext("at most %(num)d character", "at most %(num)d characters", most)
    if len(schema.get("enum", ())) == 1:
        yield gettext("always %(value)s", value=schema["enum"][0])
    elif "enum" in schema:
        yield gettext("one of: %(choices)s", choices=", ".join(map(str, schema["enum"])))
    if "minimum" in schema and "maximum" in schema:
        yield gettext("%(least)d to %(most)d", least=schema["minimum"], most=schema["maximum"])
    if schema.get("default") not in (None, ""):
        yield gettext("if left out: %(value)s", value=schema["default"])
    if "null" in _types(schema):
        yield gettext("may be null")
