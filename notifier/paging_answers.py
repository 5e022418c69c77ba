"""What staff answer to a page: A, ACK or OK takes the ticket, with or without a number; P passes it on."""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import handover, pages, tickets
from notifier.catalog import Catalog
from notifier.core.states import TicketState
from notifier.core.vocabulary import CANARY, Channel, Role, Source, Urgency
from notifier.db import add_once
from notifier.models import Inbound, Message, Paged, Site, Staff, Ticket

COMMAND = re.compile(r"\s*(?P<verb>a|ack|ok|p|pass|h|here)\s*#?\s*(?P<number>\d{1,9})?\s*[.!]?\s*", re.IGNORECASE)
RECENT = timedelta(hours=24)
PAGES = (*pages.STOPPABLE, "page.assigned")
TESTS = ("staff.test",)
ASKS = Message.template.in_((*PAGES, *TESTS)) | Message.prompt.is_not(None)  # what waits for an answer
STOPS = re.compile(r"\s*(stop|stopall|unsubscribe|end|quit|revoke|optout|cancel)\s*", re.IGNORECASE)  # Twilio's words
STARTS = re.compile(r"\s*(start|unstop)\s*", re.IGNORECASE)


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
    return last in (*PAGES, *TESTS)


def obey(session: Session, inbound: Inbound, staff: Staff, *, catalog: Catalog, now: datetime) -> None:
    """Do what a member of staff answered, and tell them what came of it. A phone that answers is one that rings."""
    if STOPS.fullmatch(inbound.body):
        staff.texts_stopped_at = now
        _out_of_reach(session, inbound, staff, catalog=catalog, now=now)
        return
    new = staff.phone_verified_at is None
    staff.phone_verified_at, stopped, staff.texts_stopped_at = now, staff.texts_stopped_at, None
    found = COMMAND.fullmatch(inbound.body)
    if STARTS.fullmatch(inbound.body):
        _tell(session, inbound, staff, "staff.started" if stopped else "staff.verified", {}, now)
    elif found is None:
        _tell(session, inbound, staff, "staff.unknown", {}, now)
    elif found["verb"].lower().startswith("h"):
        done = handover.confirm(session, staff, now=now)
        _tell(session, inbound, staff, "staff.handover.confirmed" if done else "staff.nothing", {}, now)
    elif found["number"]:
        _obey_number(session, inbound, staff, found, catalog=catalog, now=now)
    else:
        _obey_last(session, inbound, staff, found, new=new, catalog=catalog, now=now)


def _obey_number(
    session: Session, inbound: Inbound, staff: Staff, found: re.Match[str], *, catalog: Catalog, now: datetime
) -> None:
    ticket = session.scalars(select(Ticket).where(Ticket.number == int(found["number"]))).one_or_none()
    if ticket is None:
        _tell(session, inbound, staff, "staff.no_such", {"number": found["number"]}, now)
        return
    _act_on(session, inbound, staff, [ticket], [], found, catalog=catalog, now=now)


def _obey_last(
    session: Session,
    inbound: Inbound,
    staff: Staff,
    found: re.Match[str],
    *,
    new: bool,
    catalog: Catalog,
    now: datetime,
) -> None:
    meant, others = _meant(session, staff, now)
    if meant:
        _act_on(session, inbound, staff, meant, others, found, catalog=catalog, now=now)
        return
    tested = session.scalars(
        select(Message.id).where(Message.staff_id == staff.id, Message.template.in_(TESTS)).limit(1)
    ).first()
    _tell(session, inbound, staff, "staff.verified" if new and tested else "staff.nothing", {}, now)


def _act_on(
    session: Session,
    inbound: Inbound,
    staff: Staff,
    meant: Sequence[Ticket],
    others: list[str],
    found: re.Match[str],
    *,
    catalog: Catalog,
    now: datetime,
) -> None:
    passing = found["verb"].lower().startswith("p")
    first = meant[0]
    inbound.ticket_id, inbound.patient_id = first.id, first.patient_id
    template, values = act_on_all(session, staff, meant, passing=passing, catalog=catalog, now=now)
    values = {**values, "others": values.get("others", ", ".join(others))}
    several = template.endswith(".all")
    _tell(session, inbound, staff, f"{template}.more" if others and not several else template, values, now, first)


def act_on_all(
    session: Session, staff: Staff, meant: Sequence[Ticket], *, passing: bool, catalog: Catalog, now: datetime
) -> tuple[str, dict[str, str]]:
    """Take or pass on every ticket that one page told of. Returns the template that says what came of it, filled."""
    came = [(ticket, act(session, staff, ticket, passing=passing, catalog=catalog, now=now)) for ticket in meant]
    done = [(ticket, template) for ticket, template in came if template in ("staff.taken", "staff.passed")]
    if len(done) > 1:
        return f"{done[0][1]}.all", {"others": ", ".join(f"#{ticket.number}" for ticket, _ in done)}
    ticket, template = (done or came)[0]
    return template, {"number": str(ticket.number), "owner": ticket.owner or ""}


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
        text=f"{staff.name} texted STOP: pages by text no longer arrive. They are called instead. Ask for a START.",
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


def _meant(session: Session, staff: Staff, now: datetime) -> tuple[Sequence[Ticket], list[str]]:
    """The tickets of the last page to this phone, and the numbers of the other open ones that were paged to it."""
    paged = session.scalars(
        select(Message)
        .where(Message.staff_id == staff.id, Message.template.in_(PAGES), Message.sent_at >= now - RECENT)
        .order_by(Message.sent_at.desc(), Message.id)
    ).all()
    last = next((tickets for page in paged if (tickets := pages.covered(session, page))), None)
    if last is None:
        return [], []
    ours = {ticket.id for ticket in last}
    waiting = session.scalars(
        select(Ticket.number)
        .join(Paged, Paged.ticket_id == Ticket.id)
        .where(
            Paged.message_id.in_([page.id for page in paged]),
            Ticket.state == TicketState.OPEN,
            Ticket.id.not_in(ours),
        )
    ).all()
    return last, [f"#{number}" for number in sorted(set(waiting))]


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
    return session.scalars(select(Site.key).where(Site.key != CANARY).order_by(Site.key)).first() or ""
