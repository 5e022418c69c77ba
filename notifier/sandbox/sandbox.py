"""The whole sandbox as one thing that starts, stops, and hands out phones."""

import random
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import NotFound

from notifier import clock
from notifier.sandbox import desk
from notifier.sandbox.acts import acts
from notifier.sandbox.agenda import Agenda
from notifier.sandbox.book import Book
from notifier.sandbox.calls import Switchboard
from notifier.sandbox.faults import Part, Sky, Weather
from notifier.sandbox.numbering import e164
from notifier.sandbox.numbers import Numbers
from notifier.sandbox.pages import pages
from notifier.sandbox.phones import Phone
from notifier.sandbox.post import Alert, Post, Receipts
from notifier.sandbox.rates import Rates
from notifier.sandbox.records import Call, Direction, Person, Text
from notifier.sandbox.refusals import Refusal
from notifier.sandbox.rest import messages_and_calls
from notifier.sandbox.rest_account import account_and_numbers
from notifier.sandbox.server import Server
from notifier.sandbox.texts import Texts, keep_schedule


class Sandbox:
    """A double of Twilio for one account, with a pocket phone behind every number.

    `public_base_url` is where texts and calls go whose number says nothing else; it may be set later.
    `state_file` keeps everything across runs. `words_per_second` None: speech takes no time, as tests like it.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        public_base_url: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        state_file: Path | str | None = None,
        api_key: str = "",
        api_secret: str = "",
        words_per_second: float | None = None,
        seed: int = 1,
    ) -> None:
        self.account_sid, self.host, self.port = account_sid, host, port
        self.keys = {account_sid: auth_token, **({api_key: api_secret} if api_key else {})}
        self.born = clock.now()
        self.slowness = 2.0
        self.in_flight: set[int] = set()  # the threads that answer the REST API now
        self.stopping = threading.Event()
        self.looked_up: list[str] = []  # numbers of which the kind of line was asked: each cost money
        self.sky = Sky()
        self.book = Book(Path(state_file) if state_file else None)
        self.agenda = Agenda()
        self.post = Post(auth_token, self.agenda, random.Random(seed))
        self.numbers = Numbers(self.book, public_base_url)
        self.texts = Texts(account_sid, self.book, self.agenda, self.post, self.numbers)
        self.switchboard = Switchboard(account_sid, self.book, self.agenda, self.post, self.numbers, words_per_second)
        self.app = self._app()
        self._server: Server | None = None

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serves from a thread; Misconfigured if the port is taken."""
        self._server = Server(self.host, self.port, self.app)
        self.port = self._server.port
        self.switchboard.base_url = self.url
        self._server.start()
        keep_schedule(self.texts)

    def stop(self) -> None:
        """Leaves nothing behind: no thread, no socket, no open file."""
        self.stopping.set()
        with self.book.changed:
            self.book.changed.notify_all()
        if self._server:
            self._server.stop()
        self.agenda.stop()
        self.post.close()
        self.book.close()

    @property
    def url(self) -> str:
        """Where the REST API and the phone page are."""
        return f"http://{self.host}:{self.port}"

    @property
    def public_base_url(self) -> str:
        """The service as Twilio reaches it."""
        return self.numbers.public_base_url

    @public_base_url.setter
    def public_base_url(self, url: str) -> None:
        self.numbers.public_base_url = url

    @property
    def weather(self) -> Weather:
        """What becomes of requests to the REST API until it changes."""
        return self.sky.weather

    @weather.setter
    def weather(self, weather: Weather | str) -> None:
        self.sky.weather = Weather(weather)

    def weather_over(self, part: Part | str, weather: Weather | str) -> None:
        """What becomes of requests to one part of Twilio until it changes, while it is fair over all of it."""
        self.sky.over[Part(part)] = Weather(weather)

    def fault(self, kind: Weather | str | int, times: int = 1, to: str | None = None) -> None:
        """Spoils the next `times` creations of a text or call, or of those to one number; a code refuses with it."""
        self.sky.expect(kind if isinstance(kind, int) else Weather(kind), times, e164(to) if to else None)

    @property
    def receipts(self) -> Receipts:
        """How status callbacks travel."""
        return self.post.receipts

    @receipts.setter
    def receipts(self, receipts: Receipts) -> None:
        self.post.receipts = receipts

    @property
    def rates(self) -> Rates:
        """How fast texts and calls go out."""
        return self.texts.rates

    @rates.setter
    def rates(self, rates: Rates) -> None:
        self.texts.rates = self.switchboard.rates = rates

    @property
    def alerts(self) -> list[Alert]:
        """Webhooks that went wrong, as Twilio's debugger lists them."""
        return list(self.post.alerts)

    @property
    def sent(self) -> list[Text]:
        """Every text that the REST API ever accepted."""
        return [text for text in self.book.texts.all() if text.direction is Direction.API]

    @property
    def calls(self) -> list[Call]:
        """Every call, also the legs that were dialled."""
        return self.book.calls.all()

    def repeat(self, sid: str) -> None:
        """Posts an inbound text to the service once more."""
        self.texts.repeat(sid)

    def own(self, *numbers: str) -> None:
        """Makes these numbers ours."""
        for number in numbers:
            self.numbers.own(number)

    def phone(self, number: str) -> Phone:
        """The phone with this number; Refusal if no such number can exist."""
        known = e164(number)
        if known is None:
            raise Refusal(21211, number)
        return Phone(known, self.book, self.texts, self.switchboard, self.settle)

    def introduce(self, people: Iterable[Person]) -> None:
        """Makes this the phone book, in this order; the numbers of the pharmacy become ours."""
        wanted = {person.number: person for person in people}
        self.own(*(person.number for person in wanted.values() if person.role == desk.SERVICE))
        for known in self.book.people.all():
            self.book.people.drop(known.number)
        for person in wanted.values():
            self.book.people.put(person)

    def settle(self, timeout: float = 10, *, late: bool = False) -> None:
        """Returns when all that waits for no person has happened; TimeoutError if that takes longer.

        Delays are skipped; waits that have lasted long enough by the product's clock end; with `late`, callbacks
        that were to come late come now.
        """
        deadline = time.monotonic() + timeout
        self.texts.release()
        self.agenda.settle(timeout, late=late)
        while self.switchboard.catch_up():
            self.agenda.settle(max(deadline - time.monotonic(), 0.1))

    def _app(self) -> Flask:
        app = Flask("notifier.sandbox")
        app.config["PROPAGATE_EXCEPTIONS"] = True  # the server turns a dropped connection into silence
        app.json.sort_keys = False  # type: ignore[attr-defined]
        for part in (messages_and_calls, account_and_numbers, pages, acts):
            app.register_blueprint(part(self))

        @app.errorhandler(NotFound)
        def not_found(error: NotFound) -> tuple[Response, int]:
            refusal = Refusal(20404, request.path, 404)
            return jsonify(refusal.as_json()), 404

        return app
