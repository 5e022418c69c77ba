"""The world of a test: real PostgreSQL, Redis, web and sandbox over HTTP, RQ run to the end, and a clock that jumps."""

import logging
import os
import threading
from datetime import UTC, datetime, timedelta

from cryptography.fernet import Fernet
from flask import Response, request
from rq import Queue, SimpleWorker
from sqlalchemy import select
from werkzeug.serving import make_server

from jobs import clock as ticking
from jobs import drain, queue, tasks
from notifier import clock as times
from notifier import enrolment, runtime, tickets
from notifier.config import Settings
from notifier.core.states import MessageState, TicketState, WatchState
from notifier.models import HandOver, Message, Ticket, Watch
from notifier.sandbox import Sandbox
from tests import twiml_rules
from tests.servers import free_port
from webhooks.console import live

logging.getLogger("werkzeug").setLevel(logging.WARNING)
KEY = Fernet.generate_key().decode()
ACCOUNT, TOKEN = "AC" + "5" * 32, "test-auth-token"


def settings_for(database_url: str, redis_url: str, web: str, twilio: str) -> dict[str, str]:
    """The environment of the product in a test."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": twilio,
        "PUBLIC_BASE_URL": web,
        "SECRET_KEY": "k" * 32,
        "ENCRYPTION_KEYS": KEY,
        "SEND_LEASE_SECONDS": "2",
        "UNCERTAIN_LOOKS": "0.2,0.5,1.5",
    }


class Clock:
    """The product's clock, frozen: it moves only when the story says so."""

    def __init__(self, start: str = "2026-11-23T14:00:00+00:00") -> None:
        self.world: World | None = None
        self.set(datetime.fromisoformat(start))

    @property
    def now(self) -> datetime:
        """The present of the story."""
        return times.now()

    def set(self, to: datetime | str) -> None:
        """Jump, without anything happening on the way."""
        instant = datetime.fromisoformat(to) if isinstance(to, str) else to
        os.environ["NOTIFIER_CLOCK"] = f"{instant.astimezone(UTC).isoformat()}@0,0"

    def passes(self, **span: float) -> None:
        """Time goes by, and what falls due on the way happens at its moment."""
        self.until(self.now + timedelta(**span))

    def until(self, target: datetime | str) -> None:
        """Time goes by up to an instant."""
        target = datetime.fromisoformat(target) if isinstance(target, str) else target
        assert self.world is not None
        self.world.settle()
        while (upcoming := self.world.next_due()) is not None and upcoming <= target:
            self.set(max(upcoming, self.now))
            self.world.settle()
        self.set(target)
        self.world.settle()


class _Worker(SimpleWorker):
    """RQ's own worker, for a burst: it hears no commands meanwhile, for which it would wait a while at its end."""

    def subscribe(self) -> None:
        """Nobody commands it."""

    def unsubscribe(self) -> None:
        """Nobody did."""


class World:
    """Everything running, in this process but for the servers."""

    def __init__(self, database_url: str, redis_url: str, clock: Clock) -> None:
        self.clock = clock
        clock.world = self
        self.rolled = self.watched = clock.now
        self.quiet_staff = False  # every ticket is acknowledged at once and never lapses, so that days pass quickly
        self.patients_are_well = False  # they say so whenever they are asked, without a word of their own
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.sandbox = Sandbox(account_sid=ACCOUNT, auth_token=TOKEN, public_base_url=self.url)
        self.sandbox.start()
        self.env = settings_for(database_url, redis_url, self.url, self.sandbox.url)
        queue.connection.cache_clear()
        from webhooks.app import create_app

        self.app = create_app(Settings.from_env({**self.env, "NOTIFIER_CLOCK": os.environ["NOTIFIER_CLOCK"]}))
        self.breaches: list[str] = []
        self.app.after_request(self._hold_to_the_rules)
        self.server = make_server("127.0.0.1", port, self.app, threaded=True)
        self.server.daemon_threads = False  # type: ignore[attr-defined]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), name="web", daemon=True)
        self.thread.start()

    def _hold_to_the_rules(self, response: Response) -> Response:
        """Everything that is said on a call keeps to Twilio's rules, in every story."""
        if request.path.startswith("/twilio/voice") and response.mimetype == "text/xml":
            body, whispers = response.get_data(as_text=True), "/whisper/" in request.path or "/take/" in request.path
            self.breaches += [f"{request.path}: {fault}" for fault in twiml_rules.breaches(body, whispers=whispers)]
        return response

    def stop(self) -> None:
        """Stop everything; leave nothing behind."""
        self.server.shutdown()
        live.end_streams()
        drain.calls.end()
        self.sandbox.stop()
        self.server.server_close()  # when the last request that came in is answered
        self.thread.join(timeout=10)
        queue.connection().flushall()
        queue.connection().close()
        queue.connection.cache_clear()
        runtime.current().engine.dispose()
        assert self.breaches == []

    # --- what happens ---

    def settle(self) -> None:
        """Let everything that is due now happen: callbacks, jobs, ticks; and what follows from it."""
        for _ in range(60):
            self.sandbox.settle()
            if self.clock.now - self.rolled >= timedelta(days=1):
                self.rolled = self.clock.now
                tasks.roll_forward()
            if self.quiet_staff:
                self.hush()
            ticking.tick()
            if not self.work() and not self._watch() and not (self.patients_are_well and self.answer()):
                return
        raise AssertionError("the world does not come to rest")

    def _watch(self) -> bool:
        """Once a minute, when all that is due has happened: shifts, rotas, the auditor. True: there is more to do."""
        if self.clock.now < self.watched + timedelta(minutes=1):
            return False
        self.watched = self.clock.now
        tasks.mind_shifts()
        tasks.watch()
        return True

    def work(self) -> int:
        """Run what waits in the queues with a real RQ worker. Returns how many jobs; a failed one fails the test."""
        line = queue.connection()
        queues = [Queue(name, connection=line) for name in (queue.URGENT, queue.BULK)]
        waiting = sum(each.count for each in queues)
        if waiting:
            _Worker(queues, connection=line).work(burst=True, logging_level="WARNING")
        assert drain.calls.wait(20), "a call to Twilio does not end"
        for each in queues:
            for job_id in each.failed_job_registry.get_job_ids():
                job = each.fetch_job(job_id)
                raise AssertionError(f"{job.func_name} failed: {job.latest_result().exc_string}")
        return waiting

    def hush(self) -> None:
        """Somebody has each open ticket, for as long as the story lasts."""
        with runtime.transaction() as session:
            for ticket in session.scalars(select(Ticket).where(Ticket.state == TicketState.OPEN)).all():
                tickets.acknowledge(session, ticket, tickets.Actor("Cora Coordinator"), now=self.clock.now)
            held = select(Ticket).where(Ticket.state == TicketState.ACKNOWLEDGED)
            for ticket in session.scalars(held).all():
                ticket.ack_expires_at = self.clock.now + timedelta(days=365)

    def answer(self) -> int:
        """Every question that has left is answered: all is well. Returns how many."""
        with runtime.transaction() as session:
            asked = session.scalars(
                select(Message).where(
                    Message.sent_at.is_not(None), Message.answered_at.is_(None), Message.prompt.is_not(None)
                )
            ).all()
            how = {"by": "patient", "catalog": runtime.current().catalog, "now": self.clock.now}
            return sum(enrolment.answer(session, message, ["OK_FINE"], **how) for message in asked)

    def next_due(self) -> datetime | None:
        """The next instant at which something is due by itself."""
        now = self.clock.now
        upcoming = [self.rolled + timedelta(days=1)]
        with runtime.reading() as session:
            for column, wanted in (
                (Message.due_at, Message.state == MessageState.PLANNED),
                (Watch.due_at, Watch.state == WatchState.WAITING),
                (Ticket.escalate_at, Ticket.state == TicketState.OPEN),
                (Ticket.ack_expires_at, Ticket.state == TicketState.ACKNOWLEDGED),
                (Ticket.promise_due_at, Ticket.state != TicketState.RESOLVED),
                (HandOver.confirm_by, HandOver.confirmed_at.is_(None)),
            ):
                found = session.scalars(select(column).where(wanted, column > now).order_by(column).limit(1)).first()
                upcoming += [found] if found else []
        return min(upcoming)
