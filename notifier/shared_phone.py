"""One phone that is two patients': we ask whom a text is about, by number and without a name, and note the answer."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import journal
from notifier.core import wording
from notifier.models import Contact, Inbound, Message, Ticket

ASKS = {"en": " Who is this about? Reply 1 or 2.", "es": " Para quien es? Responda 1 o 2."}
OPEN = timedelta(hours=24)  # how long a bare number answers it


def asking(text: str, language: str) -> str:
    """An answer with the question after it, where it still fits two segments."""
    asked = text + ASKS.get(language, ASKS["en"])
    return asked if wording.segments(asked)[0] <= wording.MAX_SEGMENTS else text


def answered(session: Session, inbound: Inbound, people: Sequence[Contact | None], now: datetime) -> Contact | None:
    """Whom a bare 1 or 2 names, where we have asked; None when it is no such answer."""
    number = inbound.body.strip(" .!")
    if not number.isdecimal() or not 1 <= int(number) <= len(people):
        return None
    lately = session.scalars(
        select(Message)
        .where(Message.to_hash == inbound.sender_hash, Message.key.startswith("ack:"), Message.created_at > now - OPEN)
        .order_by(Message.created_at.desc())
        .limit(1)
    ).first()
    asked = lately is not None and any(lately.values.get("text", "").endswith(each) for each in ASKS.values())
    return people[int(number) - 1] if asked else None


def note(
    session: Session, inbound: Inbound, people: Sequence[Contact | None], whose: Contact, *, now: datetime
) -> None:
    """Write the answer on the open tickets of all of them. A nurse confirms it before one is closed."""
    subjects = [f"patient:{each.patient_id}" for each in people if each]
    inbound.contact_id, inbound.patient_id = whose.id, whose.patient_id
    found = session.scalars(select(Ticket).where(Ticket.subject.in_(subjects), Ticket.resolved_at.is_(None)))
    for ticket in found:
        about = "this patient" if ticket.patient_id == whose.patient_id else "the other patient on this phone"
        journal.note(
            session, ticket, "ticket.noted", now=now, by=journal.SYSTEM, detail=f"they say it is about {about}"
        )
        if ticket.patient_id == whose.patient_id:
            inbound.ticket_id = inbound.ticket_id or ticket.id
