"""A pharmacy with people in it, for stories: patients and nurses with phones, deliveries and plans."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import requests
from sqlalchemy import select
from twilio.request_validator import RequestValidator

from notifier import enrolment, handling, pharmacy, runtime, tickets
from notifier.core.states import EventState
from notifier.core.vocabulary import Administration, Channel, EventKind, Flag, Line, Role, Storage, Therapy, Topic
from notifier.enrolment import CaregiverDetails, ConsentDetails, DeliveryDetails, Item, PatientDetails, PlanDetails
from notifier.models import AuditEvent, CareEvent, Contact, Message, OnCallShift, Patient, Staff, TherapyPlan, Ticket
from notifier.sandbox.phones import Phone
from tests.world import TOKEN, World

PHARMACY = """
[site.newyork]
name = "Pharmko New York"
brand = "Pharmko"
timezone = "America/New_York"
sms_from = "+12125550199"
voice_from = "+12125550199"
phone = "+18005550100"
languages = ["en", "es"]
quiet_hours = "20:00-08:00"
sender_rate = 1000
call_rate = 1000

[staff.nia]
name = "Nia Nurse"
roles = ["nurse"]
phone = "+12125550011"
email = "nia@example.com"

[staff.bo]
name = "Bo Backup"
roles = ["nurse"]
phone = "+12125550012"
email = "bo@example.com"

[staff.dee]
name = "Dee Delivery"
roles = ["delivery"]
phone = "+12125550013"

[staff.phil]
name = "Phil Pharmacist"
roles = ["pharmacist"]
phone = "+12125550014"

[staff.cora]
name = "Cora Coordinator"
roles = ["coordinator", "billing"]
phone = "+12125550015"

[staff.sue]
name = "Sue Supervisor"
roles = ["supervisor"]
phone = "+12125550016"

[[rota]]
site = "*"
role = "nurse"
rung = 0
staff = "nia"

[[rota]]
site = "*"
role = "nurse"
rung = 1
staff = "bo"

[[rota]]
site = "*"
role = "delivery"
staff = "dee"

[[rota]]
site = "*"
role = "pharmacist"
staff = "phil"

[[rota]]
site = "*"
role = "coordinator"
staff = "cora"

[[rota]]
site = "*"
role = "billing"
staff = "cora"

[[rota]]
site = "*"
role = "supervisor"
staff = "sue"

[last_resort]
phone = "+12125550019"
"""
OUR_NUMBER = "+12125550199"


@dataclass
class Person:
    """Somebody with a phone."""

    name: str
    phone: Phone
    world: World

    def texts(self, body: str) -> None:
        """Sends a text, and what follows from it happens."""
        self.phone.texts(body, to=OUR_NUMBER)
        self.world.settle()

    @property
    def inbox(self) -> list[str]:
        """Every text received, oldest first."""
        return [text.body for text in self.phone.inbox]

    @property
    def last(self) -> str:
        """The last text received."""
        assert self.inbox, f"{self.name} has received nothing"
        return self.inbox[-1]

    def received(self, words: str) -> int:
        """How many texts with these words arrived."""
        return sum(words in body for body in self.inbox)

    def answers(self, *keys: str) -> list[str]:
        """Takes the ringing call and presses keys; returns what was heard."""
        self.phone.answers()
        for key in keys:
            self.phone.press(key)
        self.world.settle()
        return self.phone.heard


@dataclass
class StaffPerson(Person):
    """A member of staff."""

    key: str = ""

    @property
    def pages(self) -> list[str]:
        """The pages received by text."""
        return [body for body in self.inbox if "Reply A to take it" in body]

    @property
    def is_paged(self) -> bool:
        """Whether any page came, by text or by a call."""
        return bool(self.pages or self.calls)

    @property
    def calls(self) -> int:
        """How often the phone rang."""
        return len(self.phone.history)


@dataclass
class PatientPerson(Person):
    """A patient (or a caregiver) with a plan."""

    clinic: "Clinic" = None  # type: ignore[assignment]
    external_id: str = ""
    zone: str = "America/New_York"

    @property
    def row(self) -> Patient:
        """The patient as stored."""
        with runtime.reading() as session:
            return session.scalars(select(Patient).where(Patient.external_id == self.external_id)).one()

    def local(self, text: str) -> datetime:
        """An instant from the patient's local time, such as "2026-11-25 10:00"."""
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(self.zone))

    @property
    def tickets(self) -> list[Ticket]:
        """This patient's tickets, oldest first."""
        with runtime.reading() as session:
            wanted = select(Ticket).where(Ticket.patient_id == self.row.id).order_by(Ticket.number)
            return list(session.scalars(wanted).all())

    @property
    def ticket(self) -> Ticket:
        """This patient's one ticket."""
        found = self.tickets
        assert len(found) == 1, f"{self.name} has {len(found)} tickets: {[ticket.kinds for ticket in found]}"
        return found[0]

    @property
    def messages(self) -> list[Message]:
        """Everything planned or told, by its hour."""
        with runtime.reading() as session:
            wanted = select(Message).where(Message.patient_id == self.row.id, Message.staff_id.is_(None))
            return list(session.scalars(wanted.order_by(Message.due_at)).all())

    def message(self, template: str) -> Message:
        """The one message of a template."""
        found = [message for message in self.messages if message.template == template]
        assert len(found) == 1, f"{len(found)} messages {template}"
        return found[0]

    def told(self, template: str) -> list[str]:
        """When, by the patient's own clock, messages of a template left: "Mon 09:00"."""
        left = [each.sent_at for each in self.messages if each.template == template and each.sent_at]
        return [at.astimezone(ZoneInfo(self.zone)).strftime("%a %H:%M") for at in left]

    @property
    def plan(self) -> TherapyPlan:
        """The patient's plan."""
        with runtime.reading() as session:
            return session.scalars(select(TherapyPlan).where(TherapyPlan.patient_id == self.row.id)).one()


class Clinic:
    """One pharmacy and everybody around it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sandbox = world.sandbox
        self.people: list[Person] = []
        self._patients = 0
        with runtime.transaction() as session:
            pharmacy.apply(session, PHARMACY, now=world.clock.now, by="test")
        staff = {"nia": "11", "bo": "12", "dee": "13", "phil": "14", "cora": "15", "sue": "16", "desk": "19"}
        for key, digits in staff.items():
            person = StaffPerson(key, self.sandbox.phone(f"+121255500{digits}"), world, key=key)
            setattr(self, key, person)
            self.people.append(person)

    nia: StaffPerson
    bo: StaffPerson
    dee: StaffPerson
    phil: StaffPerson
    cora: StaffPerson
    sue: StaffPerson
    desk: StaffPerson  # the answering service

    @property
    def now(self) -> datetime:
        """The present of the story."""
        return self.world.clock.now

    # --- people ---

    def patient(self, name: str, *, zone: str = "America/New_York", **given: Any) -> PatientPerson:
        """Enrols a patient with consent to texts (or, with channel voice, to calls)."""
        self._patients += 1
        phone = given.pop("phone", f"+1212555{1000 + self._patients:04}")
        channel = Channel(given.pop("channel", "sms"))
        consents = given.pop("consents", (ConsentDetails(channel, "intake form v3", self.now),))
        external_id = f"P-{self._patients}"
        details = PatientDetails(
            external_id=external_id,
            site="newyork",
            given_name=name,
            family_name=given.pop("family_name", "Mockridge"),
            phone=phone,
            timezone=zone,
            channel=channel,
            consents=consents,
            **given,
        )
        catalog = runtime.current().catalog
        with runtime.transaction() as session:
            enrolment.enrol(session, details, catalog=catalog, by="test", now=self.now)
        person = PatientPerson(
            name, self.sandbox.phone(phone), self.world, clinic=self, external_id=external_id, zone=zone
        )
        self.people.append(person)
        self.world.settle()
        return person

    def helper(self, name: str, phone: str, *receives: str) -> CaregiverDetails:
        """A caregiver's details, with consent to texts."""
        consent = ConsentDetails(Channel.SMS, "intake form v3", self.now)
        return CaregiverDetails(
            name, "daughter", phone, receives=tuple(Topic(each) for each in receives), consents=(consent,)
        )

    def ordered(self, patient: PatientPerson, first_dose: str, **given: Any) -> None:
        """A plan is received: an antibiotic from `first_dose` (local), for two weeks, unless said otherwise."""
        first = patient.local(first_dose)
        details = PlanDetails(
            external_id=f"RX-{patient.external_id}",
            therapy=Therapy(given.pop("therapy", "iv_antibiotic")),
            line=Line(given.pop("line", "picc")),
            storage=Storage(given.pop("storage", "refrigerated")),
            administration=Administration(given.pop("administration", "elastomeric")),
            first_dose_at=first,
            doses_per_day=given.pop("doses_per_day", 2),
            ends_on=given.pop("ends_on", (first + timedelta(days=13)).date()),
            reminders=tuple(time.fromisoformat(text) for text in given.pop("reminders", ())),
            flags=tuple(Flag(flag) for flag in given.pop("flags", ())),
            **given,
        )
        with runtime.transaction() as session:
            row = session.get_one(Patient, patient.row.id)
            enrolment.add_plan(session, row, details, catalog=runtime.current().catalog, by="test", now=self.now)
        self.world.settle()

    def verified(self, patient: PatientPerson) -> None:
        """The five checks are done."""
        checks = ("medication", "dosing_schedule", "duration", "supplies", "storage")
        with runtime.transaction() as session:
            plan = session.get_one(TherapyPlan, patient.plan.id)
            enrolment.verify(
                session,
                plan,
                dict.fromkeys(checks, True),
                catalog=runtime.current().catalog,
                by="test",
                now=self.now,
            )
        self.world.settle()

    def active(self, name: str, **given: Any) -> PatientPerson:
        """A patient in the second week of therapy, who has read everything there was to read."""
        patient = self.patient(name, welcomed=True, **given)
        zone = ZoneInfo(patient.zone)
        first = (self.now - timedelta(days=10)).astimezone(zone)
        self.ordered(patient, first.strftime("%Y-%m-%d 10:00"), ends_on=(first + timedelta(days=60)).date())
        self.verified(patient)
        return patient

    # --- deliveries and visits ---

    def delivery(self, patient: PatientPerson, start: str, end: str, **items: int) -> CareEvent:
        """Books a delivery window (local); items by name with underscores."""
        goods = tuple(Item(name.replace("_", " "), count) for name, count in items.items())
        details = DeliveryDetails(f"D-{start}", patient.local(start), patient.local(end), goods)
        with runtime.transaction() as session:
            plan = session.get_one(TherapyPlan, patient.plan.id)
            event = enrolment.schedule_delivery(
                session, plan, details, catalog=runtime.current().catalog, by="test", now=self.now
            )
        self.world.settle()
        return event

    def acknowledged_by_click(self, ticket: Ticket, staff: str) -> None:
        """A signed-in member of staff clicks Acknowledge."""
        self.took_it_just_now(ticket, staff)
        self.world.settle()

    def took_it_just_now(self, ticket: Ticket, staff: str) -> None:
        """The same, and nothing has followed from it yet."""
        with runtime.transaction() as session:
            person = session.scalars(select(Staff).where(Staff.key == staff)).one()
            row = tickets.get(session, ticket.id)
            tickets.acknowledge(session, row, tickets.Actor(person.name, person.id), now=self.now)

    def delivery_is(self, event: CareEvent, state: EventState) -> None:
        """The driver says how it goes."""
        with runtime.transaction() as session:
            row = session.get_one(CareEvent, event.id)
            enrolment.set_delivery_status(
                session, row, state, catalog=runtime.current().catalog, by="driver", now=self.now
            )
        self.world.settle()

    def delivered(self, event: CareEvent) -> None:
        """The box is at the door."""
        self.delivery_is(event, EventState.DONE)

    def teaching(self, patient: PatientPerson, at: str) -> None:
        """A teaching visit is set (local)."""
        with runtime.transaction() as session:
            plan = session.get_one(TherapyPlan, patient.plan.id)
            enrolment.schedule_education(
                session, plan, patient.local(at), "visit", catalog=runtime.current().catalog, by="Cora", now=self.now
            )
        self.world.settle()

    def next_delivery(self, patient: PatientPerson) -> CareEvent:
        """The plan's last delivery by its window."""
        with runtime.reading() as session:
            wanted = select(CareEvent).where(CareEvent.plan_id == patient.plan.id, CareEvent.kind == EventKind.DELIVERY)
            return session.scalars(wanted.order_by(CareEvent.starts_at.desc())).first()

    def _done(self, patient: PatientPerson, kind: EventKind) -> None:
        with runtime.transaction() as session:
            wanted = select(CareEvent).where(CareEvent.plan_id == patient.plan.id, CareEvent.kind == kind)
            event = session.scalars(wanted).one()
            enrolment.set_event(
                session, event, status=EventState.DONE, catalog=runtime.current().catalog, by="Nia", now=self.now
            )
        self.world.settle()

    def taught(self, patient: PatientPerson) -> None:
        """The teaching is signed."""
        self._done(patient, EventKind.EDUCATION)

    def first_dose_given(self, patient: PatientPerson) -> None:
        """The nurse gave the first dose."""
        self._done(patient, EventKind.FIRST_DOSE)

    def does(self, verb: Any, row: Any, *args: Any, **given: Any) -> Any:
        """Cora does something to a row (a patient, a plan, an event) with a verb of enrolment."""
        with runtime.transaction() as session:
            found = session.get_one(type(row), row.id)
            done = verb(session, found, *args, catalog=runtime.current().catalog, by="Cora", now=self.now, **given)
        self.world.settle()
        return done

    def event(self, patient: PatientPerson, kind: str, at: str, ends: str | None = None) -> CareEvent:
        """A dose, a visit, a draw or a pickup is set (local)."""
        until = patient.local(ends) if ends else None
        return self.does(enrolment.schedule_event, patient.plan, EventKind(kind), patient.local(at), until)

    # --- looking and meddling ---

    def contact(self, patient: PatientPerson) -> Contact:
        """The patient's own phone as stored."""
        with runtime.reading() as session:
            wanted = select(Contact).where(Contact.patient_id == patient.row.id, Contact.relation == "self")
            return session.scalars(wanted).one()

    def handled(self, ticket: Ticket) -> None:
        """Nia calls, reaches the patient and closes the ticket."""
        nia = tickets.Actor("Nia Nurse")
        with runtime.transaction() as session:
            row = tickets.get(session, ticket.id)
            catalog = runtime.current().catalog
            tickets.log_contact(session, row, True, "drinks, rests", nia, catalog=catalog, now=self.now)
            tickets.resolve(session, row, "reached_advised", "", nia, now=self.now)
        self.world.settle()

    def reached(self, ticket: Ticket, *, reached: bool = True) -> None:
        """Nia calls and speaks with the patient; the ticket is not closed yet."""
        with runtime.transaction() as session:
            row = tickets.get(session, ticket.id)
            catalog, nia = runtime.current().catalog, tickets.Actor("Nia Nurse")
            tickets.log_contact(session, row, reached, "", nia, catalog=catalog, now=self.now)
        self.world.settle()

    def not_reached(self, ticket: Ticket) -> None:
        """Nia calls, and nobody takes the call."""
        self.reached(ticket, reached=False)

    def decided(self, ticket: Ticket, outcome: str) -> None:
        """Sue closes a ticket with a decision."""
        with runtime.transaction() as session:
            tickets.resolve(session, tickets.get(session, ticket.id), outcome, "", tickets.Actor("Sue"), now=self.now)
        self.world.settle()

    def linked(self, ticket: Ticket) -> list[int]:
        """The numbers of the tickets that belong to this one."""
        with runtime.reading() as session:
            return [other.number for other in handling.linked(session, tickets.get(session, ticket.id))]

    def stranger(self, number: str) -> Person:
        """Somebody whose number stands on no plan, or a helper's phone."""
        return Person("stranger", self.sandbox.phone(number), self.world)

    def post_sms(self, person: Person, sid: str, body: str) -> requests.Response:
        """Twilio posts a text (again), signed."""
        form = {"MessageSid": sid, "From": person.phone.number, "To": OUR_NUMBER, "Body": body, "NumMedia": "0"}
        return self.post("/twilio/sms", form)

    def post(self, path: str, form: dict[str, str]) -> requests.Response:
        """Twilio posts a form, signed."""
        url = f"{self.world.url}{path}"
        signature = RequestValidator(TOKEN).compute_signature(url, form)
        return requests.post(url, data=form, headers={"X-Twilio-Signature": signature}, timeout=10)

    def nobody_on_call(self, role: str) -> None:
        """The roster has a hole."""
        with runtime.transaction() as session:
            for shift in session.scalars(select(OnCallShift).where(OnCallShift.role == Role(role))):
                session.delete(shift)

    def leaves(self, key: str) -> None:
        """A member of staff no longer works here."""
        with runtime.transaction() as session:
            session.scalars(select(Staff).where(Staff.key == key)).one().active = False

    def verbs(self, ticket: Ticket) -> list[str]:
        """What the journal says was done about a ticket."""
        with runtime.reading() as session:
            wanted = select(AuditEvent.verb).where(AuditEvent.ticket_id == ticket.id).order_by(AuditEvent.id)
            return list(session.scalars(wanted).all())
