"""What a report counts, from bare facts."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from notifier import reports
from notifier.core.states import EventState, MessageState
from notifier.core.vocabulary import Channel, EventKind, Prompt, Role, Urgency
from notifier.queries.reports import EventCount, MessageCount, TicketFacts

NOON = datetime(2026, 11, 23, 17, tzinfo=UTC)  # Monday noon in New York
NEW_YORK = ZoneInfo("America/New_York")


def ticket(
    minutes: float | None,
    urgency: Urgency = Urgency.URGENT,
    opened: datetime = NOON,
    kinds: tuple[str, ...] = ("FEVER",),
    promised: int = 15,
) -> TicketFacts:
    reached = opened + timedelta(minutes=minutes) if minutes is not None else None
    return TicketFacts(
        urgency, Role.NURSE, kinds, opened, reached, reached, reached, opened + timedelta(minutes=promised)
    )


def test_half_and_nine_of_ten_by_urgency() -> None:
    table = reports.time_to_human([*(ticket(n) for n in range(1, 11)), ticket(None)])[0]
    urgent = next(row for row in table.rows if row[0] == "urgent")
    assert urgent == ("urgent", 5.5, 10.0, 10, 15)
    assert next(row for row in table.rows if row[0] == "emergency") == ("emergency", None, None, 0, 10)


def test_a_promise_is_kept_broken_or_not_due_yet() -> None:
    now = NOON + timedelta(minutes=20)
    late = ticket(None)
    to_come = ticket(None, promised=60)
    table = reports.promises([ticket(5), ticket(5), ticket(5), ticket(16), late, to_come], now)
    assert next(row for row in table.rows if row[0] == "urgent") == ("urgent", 3, 2, 1, 60.0)


def test_only_red_flags_count_as_red_and_only_deliveries_as_deliveries() -> None:
    found = [ticket(5), ticket(5, kinds=("FEVER", "CHILLS")), ticket(5, Urgency.ROUTINE, kinds=("MISSING",))]
    assert reports.by_kind(found, red=True).rows == (("FEVER", 2), ("CHILLS", 1))
    assert reports.by_kind(found, red=False).rows == (("MISSING", 1),)


def test_night_and_weekend_are_told_apart_by_the_sites_clock() -> None:
    night = datetime(2026, 11, 24, 4, tzinfo=UTC)  # Monday 11 PM in New York
    sunday = datetime(2026, 11, 22, 17, tzinfo=UTC)
    table = reports.access_day_and_night([ticket(5), ticket(7, opened=night), ticket(None, opened=sunday)], NEW_YORK)
    assert [row[1:4] for row in table.rows] == [(1, 1, 5.0), (1, 1, 7.0), (1, 0, None)]


def counted(state: MessageState, many: int, prompt: Prompt | None = None, *, answered: bool = False) -> MessageCount:
    return MessageCount(state, Channel.SMS, prompt, answered, many, many * 2)


def test_silence_counts_what_arrived_and_was_not_answered() -> None:
    check_in = Prompt.CHECK_IN
    table = reports.silence(
        [
            counted(MessageState.DELIVERED, 30, check_in, answered=True),
            counted(MessageState.SENT, 10, check_in),
            counted(MessageState.FAILED, 99, check_in),
            counted(MessageState.DELIVERED, 50),
        ]
    )
    assert table.rows == (("check_in", 30, 10, 75.0),)


def test_what_left_costs_and_what_did_not_costs_nothing() -> None:
    table = reports.outcomes(
        [counted(MessageState.DELIVERED, 100), counted(MessageState.EXPIRED, 7)], per_segment=0.01, per_call=1
    )
    texts = table.rows[0]
    assert (texts[1], texts[4], texts[5], texts[6]) == (100, 7, 200, 2.0)


def test_pages_of_one_night_are_one_night() -> None:
    nia = uuid4()
    evening = datetime(2026, 11, 24, 1, tzinfo=UTC)  # Monday 8 PM
    moments = [evening, evening + timedelta(hours=8), evening + timedelta(hours=15)]
    table = reports.page_load([(nia, moment) for moment in moments], {nia: "Nia"}, NEW_YORK)
    assert table.rows == (("Nia", 1, 2, 1, 2.0),)


def test_deliveries_and_teaching_for_the_pack() -> None:
    events = [
        EventCount(EventKind.DELIVERY, EventState.DONE, True, 8),
        EventCount(EventKind.DELIVERY, EventState.DONE, False, 2),
        EventCount(EventKind.DELIVERY, EventState.FAILED, False, 1),
        EventCount(EventKind.EDUCATION, EventState.DONE, False, 4),
    ]
    boxes = dict(reports.deliveries(events, [ticket(120, Urgency.SAME_DAY, kinds=("MISSING",))]).rows)
    assert boxes["Deliveries that arrived"] == 10
    assert boxes["Of these acknowledged by the patient"] == 8
    assert boxes["Half of them resolved within, hours"] == 2.0
    taught = dict(reports.teaching(events, (3, 4)).rows)
    assert taught["Percent of them after teaching"] == 75.0
