"""JSON Schema (draft 2020-12) of what people write, right for what stands in the file: durations are texts, a key is
there or it is not.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from schemas.condition_schema import condition_definitions
from schemas.duration import write_duration
from schemas.icp import ICP
from schemas.settings import Settings
from schemas.written_values import DURATION_SCHEMA
from schemas.yaml_file import read_yaml

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""What pydantic leaves as it is where a validator comes before the bound."""


def icp_schema() -> dict[str, Any]:
    """The ICP file."""
    schema = file_schema(ICP, "Plumbline: ICP file")
    schema["$defs"] |= condition_definitions()
    return schema


def settings_schema() -> dict[str, Any]:
    """The settings file."""
    return file_schema(Settings, "Plumbline: settings file")


def file_schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The schema of a file that is read as ``model``."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    tidied = _tidied(schema)
    return {"$schema": DIALECT, **tidied, "title": title}


def _tidied(node: Any) -> Any:
    if isinstance(node, list):
        return [_tidied(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {key: _tidied(value) for key, value in node.items() if key not in ("discriminator", "title")}
    for written, meant in _BOUNDS.items():
        if isinstance(node.get(written), int | float):
            found[meant] = found.pop(written)
    if "$comment" in node:
        found["$ref"] = f"#/$defs/{found.pop('$comment')}"
    if "patternProperties" in node:
        found["additionalProperties"] = False  # keys that fit no pattern are refused, not ignored
    if "properties" in node:
        found["properties"] = {name: _property(_tidied(one)) for name, one in node["properties"].items()}
    if "$defs" in node:
        found["$defs"] = {name: _tidied(one) for name, one in node["$defs"].items()}
    return found


def _property(found: dict[str, Any]) -> dict[str, Any]:
    """One property: nothing is never a value, defaults and examples are as people write them."""
    branches = [one for one in found.get("anyOf", ()) if one != {"type": "null"}]
    if "anyOf" in found and len(branches) < len(found["anyOf"]):
        rest = {key: value for key, value in found.items() if key != "anyOf"}
        found = {**branches[0], **rest} if len(branches) == 1 else {**rest, "anyOf": branches}
    default = found.pop("default", None)
    if found.get("pattern") == DURATION_SCHEMA["pattern"] and isinstance(default, float):
        found["default"] = write_duration(default)
    elif isinstance(default, str | int | float):
        found["default"] = default
    if "examples" in found:
        found["examples"] = [read_yaml(example, "example")[0] for example in found["examples"]]
    return found
