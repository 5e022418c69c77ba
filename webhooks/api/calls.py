"""One call of the API: who asks, what they sent, one transaction, one answer; and the table of all calls.

A view is a function of `Ask`, its body or query and the ids in its address; it returns what it tells.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid5

from flask import Blueprint, Response, request
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs import queue
from notifier import access, clock, idempotency, journal, runtime
from notifier.catalog import Catalog
from notifier.core.vocabulary import Scope
from notifier.errors import Invalid
from notifier.models import ApiToken, IdempotentCall, Patient
from notifier.tickets import Actor
from webhooks.api import problems
from webhooks.api.problems import Problem, Trouble, problem

LARGEST_BODY = 1_000_000
LONGEST_KEY = 255

bp = Blueprint("api", __name__, url_prefix="/api/v1", template_folder="templates")

# What a token's scope lets it do beside its own name.
IMPLIES: dict[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.READ, Scope.WRITE}),
    Scope.TICKETS: frozenset({Scope.TICKETS}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True)
class Ask:
    """What every view is given: an open session, who asks and when."""

    session: Session
    by: Actor
    now: datetime
    catalog: Catalog
    nonce: str | None = None  # the same for a repeated call, when it has an Idempotency-Key

    @property
    def doing(self) -> dict[str, Any]:
        """What a verb of enrolment is told beside its own: the catalog, who does it and when."""
        return {"catalog": self.catalog, "by": self.by.name, "now": self.now}

    def reads(self, *patients: Patient) -> None:
        """Leave a line in each patient's journal: who read about them. The call must be `journalled`."""
        for patient in patients:
            journal.note(self.session, patient, "patient.viewed", now=self.now, by=self.by.name)


@dataclass(frozen=True)
class Answer:
    """What a view tells with another status than its usual one."""

    told: BaseModel
    status: int


@dataclass(frozen=True)
class Call:
    """One line of the table: a method, an address and what goes in and out."""

    method: str
    path: str
    view: Callable[..., Any]
    scopes: tuple[Scope, ...]  # any of these will do
    tag: str
    answers: type[BaseModel]
    status: int
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    also: dict[int, str]  # further statuses and what they mean
    journalled: bool  # reading leaves a line in the journal

    @property
    def name(self) -> str:
        """The operation's name, unique in the table."""
        return f"{self.view.__module__.rpartition('.')[2]}_{self.view.__name__}"

    @property
    def changes(self) -> bool:
        """Whether this call may change anything that a patient or a nurse would notice."""
        return self.method != "GET"


CALLS: list[Call] = []


def call(
    method: str,
    path: str,
    *scopes: Scope,
    tag: str,
    answers: type[BaseModel],
    status: int = 200,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    also: dict[int, str] | None = None,
    journalled: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a view into the table and on the web."""

    def register(view: Callable[..., Any]) -> Callable[..., Any]:
        entry = Call(method, path, view, scopes, tag, answers, status, body, query, also or {}, journalled)
        CALLS.append(entry)
        bp.add_url_rule(path, entry.name, lambda **ids: _serve(entry, ids), methods=[method])
        return view

    return register


# --- one request --------------------------------------------------------------------------------------------------


def _serve(entry: Call, ids: dict[str, Any]) -> Response:
    request.max_content_length = LARGEST_BODY
    token = _token(entry)
    sent: dict[str, BaseModel] = {}
    if entry.query:
        sent["query"] = _query(entry.query)
    if entry.body:
        sent["body"] = _body(entry.body)
    key = _idempotency_key() if entry.method == "POST" else None
    try:
        response = _answer(entry, token, key, ids, sent)
    except IntegrityError:
        # Another request took the same unique key while we looked. Once more: now we see what it made.
        response = _answer(entry, token, key, ids, sent)
    if entry.changes:
        queue.ring()
    return response


def _answer(entry: Call, token: ApiToken, key: str | None, ids: dict[str, Any], sent: dict[str, BaseModel]) -> Response:
    now = clock.now()
    with runtime.transaction() if entry.changes or entry.journalled else runtime.reading() as session:
        books = None
        if key is not None:
            books = _books(session, token, key, _what_is_asked(entry, ids, sent), now)
            if books.status is not None:
                return _respond(books.status, books.response or "", {"Idempotent-Replayed": "true"})
        ask = Ask(session, Actor(token.name), now, runtime.current().catalog, key and str(uuid5(token.id, key)))
        told = entry.view(ask, **sent, **ids)
        answer = told if isinstance(told, Answer) else Answer(told, entry.status)
        text = answer.told.model_dump_json(exclude_none=isinstance(answer.told, Problem))
        if books is not None:
            idempotency.finish(books, answer.status, text)
    return _respond(answer.status, text)


def _books(session: Session, token: ApiToken, key: str, asked: str, now: datetime) -> IdempotentCall:
    try:
        return idempotency.begin(session, token.id, key, asked, now=now)
    except Invalid as error:
        raise Trouble(problems.invalid(problems.elsewhere(error.fields))) from None


def _respond(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    kind = "application/json" if status < 400 else problems.MEDIA_TYPE
    return Response(text, status=status, mimetype=kind, headers=headers)


def _what_is_asked(entry: Call, ids: dict[str, Any], sent: dict[str, BaseModel]) -> str:
    body = sent["body"].model_dump(mode="json") if "body" in sent else None
    given = sorted(sent["body"].model_fields_set) if "body" in sent else []
    return json.dumps([entry.name, {name: str(value) for name, value in ids.items()}, given, body], sort_keys=True)


# --- what was sent ------------------------------------------------------------------------------------------------


def _token(entry: Call) -> ApiToken:
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not presented.strip():
        raise Trouble(problem(401), {"WWW-Authenticate": 'Bearer realm="notifier"'})
    with runtime.reading() as session:
        token = access.token(session, presented.strip())
    if token is None:
        raise Trouble(problem(401), {"WWW-Authenticate": 'Bearer realm="notifier", error="invalid_token"'})
    held = frozenset().union(*(IMPLIES[Scope(scope)] for scope in token.scopes))
    if held.isdisjoint(entry.scopes):
        needed = " ".join(entry.scopes)
        raise Trouble(
            problem(403, f"This call needs a token with the scope {' or '.join(entry.scopes)}."),
            {"WWW-Authenticate": f'Bearer realm="notifier", error="insufficient_scope", scope="{needed}"'},
        )
    return token


def _body(model: type[BaseModel]) -> BaseModel:
    raw = request.get_data()
    if raw and request.mimetype != "application/json":
        raise Trouble(problem(415), {"Accept": "application/json"})
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            raise Trouble(problem(400)) from None
        raise Trouble(problems.invalid(problems.from_validation(error))) from None


def _query(model: type[BaseModel]) -> BaseModel:
    try:
        return model.model_validate(request.args.to_dict(), strict=False)
    except ValidationError as error:
        raise Trouble(problems.invalid(problems.from_validation(error, parameters=True))) from None


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        reason = f"must have 1 to {LONGEST_KEY} printable ASCII characters"
        raise Trouble(problems.invalid(problems.elsewhere({"Idempotency-Key": reason})))
    return key
