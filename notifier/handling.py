"""Tickets in human hands: linked, merged, given to another team or at the end of a shift, their checklist filled in."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier import journal, pages, paging, tickets
from notifier.catalog import Catalog
from notifier.core.states import TicketState
from notifier.core.vocabulary import TEAMS, Role
from notifier.errors import Refused
from notifier.models import Inbound, Staff, Ticket, TicketLink
from notifier.tickets import Actor, Need

MERGED = "merged"  # the outcome of a ticket that another one took over


def linked(session: Session, ticket: Ticket) -> Sequence[Ticket]:
    """The tickets that belong to this one, by number."""
    found = select(Ticket).join(TicketLink, TicketLink.other_id == Ticket.id).where(TicketLink.ticket_id == ticket.id)
    return session.scalars(found.order_by(Ticket.number)).all()


def link(session: Session, ticket: Ticket, other: Ticket, by: Actor, *, now: datetime) -> None:
    """Say that two tickets belong together. Raises Refused: one and the same, or of different sites."""
    if ticket.id == other.id:
        raise Refused("That is this ticket itself.")
    if ticket.site_key != other.site_key:
        raise Refused(f"Ticket {other.number} belongs to another site.")
    if tickets.link(session, ticket.id, other.id):
        journal.note(session, ticket, "ticket.linked", now=now, by=by.name, detail=f"#{other.number}")
        journal.note(session, other, "ticket.linked", now=now, by=by.name, detail=f"#{ticket.number}")


def merge(session: Session, ticket: Ticket, into: Ticket, by: Actor, *, catalog: Catalog, now: datetime) -> None:
    """Let `into` take over everything of `ticket`, which is closed as merged. Nothing of the need is lost.

    What `into`'s owner has not heard pages them. Raises Refused: closed tickets, another site, another patient, or a
    red flag into a team that does not answer for it.
    """
    if ticket.urgency.is_red and into.role not in (ticket.role, Role.NURSE):
        raise Refused(f"A red flag for the {ticket.role} cannot be left to {into.role}: give it to that team first.")
    _take_over(session, ticket, into, by, catalog=catalog, now=now)


def _take_over(session: Session, ticket: Ticket, into: Ticket, by: Actor, *, catalog: Catalog, now: datetime) -> None:
    both = select(Ticket).where(Ticket.id.in_((ticket.id, into.id))).order_by(Ticket.number)  # never crosswise
    session.scalars(both.with_for_update(of=Ticket).execution_options(populate_existing=True)).all()
    _may_merge(ticket, into)
    need = Need(
        site_key=into.site_key,
        subject=into.subject,
        role=into.role,
        urgency=ticket.urgency,
        kinds=tuple(ticket.kinds),
        source=ticket.source,
        text=ticket.text,
        target=timedelta(minutes=ticket.target_minutes) if ticket.target_minutes else None,
    )
    reached, respond_by = ticket.contacted_at, ticket.respond_by
    promise_due = ticket.promise_due_at
    journal.advance(
        session,
        ticket,
        TicketState.RESOLVED,
        now=now,
        by=by.name,
        why=f"merged into #{into.number}",
        resolved_at=now,
        outcome=MERGED,
        merged_id=into.id,
        escalate_at=None,
        owner=ticket.owner or by.name,
        owner_id=ticket.owner_id or by.staff_id,
        promise_step=None,
        promise_due_at=None,
    )
    pages.withdraw(session, ticket, by=by.name, why=f"merged into #{into.number}", now=now)
    session.execute(
        update(Inbound)
        .where(Inbound.ticket_id == ticket.id)
        .values(ticket_id=into.id)
        .execution_options(synchronize_session=False)
    )
    if ticket.text not in into.text:
        into.text = f"{into.text}\n{ticket.text}"
    tickets.link(session, ticket.id, into.id)
    journal.note(session, into, "ticket.merged", now=now, by=by.name, detail=f"#{ticket.number}")
    if reached is None:
        tickets.append(session, into, need, catalog=catalog, now=now, by=by.name)
        into.respond_by = min(into.respond_by, respond_by)
        if promise_due and into.promise_due_at:
            into.promise_due_at = min(into.promise_due_at, promise_due)
    else:  # its need was met: nothing that the owner has to hear at once
        into.kinds = list(dict.fromkeys([*into.kinds, *ticket.kinds]))
    session.flush()
    paging.escalate(session, into, catalog=catalog, now=now)


def _may_merge(ticket: Ticket, into: Ticket) -> None:
    if ticket.id == into.id:
        raise Refused("That is this ticket itself.")
    for each in (ticket, into):
        if each.state is TicketState.RESOLVED:
            raise Refused(f"Ticket {each.number} is resolved; open a new one.")
    if ticket.site_key != into.site_key:
        raise Refused(f"Ticket {into.number} belongs to another site.")
    if ticket.patient_id and into.patient_id and ticket.patient_id != into.patient_id:
        raise Refused(f"Ticket {into.number} is about another patient.")
    if ticket.patient_id and not into.patient_id:
        raise Refused("Merge the ticket without a patient into the patient's own.")


def reroute(session: Session, ticket: Ticket, role: Role, by: Actor, *, catalog: Catalog, now: datetime) -> Ticket:
    """Make it another team's, which is paged at once. Returns the ticket that holds the need now.

    If the team has an unresolved one of the same patient, that one takes it over. Raises Refused.
    """
    if ticket.state is TicketState.RESOLVED:
        raise Refused(f"Ticket {ticket.number} is resolved; open a new one.")
    if role not in TEAMS:
        raise Refused(f"Choose one of {', '.join(TEAMS)}.")
    if role is ticket.role:
        return ticket
    standing = tickets.unresolved(session, ticket.subject, role)
    if standing is not None:
        _take_over(session, ticket, standing, by, catalog=catalog, now=now)
        return standing
    ticket.role = role
    tickets.recompute(ticket)
    journal.note(session, ticket, "ticket.rerouted", now=now, by=by.name, detail=role)
    session.flush()
    if ticket.state is TicketState.ACKNOWLEDGED:
        tickets.reopen(session, ticket, catalog=catalog, now=now, by=by.name, why=f"now for the {role}")
    else:
        pages.withdraw(session, ticket, by=by.name, why=f"now for the {role}", now=now)
        tickets.restart(ticket, now)
        session.flush()
        paging.escalate(session, ticket, catalog=catalog, now=now)
    return ticket


def hand_over(session: Session, person: Staff, to: Staff, by: Actor, *, now: datetime) -> list[Ticket]:
    """Give everything that one person has to another, who is told. Returns those tickets. Raises Refused."""
    if person.id == to.id:
        raise Refused("Choose somebody else.")
    if not to.active:
        raise Refused(f"{to.name} no longer works here.")
    held = session.scalars(
        select(Ticket)
        .where(Ticket.owner_id == person.id, Ticket.state == TicketState.ACKNOWLEDGED)
        .order_by(Ticket.number)
        .with_for_update()
    ).all()
    for ticket in held:
        tickets.assign(session, ticket, to, by, now=now)
    return list(held)


def record(
    session: Session, ticket: Ticket, answers: Mapping[str, str], by: Actor, *, asked: Sequence[str], now: datetime
) -> int:
    """Write down what was asked on the call, by question. Returns how many answers are new. Raises Refused."""
    if ticket.state is TicketState.RESOLVED:
        raise Refused(f"Ticket {ticket.number} is resolved; open a new one.")
    known = ticket.answers or {}
    new = {
        question: text.strip()
        for question, text in answers.items()
        if question in asked and text.strip() and text.strip() != known.get(question)
    }
    if new:
        ticket.answers = {**known, **new}
        told = "; ".join(f"{question} {answer}" for question, answer in new.items())
        journal.note(session, ticket, "ticket.recorded", now=now, by=by.name, detail=told)
    return len(new)
