"""What was achieved in a period, as tables of numbers: the same table is drawn, read, printed and taken home as CSV."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID
from zoneinfo import ZoneInfo

from notifier.core.states import EventState, MessageState
from notifier.core.vocabulary import TEAMS, Channel, EventKind, Urgency
from notifier.queries.reports import EventCount, MessageCount, TicketFacts

Cell = str | int | float | None
LEFT = (MessageState.SENT, MessageState.DELIVERED, MessageState.FAILED, MessageState.UNCERTAIN)
DELIVERY_KINDS = frozenset({"MISSING", "MISSING_MED", "DAMAGED", "WRONG_ITEM"})  # and every DELIVERY_…
TARGETS = {Urgency.EMERGENCY: 10, Urgency.URGENT: 15}  # minutes until a person is on the phone
NIGHT = (19, 7)  # a night shift, local


@dataclass(frozen=True)
class Table:
    """One report. `draw` names the columns of its chart; `unit` stands beside its numbers."""

    key: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    draw: tuple[int, ...] = ()
    unit: str = ""
    stacked: bool = False


def minutes(span: timedelta) -> float:
    """A span in minutes, to one digit."""
    return round(span.total_seconds() / 60, 1)


def ninth(values: Sequence[float]) -> float:
    """The value under which nine of ten lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]


def _spread(values: Sequence[float]) -> tuple[Cell, Cell, Cell]:
    return (round(median(values), 1), ninth(values), len(values)) if values else (None, None, 0)


def _reached(ticket: TicketFacts) -> datetime | None:
    """When a person was on the phone; what needed no call: when it was closed."""
    return ticket.contacted_at or ticket.resolved_at


def time_to_human(tickets: Sequence[TicketFacts]) -> list[Table]:
    """How long until a person was there, by urgency and by role."""
    by_urgency: dict[str, list[float]] = defaultdict(list)
    taken: dict[str, list[float]] = defaultdict(list)
    by_role: dict[str, list[float]] = defaultdict(list)
    for ticket in tickets:
        if ticket.acknowledged_at:
            taken[ticket.urgency].append(minutes(ticket.acknowledged_at - ticket.opened_at))
        if reached := _reached(ticket):
            waited = minutes(reached - ticket.opened_at)
            by_urgency[ticket.urgency].append(waited)
            if ticket.urgency.is_red:
                by_role[ticket.role].append(waited)
    urgencies = [urgency for urgency in Urgency if urgency is not Urgency.NONE]
    return [
        Table(
            "human",
            "Time until a person is on the phone",
            "From the patient's text to the logged contact.",
            ("Urgency", "Half of them", "9 of 10", "Tickets", "Promised"),
            tuple((urgency.value, *_spread(by_urgency[urgency]), TARGETS.get(urgency)) for urgency in urgencies),
            (1, 2),
            "min",
        ),
        Table(
            "taken",
            "Time until somebody has it",
            "From the patient's text to the first acknowledgement that stood.",
            ("Urgency", "Half of them", "9 of 10", "Tickets"),
            tuple((urgency.value, *_spread(taken[urgency])) for urgency in urgencies),
            (1, 2),
            "min",
        ),
        Table(
            "human_by_role",
            "Red flags: time until a person is on the phone, by role",
            "Emergencies and urgent tickets only.",
            ("Role", "Half of them", "9 of 10", "Tickets"),
            tuple((role.value, *_spread(by_role[role])) for role in TEAMS),
            (1, 2),
            "min",
        ),
    ]


def promises(tickets: Sequence[TicketFacts], now: datetime) -> Table:
    """Of what was promised to patients, how much was kept."""
    kept, broken, to_come = Counter[str](), Counter[str](), Counter[str]()
    for ticket in tickets:
        reached = _reached(ticket)
        if reached and reached <= ticket.respond_by:
            kept[ticket.urgency] += 1
        elif reached or ticket.respond_by < (now if ticket.respond_by.tzinfo else now.replace(tzinfo=None)):
            broken[ticket.urgency] += 1
        else:
            to_come[ticket.urgency] += 1
    rows = tuple(
        (urgency.value, kept[urgency], broken[urgency], to_come[urgency], _percent(kept[urgency], broken[urgency]))
        for urgency in Urgency
        if urgency is not Urgency.NONE
    )
    return Table(
        "promises",
        "Promises kept",
        "A person was there before the hour that the patient was told.",
        ("Urgency", "Kept", "Broken", "Not due yet", "Percent kept"),
        rows,
        (1, 2),
        stacked=True,
    )


def _percent(part: int, rest: int) -> float | None:
    return round(100 * part / (part + rest), 1) if part + rest else None


def _is_delivery(kind: str) -> bool:
    return kind in DELIVERY_KINDS or kind.startswith("DELIVERY_")


def by_kind(tickets: Iterable[TicketFacts], *, red: bool) -> Table:
    """Red flags by what was told; or what was wrong with deliveries."""
    counts = Counter(
        kind for ticket in tickets for kind in ticket.kinds if (ticket.urgency.is_red if red else _is_delivery(kind))
    )
    rows = tuple((kind, count) for kind, count in counts.most_common(20))
    if red:
        return Table("red", "Red flags by kind", "Emergencies and urgent tickets.", ("Kind", "Tickets"), rows, (1,))
    return Table("delivery", "Delivery issues", "What patients and drivers told.", ("Kind", "Tickets"), rows, (1,))


def silence(messages: Iterable[MessageCount]) -> Table:
    """Questions that were asked, and how many were answered."""
    asked, answered = Counter[str](), Counter[str]()
    for each in messages:
        if each.prompt and each.state in (MessageState.SENT, MessageState.DELIVERED):
            asked[each.prompt] += each.many
            answered[each.prompt] += each.many if each.answered else 0
    rows = tuple(
        (prompt, answered[prompt], count - answered[prompt], _percent(answered[prompt], count - answered[prompt]))
        for prompt, count in asked.most_common()
    )
    return Table(
        "silence",
        "Silence",
        "Questions that arrived, by what was asked.",
        ("Question", "Answered", "No answer", "Percent answered"),
        rows,
        (1, 2),
        stacked=True,
    )


def outcomes(messages: Iterable[MessageCount], per_segment: float, per_call: float) -> Table:
    """What became of the messages, and what they cost."""
    found: dict[Channel, Counter[str]] = {channel: Counter() for channel in Channel}
    segments = dict.fromkeys(Channel, 0)
    for each in messages:
        found[each.channel][each.state] += each.many
        if each.state in LEFT:
            segments[each.channel] += each.segments
    states = (MessageState.DELIVERED, MessageState.SENT, MessageState.FAILED, MessageState.EXPIRED)
    rows = []
    for channel, counts in found.items():
        left = sum(counts[state] for state in LEFT)
        cost = segments[channel] * per_segment if channel is Channel.SMS else left * per_call
        rows.append((channel.value, *(counts[state] for state in states), segments[channel] or None, round(cost, 2)))
    return Table(
        "outcomes",
        "Message outcomes and cost",
        "Messages to patients and caregivers.",
        ("Way", "Delivered", "Sent, no receipt", "Failed", "Too late to send", "Segments", "Cost, $"),
        tuple(rows),
        (1, 2, 3, 4),
        stacked=True,
    )


def page_load(pages: Iterable[tuple[UUID, datetime]], names: Mapping[UUID, str], zone: ZoneInfo) -> Table:
    """Pages for each person, by day and by night; a night that woke them is counted once."""
    day, night, nights = Counter[UUID](), Counter[UUID](), defaultdict(set)
    for staff_id, moment in pages:
        local = moment.astimezone(zone)
        if NIGHT[1] <= local.hour < NIGHT[0]:
            day[staff_id] += 1
        else:
            night[staff_id] += 1
            nights[staff_id].add((local - timedelta(hours=NIGHT[1])).date())
    everybody = sorted({*day, *night}, key=lambda each: -(day[each] + night[each]))
    rows = tuple(
        (
            names.get(each, "–"),
            day[each],
            night[each],
            len(nights[each]),
            round(night[each] / len(nights[each]), 1) if nights[each] else None,
        )
        for each in everybody
    )
    return Table(
        "pages",
        "Pages by person and shift",
        "Night: 7 PM to 7 AM at the site.",
        ("Who", "By day", "By night", "Nights woken", "Pages in such a night"),
        rows,
        (1, 2),
        stacked=True,
    )


def teaching(events: Iterable[EventCount], taught: tuple[int, int]) -> Table:
    """Teaching and its acknowledgement; and whether it came before the first dose."""
    counts = Counter[EventState]()
    for each in events:
        if each.kind is EventKind.EDUCATION:
            counts[each.state] += each.many
    in_time, doses = taught
    return Table(
        "teaching",
        "Teaching",
        "Teaching signed by the nurse, and before the first dose.",
        ("What", "Count"),
        (
            ("Teaching done", counts[EventState.DONE]),
            ("Teaching missed", counts[EventState.FAILED]),
            ("First doses given", doses),
            ("First doses after teaching", in_time),
            ("Percent of them after teaching", _percent(in_time, doses - in_time)),
        ),
    )


def deliveries(events: Iterable[EventCount], tickets: Iterable[TicketFacts]) -> Table:
    """Deliveries that came and that did not, and how soon a missed one was put right."""
    counts, acknowledged = Counter[EventState](), 0
    for each in events:
        if each.kind is EventKind.DELIVERY:
            counts[each.state] += each.many
            acknowledged += each.many if each.answered and each.state is EventState.DONE else 0
    issues = [ticket for ticket in tickets if any(map(_is_delivery, ticket.kinds))]
    spans = [minutes(ticket.resolved_at - ticket.opened_at) / 60 for ticket in issues if ticket.resolved_at]
    half, nine, _ = _spread([round(span, 1) for span in spans])
    return Table(
        "missed",
        "Deliveries and what was missing",
        "From the patient's word to its resolution.",
        ("What", "Count"),
        (
            ("Deliveries that arrived", counts[EventState.DONE]),
            ("Of these acknowledged by the patient", acknowledged),
            ("Deliveries that did not arrive", counts[EventState.FAILED]),
            ("Delivery tickets", len(issues)),
            ("Delivery tickets resolved", len(spans)),
            ("Half of them resolved within, hours", half),
            ("9 of 10 resolved within, hours", nine),
        ),
    )


def access_day_and_night(tickets: Sequence[TicketFacts], zone: ZoneInfo) -> Table:
    """Whether a patient reaches a person at any hour: the same measure by the hour of the text."""
    spans: dict[str, list[float]] = {"Work days, 8 AM to 6 PM": [], "Evenings and nights": [], "Weekends": []}
    total = Counter[str]()
    for ticket in tickets:
        if not ticket.urgency.is_red:
            continue
        opened = ticket.opened_at.replace(tzinfo=ticket.opened_at.tzinfo or ZoneInfo("UTC")).astimezone(zone)
        part = "Weekends" if opened.weekday() >= 5 else "Evenings and nights"
        if opened.weekday() < 5 and 8 <= opened.hour < 18:
            part = "Work days, 8 AM to 6 PM"
        total[part] += 1
        if reached := _reached(ticket):
            spans[part].append(minutes(reached - ticket.opened_at))
    return Table(
        "access",
        "Access at any hour",
        "Red flags by the hour of the patient's text, and the minutes until a person was on the phone.",
        ("When", "Red flags", "Reached", "Half of them", "9 of 10"),
        tuple((part, total[part], len(found), *_spread(found)[:2]) for part, found in spans.items()),
        (3, 4),
        "min",
    )


def phrases() -> Iterable[str]:
    """Every title, note, column and label that a table of these may show."""
    nowhere = ZoneInfo("UTC")
    tables = [
        *time_to_human([]),
        promises([], datetime(2000, 1, 1, tzinfo=nowhere)),
        by_kind([], red=True),
        by_kind([], red=False),
        silence([]),
        outcomes([], 0, 0),
        page_load([], {}, nowhere),
        teaching([], (0, 0)),
        deliveries([], []),
        access_day_and_night([], nowhere),
    ]
    for table in tables:
        yield from (table.title, table.note, *table.columns)
        yield from (str(row[0]) for row in table.rows if str(row[0]) != str(row[0]).lower())
    yield from ("Sms", "Voice")
