"""A small service for the sandbox to talk to: it checks every signature, notes every request, says what it is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, Response, request
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from notifier.sandbox import Receipts, Sandbox
from notifier.sandbox.server import Server

SID, TOKEN = "AC" + "5" * 32, "an auth token"
PHARMACY, ADA, NIA, BO = "+15035550199", "+15035550101", "+15035550111", "+15035550112"


@dataclass(frozen=True)
class Heard:
    """One request that the service got."""

    path: str
    form: dict[str, str]
    token: str

    def __getitem__(self, name: str) -> str:
        return self.form[name]


@dataclass
class Service:
    """The service: `says[path]` is its answer there, TwiML or a function of the form; anything else is empty TwiML."""

    base: str = ""
    heard: list[Heard] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)
    says: dict[str, str | tuple[str, int] | Callable[[dict[str, str]], str]] = field(default_factory=dict)

    def at(self, path: str) -> list[Heard]:
        """The requests that came to this path."""
        return [one for one in self.heard if one.path == path]

    def statuses(self, path: str) -> list[str]:
        """The message or call states told to this path, in the order of their arrival."""
        return [one.form.get("MessageStatus") or one.form["CallStatus"] for one in self.at(path)]

    def app(self) -> Flask:
        """The web application."""
        app = Flask("service")

        @app.route("/<path:path>", methods=["GET", "POST"])
        def answer(path: str) -> Response:
            query = request.query_string.decode()
            url = f"{self.base}/{path}" + (f"?{query}" if query else "")
            form = request.form if request.method == "POST" else {}
            if not RequestValidator(TOKEN).validate(url, form, request.headers.get("X-Twilio-Signature", "")):
                self.unsigned.append(url)
            fields = request.values.to_dict()
            self.heard.append(Heard(f"/{path}", fields, request.headers["I-Twilio-Idempotency-Token"]))
            said = self.says.get(f"/{path}", "<Response/>")
            said = said(fields) if callable(said) else said
            body, status = said if isinstance(said, tuple) else (said, 200)
            return Response(body, status, mimetype="text/xml")

        return app


@contextmanager
def service() -> Iterator[Service]:
    """A running service."""
    one = Service()
    server = Server("127.0.0.1", 0, one.app())
    one.base = f"http://127.0.0.1:{server.port}"
    server.start()
    yield one
    server.stop()
    assert not one.unsigned, f"wrongly signed: {one.unsigned}"


@contextmanager
def client_of(sandbox: Sandbox, user: str = SID, secret: str = TOKEN, seconds: float = 5) -> Iterator[Client]:
    """The unmodified client of the twilio package, pointed at the sandbox."""
    http = TwilioHttpClient(timeout=seconds)
    client = Client(user, secret, SID, http_client=http)
    client.api.base_url = client.lookups.base_url = sandbox.url
    yield client
    http.session.close()


@contextmanager
def sandbox_for(one: Service, **settings: object) -> Iterator[Sandbox]:
    """A sandbox without delays, which posts to this service, and of which nothing is left afterwards."""
    before = set(threading.enumerate())
    sandbox = Sandbox(SID, TOKEN, public_base_url=one.base, **settings)
    sandbox.receipts = Receipts(delay=0)
    sandbox.start()
    yield sandbox
    sandbox.stop()
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("sandbox")]
    assert not left, f"threads left behind: {left}"
