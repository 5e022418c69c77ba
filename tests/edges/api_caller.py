"""Another system that calls the API. Every answer it gets is held against the OpenAPI document."""

import json
import re
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from werkzeug.test import TestResponse

from webhooks.api.openapi import description

# What the words of the API look like: a field may hold anything that its schema allows, in these formats too.
FORMATS = FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)
def _utc(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value) is not None


@dataclass
class Caller:
    """A system with a token. Its methods answer as Flask's client does."""

    client: FlaskClient
    token: str | None

    def get(self, path: str, **query: object) -> TestResponse:
        return self._call("GET", path, query_string=query)

    def post(self, path: str, body: Any = None, key: str | None = None) -> TestResponse:
        headers = {"Idempotency-Key": key} if key else {}
        return self._call("POST", path, json=body, headers=headers)

    def patch(self, path: str, body: Any) -> TestResponse:
        return self._call("PATCH", path, json=body)

    def raw(self, method: str, path: str, **request: Any) -> TestResponse:
        return self._call(method, path, **request)

    def _call(self, method: str, path: str, headers: dict[str, str] | None = None, **request: Any) -> TestResponse:
        headers = dict(headers or {})
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if request.get("json", ...) is None:
            del request["json"]
        answer = self.client.open(f"/api/v1{path}", method=method, headers=headers, **request)
        conforms(method, path, answer)
        return answer


def conforms(method: str, path: str, answer: TestResponse) -> None:
    """The answer is one that the document promises: its status, its media type, its shape."""
    document = description()
    operation = _operation(document, method, path)
    if operation is None:  # an address that does not exist: a problem all the same
        assert answer.status_code in (404, 405), answer.text
        promised = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    else:
        response = operation["responses"].get(str(answer.status_code))
        assert response is not None, f"{method} {path} promises no {answer.status_code}: {answer.text}"
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        promised = response["content"]
    assert answer.mimetype in promised, answer.mimetype
    schema = {**promised[answer.mimetype]["schema"], "components": document["components"]}
    Draft202012Validator(schema, format_checker=FORMATS).validate(json.loads(answer.text))


def _operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    for template, methods in document["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[0-9a-f-]{36}", template)
        if re.fullmatch(pattern, f"/api/v1{path}"):
            return methods.get(method.lower())
    return None


def wrong_fields(answer: TestResponse) -> dict[str, str]:
    """The fields that a 422 names, with what is wrong."""
    assert answer.status_code == 422, answer.text
    return {error["field"]: error["detail"] for error in answer.json["errors"]}
