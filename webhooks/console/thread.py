"""A ticket's thread as it is drawn: the four voices (patient, ours, notes, journal) in the order of time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from notifier.catalog import Catalog
from notifier.core.states import InboundState, MessageState
from notifier.core.triage.raising import LIKE
from notifier.core.vocabulary import Channel, Source, Urgency
from notifier.models import Attempt, AuditEvent, Contact, Inbound, Message, Ticket
from notifier.pages import ONCE
from notifier.queries import Thread
from notifier.rehearsal import spoken
from webhooks.console import words
from webhooks.console.journal_words import PAGES, line_of, nobody
from webhooks.console.telling import told
from webhooks.console.tongue import _

JUST_BEFORE = timedelta(hours=1)  # what was said so shortly before a ticket belongs to it
ORDER = {"patient": 0, "auto": 1, "staff": 1}  # of what happened at the same moment
REPLY = "verbatim"  # the template of what staff write themselves


@dataclass(frozen=True)
class Entry:
    """One thing that was said or done. `voice`: patient, staff, auto, note or journal."""

    at: datetime
    voice: str
    who: str
    text: str | Markup | None  # None: this person may not read it
    aside: str = ""
    language: str = "en"
    icon: str = "messages"
    readings: tuple[tuple[str, str], ...] = ()  # (kind in words, tone)
    state: str = ""  # of what we sent
    trouble: bool = False
    arrived: bool = False
    by_voice: bool = False


class Day(NamedTuple):
    """The entries of one local day; journal lines in a row stand together."""

    name: str
    runs: list[tuple[bool, list[Entry]]]  # (are they journal lines, the lines)


@dataclass(frozen=True)
class Drawn:
    """The whole thread: what came long before is folded."""

    earlier: list[Day]
    earlier_count: int
    earlier_since: datetime | None
    days: list[Day]


class Eyes(NamedTuple):
    """Who looks at the thread, and with what."""

    may_read: Callable[[Sequence[str]], bool]  # whether they may read words that tell of these kinds
    catalog: Catalog
    zone: ZoneInfo
    now: datetime


def draw(ticket: Ticket, thread: Thread, people: dict[UUID, Contact], tried: dict[UUID, Attempt], eyes: Eyes) -> Drawn:
    """The thread of a ticket for somebody's eyes."""
    entries = sorted(
        [
            *(_from_patient(row, ticket, people, eyes) for row in thread.inbound),
            *_ours(ticket, thread, tried, eyes),
            *_journal(thread.journal, eyes.may_read(ticket.kinds)),
            *_pages(thread.pages, eyes),
        ],
        key=lambda entry: (entry.at, ORDER.get(entry.voice, 2)),
    )
    begins = ticket.opened_at - JUST_BEFORE
    before = [entry for entry in entries if entry.at < begins]
    spoken = [entry for entry in before if entry.voice != "journal"]
    return Drawn(
        _days(before, eyes),
        len(spoken),
        spoken[0].at if spoken else None,
        _days([entry for entry in entries if entry.at >= begins], eyes),
    )


def _days(entries: Iterable[Entry], eyes: Eyes) -> list[Day]:
    found = []
    for date, in_day in groupby(entries, key=lambda entry: entry.at.astimezone(eyes.zone).date()):
        lines = list(in_day)
        name = words.day(lines[0].at, eyes.zone)
        if date == eyes.now.astimezone(eyes.zone).date():
            name = _("Today, %(day)s", day=name)
        found.append(
            Day(name, [(kind, list(run)) for kind, run in groupby(lines, lambda line: line.voice == "journal")])
        )
    return found


# --- what they said -----------------------------------------------------------------------------------------------


def _from_patient(row: Inbound, ticket: Ticket, people: dict[UUID, Contact], eyes: Eyes) -> Entry:
    contact = people.get(row.contact_id) if row.contact_id else None
    readable = eyes.may_read(row.kinds or ticket.kinds)
    rows = eyes.catalog.rules.rows
    kinds = [(words.kind(code), words.tone(rows[code].urgency if code in rows else Urgency.NONE)) for code in row.kinds]
    return Entry(
        at=row.received_at,
        voice="patient",
        who=_name(contact) if contact else words.phone(row.sender),
        text=marked(row.body, row.evidence) if readable else None,
        aside=_how_it_came(row),
        language=contact.language if contact else "en",
        readings=tuple(kinds) if readable else ((_("Clinical"), "routine"),),
        by_voice=row.source is Source.VOICE,
    )


def _how_it_came(row: Inbound) -> str:
    if row.state is InboundState.RECEIVED:
        return _("not read yet by the service: read it now")
    if row.media:
        return _("%(count)s pictures", count=row.media) if row.media > 1 else _("1 picture")
    return _("by phone") if row.source is Source.VOICE else ""


def _name(contact: Contact) -> str:
    return contact.name if contact.is_patient else f"{contact.name}, {contact.relation}"


def marked(text: str, evidence: Sequence[dict[str, Any]]) -> Markup:
    """The patient's own words with what triage read in them marked and why; overlapping marks become one.

    What was read from the whole of a text, by its likeness to others, marks nothing.
    """
    spans = sorted((found["span"][0], found["span"][1], found["kind"], found.get("rule", "")) for found in evidence)
    out, at = Markup(), 0
    for start, end, kind, rule in spans:
        start = max(start, at)
        if start < end <= len(text) and not rule.startswith(LIKE):
            why = _("%(kind)s, by %(rule)s", kind=words.kind(kind), rule=rule) if rule else words.kind(kind)
            out += escape(text[at:start]) + Markup('<mark title="{}">').format(why)
            out += escape(text[start:end]) + Markup("</mark>")
            at = end
    return out + escape(text[at:])


# --- what we said -------------------------------------------------------------------------------------------------


def _ours(ticket: Ticket, thread: Thread, tried: dict[UUID, Attempt], eyes: Eyes) -> Iterable[Entry]:
    writers = {line.at: line.actor for line in thread.journal if line.verb == "ticket.replied"}
    heard = {row.id: row for row in thread.inbound}
    for message in thread.messages:
        answered = heard.get(message.inbound_id) if message.inbound_id else None
        by_staff = message.template == REPLY
        readable = _may_read_ours(message, answered, ticket, eyes)
        yield Entry(
            at=message.sent_at or max(message.created_at, min(message.due_at, eyes.now)),
            voice="staff" if by_staff else "auto",
            who=writers.get(message.created_at, _("Staff")) if by_staff else _("Automatic"),
            text=spoken(message, eyes.catalog) if readable else None,
            aside=_why_sent(message, readable),
            language=message.language,
            state=how_it_went(message, tried.get(message.id), eyes.zone, eyes.now),
            trouble=message.state in (MessageState.FAILED, MessageState.UNCERTAIN),
            arrived=message.state is MessageState.DELIVERED,
            by_voice=message.channel is Channel.VOICE,
        )


def _may_read_ours(message: Message, answered: Inbound | None, ticket: Ticket, eyes: Eyes) -> bool:
    """What answers clinical words may tell as much as they do."""
    if answered is not None:
        return eyes.may_read(answered.kinds)
    if message.template != REPLY:
        return True
    return eyes.may_read(ticket.kinds if message.ticket_id == ticket.id else ["UNKNOWN"])


def _why_sent(message: Message, readable: bool) -> str:
    helper = message.contact if message.contact and not message.contact.is_patient else None
    to = _("to %(name)s", name=_name(helper)) if helper else ""
    what = words.step(message.step) if message.step else ""
    if message.inbound_id:
        what = answer(message, readable)
    origin = _origin(message) if readable else ""
    return " · ".join(
        part for part in (what, origin, to, _("by call") if message.channel is Channel.VOICE else "") if part
    )


def _origin(message: Message) -> str:
    """`M16 v3f9a1c`: the template, and which words it had then; an answer's template stands before it in words."""
    template = "" if message.inbound_id else message.template
    return f"{template} v{message.template_version}".strip() if message.template_version else ""


def answer(message: Message, readable: bool) -> str:
    """`Safe answer: fever` for the template ack.FEVER; to what, for those who may read it."""
    if not readable:
        return _("Safe answer")
    return _("Safe answer: %(kind)s", kind=words.kind(message.template.removeprefix("ack.")).lower())


def how_it_went(message: Message, attempt: Attempt | None, zone: ZoneInfo, now: datetime) -> str:
    """`Delivered 10:00 AM`; `Failed: the number takes calls only (30006)`."""
    said = _(words.MESSAGE_STATES[message.state])
    match message.state:
        case MessageState.DELIVERED if at := message.ended_at or message.sent_at:
            return _("Delivered %(at)s", at=words.when(at, zone, now))
        case MessageState.SENT if message.sent_at:
            return _("Sent %(at)s", at=words.when(message.sent_at, zone, now))
        case MessageState.PLANNED if message.due_at > now:
            return _("Leaves %(at)s", at=words.when(message.due_at, zone, now))
        case MessageState.PLANNED:
            return _("Leaves now")
        case MessageState.FAILED:
            why = words.why_failed(attempt.error_code if attempt else None, message.why)
            code = f" ({attempt.error_code})" if attempt and attempt.error_code else ""
            return f"{said}: {why}{code}" if why else said
        case MessageState.CANCELLED if message.why:
            return f"{said}: {told(message.why)}"
    return said


# --- what was done ------------------------------------------------------------------------------------------------

SHOWN_ELSEWHERE = {"ticket.escalated", "ticket.replied"}  # the pages and the texts themselves stand in the thread


def _journal(lines: Sequence[AuditEvent], readable: bool) -> Iterable[Entry]:
    for line in lines:
        if line.verb == "ticket.noted":
            yield Entry(line.at, "note", line.actor, line.detail if readable else None, icon="lock")
        elif line.verb == "ticket.escalated":
            if line.detail and "nobody" in line.detail:
                yield Entry(line.at, "journal", "", nobody(line.detail), icon="urgent")
        elif line.verb not in SHOWN_ELSEWHERE:
            icon, said = line_of(line, readable)
            yield Entry(line.at, "journal", line.actor, said, icon=icon)


def _pages(pages: Sequence[Message], eyes: Eyes) -> Iterable[Entry]:
    for page in pages:
        name, by_voice = page.staff.name if page.staff else _("Staff"), page.channel is Channel.VOICE
        said = _(PAGES[page.sent_at is not None, by_voice, page.template in ONCE], name=name)
        text = f"{said} {how_it_went(page, None, eyes.zone, eyes.now)}."
        yield Entry(page.created_at, "journal", name, text, icon="phone" if by_voice else "bell")
