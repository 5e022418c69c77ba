"""Walter is 78 and has a landline and no mobile: a therapy by voice, from an enrolment that knew nothing of it."""

from collections.abc import Mapping
from datetime import date, datetime

from notifier import enrolment
from notifier.core.states import EventState, MessageState, PlanState, TicketState
from notifier.core.vocabulary import Channel, Role, Urgency
from notifier.details import ConsentDetails
from tests.clinic import OUR_NUMBER

HIS = "+12125552078"
# What Walter presses when he hears this, once he has said that it is he.
ANSWERS = {
    "Your delivery is set for": "1",
    "Your delivery comes tomorrow": "1",
    "Your box is there": "1",
    "Your teaching visit is": "1",
    "Your first visit is": "1",
    "How are you": "1",
    "How many doses do you have left": "1",
    "Your blood test is": "1",
    "How did we do": "5",
}


class Walter:
    """He takes every call: who is there is a 1, then what he is asked."""

    def __init__(self, clinic, clock, answers: Mapping[str, str] = ANSWERS):
        self.clinic, self.clock, self.answers = clinic, clock, dict(answers)
        clinic.sandbox.phone(HIS).mode = "landline"
        both = tuple(ConsentDetails(channel, "intake form v3", clinic.now) for channel in Channel)
        self.person = clinic.patient("Walter", phone=HIS, consents=both)  # nobody asked what kind of phone it is
        self.heard: list[str] = []

    @property
    def phone(self):
        return self.person.phone

    def takes_the_call(self) -> None:
        if not self.phone.ringing:
            return
        self.phone.answers("1")
        said = " ".join(self.phone.heard)
        key = next((key for words, key in self.answers.items() if words in said), None)
        if key and self.phone.call:
            self.phone.press(key)
        if self.phone.call and self.phone.call.listening:
            self.phone.hangs_up()
        self.clinic.world.settle()
        self.heard.append(" ".join(self.phone.heard))

    def lives(self, until: str) -> None:
        """Time goes by, and he is at home."""
        target = datetime.fromisoformat(until)
        self.takes_the_call()
        while (upcoming := self.clinic.world.next_due()) is not None and upcoming <= target:
            self.clock.set(max(upcoming, self.clinic.now))
            self.clinic.world.settle()
            self.takes_the_call()
        self.clock.set(target)
        self.clinic.world.settle()
        self.takes_the_call()

    def is_looked_after(self) -> None:
        """Whatever is open about him is answered by those who are paged for it."""
        for ticket in self.person.tickets:
            if ticket.state is not TicketState.RESOLVED:
                self.clinic.handled(ticket)

    def was_told(self, words: str) -> int:
        return sum(words in said for said in self.heard)


def test_walter_lives_a_whole_therapy_by_voice(clinic, clock):
    walter = Walter(clinic, clock)
    patient = walter.person
    assert (clinic.contact(patient).channel, clinic.contact(patient).wish) == (Channel.VOICE, Channel.SMS)
    assert patient.phone.ringing  # the first word, which anybody else would have read
    walter.takes_the_call()
    assert walter.was_told("You said yes to our calls") == 1
    clinic.ordered(patient, "2026-11-26 10:00", ends_on=date(2026, 12, 9), doses_per_day=1, storage="room")
    walter.takes_the_call()
    assert walter.was_told("Your order is checked") == 0  # nothing about a therapy before it is verified
    clinic.verified(patient)
    walter.takes_the_call()
    assert walter.was_told("Your order is checked") == 1

    box = clinic.delivery(patient, "2026-11-25 10:00", "2026-11-25 12:00", Saline_flush=28, Extension_set=7)
    walter.takes_the_call()
    assert walter.was_told("Your delivery is set for Wednesday, November 25, between 10 AM and 12 PM") == 1
    assert clinic.next_delivery(patient).confirmed_at is not None
    clinic.teaching(patient, "2026-11-25 15:00")
    walter.lives("2026-11-25T10:05:00-05:00")

    # The box comes, and something is missing: he presses 2, and the desk has it.
    clinic.delivery_is(box, EventState.OUT_FOR_DELIVERY)
    walter.takes_the_call()
    assert walter.was_told("Your delivery is on the way") == 1
    walter.answers["Your box is there"] = "2"
    clinic.delivered(box)
    walter.lives("2026-11-25T11:00:00-05:00")
    assert walter.was_told("check each item with the list") >= 1
    missing = next(ticket for ticket in patient.tickets if ticket.role is Role.DELIVERY)
    assert "Saline flush" in missing.text
    assert clinic.dee.is_paged
    walter.is_looked_after()

    # He is taught, has his first dose, and does not feel well in the evening: the nurse is on the line at once.
    walter.lives("2026-11-25T15:30:00-05:00")
    clinic.taught(patient)
    walter.lives("2026-11-26T10:30:00-05:00")
    clinic.first_dose_given(patient)
    walter.answers["How are you"] = "2"
    while walter.was_told("How are you") == 0 and clinic.now < datetime.fromisoformat("2026-11-27T08:00:00-05:00"):
        clock.set(clinic.world.next_due())
        clinic.world.settle()
        if not walter.phone.ringing:
            continue
        walter.phone.answers("1")
        if "How are you" in " ".join(walter.phone.heard):
            walter.phone.press("2")
            break
        walter.phone.hangs_up()
    assert "We will connect you to a person now" in " ".join(walter.phone.heard)
    clinic.nia.answers("1")
    walter.phone.says("I am hot and I shiver")
    assert clinic.nia.phone.heard[-1] == "“I am hot and I shiver”"
    clinic.nia.phone.hangs_up()
    clinic.world.settle()
    unwell = next(ticket for ticket in patient.tickets if ticket.role is Role.NURSE)
    assert (unwell.urgency, unwell.owner) == (Urgency.URGENT, "Nia Nurse")
    assert unwell.contacted_at is not None
    walter.is_looked_after()

    # At night he rings himself; later the check-ins come by day, and he is well.
    walter.answers["How are you"] = "1"
    walter.lives("2026-11-28T02:00:00-05:00")
    walter.phone.calls(OUR_NUMBER)
    walter.phone.press("0")
    clinic.nia.answers("1")
    assert "[connected to" in walter.phone.heard[-1]
    clinic.nia.phone.hangs_up()
    clinic.world.settle()
    walter.is_looked_after()
    walter.lives("2026-12-10T20:00:00-05:00")
    assert walter.was_told("How are you today") >= 1

    # The therapy is over: when the gear is fetched, how he is, how we did. Then the phone is silent.
    walter.answers["We will pick up your gear"] = "1"
    walter.lives("2026-12-11T09:00:00-05:00")
    clinic.event(patient, "pickup", "2026-12-14 10:00", "2026-12-14 12:00")
    clinic.does(enrolment.end, patient.plan, "the last dose is given")
    walter.lives("2026-12-20T20:00:00-05:00")
    assert patient.plan.state is PlanState.ENDED
    assert walter.was_told("We will pick up your gear Monday, December 14") == 1
    assert walter.was_told("How are you since your last visit") == 1
    assert walter.was_told("How did we do?") == 1
    calls = len(walter.heard)
    walter.lives("2027-01-20T20:00:00-05:00")
    assert len(walter.heard) == calls
    automated = [said for said in walter.heard if "This is an automated call" in said]
    assert len(automated) > 12
    for said in automated:
        assert said.index("hang up and call 911") < said.index("Are you the person"), said
        assert "To stop these calls, press 8" in said, said

    told = [each for each in patient.messages if each.sent_at]
    assert {each.channel for each in told} == {Channel.VOICE}
    assert patient.inbox == []
    hours = {each.sent_at.astimezone(datetime.fromisoformat("2026-11-25T10:00:00-05:00").tzinfo).hour for each in told}
    assert hours <= set(range(8, 20)), "no reminder rings in his quiet hours"
    failed = [(each.template, each.why) for each in told if each.state is MessageState.FAILED]
    assert failed == []
