"""The description of the API, made from the table of calls and the models: OpenAPI 3.1, and a page."""

import json
import re
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from flask import Response, jsonify, render_template
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from webhooks.api.calls import CALLS, Call, bp
from webhooks.api.problems import KINDS, MEDIA_TYPE, Problem

ABOUT = """\
Times are ISO 8601 with an offset; answers are in UTC and end in `Z`. Phones are E.164, languages BCP 47, time zones
IANA names. Unknown fields are refused, so that a typing error is not a silent loss.

Every call needs `Authorization: Bearer TOKEN`. Scopes: `read` reads everything; `write` reads, and changes patients and
plans; `tickets` reads and works tickets; `admin` does all. Reading a patient, plans or messages leaves a line in
the patient's journal.

A POST with an `Idempotency-Key` that was answered before is answered again in the same words (with the header
`Idempotent-Replayed: true`) and does nothing. The same key for another request is refused with 422; while the first is
still at work, with 409. A call that was refused changed nothing and leaves its key free.

An `external_id` is unique in its site: posting it again answers 200 with what stands if it is equal, 409 if not.

Whoever agrees to messages is shown the safety note first. `GET /safety-note` has it in each language with its version,
as a page, or for a form of your own with `Accept: application/json`; it needs no token.

Lists are `{"items": [...], "next": CURSOR or null}`; give `next` back as `cursor` for the next page.
"""
PROBLEMS = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)
NEEDS_NO_BODY = (400, 413, 415)


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for entry in CALLS:
        paths.setdefault("/api/v1" + address(entry), {})[entry.method.lower()] = _operation(entry, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "notifier", "version": version("notifier"), "description": ABOUT},
        "tags": [{"name": tag} for tag in dict.fromkeys(entry.tag for entry in CALLS)],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {
                str(status): {
                    "description": KINDS[status][2],
                    "content": {MEDIA_TYPE: {"schema": _ref(Problem)}},
                }
                for status in PROBLEMS
            },
        },
    }


def address(entry: Call) -> str:
    """The call's address as OpenAPI writes it: /patients/{patient_id}."""
    return re.sub(r"<uuid:(\w+)>", r"{\1}", entry.path)


def _schemas() -> dict[str, Any]:
    asked = {entry.body for entry in CALLS if entry.body}
    told = {entry.answers for entry in CALLS} | {Problem}
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in asked]
    models += [(model, "serialization") for model in told]
    models.sort(key=lambda one: one[0].__name__)
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}")
    return dict(found["$defs"])


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _operation(entry: Call, schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": entry.name,
        "summary": _summary(entry),
        "description": f"Scope: {' or '.join(f'`{scope}`' for scope in entry.scopes)} (or `admin`).",
        "tags": [entry.tag],
        "parameters": [*_in_address(entry), *_in_query(entry), *_in_headers(entry)],
        "responses": _responses(entry),
    }
    if entry.body:
        needed = bool(schemas[entry.body.__name__].get("required"))
        found["requestBody"] = {
            "required": needed,
            "content": {"application/json": {"schema": _ref(entry.body)}},
        }
    return found


def _summary(entry: Call) -> str:
    return (entry.view.__doc__ or "").strip().partition("\n")[0]


def _in_address(entry: Call) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in re.findall(r"<uuid:(\w+)>", entry.path)
    ]


def _in_query(entry: Call) -> list[dict[str, Any]]:
    if entry.query is None:
        return []
    schema = entry.query.model_json_schema(ref_template="#/components/schemas/{model}")
    return [
        {"name": name, "in": "query", "required": False, **_parameter(field, schema.get("$defs", {}))}
        for name, field in schema["properties"].items()
    ]


def _parameter(field: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not, but never null; what it refers to stands in its place."""
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    schema = {name: value for name, value in kinds[0].items() if name not in ("title", "description")}
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    if field.get("default") is not None:
        schema = {**schema, "default": field["default"]}
    found = {"schema": schema}
    return {**found, "description": field["description"]} if "description" in field else found


def _in_headers(entry: Call) -> list[dict[str, Any]]:
    if entry.method != "POST":
        return []
    about = "makes a repeated call harmless: it is answered as the first one was"
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return [{"name": "Idempotency-Key", "in": "header", "required": False, "description": about, "schema": schema}]


def _responses(entry: Call) -> dict[str, Any]:
    meanings = {entry.status: "Done." if entry.changes else "Found."} | entry.also
    found: dict[str, Any] = {
        str(status): {"description": meaning, "content": _content(entry, status)}
        for status, meaning in meanings.items()
    }
    for status in PROBLEMS:
        if entry.body or status not in NEEDS_NO_BODY:
            found.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    return found


def _content(entry: Call, status: int) -> dict[str, Any]:
    if status < 400:
        return {"application/json": {"schema": _ref(entry.answers)}}
    return {MEDIA_TYPE: {"schema": _ref(Problem)}}


# --- for readers --------------------------------------------------------------------------------------------------


@bp.get("/openapi.json")
def as_json() -> Response:
    """The document, for programs."""
    return jsonify(description())


@bp.get("/docs")
def as_page() -> str:
    """The document, for people."""
    document = description()
    return render_template(
        "api/docs.html",
        document=document,
        operations=_by_tag(document),
        problems=KINDS,
        fields=_fields,
        inquiries=_inquiries,
    )


def _by_tag(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append({"method": method.upper(), "path": path, **operation})
    return found


def _inquiries(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters of one call as rows of a table."""
    return [
        {"name": one["name"], "type": _type(one["schema"]), "meaning": _meaning({**one["schema"], **one})}
        for one in operation["parameters"]
        if one["in"] == "query"
    ]


def _fields(name: str) -> list[dict[str, Any]]:
    """The fields of one schema as rows of a table: name, type, needed or not, meaning."""
    schema = description()["components"]["schemas"][name]
    needed = schema.get("required", [])
    return [
        {
            "name": field,
            "type": _type(kind),
            "needed": field in needed,
            "shape": _shape(kind),
            "meaning": _meaning(kind),
        }
        for field, kind in schema.get("properties", {}).items()
    ]


def _meaning(kind: dict[str, Any]) -> str:
    """What a field means, and what it is when it is left out."""
    ways = [kind, *kind.get("anyOf", [])]
    meaning = next((way["description"] for way in ways if "description" in way), "")
    default = kind.get("default")
    if default in (None, "", []) or "default" in meaning:
        return str(meaning)
    return "; ".join(filter(None, [meaning, f"default: `{json.dumps(default)}`"]))


def _shape(kind: dict[str, Any]) -> str:
    """The name of the shape that a field holds, or a list of; "" for plain values."""
    inner = kind.get("items", kind)
    name = inner.get("$ref", "").rpartition("/")[2]
    return name if name and "properties" in description()["components"]["schemas"][name] else ""


def _type(kind: dict[str, Any]) -> str:
    if "$ref" in kind:
        return _named(kind["$ref"].rpartition("/")[2])
    if "anyOf" in kind:
        return " or ".join(_type(one) for one in kind["anyOf"])
    if "enum" in kind:
        return " ".join(f'"{word}"' for word in kind["enum"])
    if "const" in kind:
        return f'"{kind["const"]}"'
    if kind.get("type") == "array":
        return f"list of {_type(kind.get('items', {}))}"
    if kind.get("type") == "object":
        return "object"
    return str(kind.get("format") or kind.get("type", ""))


def _named(name: str) -> str:
    schema = description()["components"]["schemas"][name]
    return _type(schema) if "enum" in schema or "const" in schema else name
