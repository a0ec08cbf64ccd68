"""Makes a JSON schema strict, the form that OpenAI's structured outputs and functions demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.errors import UserError

# Keywords that describe a value without limiting it: where a reference and its target both have one, the nearer wins.
ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}
)

HOW_TO_ALLOW = (
    "Change the type, or give up strictness: strict_mode=False for a tool, "
    "AgentOutputSchema(type, strict_json_schema=False) for an output."
)


def strict_json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A strict copy of `schema`: objects are closed, all their properties required.

    References beside other keywords are replaced by what they refer to, `oneOf` becomes `anyOf`, a lone
    `allOf` is merged into its parent and defaults of `None` go. Making a strict schema strict changes nothing.
    Raises `UserError` naming the part that has no strict form.
    """
    if not schema:
        return {"additionalProperties": False, "type": "object", "properties": {}, "required": []}
    strict = _convert(schema, _Place(root=schema))
    if "anyOf" in strict:
        raise UserError(f"The root of a strict schema must be one object, not a choice (`anyOf`). {HOW_TO_ALLOW}")
    if isinstance(strict.get("type"), list):
        raise UserError(f"The root of a strict schema must be an object, not one of {strict['type']}. {HOW_TO_ALLOW}")
    return strict


@dataclass(frozen=True)
class _Place:
    """Where in the schema the conversion is."""

    root: Mapping[str, Any]
    path: tuple[str, ...] = ()
    inlined: tuple[str, ...] = ()
    """References whose targets enclose this place because they were inlined."""

    def child(self, *names: str) -> _Place:
        return replace(self, path=self.path + names)

    def definition(self, *names: str) -> _Place:
        # A definition is a tree of its own, even where the root was made by inlining one.
        return _Place(self.root, self.path + names)

    def __str__(self) -> str:
        return f"`{'.'.join(self.path)}`" if self.path else "the root"


def _convert(schema: Any, place: _Place) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise UserError(f"The schema at {place} must be an object, not {schema!r}.")
    strict = {keyword: value for keyword, value in schema.items() if keyword != "default" or value is not None}
    if "$ref" in strict and len(strict) > 1:
        return _convert_reference(strict, place)
    if isinstance(strict.get("allOf"), list) and len(strict["allOf"]) == 1:
        return _convert_lone_all_of(strict, place)
    _close(strict, place)
    _convert_parts(strict, place)
    return strict


def _close(strict: dict[str, Any], place: _Place) -> None:
    """Allow the object's own properties only, and require them all."""
    has_properties = isinstance(strict.get("properties"), Mapping)
    if has_properties:
        strict.setdefault("type", "object")
    if strict.get("additionalProperties", False) is not False:
        raise UserError(f"A strict schema cannot have an object with free keys, as at {place}. {HOW_TO_ALLOW}")
    if strict.get("type") == "object" or (isinstance(strict.get("type"), list) and "object" in strict["type"]):
        strict["additionalProperties"] = False
    if has_properties:
        strict["required"] = list(strict["properties"])


def _convert_parts(strict: dict[str, Any], place: _Place) -> None:
    for keyword in ("$defs", "definitions"):
        if isinstance(strict.get(keyword), Mapping):
            strict[keyword] = {
                name: _convert(part, place.definition(keyword, name)) for name, part in strict[keyword].items()
            }
    if isinstance(strict.get("properties"), Mapping):
        strict["properties"] = {
            name: _convert(part, place.child("properties", name)) for name, part in strict["properties"].items()
        }
    if isinstance(strict.get("items"), Mapping):
        strict["items"] = _convert(strict["items"], place.child("items"))
    if isinstance(strict.get("oneOf"), list):
        strict["anyOf"] = [*strict.get("anyOf", []), *strict.pop("oneOf")]
    for keyword in ("anyOf", "allOf"):
        if isinstance(strict.get(keyword), list):
            strict[keyword] = [
                _convert(part, place.child(keyword, str(index))) for index, part in enumerate(strict[keyword])
            ]


def _convert_reference(strict: dict[str, Any], place: _Place) -> dict[str, Any]:
    """Put the target in place of a reference that has other keywords beside it, which OpenAI does not accept."""
    reference = strict.pop("$ref")
    if reference in place.inlined:
        raise UserError(f"The schema at {place} contains itself: `{reference}` cannot be inlined. {HOW_TO_ALLOW}")
    target = _resolve(reference, place)
    return _convert(_merge(strict, target, place), replace(place, inlined=(*place.inlined, reference)))


def _convert_lone_all_of(strict: dict[str, Any], place: _Place) -> dict[str, Any]:
    (part,) = strict.pop("allOf")
    inner = _convert(part, place.child("allOf", "0"))
    if set(inner) == {"$ref"}:
        return _convert_reference({**strict, **inner}, place)
    return _convert(_merge(strict, inner, place), place)


def _merge(outer: Mapping[str, Any], inner: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    clashing = sorted(
        keyword for keyword in outer.keys() & inner.keys() - ANNOTATIONS if outer[keyword] != inner[keyword]
    )
    if clashing:
        keywords = ", ".join(clashing)
        raise UserError(f"The schema at {place} and the one merged into it disagree on {keywords}. {HOW_TO_ALLOW}")
    return {**outer, **inner, **outer}


def _resolve(reference: Any, place: _Place) -> Mapping[str, Any]:
    found: Any = place.root
    if not isinstance(reference, str) or not reference.startswith("#/"):
        raise UserError(f"The reference {reference!r} at {place} must point into the schema itself, as `#/$defs/Name`.")
    for name in reference.removeprefix("#/").split("/"):
        name = name.replace("~1", "/").replace("~0", "~")  # JSON pointer's escapes
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise UserError(f"The reference `{reference}` at {place} points at no schema.")
    return found
