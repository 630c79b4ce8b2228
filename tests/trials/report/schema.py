"""JSON Schema as far as CDISC's schema of the Analysis Results Standard uses it, and the rule that references lead somewhere."""

import json
from pathlib import Path

KEYWORDS = {"$ref", "type", "required", "properties", "additionalProperties", "enum", "anyOf", "items", "const", "maxItems",
            "$defs", "$id", "$schema", "$comment"}  # fmt: skip
KINDS = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": (int, float)}
SCHEMA = json.loads((Path(__file__).parent / "ars_schema.json").read_text())


def faults(value, rule=SCHEMA, where="$", root=SCHEMA):
    """What is wrong, each with its place; nothing: valid."""
    unknown = set(rule) - KEYWORDS
    assert not unknown, unknown
    if "$ref" in rule:
        return faults(value, root["$defs"][rule["$ref"].removeprefix("#/$defs/")], where, root)
    if "anyOf" in rule:
        each = [faults(value, one, where, root) for one in rule["anyOf"]]
        return [] if any(not one for one in each) else [f"{where}: none of {len(each)}: {each}"]
    found = []
    if "type" in rule:
        kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
        fits = any(
            (kind == "null" and value is None)
            or (kind != "null" and isinstance(value, KINDS[kind]) and not (isinstance(value, bool) and kind != "boolean"))
            for kind in kinds
        )  # fmt: skip
        if not fits:
            return [f"{where}: {type(value).__name__} instead of {kinds}"]
    if "enum" in rule and value not in rule["enum"]:
        found.append(f"{where}: {value!r} is none of {rule['enum']}")
    if "const" in rule and value != rule["const"]:
        found.append(f"{where}: {value!r}")
    if isinstance(value, dict):
        held = rule.get("properties", {})
        found += [f"{where}: no {name}" for name in rule.get("required", []) if name not in value]
        if rule.get("additionalProperties", True) is False:
            found += [f"{where}: {name} is not known" for name in value if name not in held]
        for name, one in value.items():
            if name in held:
                found += faults(one, held[name], f"{where}.{name}", root)
    if isinstance(value, list):
        if len(value) > rule.get("maxItems", len(value)):
            found.append(f"{where}: {len(value)} items")
        for number, one in enumerate(value):
            found += faults(one, rule.get("items", {}), f"{where}[{number}]", root)
    return found


def dangling(event):
    """References to what is not there, and identifiers that stand twice."""
    ids, used = [], []

    def walk(value):
        if isinstance(value, dict):
            for name, one in value.items():
                if name == "id":
                    ids.append(one)
                elif name.endswith("Id") and isinstance(one, str):
                    used.append(one)
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk(event)
    twice = {one for one in ids if ids.count(one) > 1}
    return (set(used) - set(ids)) | twice
