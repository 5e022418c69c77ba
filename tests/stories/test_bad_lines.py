"""Phones that are off, and carriers that are down: what matters finds another way, and nothing stale leaves late."""

import time
from datetime import timedelta

import requests
from sqlalchemy import select

from jobs import tasks
from notifier import runtime
from notifier.core.states import EventState, MessageState, TicketState
from notifier.core.vocabulary import Channel, Role, Urgency
from notifier.details import ConsentDetails
from notifier.models import Attempt, Message

MARISOL = "+13055557001"


def ways(patient, template: str) -> list[tuple[str, Channel, MessageState]]:
    """To whose phone and how a template was tried, in order, and how each ended."""
    own = patient.phone.number
    tried = sorted((each for each in patient.messages if each.template == template), key=lambda one: one.created_at)
    return [("her own" if each.to == own else "her daughter's", each.channel, each.state) for each in tried]


# --- a phone that is off, the day before a delivery -------------------------------------------------------------------


def ana_with_a_daughter(clinic):
    """Ana, in Miami, agreed to texts and calls; her daughter Marisol hears about deliveries."""
    both = tuple(ConsentDetails(channel, "intake form v3", clinic.now) for channel in Channel)
    marisol = clinic.helper("Marisol", MARISOL, "delivery")
    return clinic.active("Ana", language="es", consents=both, caregivers=(marisol,))


def test_anas_phone_is_off_the_day_before_her_box_comes(clinic, clock):
    ana = ana_with_a_daughter(clinic)
    clinic.delivery(ana, "2026-11-25 10:00", "2026-11-25 12:00")
    marisol = clinic.stranger(MARISOL)
    ana.texts("sí")  # she confirmed; the reminder of the day before comes all the same
    marisol.phone.mode = "off"
    clock.until("2026-11-24T14:59:00+00:00")
    ana.phone.mode = "off"

    # Tuesday at ten the reminder meets a phone that is off; tried again twice within the hour, it is off all the time.
    clock.until("2026-11-24T16:00:00+00:00")
    text = next(each for each in ana.messages if each.template == "M05" and each.to == ana.phone.number)
    assert (text.channel, text.state, text.attempts) == (Channel.SMS, MessageState.FAILED, 3)
    assert text.why == "the phone was off or out of reach (Twilio 30003)"

    # A call to the same number takes its place, rings in vain three times; her daughter's phone is off as well.
    clock.until("2026-11-24T22:00:00+00:00")
    assert sorted(ways(ana, "M05")) == [
        ("her daughter's", Channel.SMS, MessageState.FAILED),  # by the plan, as each time
        ("her daughter's", Channel.SMS, MessageState.FAILED),  # in Ana's place
        ("her own", Channel.SMS, MessageState.FAILED),
        ("her own", Channel.VOICE, MessageState.FAILED),
    ]

    # Then a coordinator has a task; the box still comes.
    ticket = next(one for one in ana.tickets if one.role is Role.COORDINATOR)
    assert (ticket.kinds, ticket.urgency) == (["UNREACHABLE"], Urgency.SAME_DAY)
    assert "M05" in ticket.text
    assert clinic.cora.is_paged
    assert clinic.next_delivery(ana).state is EventState.SCHEDULED


def test_anas_daughter_is_told_in_her_place_once_her_own_phone_is_on_again(clinic, clock):
    ana = ana_with_a_daughter(clinic)
    clinic.delivery(ana, "2026-11-25 10:00", "2026-11-25 12:00")
    marisol = clinic.stranger(MARISOL)
    clock.until("2026-11-24T14:59:00+00:00")
    ana.phone.mode = marisol.phone.mode = "off"
    clock.until("2026-11-24T15:31:00+00:00")
    marisol.phone.mode = "on"
    before = len(marisol.inbox)
    clock.until("2026-11-24T22:00:00+00:00")
    assert len(marisol.inbox) == before + 1
    assert "entrega es mañana" in marisol.last
    assert clinic.next_delivery(ana).state is EventState.SCHEDULED


def test_a_daughter_whom_the_plan_has_told_is_not_told_twice(clinic, clock):
    ana = ana_with_a_daughter(clinic)
    clinic.delivery(ana, "2026-11-25 10:00", "2026-11-25 12:00")
    clock.until("2026-11-24T14:59:00+00:00")
    ana.phone.mode = "off"
    clock.until("2026-11-24T22:00:00+00:00")
    told = [text for text in clinic.stranger(MARISOL).inbox if "entrega es mañana" in text]
    assert len(told) == 1
    assert [one.kinds for one in ana.tickets] == [["UNREACHABLE"]]


# --- the carriers are down for twenty minutes -------------------------------------------------------------------------


def in_doubt() -> bool:
    """Whether of any message nobody knows if Twilio took it."""
    with runtime.reading() as session:
        return session.scalar(select(Message.id).where(Message.state == MessageState.UNCERTAIN).limit(1)) is not None


def minute_by_minute(clinic, clock, minutes: int) -> None:
    """Time goes by; what is in doubt is looked up at Twilio until it is none, as the clock process does."""
    for _ in range(minutes):
        clock.passes(minutes=1)
        end = time.monotonic() + 5  # the looks are in real time
        while in_doubt() and time.monotonic() < end:
            time.sleep(0.05)
            tasks.settle()
        clinic.world.settle()


def attempts(message) -> list[Attempt]:
    with runtime.reading() as session:
        wanted = select(Attempt).where(Attempt.message_id == message.id).order_by(Attempt.n)
        return list(session.scalars(wanted).all())


def hal_before_his_first_dose(clinic, clock):
    """Hal's first infusion begins on Tuesday at three; all is ready for it. It is one minute to two."""
    hal = clinic.patient("Hal", welcomed=True)
    clinic.ordered(hal, "2026-11-24 15:00", storage="room")
    clinic.verified(hal)
    box = clinic.delivery(hal, "2026-11-23 12:00", "2026-11-23 13:00")
    clinic.teaching(hal, "2026-11-23 15:00")
    clock.until("2026-11-23T18:10:00+00:00")
    clinic.delivered(box)
    clock.until("2026-11-23T20:30:00+00:00")
    clinic.taught(hal)
    clock.until("2026-11-24T18:59:00+00:00")
    return hal


def test_for_twenty_minutes_the_carriers_take_no_text(clinic, clock):
    """At two, an hour before his dose, the carriers go down; at five past he feels something in his chest."""
    hal = hal_before_his_first_dose(clinic, clock)
    clinic.sandbox.weather_over("texts", "500")
    before = len(hal.inbox)
    clock.until("2026-11-24T19:05:00+00:00")
    assert hal.message("M12").state is MessageState.UNCERTAIN  # Twilio may have it: nobody sends it blindly again
    hal.texts("chest feels tight")
    ticket = next(one for one in hal.tickets if one.role is Role.NURSE)
    assert ticket.urgency is Urgency.EMERGENCY
    minute_by_minute(clinic, clock, 1)
    assert clinic.nia.phone.ringing  # pages by text do not arrive; calls do
    assert clinic.bo.phone.ringing
    clinic.nia.answers("1")
    assert next(one for one in hal.tickets if one.id == ticket.id).state is TicketState.ACKNOWLEDGED

    minute_by_minute(clinic, clock, 13)
    assert len(hal.inbox) == before
    state = requests.get(f"{clinic.world.url}/statusz", timeout=10)
    assert state.status_code == 503
    assert "offered to Twilio again and again, and it took none" in state.json()["status"]
    assert clinic.sue.calls >= 1  # operations hear of it, and by call, for no text would leave

    clinic.sandbox.weather_over("texts", "fair")
    minute_by_minute(clinic, clock, 12)
    assert sum("Call 911 now" in text for text in hal.inbox[before:]) == 1  # late, and still true
    answer, reminder = hal.message("ack.CHEST_PAIN"), hal.message("M12")
    assert (answer.state, reminder.state) == (MessageState.DELIVERED, MessageState.DELIVERED)
    tries = attempts(reminder)
    assert len(tries) == 3
    assert tries[2].started_at - tries[1].started_at >= timedelta(minutes=15)  # the last try backs off
    assert reminder.sent_at < hal.local("2026-11-24 15:00")
    assert requests.get(f"{clinic.world.url}/statusz", timeout=10).status_code == 200


def test_a_reminder_that_could_only_leave_after_its_dose_is_dropped_and_a_coordinator_calls(clinic, clock):
    hal = hal_before_his_first_dose(clinic, clock)
    clinic.sandbox.weather_over("texts", "500")
    before = len(hal.inbox)
    minute_by_minute(clinic, clock, 26)
    told = hal.message("M12")
    assert (told.state, told.attempts) == (MessageState.EXPIRED, 3)
    assert [(one.role, one.kinds) for one in hal.tickets] == [(Role.COORDINATOR, ["UNREACHABLE"])]
    clock.until("2026-11-24T20:05:00+00:00")  # the dose has begun
    clinic.sandbox.weather_over("texts", "fair")
    clock.passes(minutes=20)
    assert len(hal.inbox) == before
