"""What went wrong, as RFC 9457 problem details. A problem names fields and reasons, never the value that was sent."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Response
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.http import HTTP_STATUS_CODES

MEDIA_TYPE = "application/problem+json"

# status -> (the anchor on the docs page, the title, what it means)
KINDS: dict[int, tuple[str, str, str]] = {
    400: ("not-json", "Not JSON", "The body could not be read as JSON."),
    401: ("no-token", "No valid token", "Send `Authorization: Bearer TOKEN` with a token that is in force."),
    403: ("not-allowed", "Not allowed", "The token lacks the scope that this call asks for."),
    404: ("not-found", "Not found", "There is no such thing here."),
    405: ("no-such-method", "Method not allowed", "The address exists, but not for this method; see `Allow`."),
    409: ("conflict", "Conflict", "The rules or the present state do not allow this; `detail` says why."),
    413: ("too-large", "Too large", "A body may have one megabyte."),
    415: ("not-json-type", "Unsupported media type", "Send `Content-Type: application/json`."),
    422: ("invalid", "Invalid", "Some fields are wrong; `errors` names each with what is wrong about it."),
    429: ("too-many", "Too many requests", "Wait as long as `Retry-After` says."),
    500: ("fault", "A fault of ours", "Nothing was changed. Try again; if it stays, tell us when it happened."),
    503: ("away", "Away for a moment", "Nothing was changed. Try again after `Retry-After` seconds."),
}

RETRY_AFTER = {429: 1, 503: 5}  # seconds


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="a path with dots, such as caregivers.0.phone; or a parameter's or header's name")
    pointer: str | None = Field(None, description="where it stands in the body (JSON Pointer); absent elsewhere")
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(description="an address on the docs page that explains this kind of problem")
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None


class Trouble(Exception):
    """A refusal that the API itself makes; carries its problem and the headers that go with it."""

    def __init__(self, found: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(found.title)
        self.problem = found
        self.headers = dict(headers or {})


def problem(status: int, detail: str = "", errors: Sequence[FieldProblem] | None = None) -> Problem:
    """A problem of that status, with the status's usual words unless better ones are given."""
    anchor, title, meaning = KINDS.get(status, ("other", HTTP_STATUS_CODES.get(status, "Problem"), ""))
    return Problem(
        type=f"/api/v1/docs#problem-{anchor}",
        title=title,
        status=status,
        detail=detail or meaning or title,
        errors=list(errors) if errors else None,
    )


def invalid(errors: Sequence[FieldProblem], detail: str = "") -> Problem:
    """422: each wrong field with its reason."""
    return problem(422, detail or f"{len(errors)} field{'s are' if len(errors) > 1 else ' is'} wrong", errors)


def in_body(fields: Mapping[str, str]) -> list[FieldProblem]:
    """Problems of a body from {path with dots: reason}."""
    return [_in_body(name.split("."), reason) for name, reason in fields.items()]


def elsewhere(fields: Mapping[str, str]) -> list[FieldProblem]:
    """Problems of parameters and headers from {name: reason}: they have no place in the body."""
    return [FieldProblem(field=name, pointer=None, detail=reason) for name, reason in fields.items()]


def from_validation(error: ValidationError, *, parameters: bool = False) -> list[FieldProblem]:
    """Problems from pydantic's errors; none of them holds what was sent."""
    found = error.errors(include_url=False, include_input=False)
    if parameters:
        return elsewhere({_path(one["loc"]): _reason(one) for one in found})
    return [_in_body(one["loc"], _reason(one)) for one in found]


def _in_body(path: Sequence[Any], reason: str) -> FieldProblem:
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return FieldProblem(field=_path(path), pointer="#" + "".join(f"/{part}" for part in escaped), detail=reason)


def _path(parts: Iterable[Any]) -> str:
    return ".".join(map(str, parts)) or "body"


def _reason(one: Mapping[str, Any]) -> str:
    match one["type"]:
        case "missing":
            return "required"
        case "extra_forbidden":
            return "there is no such field"
        case "value_error":
            return str(one["ctx"]["error"])
        case "timezone_aware":
            return "a time needs an offset, such as 2026-12-02T10:00:00-08:00 or ...Z"
        case _:
            message = str(one["msg"])
            return message[0].lower() + message[1:]


def respond(found: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as an HTTP response."""
    body = found.model_dump_json(exclude_none=True)
    waits = {"Retry-After": str(RETRY_AFTER[found.status])} if found.status in RETRY_AFTER else {}
    return Response(body, status=found.status, mimetype=MEDIA_TYPE, headers={**waits, **(headers or {})})


def from_http(error: HTTPException) -> Response:
    """Flask's and Werkzeug's own errors, told as problems. Their words may quote the request; ours do not."""
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if isinstance(error, RequestEntityTooLarge):
        headers["Connection"] = "close"  # what is left of the body is not read
    return respond(problem(error.code or 500), headers)
