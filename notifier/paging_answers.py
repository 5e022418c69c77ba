"""What staff answer to a page: A, ACK or OK takes the ticket, with or without a number; P passes it on."""

import re
import uuid
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import tickets
from notifier.catalog import Catalog
from notifier.core.states import TicketState
from notifier.core.vocabulary import Channel, Role, Source, Urgency
from notifier.db import add_once
from notifier.models import Inbound, Message, Site, Staff, Ticket

COMMAND = re.compile(r"\s*(?P<verb>a|ack|ok|p|pass)\s*#?\s*(?P<number>\d{1,9})?\s*[.!]?\s*", re.IGNORECASE)
RECENT = timedelta(hours=24)
PAGES = ("page", "page.assigned")
ASKS = Message.template.in_(PAGES) | Message.prompt.is_not(None)  # what waits for an answer
STOPS = re.compile(r"\s*(stop|stopall|unsubscribe|end|quit|revoke|optout|cancel)\s*", re.IGNORECASE)  # Twilio's words


def is_meant(session: Session, inbound: Inbound, staff: Staff) -> bool:
    """Whether a text of somebody who is a patient here too answers a page: it has a number, or a page came last."""
    found = COMMAND.fullmatch(inbound.body)
    if found is None or found["number"]:
        return found is not None
    last = session.scalars(
        select(Message.template)
        .where(Message.to_hash == inbound.sender_hash, Message.sent_at.is_not(None), ASKS)
        .order_by(Message.sent_at.desc())
        .limit(1)
    ).first()
    return last in PAGES


def obey(session: Session, inbound: Inbound, staff: Staff, *, catalog: Catalog, now: datetime) -> None:
    """Do what a member of staff answered, and tell them what came of it."""
    found = COMMAND.fullmatch(inbound.body)
    if STOPS.fullmatch(inbound.body):
        _out_of_reach(session, inbound, staff, catalog=catalog, now=now)
        return
    if found is None:
        _tell(session, inbound, staff, "staff.unknown", {}, now)
        return
    others: list[str] = []
    if found["number"]:
        ticket = session.scalars(select(Ticket).where(Ticket.number == int(found["number"]))).one_or_none()
        if ticket is None:
            _tell(session, inbound, staff, "staff.no_such", {"number": found["number"]}, now)
            return
        meant: Ticket | None = ticket
    else:
        meant, others = _meant(session, staff, now)
    if meant is None:
        _tell(session, inbound, staff, "staff.nothing", {}, now)
        return
    inbound.ticket_id = meant.id
    inbound.patient_id = meant.patient_id
    passing = found["verb"].lower().startswith("p")
    template = act(session, staff, meant, passing=passing, catalog=catalog, now=now)
    values = {"number": str(meant.number), "owner": meant.owner or "", "others": ", ".join(others)}
    _tell(session, inbound, staff, f"{template}.more" if others else template, values, now, meant)


def _out_of_reach(session: Session, inbound: Inbound, staff: Staff, *, catalog: Catalog, now: datetime) -> None:
    """Twilio has just shut this phone to our pages: somebody else must know before the next one is lost."""
    site = _any_site(session)
    need = tickets.Need(
        site_key=site,
        subject=f"staff:{staff.id}",
        role=Role.COORDINATOR,
        urgency=Urgency.URGENT,
        kinds=("UNREACHABLE",),
        source=Source.SMS,
        text=f"{staff.name} texted STOP: pages by text no longer arrive. Ask for a START, or page by call.",
    )
    ticket, _ = tickets.open_or_append(session, need, catalog=catalog, now=now)
    inbound.ticket_id = ticket.id


def act(session: Session, staff: Staff, ticket: Ticket, *, passing: bool, catalog: Catalog, now: datetime) -> str:
    """Take the ticket or pass it on. Returns the template that says what came of it."""
    by = tickets.Actor(staff.name, staff.id)
    if passing:
        return "staff.passed" if tickets.pass_on(session, ticket, by, catalog=catalog, now=now) else "staff.resolved"
    if tickets.acknowledge(session, ticket, by, now=now):
        return "staff.taken"
    return standing(ticket, staff.id)


def standing(ticket: Ticket, staff_id: uuid.UUID) -> str:
    """The template that says to one of the staff who has a ticket that is no longer open."""
    if ticket.state is TicketState.RESOLVED:
        return "staff.resolved"
    return "staff.yours" if ticket.owner_id == staff_id else "staff.too_late"


def _meant(session: Session, staff: Staff, now: datetime) -> tuple[Ticket | None, list[str]]:
    """The ticket of the last page to this phone, and the numbers of the other open ones that were paged to it."""
    paged = session.scalars(
        select(Ticket)
        .join(Message, Ticket.id == Message.ticket_id)
        .where(
            Message.staff_id == staff.id,
            Message.template.in_(PAGES),
            Message.sent_at >= now - RECENT,
        )
        .order_by(Message.sent_at.desc())
    ).all()
    if not paged:
        return None, []
    others = {ticket.number for ticket in paged if ticket.state is TicketState.OPEN and ticket.id != paged[0].id}
    return paged[0], [f"#{number}" for number in sorted(others)]


def _tell(
    session: Session,
    inbound: Inbound,
    staff: Staff,
    template: str,
    values: dict[str, str],
    now: datetime,
    ticket: Ticket | None = None,
) -> None:
    site_key = ticket.site_key if ticket else _any_site(session)
    message = Message(
        key=f"told:{inbound.id}:{ticket.number if ticket else ''}",
        site_key=site_key,
        patient_id=ticket.patient_id if ticket else None,
        ticket_id=ticket.id if ticket else None,
        staff_id=staff.id,
        inbound_id=inbound.id,
        to=inbound.sender,
        to_hash=inbound.sender_hash,
        channel=Channel.SMS,
        template=template,
        language="en",
        values=values,
        urgent=True,
        any_hour=True,
        due_at=now,
        not_after=now + timedelta(minutes=30),
        created_at=now,
    )
    add_once(session, message, Message.key)


def _any_site(session: Session) -> str:
    return session.scalars(select(Site.key).order_by(Site.key)).first() or ""
