"""The days before the demo begins, lived through: the clock jumps from one due moment to the next, and the product's
own verbs, jobs and webhooks do the rest against the sandbox, so that every message and ticket has a true history.

Run as a module it makes the demo's database and its phones, once.
"""

import heapq
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, update

from jobs import drain, tasks
from notifier import access, clock, enrolment, inbox, migrations, noticing, paging, pharmacy, promises, tickets
from notifier.core.states import MessageState, TicketState, WatchState
from notifier.core.vocabulary import Channel, EventKind, Prompt, Role, Urgency
from notifier.demo import chores, people
from notifier.details import DeliveryDetails
from notifier.models import Message, Site, Ticket, Watch
from notifier.runtime import current, reading, transaction
from notifier.sandbox import Receipts, Sandbox, desk
from notifier.sandbox.records import Person
from notifier.sandbox.server import Server
from notifier.sending import receipts

BY = "Cora Makebelieve"
CALLED = "Went through it together on the phone."
UNTOUCHED = timedelta(minutes=110)  # before the demo begins nobody answers any more: that is left to whoever plays
ANSWERS = {
    Prompt.DELIVERY_CONFIRM: {"en": "YES", "es": "SI"},
    Prompt.DELIVERED_CHECK: {"en": "OK", "es": "OK"},
    Prompt.FIRST_DOSE_READY: {"en": "READY", "es": "LISTO"},
    Prompt.CHECK_IN: {"en": "OK", "es": "BIEN"},
    Prompt.DOSE_DONE: {"en": "DONE", "es": "LISTO"},
}


class Past:
    """Everything that happens until `until`, one moment after another."""

    def __init__(self, sandbox: Sandbox, until: datetime) -> None:
        self.sandbox, self.until = sandbox, until
        self.agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._answered: set[UUID] = set()
        self._handled: set[UUID] = set()
        self._rolled = until

    def at(self, instant: datetime, do: Callable[..., None], *what: object) -> None:
        """Something that happens then, if that is before the demo begins."""
        if instant < self.until:
            happening: Callable[[], None] = partial(do, *what)
            heapq.heappush(self.agenda, (instant, next(self._order), happening))

    def live(self) -> None:
        """Let time go by, from the first moment to the last."""
        if self.agenda:
            self._rolled = self.agenda[0][0]
            self._to(self._rolled)
        while (instant := self._next()) is not None and instant < self.until:
            self._to(instant)
            while self.agenda and self.agenda[0][0] <= instant:
                heapq.heappop(self.agenda)[2]()
            self._happen()
        self._to(self.until)

    def _to(self, instant: datetime) -> None:
        os.environ["NOTIFIER_CLOCK"] = f"{instant.astimezone(UTC).isoformat()}@0,0"

    def _next(self) -> datetime | None:
        """The next moment at which anything happens."""
        moments = [self.agenda[0][0]] if self.agenda else []
        with reading() as session:
            moments += [chore.at for chore in chores.coming(session)[:1]]
            for column, waits in (
                (Message.due_at, Message.state == MessageState.PLANNED),
                (Ticket.escalate_at, Ticket.state == TicketState.OPEN),
                (Ticket.ack_expires_at, Ticket.state == TicketState.ACKNOWLEDGED),
                (Watch.due_at, Watch.state == WatchState.WAITING),
            ):
                moments += session.scalars(select(column).where(waits).order_by(column).limit(1))
        return max(min(moments), clock.now()) if moments else None

    def _happen(self) -> None:
        """What is due now happens, and what follows from it at once."""
        now = clock.now()
        with transaction() as session:
            chores.run(session, catalog=current().catalog, now=now)
            if now - self._rolled >= chores.DAY:
                self._rolled = now
                enrolment.roll_forward(session, catalog=current().catalog, now=now)
        while self._is_due(now):
            tasks.dispatch()
            tasks.drain_bulk()
            drain.calls.wait(20)
            self.sandbox.settle()
            tasks.settle_receipts()
            self._take_calls()
        self._let_patients_answer(now)
        self._let_staff_act(now)

    def _is_due(self, now: datetime) -> bool:
        with reading() as session:
            due = select(Message.id).where(Message.state == MessageState.PLANNED, Message.due_at <= now)
            return bool(
                inbox.waiting(session, limit=1)
                or tickets.lapsed(session, now, limit=1)
                or paging.due_to_escalate(session, now, limit=1)
                or promises.due(session, now, limit=1)
                or noticing.due(session, now, limit=1)
                or receipts.waiting(session, real_now=clock.real())
                or session.scalars(due.limit(1)).first()
            )

    # --- what people do ---

    def _take_calls(self) -> None:
        for person in self.sandbox.book.people.all():
            phone = self.sandbox.phone(person.number)
            if phone.ringing:
                phone.answers()
                is_staff = person.role not in desk.NOT_STAFF
                for _ in range(1 if is_staff else 2):  # "Are you the person?", then the question itself
                    if phone.call:
                        phone.press("1")
                if phone.call:
                    phone.hangs_up()

    def _let_patients_answer(self, now: datetime) -> None:
        """Patients answer what they are asked by text, some minutes later; the last questions stay open."""
        asked = select(Message.id, Message.prompt, Message.language, Message.to).where(
            Message.state == MessageState.DELIVERED,
            Message.channel == Channel.SMS,
            Message.prompt.is_not(None),
            Message.answered_at.is_(None),
            Message.ended_at >= now,
        )
        with reading() as session:
            for message_id, prompt, language, number in session.execute(asked):
                later = now + timedelta(minutes=4 + message_id.int % 23)
                if prompt in ANSWERS and message_id not in self._answered and later < self.until - UNTOUCHED:
                    self._answered.add(message_id)
                    self.at(later, self._text, number, ANSWERS[prompt][language])

    def _text(self, number: str, words: str) -> None:
        self.sandbox.phone(number).texts(words)
        self.sandbox.settle()

    def _let_staff_act(self, now: datetime) -> None:
        """Whoever is paged takes the ticket by text, calls the patient and closes it; what is routine waits."""
        paged = (
            select(Ticket.id, Message.to)
            .join(Message, Message.ticket_id == Ticket.id)
            .where(
                Ticket.state == TicketState.OPEN,
                Ticket.urgency != Urgency.ROUTINE,
                Message.template == "page",
                Message.state == MessageState.DELIVERED,
            )
        )
        with reading() as session:
            for ticket_id, number in session.execute(paged):
                if ticket_id not in self._handled:
                    self._handled.add(ticket_id)
                    self.at(now + timedelta(minutes=3), self._text, number, "A")
                    if now + UNTOUCHED < self.until:
                        self.at(now + timedelta(minutes=12), self._close, ticket_id)

    def _close(self, ticket_id: UUID) -> None:
        now = clock.now()
        with transaction() as session:
            ticket = session.get_one(Ticket, ticket_id)
            by = tickets.Actor(ticket.owner or BY, ticket.owner_id)
            tickets.log_contact(session, ticket, True, CALLED, by, catalog=current().catalog, now=now)
            tickets.resolve(session, ticket, "reached_advised", "All is well again.", by, now=now)

    # --- what the pharmacy does ---

    def remember(self, sample: people.Sample) -> None:
        """Put one patient's days on the agenda."""
        site, plan_id = sample.details.site, sample.plan.external_id

        def enrol() -> None:
            with transaction() as session:
                patient = enrolment.enrol(session, sample.details, catalog=current().catalog, by=BY, now=clock.now())
                enrolment.add_plan(session, patient, sample.plan, catalog=current().catalog, by=BY, now=clock.now())

        def verify() -> None:
            with transaction() as session:
                plan = enrolment.find_plan(session, site, plan_id)
                assert plan is not None
                checklist = dict.fromkeys(enrolment.CHECKLIST, True)
                enrolment.verify(session, plan, checklist, catalog=current().catalog, by="Ivy Example", now=clock.now())

        def pause() -> None:
            with transaction() as session:
                plan = enrolment.find_plan(session, site, plan_id)
                assert plan is not None
                enrolment.pause(session, plan, sample.reason, catalog=current().catalog, by=BY, now=clock.now())

        self.at(sample.enrolled, enrol)
        if sample.verified:
            self.at(sample.verified, verify)
        if sample.paused:
            self.at(sample.paused, pause)
        for number, booking in enumerate(sample.bookings, start=1):
            self.at(booking.booked, _book, site, plan_id, f"{plan_id}-{number}", booking)
        for instant, words in sample.texts:
            self.at(instant, self._text, sample.details.phone, words)


def _book(site: str, plan_id: str, external_id: str, booking: people.Booking) -> None:
    catalog, now = current().catalog, clock.now()
    with transaction() as session:
        plan = enrolment.find_plan(session, site, plan_id)
        assert plan is not None
        if booking.kind is EventKind.DELIVERY and booking.to:
            delivery = DeliveryDetails(external_id, booking.at, booking.to, booking.items)
            enrolment.schedule_delivery(session, plan, delivery, catalog=catalog, by=BY, now=now)
        elif booking.kind is EventKind.EDUCATION:
            enrolment.schedule_education(session, plan, booking.at, booking.mode, catalog=catalog, by=BY, now=now)
        else:
            enrolment.schedule_event(
                session, plan, booking.kind, booking.at, booking.to, catalog=catalog, by=BY, now=now
            )


def phone_book(samples: list[people.Sample]) -> list[Person]:
    """Everybody whose phone can be picked: patients, their helpers, and staff."""
    sites = people.pharmacy()["site"]
    found = []
    for sample in samples:
        own, zone = sample.details, sites[sample.details.site]["timezone"]
        language = own.language or "en"
        found.append(Person(own.phone, sample.name, "patient", language, sample.note, zone))
        for helper in own.caregivers:
            note = f"{helper.relationship} of {sample.name}"
            found.append(Person(helper.phone, helper.name, "caregiver", helper.language or language, note, zone))
    rungs = {
        key: "backup" if shift["rung"] else "on call"
        for shift in people.pharmacy()["rota"]
        for key in ([shift["staff"]] if isinstance(shift["staff"], str) else shift["staff"])
    }
    for key, staff in people.pharmacy()["staff"].items():
        zone = sites[staff["sites"][0]]["timezone"]
        found.append(Person(staff["phone"], staff["name"], staff["roles"][0], "en", rungs.get(key, ""), zone))
    answering = people.pharmacy()["last_resort"]["phone"]
    found.append(Person(answering, "Answering service", "last resort", "en", "when nobody else answers"))
    return found


def main() -> None:
    """Make everything anew: the schema, the pharmacy, its people, and their last days.

    Arguments: the instant at which the demo begins, the port of the console, of the phones, and the phones' file.
    """
    until, port, phones_port, phones = sys.argv[1:]
    begins = datetime.fromisoformat(until)
    first = begins.astimezone(people.home_zone()).date()
    samples = list(people.patients(first))
    start = min(sample.enrolled for sample in samples)
    os.environ["NOTIFIER_CLOCK"] = f"{start.isoformat()}@0,0"
    parts = current()
    migrations.upgrade(parts.engine)
    with transaction() as session:
        pharmacy.apply(session, people.PHARMACY.read_text(encoding="utf-8"), by="the demo", now=start)
        access.create_user(session, people.SIGN_IN, Role.SUPERVISOR, os.environ["DEMO_PASSWORD"], now=start)
    from webhooks.app import create_app

    settings = parts.settings
    web = Server("127.0.0.1", int(port), create_app())
    sandbox = Sandbox(
        settings.twilio_account_sid,
        settings.twilio_auth_token,
        public_base_url=settings.public_base_url,
        port=int(phones_port),
        state_file=Path(phones),
    )
    sandbox.receipts = Receipts(delay=0)
    web.start()
    with sandbox:
        sandbox.introduce(phone_book(samples))
        for sample in samples:
            if sample.landline:
                sandbox.phone(sample.details.phone).mode = "landline"
        past = Past(sandbox, begins)
        for sample in samples:
            past.remember(sample)
        with _no_rates():
            past.live()
        drain.calls.end()
        desk.look_at(sandbox.book, [person.number for person in sandbox.book.people.all()])
    web.stop()


@contextmanager
def _no_rates() -> Iterator[None]:
    """The past takes no time, so no sender has a rate in it."""
    with transaction() as session:
        rates = {site.key: (site.sender_rate, site.call_rate) for site in session.scalars(select(Site))}
        session.execute(update(Site).values(sender_rate=1e6, call_rate=1e6))
    yield
    with transaction() as session:
        for key, (texts, calls) in rates.items():
            session.execute(update(Site).where(Site.key == key).values(sender_rate=texts, call_rate=calls))


if __name__ == "__main__":
    main()
