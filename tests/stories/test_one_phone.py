"""Texts of one phone: in their order, one at a time, whosever it is, and no machine answers another all night."""

from datetime import timedelta

from sqlalchemy import select

from jobs import tasks
from notifier import clock as times
from notifier import inbox, runtime
from notifier.core.states import InboundState
from notifier.core.vocabulary import Consent, Role, Source, Urgency
from notifier.models import AuditEvent, Contact, Inbound, Message, Ticket
from tests.clinic import OUR_NUMBER


def _stored(person, body, sid, opt_out=None, ago=0):
    """A text that is written down and that nobody has read yet."""
    with runtime.transaction() as session:
        row, _ = inbox.receive(
            session,
            provider_sid=sid,
            source=Source.SMS,
            sender=person.phone.number,
            recipient=OUR_NUMBER,
            body=body,
            received_at=times.now() - timedelta(seconds=ago),
            opt_out=opt_out,
        )
        return row.id


def _consent(person):
    with runtime.reading() as session:
        wanted = select(Contact.sms_consent).where(Contact.patient_id == person.row.id)
        return session.scalars(wanted).one()


def test_the_later_text_never_overtakes_the_earlier_one(clinic):
    ivy = clinic.active("Ivy")
    first = _stored(ivy, "STOP", "SM-first", ago=2)
    second = _stored(ivy, "START", "SM-second")
    tasks._attend(second)
    with runtime.reading() as session:
        assert {session.get_one(Inbound, one).state for one in (first, second)} == {InboundState.TRIAGED}
    assert _consent(ivy) is Consent.GIVEN


def test_a_text_that_cannot_be_read_holds_up_no_red_flag(clinic, monkeypatch):
    ivy = clinic.active("Ivy")
    _stored(ivy, "poison", "SM-poison", ago=2)
    fever = _stored(ivy, "FEVER", "SM-fever")
    whole = inbox.hear

    def trips(session, inbound, *args, **more):
        if inbound.body == "poison":
            raise ValueError("a fault of ours")
        return whole(session, inbound, *args, **more)

    monkeypatch.setattr(inbox, "hear", trips)
    tasks._attend(fever)
    assert ivy.ticket.kinds == ["FEVER"]


def test_a_shared_phone_is_asked_whom_it_is_about_and_the_number_is_noted(clinic):
    ed = clinic.active("Ed", phone="+12125553333")
    fay = clinic.active("Fay", phone="+12125553333")
    ed.texts("fever 101.5")
    assert ed.last.endswith("Who is this about? Reply 1 or 2.")
    assert "Ed" not in ed.last
    ed.texts("2")
    assert len(ed.tickets) == len(fay.tickets) == 1
    with runtime.reading() as session:
        notes = session.scalars(select(AuditEvent).where(AuditEvent.verb == "ticket.noted")).all()
        said = {note.subject_id: note.detail for note in notes}
    assert "this patient" in said[str(fay.ticket.id)]
    assert "the other patient" in said[str(ed.ticket.id)]


def test_two_machines_do_not_talk_all_night_and_a_red_flag_is_answered_still(clinic, clock):
    ivy = clinic.active("Ivy")
    for number, words in enumerate(["jj 4 the thng", "where is my box", "i need gloves", "call me"] * 4):
        ivy.texts(f"{words} {number}")
        clock.passes(minutes=3, seconds=1)
    with runtime.reading() as session:
        answers = session.scalars(select(Message).where(Message.key.startswith("ack:"))).all()
    assert len(answers) < 24
    ivy.texts("i cant breathe")
    assert "Call 911 now" in ivy.last


def test_what_twilio_took_for_a_stop_is_a_stop_with_us_too(clinic):
    ivy = clinic.active("Ivy")
    with_twilio = _stored(ivy, "arretez", "SM-arret", opt_out="STOP")
    tasks._attend(with_twilio)
    assert _consent(ivy) is Consent.WITHDRAWN
    with runtime.reading() as session:
        assert session.scalars(select(Message).where(Message.key == f"ack:{with_twilio}")).all() == []


def test_the_ticket_of_a_stranger_says_that_nobody_has_verified_them(clinic):
    stranger = clinic.stranger("+12125559999")
    stranger.texts("my mother Carla has a fever")
    with runtime.reading() as session:
        ticket = session.scalars(select(Ticket)).one()
        assert "Unverified sender" in ticket.text
        assert (ticket.role, ticket.urgency) == (Role.NURSE, Urgency.URGENT)
