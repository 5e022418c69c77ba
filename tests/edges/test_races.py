"""Two at once: the database decides who was first, and nobody is told twice. On PostgreSQL, with threads."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import DatabaseError

from jobs import tasks
from notifier import clock as times
from notifier import inbox, journal, runtime, sending, tickets
from notifier.core.states import MessageState, TicketState
from notifier.core.vocabulary import Channel, Source
from notifier.models import AuditEvent, Inbound, Message, Ticket

AT_ONCE = 10


def together(do, times_over: int = AT_ONCE) -> list:
    """Run `do` in many threads that start at the same moment; what each returned."""
    start = Barrier(times_over)

    def one(number: int):
        start.wait()
        return do(number)

    with ThreadPoolExecutor(times_over) as threads:
        return list(threads.map(one, range(times_over)))


@pytest.fixture
def reminders(clinic) -> list[uuid.UUID]:
    """Thirty messages that are due."""
    ivy = clinic.active("Ivy")
    contact = clinic.contact(ivy)
    now = clinic.now
    with runtime.transaction() as session:
        rows = [
            Message(
                key=f"test:{number}",
                site_key="newyork",
                patient_id=contact.patient_id,
                contact_id=contact.id,
                to=contact.phone,
                to_hash=contact.phone_hash,
                channel=Channel.SMS,
                template="verbatim",
                language="en",
                values={"text": f"Pharmko: reminder {number}"},
                any_hour=True,
                due_at=now,
                not_after=now.replace(hour=23),
                created_at=now,
            )
            for number in range(30)
        ]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def test_workers_that_race_send_each_message_once(clinic, reminders):
    together(lambda _: tasks.drain_bulk())
    clinic.world.settle()
    sent = [message.body for message in clinic.sandbox.sent if "reminder" in message.body]
    assert sorted(sent) == sorted(f"Pharmko: reminder {number}" for number in range(30))
    with runtime.reading() as session:
        states = session.scalars(select(Message.state).where(Message.id.in_(reminders))).all()
    assert set(states) == {MessageState.DELIVERED}


def test_one_claim_wins_and_one_journal_line_is_written(reminders):
    def claim(_number: int) -> bool:
        with runtime.transaction() as session:
            order = sending.claim(
                session,
                reminders[0],
                catalog=runtime.current().catalog,
                public_base_url="http://x.test",
                now=times.now(),
                real_now=times.real(),
            )
        return order is not None

    assert sum(together(claim)) == 1
    with runtime.reading() as session:
        lines = session.scalar(
            select(func.count())
            .select_from(AuditEvent)
            .where(AuditEvent.subject_id == str(reminders[0]), AuditEvent.verb == "message.sending")
        )
    assert lines == 1


def test_two_texts_at_once_open_one_ticket(clinic):
    ivy = clinic.active("Ivy")
    ids = []
    with runtime.transaction() as session:
        for number in range(AT_ONCE):
            row, _ = inbox.receive(
                session,
                provider_sid=f"SM{number:032}",
                source=Source.SMS,
                sender=ivy.phone.number,
                recipient="+12125550199",
                body="FEVER",
                received_at=clinic.now,
            )
            ids.append(row.id)

    def attend(number: int) -> None:
        with runtime.transaction() as session:
            inbox.attend(session, ids[number], catalog=runtime.current().catalog, now=clinic.now)

    together(attend)
    assert ivy.ticket.kinds == ["FEVER"]


def test_a_text_posted_many_times_at_once_is_stored_once(clinic):
    ivy = clinic.active("Ivy")
    answers = together(lambda _: clinic.post_sms(ivy, "SM" + "7" * 32, "FEVER").status_code)
    assert set(answers) == {200}
    clinic.world.settle()
    with runtime.reading() as session:
        assert session.scalar(select(func.count()).select_from(Inbound)) == 1
    assert len(clinic.nia.pages) == 1


def test_one_nurse_takes_the_ticket_and_the_others_are_too_late(clinic):
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    ticket_id = ivy.ticket.id

    def take(number: int) -> bool:
        with runtime.transaction() as session:
            row = session.get_one(Ticket, ticket_id)
            return tickets.acknowledge(session, row, tickets.Actor(f"Nurse {number}"), now=clinic.now)

    assert sum(together(take)) == 1
    assert ivy.ticket.state is TicketState.ACKNOWLEDGED


def test_a_state_never_moves_where_the_table_does_not_allow(clinic):
    ivy = clinic.patient("Ivy")
    message = ivy.message("M01")
    assert message.state is MessageState.DELIVERED
    with runtime.transaction() as session:
        row = session.get_one(Message, message.id)
        for to in (MessageState.PLANNED, MessageState.SENDING, MessageState.FAILED, MessageState.CANCELLED):
            assert not journal.advance(session, row, to, now=clinic.now, by="test")
    assert ivy.message("M01").state is MessageState.DELIVERED


def test_the_journal_cannot_be_rewritten(clinic, database_url):
    clinic.patient("Ivy")
    engine = create_engine(database_url)
    for statement in ("UPDATE audit_event SET verb = 'nothing'", "DELETE FROM audit_event"):
        with engine.begin() as connection, pytest.raises(DatabaseError):
            connection.execute(text(statement))
    engine.dispose()
