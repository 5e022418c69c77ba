"""The rows of the board: drawn once for all who may see the same, then marked with what is new to each and theirs."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import request
from flask_babel import get_locale
from markupsafe import Markup
from sqlalchemy.orm import Session

from notifier import access, presence, queries, runtime
from notifier.core.states import TicketState
from notifier.core.vocabulary import Role, Urgency
from notifier.models import Contact, Ticket
from notifier.queries import Wanted
from webhooks.console import words
from webhooks.console.door import Person
from webhooks.console.lately import Lately
from webhooks.console.tongue import _

SHOWN = {Urgency.EMERGENCY: 100, Urgency.URGENT: 100, Urgency.SAME_DAY: 25, Urgency.ROUTINE: 15, Urgency.NONE: 15}
RESOLVED_SHOWN = 20
MORE = 300
SHARED = 10.0  # seconds for which one drawing serves every board that shows the same: so exact is the time left


@dataclass(frozen=True)
class Row:
    """One ticket as a row of the board: how urgent, who and what, in their words, who has it, by when."""

    id: UUID
    number: int
    urgency: Urgency
    name: str
    about: tuple[str, ...]  # the kinds, in words
    aside: str  # "caregiver · 3 texts"
    said: str | None  # None: this person may not read it
    added: str  # what the service put beside their words
    quoted: bool
    language: str
    role: Role
    owner: str
    owner_id: UUID | None
    state: TicketState
    due: words.Due
    news_at: datetime
    is_mine: bool = False
    is_new: bool = False  # it told something since this person last looked


class Group(NamedTuple):
    """The tickets of one urgency."""

    urgency: Urgency
    rows: list[Row]
    total: int
    promised: str


class Drawing:
    """A board as all who may see the same see it, and the HTML of each row that any of them was shown."""

    def __init__(self, shared: Sequence[Group]) -> None:
        self._shared = [group for group in shared if group.total]
        self._html: dict[Hashable, Markup] = {}

    def groups(self, session: Session, viewer: Person) -> list[Group]:
        """For this person: theirs marked, and what is new to them."""
        news = {row.id: row.news_at for group in self._shared for row in group.rows}
        new, me = presence.unseen(session, viewer.staff.id, news), viewer.staff.id
        return [
            group._replace(
                rows=[
                    replace(row, is_mine=row.owner_id == me, is_new=row.id in new)
                    if row.owner_id == me or row.id in new
                    else row
                    for row in group.rows
                ]
            )
            for group in self._shared
        ]

    def html(self, draw: Callable[[Row, bool], Markup], row: Row, picks: bool) -> Markup:
        """What `draw` makes of a row (`picks`: with a box to tick), the first time; then the same again."""
        found = self._html.get((row, picks))
        if found is None:
            found = self._html[row, picks] = draw(row, picks)
        return found


_drawings = Lately[Drawing](SHARED)


def drawn(session: Session, wanted: Wanted, viewer: Person, more: str, token: str, now: datetime) -> Drawing:
    """The board under these filters, at this token of it or later.

    A page that is loaded is always drawn anew, so that nobody misses what they just did; pages that only take over
    what changed share a drawing.
    """
    name = (wanted, more, token, tuple(sorted(viewer.staff.roles)), viewer.zone, str(get_locale()))

    def draw() -> Drawing:
        return Drawing([_group(session, wanted, urgency, viewer, more, now) for urgency in Urgency])

    return _drawings.get(name, draw, anew="X-Live" not in request.headers)


def _group(session: Session, wanted: Wanted, urgency: Urgency, viewer: Person, more: str, now: datetime) -> Group:
    limit = MORE if more == urgency else RESOLVED_SHOWN if TicketState.RESOLVED in wanted.states else SHOWN[urgency]
    found = queries.board(session, wanted, urgency, limit)
    total = len(found) if len(found) < limit else queries.board_counts(session, wanted)[urgency]
    return Group(urgency, _rows(session, found, viewer, now), total, words.PROMISED[urgency])


def _rows(session: Session, found: Sequence[Ticket], viewer: Person, now: datetime) -> list[Row]:
    people = queries.contacts(session, (ticket.contact_id for ticket in found))
    told = queries.texts_told(session, found)
    return [
        _row(ticket, people.get(ticket.contact_id) if ticket.contact_id else None, told.get(ticket.id, []), viewer, now)
        for ticket in found
    ]


def _row(ticket: Ticket, teller: Contact | None, told: list[str], viewer: Person, now: datetime) -> Row:
    readable = may_read(viewer, ticket.kinds)
    # A second team's ticket holds no text of its own: their words are its first line.
    said = told[0] if told and told[0] else ticket.text.split("\n", 1)[0]
    if not ticket.text.startswith(said):
        said = ticket.text
    aside = [teller.relation] if teller and not teller.is_patient else []
    aside += [_("%(count)s texts", count=len(told))] if len(told) > 1 else []
    return Row(
        id=ticket.id,
        number=ticket.number,
        urgency=ticket.urgency,
        name=whose(ticket),
        about=tuple(words.kind(code) for code in ticket.kinds) if readable else (_("Clinical"),),
        aside=" · ".join(aside),
        said=said if readable else None,
        added=ticket.text[len(said) :].strip() if readable else "",
        quoted=ticket.source in ("sms", "voice"),
        language=teller.language if teller else "en",
        role=ticket.role,
        owner=ticket.owner or "",
        owner_id=ticket.owner_id,
        state=ticket.state,
        due=words.due(ticket.opened_at, ticket.respond_by, ticket.urgency, zone_of(ticket), now, viewer.zone),
        news_at=ticket.news_at,
    )


def may_read(viewer: Person, kinds: Sequence[str]) -> bool:
    """Whether this person may read words that tell of these kinds."""
    return access.may_read(viewer.staff.roles, kinds, runtime.current().catalog.rules.rows)


def whose(ticket: Ticket) -> str:
    """Whose need a ticket is, for the heading of a page behind the door."""
    if ticket.patient:
        return ticket.patient.name
    return words.phone(ticket.sender) if ticket.sender else ticket.site.name


def zone_of(ticket: Ticket) -> ZoneInfo:
    """The zone in which a ticket's times are told: the patient's, else the site's."""
    return ZoneInfo(ticket.patient.timezone if ticket.patient else ticket.site.timezone)
