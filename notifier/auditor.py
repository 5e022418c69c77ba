"""An independent look at the ledger: does every open need have a next step, did every due step happen?

It shares no query and no rule with the code that it watches, so that a fault there does not blind it here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from notifier import pages, roster
from notifier.db import Instant
from notifier.models import Site

PATIENCE = timedelta(minutes=2)  # real: scaled by the pace of the clock
A_DAY = timedelta(days=1)
PAGE_AGAIN = timedelta(minutes=15)
TEXTS_IN_VAIN, CALLS_IN_VAIN = "texts_in_vain", "calls_in_vain"


@dataclass(frozen=True)
class Breach:
    """A rule that is broken now, in words, and by how many rows. No word of anybody's."""

    rule: str
    said: str
    count: int

    @property
    def sentence(self) -> str:
        """`2 red flags have woken nobody`."""
        return f"{self.count} {self.said}" if self.count else self.said


# (rule, what is wrong, the rows that break it). :now, :late (now less our patience), :soon, :day_ago
RULES: tuple[tuple[str, str, str], ...] = (
    (
        "next_step",
        "open tickets have no next step in sight",
        """SELECT (SELECT count(*) FROM ticket WHERE state = 'open' AND escalate_at IS NULL)
           + (SELECT count(*) FROM ticket WHERE state = 'open' AND urgency IN ('emergency', 'urgent')
              AND escalate_at > :soon)""",
    ),
    (
        "escalation",
        "escalations are overdue",
        "SELECT count(*) FROM ticket WHERE state = 'open' AND escalate_at < :late",
    ),
    (
        "acknowledgement",
        "acknowledgements have lapsed and were not opened again",
        """SELECT count(*) FROM ticket WHERE state = 'acknowledged'
           AND (ack_expires_at IS NULL OR ack_expires_at < :late)""",
    ),
    (
        "promise",
        "broken promises were not followed up",
        """SELECT count(*) FROM ticket WHERE promise_due_at IS NOT NULL AND promise_due_at < :late
           AND state != 'resolved'""",
    ),
    (
        "owner",
        "promises are held by somebody who no longer works here",
        """SELECT count(*) FROM ticket JOIN staff ON staff.id = ticket.owner_id
           WHERE ticket.state = 'acknowledged' AND ticket.contacted_at IS NULL AND NOT staff.active""",
    ),
    (
        "woke_nobody",
        "red flags have woken nobody",
        """SELECT count(*) FROM ticket WHERE state = 'open' AND urgency IN ('emergency', 'urgent')
           AND ladder_from < :late AND NOT EXISTS (
             SELECT 1 FROM paged JOIN message ON message.id = paged.message_id
             WHERE paged.ticket_id = ticket.id AND message.created_at >= ticket.ladder_from
             AND message.state IN ('sending', 'uncertain', 'sent', 'delivered'))""",
    ),
    (
        "unread",
        "texts have not been read",
        "SELECT count(*) FROM inbound WHERE state = 'received' AND received_at < :late",
    ),
    (
        "misread",
        "red flags were read and became no ticket",
        """SELECT count(*) FROM inbound WHERE state = 'triaged' AND urgency IN ('emergency', 'urgent')
           AND ticket_id IS NULL AND staff_id IS NULL AND received_at > :day_ago""",
    ),
    (
        "urgent_message",
        "answers or pages are overdue",
        """SELECT count(*) FROM message WHERE state = 'planned' AND urgent AND due_at < :late AND not_after > :now""",
    ),
)


def breaches(session: Session, now: datetime, *, pace: float = 1.0) -> list[Breach]:
    """Every rule that is broken now. `pace`: seconds of `now` in a real second."""
    return list(_look(session, now, pace))


def _look(session: Session, now: datetime, pace: float) -> Iterator[Breach]:
    moments = {
        "now": now,
        "late": now - PATIENCE * pace,
        "soon": now + timedelta(minutes=30) + PATIENCE * pace,
        "day_ago": now - A_DAY,
    }
    for rule, said, sql in RULES:
        asked = text(sql)
        used = {name: at for name, at in moments.items() if f":{name}" in sql}
        found = session.scalar(asked.bindparams(*(bindparam(name, at, type_=Instant) for name, at in used.items())))
        if found:
            yield Breach(rule, said, int(found))


def tell_operations(session: Session, found: Sequence[Breach], *, now: datetime) -> None:
    """Page whoever looks after the service; again each quarter of an hour, and at once when something new breaks.

    By call while Twilio takes no texts.
    """
    site = session.query(Site.key).order_by(Site.key).first()
    if not found or site is None:
        return
    rules = ",".join(sorted(breach.rule for breach in found))
    turn = int(now.timestamp() // PAGE_AGAIN.total_seconds())
    values = {"number": str(len(found)), "others": ", ".join(breach.rule.replace("_", " ") for breach in found)}
    for person in roster.operations(session):
        key = f"operations:{rules}:{turn}:{person.id}"
        by_call = any(breach.rule == TEXTS_IN_VAIN for breach in found)
        pages.notify(session, person, site[0], key, "staff.operations", values, now=now, by_call=by_call)
