"""What the pocket phone's page shows: whose phones lie on the desk, what is on their screens, what one might answer."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from notifier import clock
from notifier.sandbox import numbering
from notifier.sandbox.book import Book
from notifier.sandbox.records import Call, CallStatus, Direction, Mode, Person, Text, TextStatus

NOT_STAFF = frozenset({"patient", "caregiver", ""})
SERVICE = "pharmacy"  # the role of our own numbers in the phone book: they name who is texting and have no phone
READY = {"en": ("FEVER", "MISSING", "OK", "CALL", "STOP"), "es": ("FIEBRE", "FALTA", "BIEN", "LLAMEME", "ALTO")}
READY_STAFF = ("A", "P")
MOST_SHOWN = 200

_asks = re.compile(r"\b(reply|responda|text|conteste)\b", re.IGNORECASE)
_word = re.compile(r"\b[A-ZÑ]{2,}(?: [A-ZÑ]{2,})*\b")
_staff_word = re.compile(r"\b[A-Z]{1,4}\b")
_ticket = re.compile(r"#(\d+)")
_offer = re.compile(r"\b(?:press|oprima|marque|presione|pulse)\s+(?:el\s+)?(\w+|[*#])", re.IGNORECASE)
_english = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "star", "pound")
_spanish = ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "asterisco", "numeral")
_key_named = {name: key for names in (_english, _spanish) for name, key in zip(names, "0123456789*#", strict=True)}


@dataclass(frozen=True)
class Bubble:
    """One entry on a screen: a text in or out, a call, or the time between them."""

    key: str
    kind: str
    words: str
    note: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Screen:
    """One phone on the desk."""

    person: Person
    mode: Mode
    zone: str
    peer: str
    peer_number: str
    bubbles: tuple[Bubble, ...]
    answers: tuple[str, ...]
    call: Call | None
    is_ringing: bool
    keys: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its name within the page."""
        return "p" + self.person.number.lstrip("+")


@dataclass(frozen=True)
class Entry:
    """One line of the chooser."""

    person: Person
    label: str
    unread: int
    is_ringing: bool
    is_talking: bool

    @property
    def initials(self) -> str:
        """Two letters for the face."""
        letters = [word[0] for word in self.person.name.split() if word[0].isalnum()]
        return "".join(letters[:1] + letters[1:][-1:]).upper()


@dataclass(frozen=True)
class Desk:
    """Everything on the page."""

    entries: tuple[Entry, ...]
    screens: tuple[Screen, ...]
    now: datetime
    speed: float

    @property
    def waiting(self) -> int:
        """How many phones ring or hold something unread."""
        return sum(1 for entry in self.entries if entry.unread or entry.is_ringing)


def lay_out(book: Book, chosen: str | None) -> Desk:
    """The desk with the chosen phone in front, or the first of the phone book; what is shown counts as looked at."""
    with book.changed:
        people = _people(book)
        by_number = {person.number: person for person in people}
        shown = _shown(book, people, chosen)
        calls = {call.phone: call for call in book.calls.all() if not call.status.is_over}
        screens = tuple(_screen(book, by_number[number], calls.get(number)) for number in shown)
        look_at(book, shown)
    return Desk(entries(book), screens, clock.now(), speed())


def entries(book: Book) -> tuple[Entry, ...]:
    """The chooser: the phone book, and after it every phone that has a life without being in it."""
    with book.changed:
        calls = {call.phone: call for call in book.calls.all() if not call.status.is_over}
        received = _received(book)
        return tuple(
            _entry(person, calls.get(person.number), received[person.number] - book.handset(person.number).looked_at)
            for person in _people(book)
        )


def speed() -> float:
    """How many times as fast as the real clock the product's runs; 0 if it stands."""
    value = os.environ.get("NOTIFIER_CLOCK")
    return clock.parse(value).speed if value else 1.0


def ready_answers(last: str, role: str, language: str) -> tuple[str, ...]:
    """What this person might well answer: the words that the last text offers, then the usual ones."""
    is_staff = role not in NOT_STAFF
    offered: list[str] = []
    for sentence in re.split(r"(?<=[.?!])\s+", last):
        if asks := _asks.search(sentence):
            offered += (_staff_word if is_staff else _word).findall(sentence[asks.end() :])
            if is_staff and "and a number" in sentence:
                offered = [f"A {number}" for number in _ticket.findall(last)]
    usual = READY_STAFF if is_staff else READY.get(language[:2], READY["en"])
    return tuple(dict.fromkeys([*offered[:3], *usual]))[:6]


def offered_keys(heard: Sequence[str]) -> tuple[str, ...]:
    """The keys that the last words name, in their order."""
    named = [key.lower() for sentence in heard[-6:] for key in _offer.findall(sentence)]
    keys = (_key_named.get(key, key) for key in named)
    return tuple(dict.fromkeys(key for key in keys if len(key) == 1 and key in "0123456789*#"))


def time_of(at: datetime, zone: str) -> str:
    """The time of day in that zone: 3:04 AM."""
    return at.astimezone(ZoneInfo(zone)).strftime("%I:%M %p").lstrip("0")


def day_of(at: datetime, zone: str) -> str:
    """The day of the week in that zone: Wed."""
    return at.astimezone(ZoneInfo(zone)).strftime("%a")


def moment_of(at: datetime, zone: str, now: datetime) -> str:
    """The day and time as a phone shows them: Today 3:02 AM."""
    there, today = at.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    days = (today - there.date()).days
    day = {0: "Today", 1: "Yesterday"}.get(days) or there.strftime("%a, %b ") + str(there.day)
    return f"{day} {time_of(at, zone)}"


def zone_of(person: Person) -> str:
    """The time zone in which this person lives."""
    return person.timezone or numbering.zone_of(person.number)


def _people(book: Book) -> list[Person]:
    """The phone book, and after it every phone that has a life without being in it."""
    listed = book.people.all()
    known = {person.number for person in listed}
    seen = [handset.number for handset in book.handsets.all()]
    seen += [one.sender if one.direction is Direction.INBOUND else one.recipient for one in book.texts.all()]
    seen += [call.phone for call in book.calls.all()]
    strangers = [number for number in dict.fromkeys(seen) if number not in known]
    phones = [person for person in listed if person.role != SERVICE]
    return phones + [Person(number, numbering.for_people(number)) for number in strangers]


def _shown(book: Book, people: Sequence[Person], chosen: str | None) -> list[str]:
    """The chosen phone; beside it the nurse on call; third, the phone of the other staff that heard something last."""
    numbers = [person.number for person in people]
    if not numbers:
        return []
    front = chosen if chosen in numbers else numbers[0]
    staff = [person for person in people if person.role not in NOT_STAFF and person.number != front]
    on_call = [person for person in staff if "on call" in person.note.lower()]
    beside = (on_call or staff)[:1]
    rest = [person for person in staff if person not in beside]
    latest = {number: place for place, number in enumerate(_news(book))}
    third = sorted(rest, key=lambda person: -latest.get(person.number, -1))[:1]
    if not staff:  # a desk of patients only: the next two in the book
        beside = [person for person in people if person.number != front][:2]
    return [front, *(person.number for person in [*beside, *third])]


def _news(book: Book) -> list[str]:
    """The phones in the order in which something last came to them."""
    events = [(text.arrived_at, text.recipient) for text in book.texts.all() if text.arrived_at]
    events += [(call.rang_at, call.phone) for call in book.calls.all() if call.rang_at]
    return [number for _, number in sorted(events, key=lambda event: event[0])]


def _received(book: Book) -> Counter[str]:
    """How many texts, and calls that are over, have come to each phone."""
    received = Counter(text.recipient for text in book.texts.all() if text.arrived_at)
    received.update(call.phone for call in book.calls.all() if call.rang_at and call.status.is_over)
    return received


def look_at(book: Book, numbers: Sequence[str]) -> None:
    """Somebody has seen all that came to these phones so far."""
    received = _received(book)
    for number in numbers:
        if received[number] != book.handset(number).looked_at:
            book.handsets.change(number, looked_at=received[number])


def _entry(person: Person, call: Call | None, unread: int) -> Entry:
    is_ringing = call is not None and call.status is CallStatus.RINGING and call.direction is not Direction.INBOUND
    is_talking = call is not None and not is_ringing and call.status is not CallStatus.QUEUED
    doing = "ringing" if is_ringing else "on a call" if is_talking else person.note
    label = ", ".join(filter(None, [person.role.replace("_", " ").capitalize() or "Not in the phone book", doing]))
    return Entry(person, label, max(unread, 0), is_ringing, is_talking)


def _screen(book: Book, person: Person, call: Call | None) -> Screen:
    zone = zone_of(person)
    texts = [text for text in book.texts.all() if person.number in (text.sender, text.recipient)]
    texts = sorted(
        (text for text in texts if text.sender == person.number or text.arrived_at), key=lambda text: text.at
    )[-MOST_SHOWN:]
    received = [text for text in texts if text.recipient == person.number]
    peer_number = call.service if call else book.last_number_of(person.number) or ""
    past = [one for one in book.calls.all() if one.phone == person.number and one.status.is_over]
    is_ringing = call is not None and call.status is CallStatus.RINGING and call.direction is not Direction.INBOUND
    return Screen(
        person=person,
        mode=book.handset(person.number).mode,
        zone=zone,
        peer=_name_of(book, peer_number),
        peer_number=numbering.for_people(peer_number),
        bubbles=tuple(_bubbles(person, texts, past[-MOST_SHOWN:], zone)),
        answers=ready_answers(received[-1].body if received else "", person.role, person.language),
        call=call if call and call.status is not CallStatus.QUEUED else None,
        is_ringing=is_ringing,
        keys=offered_keys(call.heard) if call and call.listening else (),
    )


def _name_of(book: Book, number: str) -> str:
    """What a phone would call this number: its name in the phone book, else how its texts begin, else itself."""
    if person := book.people.get(number):
        return person.name
    for text in reversed(book.texts.all()):
        if text.sender == number and (begins := re.match(r"([^\W\d][\w ]{1,20}):", text.body)):
            return begins[1]
    return numbering.for_people(number) if number else "Nobody yet"


def _bubbles(person: Person, texts: Sequence[Text], calls: Sequence[Call], zone: str) -> list[Bubble]:
    events: list[tuple[datetime, Bubble]] = [(text.at, _of_text(person, text)) for text in texts]
    events += [(call.started_at or call.created_at, _of_call(call)) for call in calls]
    events.sort(key=lambda event: event[0])
    now = clock.now()
    shown: list[Bubble] = []
    before: datetime | None = None
    for at, bubble in events:
        if before is None or (at - before).total_seconds() > 3600:
            shown.append(Bubble(f"at {bubble.key}", "time", moment_of(at, zone, now)))
        before = at
        shown.append(bubble)
    return shown


def _of_text(person: Person, text: Text) -> Bubble:
    if text.recipient == person.number:
        return Bubble(text.sid, "in", text.body)
    return Bubble(text.sid, "out", text.body, "Delivered" if text.status is TextStatus.RECEIVED else "Not delivered")


def _of_call(call: Call) -> Bubble:
    came_in = call.direction is not Direction.INBOUND
    if call.seconds or call.status is CallStatus.COMPLETED:
        by = "Voicemail" if call.answered_by and call.answered_by != "human" else "Call"
        words = f"{by} · {call.seconds // 60}:{call.seconds % 60:02}"
    elif came_in:
        words = "Call declined" if call.status is CallStatus.BUSY and call.rang_at else "Missed call"
    else:
        words = "Call failed"
    return Bubble(call.sid, "call", words, "", call.heard)
