"""Cuts a CRD's schema down to the fields of a manifest: `python -m tests.crd_cut CRD.yaml MANIFEST.yaml`.

What is left rejects every other field. It keeps what the CRD requires, its types, limits and enumerations.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

KEPT = ("type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "maxItems", "format")
EITHER = "x-kubernetes-int-or-string"


def cut(schema: dict[str, Any], value: Any) -> dict[str, Any]:
    """The part of a schema that a value touches."""
    found = {key: schema[key] for key in KEPT if key in schema}
    if schema.get(EITHER):
        found["type"] = ["integer", "string"]
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        assert value.keys() <= known.keys(), value.keys() - known.keys()
        found["properties"] = {name: cut(known[name], inner) for name, inner in sorted(value.items())}
        found |= {"required": schema.get("required", []), "additionalProperties": False}
    elif isinstance(value, dict) and "additionalProperties" in schema:
        found["additionalProperties"] = cut(schema["additionalProperties"], None)
    elif isinstance(value, list) and value:
        parts = [cut(schema["items"], inner) for inner in value]
        found["items"] = parts[0]
        for part in parts[1:]:
            found["items"] = joined(found["items"], part)
    return found


def joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The parts that either value touches."""
    if "properties" not in one or "properties" not in other:
        return {**one, **other}
    both = one["properties"], other["properties"]
    names = sorted(both[0].keys() | both[1].keys())
    properties = {
        name: joined(both[0].get(name, both[1].get(name)), both[1].get(name, both[0].get(name)))
        for name in names
    }
    return {**one, "properties": properties}


def main() -> None:
    crd, manifest = (yaml.safe_load(Path(path).read_text()) for path in sys.argv[1:])
    (version,) = (one for one in crd["spec"]["versions"] if one["name"] == "v1alpha1")
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {"type": "object"}  # the API server's own
    sys.stdout.write(json.dumps(cut(schema, manifest), indent=1) + "\n")


if __name__ == "__main__":
    main()
