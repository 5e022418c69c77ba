"""Whatever tickets, rotas, answers and phones do: no open red flag is ever left that will wake nobody.

Hypothesis plays the patients, the staff and the clock against the real verbs and a real database.
"""

import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, func, select

from notifier import (
    auditor,
    handling,
    pages,
    paging,
    paging_answers,
    pharmacy,
    promises,
    roster,
    runtime,
    sending,
    tickets,
)
from notifier.config import Settings
from notifier.core.states import MessageState, TicketState
from notifier.core.vocabulary import Channel, Role, Source, Urgency
from notifier.db import Base
from notifier.errors import Refused
from notifier.models import Message, OnCallShift, Paged, Site, Staff, Ticket
from notifier.provider import Accepted, Rejected
from tests.clinic import PHARMACY
from tests.world import settings_for

START = datetime(2027, 3, 13, 20, tzinfo=UTC)  # the clocks go forward in the night that follows
PATIENTS = ("one", "two", "three")
NEEDS = [
    (Role.NURSE, Urgency.URGENT, "FEVER"),
    (Role.NURSE, Urgency.URGENT, "CHILLS"),
    (Role.NURSE, Urgency.EMERGENCY, "BREATHING"),
    (Role.PHARMACIST, Urgency.URGENT, "DOUBLE_DOSE"),
    (Role.NURSE, Urgency.SAME_DAY, "HEADACHE_MILD"),
    (Role.DELIVERY, Urgency.ROUTINE, "PICKUP"),
]
KEYS = ("nia", "bo", "phil", "dee", "cora", "sue", "last_resort")
SILENCE = timedelta(minutes=31)
OPTED_OUT = 21610


class Pharmacy(RuleBasedStateMachine):
    """One pharmacy in which anything may happen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.catalog = runtime.current().catalog

    @initialize()
    def opens(self) -> None:
        """Everything is as on the first day."""
        with runtime.transaction() as session:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name not in ("counter", "secret", "audit_event"):
                    session.execute(delete(table))
        with runtime.transaction() as session:
            pharmacy.apply(session, PHARMACY, now=self.now, by="test")

    # --- what happens by itself ---

    def tick(self) -> None:
        """What is due at this moment, as the clock process would do it."""
        given = {"catalog": self.catalog, "now": self.now}
        for _ in range(30):
            with runtime.transaction() as session:
                for ticket_id in tickets.lapsed(session, self.now):
                    tickets.lapse(session, tickets.get(session, ticket_id), **given)
            with runtime.transaction() as session:
                for ticket_id in paging.due_to_escalate(session, self.now):
                    paging.escalate(session, tickets.get(session, ticket_id), **given)
            with runtime.transaction() as session:
                for ticket_id in promises.due(session, self.now):
                    promises.follow(session, ticket_id, **given)
            if not self.deliver() and not self._is_due():
                return
        raise AssertionError("it does not come to rest")

    def _is_due(self) -> bool:
        with runtime.reading() as session:
            looks = (tickets.lapsed, paging.due_to_escalate, promises.due)
            return any(look(session, self.now, limit=1) for look in looks)

    def deliver(self) -> int:
        """What is due leaves; a phone that texted STOP refuses texts."""
        real = datetime.now(UTC)
        with runtime.transaction() as session:
            due = sending.due(session, None, now=self.now, limit=100)
            base = "http://x.test"
            orders = sending.claim_all(
                session, due, catalog=self.catalog, public_base_url=base, now=self.now, real_now=real
            )
            stopped = {person.phone for person in session.scalars(select(Staff)) if person.texts_stopped_at}
        outcomes = {}
        for order in orders:
            refused = order.channel is Channel.SMS and order.to in stopped
            outcomes[UUID(order.attempt_id)] = (
                Rejected(OPTED_OUT) if refused else Accepted(f"SM{uuid4().hex}", "queued")
            )
        with runtime.transaction() as session:
            sending.record_outcomes(session, outcomes, catalog=self.catalog, now=self.now, real_now=real, pace=1.0)
        return len(orders)

    def passes(self, span: timedelta) -> None:
        """Time goes by, and what falls due on the way happens at its moment."""
        end = self.now + span
        self.tick()
        while (coming := self._next()) is not None and coming <= end:
            self.now = max(coming, self.now)
            self.tick()
        self.now = end
        self.tick()

    def _next(self) -> datetime | None:
        with runtime.reading() as session:
            moments = [
                session.scalar(select(func.min(column)).where(wanted, column > self.now))
                for column, wanted in (
                    (Ticket.escalate_at, Ticket.state == TicketState.OPEN),
                    (Ticket.ack_expires_at, Ticket.state == TicketState.ACKNOWLEDGED),
                    (Ticket.promise_due_at, Ticket.state != TicketState.RESOLVED),
                    (Message.due_at, Message.state == MessageState.PLANNED),
                )
            ]
        return min((moment for moment in moments if moment), default=None)

    # --- what people do ---

    @rule(patient=st.sampled_from(PATIENTS), need=st.sampled_from(NEEDS))
    def tells(self, patient: str, need: tuple[Role, Urgency, str]) -> None:
        """A patient tells something."""
        role, urgency, kind = need
        with runtime.transaction() as session:
            wanted = tickets.Need("newyork", f"sender:{patient}", role, urgency, (kind,), Source.SMS, kind)
            tickets.open_or_append(session, wanted, catalog=self.catalog, now=self.now)
        self.tick()

    def _any(self, session, pick: int, *states: TicketState) -> Ticket | None:
        found = session.scalars(select(Ticket).where(Ticket.state.in_(states)).order_by(Ticket.number)).all()
        return found[pick % len(found)] if found else None

    @rule(pick=st.integers(0, 9), who=st.sampled_from(KEYS[:-1]), passing=st.booleans())
    def answers(self, pick: int, who: str, passing: bool) -> None:
        """Somebody takes a ticket or passes it on."""
        with runtime.transaction() as session:
            ticket = self._any(session, pick, TicketState.OPEN, TicketState.ACKNOWLEDGED)
            person = session.scalars(select(Staff).where(Staff.key == who)).one()
            if ticket and person.active:
                paging_answers.act(session, person, ticket, passing=passing, catalog=self.catalog, now=self.now)
        self.tick()

    @rule(pick=st.integers(0, 9), reached=st.booleans(), resolves=st.booleans())
    def calls(self, pick: int, reached: bool, resolves: bool) -> None:
        """The owner calls the patient, and perhaps closes the ticket."""
        with runtime.transaction() as session:
            ticket = self._any(session, pick, TicketState.OPEN, TicketState.ACKNOWLEDGED)
            if ticket:
                by = tickets.Actor("Nia Nurse")
                tickets.log_contact(session, ticket, reached, "", by, catalog=self.catalog, now=self.now)
                if resolves and (reached or not ticket.urgency.is_red):
                    outcome = "welfare_check_sent" if tickets.WELFARE in ticket.kinds else "reached_advised"
                    tickets.resolve(session, ticket, outcome, "", by, now=self.now)
        self.tick()

    @rule(pick=st.integers(0, 9), to=st.sampled_from(KEYS[:-1]))
    def assigns(self, pick: int, to: str) -> None:
        """Somebody gets it, whether at work or not."""
        with runtime.transaction() as session:
            ticket = self._any(session, pick, TicketState.OPEN, TicketState.ACKNOWLEDGED)
            person = session.scalars(select(Staff).where(Staff.key == to)).one()
            if ticket and person.active:
                tickets.assign(session, ticket, person, tickets.Actor("Cora"), now=self.now)
        self.tick()

    @rule(one=st.integers(0, 9), other=st.integers(0, 9), role=st.none() | st.sampled_from([Role.NURSE, Role.DELIVERY]))
    def moves(self, one: int, other: int, role: Role | None) -> None:
        """Two are merged, or one goes to another team."""
        with runtime.transaction() as session:
            unresolved = (TicketState.OPEN, TicketState.ACKNOWLEDGED)
            first, second = (self._any(session, pick, *unresolved) for pick in (one, other))
            by = tickets.Actor("Cora")
            try:
                if first and role:
                    handling.reroute(session, first, role, by, catalog=self.catalog, now=self.now)
                elif first and second:
                    handling.merge(session, first, second, by, catalog=self.catalog, now=self.now)
            except Refused:
                session.rollback()
        self.tick()

    @rule(who=st.sampled_from(KEYS), what=st.sampled_from(["leaves", "loses the phone", "texts STOP", "is back"]))
    def changes(self, who: str, what: str) -> None:
        """People come and go; one phone at least is left in the house."""
        with runtime.transaction() as session:
            person = session.scalars(select(Staff).where(Staff.key == who)).one()
            others = [each for each in session.scalars(select(Staff)) if each.id != person.id and roster.rings(each)]
            if what == "is back":
                person.active, person.texts_stopped_at = True, None
                person.phone = f"+121255501{KEYS.index(who):02}"
                person.phone_hash = f"hash-{who}"
            elif what == "texts STOP":
                person.texts_stopped_at = self.now
            elif others and what == "leaves":
                person.active = False
            elif others:
                person.phone = person.phone_hash = None

    @rule(who=st.sampled_from(KEYS))
    def a_bad_night(self, who: str) -> None:
        """Everybody is away but one, whoever that is."""
        with runtime.transaction() as session:
            people = session.scalars(select(Staff)).all()
            if any(person.key == who and roster.rings(person) for person in people):
                for person in people:
                    person.active = person.key == who

    @rule(pick=st.integers(0, 9), adds=st.booleans(), who=st.sampled_from(("nia", "bo")))
    def rota_changes(self, pick: int, adds: bool, who: str) -> None:
        """A line of the rota goes, or a cover comes."""
        with runtime.transaction() as session:
            rows = session.scalars(select(OnCallShift)).all()
            if adds:
                person = session.scalars(select(Staff).where(Staff.key == who)).one()
                cover = roster.Cover(
                    "newyork", Role.NURSE, pick % 3, person.id, self.now, self.now + timedelta(hours=3)
                )
                with suppress(Refused):  # who is gone covers nothing
                    roster.cover(session, [cover], by="test", now=self.now)
            elif rows:
                session.delete(rows[pick % len(rows)])

    @rule(minutes=st.sampled_from([1, 2, 4, 5, 10, 16, 31, 60, 600]))
    def time_passes(self, minutes: int) -> None:
        """Nobody does anything for a while."""
        self.passes(timedelta(minutes=minutes))

    # --- what must hold ---

    def _waiting(self) -> list[Ticket]:
        with runtime.reading() as session:
            red = Ticket.urgency.in_((Urgency.EMERGENCY, Urgency.URGENT))
            found = select(Ticket).where(Ticket.state != TicketState.RESOLVED, red, Ticket.contacted_at.is_(None))
            return list(session.scalars(found))

    @precondition(lambda self: self._waiting())
    @rule()
    def silence(self) -> None:
        """Half an hour in which no human does anything: each red flag has woken somebody who is there."""
        before, waiting = self.now, self._waiting()
        self.passes(SILENCE)
        with runtime.reading() as session:
            for ticket in waiting:
                woken = session.scalars(
                    select(Staff)
                    .join(Message, Message.staff_id == Staff.id)
                    .join(Paged, Paged.message_id == Message.id)
                    .where(
                        Paged.ticket_id == ticket.id,
                        Message.template.in_(pages.STOPPABLE),
                        Message.sent_at >= before,
                        Message.state == MessageState.SENT,
                    )
                ).all()
                assert any(roster.rings(person) for person in woken), f"#{ticket.number} wakes nobody"

    def teardown(self) -> None:
        """Whatever was done, the night that follows it is quiet."""
        if self._waiting():
            self.silence()

    @invariant()
    def a_next_step_is_near(self) -> None:
        """Every red flag without a contact has a moment, soon, at which something happens by itself."""
        for ticket in self._waiting():
            moment = ticket.escalate_at if ticket.state is TicketState.OPEN else ticket.ack_expires_at
            assert moment is not None
            assert moment <= self.now + SILENCE, f"#{ticket.number} sleeps until {moment}"

    @invariant()
    def the_auditor_finds_nothing(self) -> None:
        """Another pair of eyes, with queries of its own, agrees."""
        with runtime.reading() as session:
            wrong = [
                each for each in auditor.breaches(session, self.now) if each.rule not in ("owner", "urgent_message")
            ]
        assert wrong == []


def test_no_reachable_state_leaves_a_red_flag_that_wakes_nobody(migrated_file, tmp_path):
    path = shutil.copy(migrated_file, tmp_path / "notifier.db")
    env = settings_for(f"sqlite:///{path}", "redis://127.0.0.1:1/0", "http://x.test", "http://y.test")
    parts = runtime.configure(Settings.from_env(env))
    with runtime.reading() as session:
        assert session.scalars(select(Site)).all() == []
    try:
        run_state_machine_as_test(
            Pharmacy,
            settings=settings(
                max_examples=30,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        parts.engine.dispose()
