"""Says a JSON schema in words, for models whose server enforces a schema without showing it to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

UNKNOWN = "value"


def describe(schema: Mapping[str, Any]) -> str:
    """The schema's form with its properties' descriptions, such as `{"cities": [string, …] (two or three)}`."""
    return _form(schema, schema.get("$defs") or {}, ())


def _form(schema: Any, definitions: Mapping[str, Any], open_names: tuple[str, ...]) -> str:
    match schema:
        case {"enum": list(values)}:
            return " or ".join(map(_json, values))
        case {"const": value}:
            return _json(value)
        case {"$ref": str(reference)}:
            name = reference.removeprefix("#/$defs/")
            # A definition inside itself would never end.
            return UNKNOWN if name in open_names else _form(definitions.get(name), definitions, (*open_names, name))
        case {"anyOf": list(choices)}:
            return " or ".join(_form(choice, definitions, open_names) for choice in choices)
        case {"properties": Mapping() as properties}:
            fields = (f"{_json(name)}: {_field(part, definitions, open_names)}" for name, part in properties.items())
            return f"{{{', '.join(fields)}}}"
        case {"type": "array"}:
            return f"[{_form(schema.get('items'), definitions, open_names)}, …]"
        case {"type": list(kinds)}:
            return " or ".join(kinds)
        case {"type": str(kind)}:
            return kind
        case _:
            return UNKNOWN


def _field(schema: Any, definitions: Mapping[str, Any], open_names: tuple[str, ...]) -> str:
    note = schema.get("description") if isinstance(schema, Mapping) else None
    form = _form(schema, definitions, open_names)
    return f"{form} ({note})" if note else form


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
