"""The rehearsal shows what will be sent; what is then sent is what it showed, message by message."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from notifier import enrolment, previewing, runtime
from notifier.core.states import EventState, MessageState
from notifier.core.vocabulary import Channel
from notifier.models import Patient

DAYS = 9


def calendar(clinic, patient) -> previewing.Calendar:
    with runtime.reading() as session:
        row = session.get_one(Patient, patient.row.id)
        return previewing.calendar(session, row, catalog=runtime.current().catalog, now=clinic.now)


def test_a_whole_calendar_is_shown_before_anything_is_sent(clinic, clock):
    clock.until("2026-11-23T21:00-05:00")
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-11-26 15:00")
    shown = calendar(clinic, ivy)  # nothing is verified yet: as if it were now
    assert [line.template for line in shown.lines if line.step == "order.verified"] == ["M02"]
    assert [row.template for row in ivy.messages] == []
    clinic.verified(ivy)
    first = next(line for line in calendar(clinic, ivy).lines if line.template == "M02")
    assert first.held_from == clinic.now  # it is night
    assert first.due_at == ivy.local("2026-11-24 08:00")
    assert (first.segments, first.alphabet) == (1, "GSM-7")
    assert 0 < first.cost < 0.02
    with runtime.reading() as session:
        lines = list(previewing.lines(session, ivy.external_id, catalog=runtime.current().catalog, now=clinic.now))
    assert "to come (about $" in lines[0]
    assert "  (held from Mon 2026-11-23 21:00: quiet hours 20:00-08:00)" in lines
    assert any("coordinator (same_day): The first dose is near, and not there yet" in line for line in lines)


THERAPIES = ["iv_antibiotic", "tpn", "ivig", "chemotherapy", "pain", "other"]


@st.composite
def courses(draw):
    """A course of therapy, in any zone, with a helper or none, begun or to begin."""
    begins = draw(st.integers(-9, 5))
    return {
        "zone": draw(st.sampled_from(["America/New_York", "America/Phoenix", "Pacific/Honolulu", "America/Chicago"])),
        "language": draw(st.sampled_from(["en", "es"])),
        "therapy": draw(st.sampled_from(THERAPIES)),
        "storage": draw(st.sampled_from(["room", "refrigerated"])),
        "begins": begins,
        "hour": draw(st.sampled_from(["02:30", "10:00", "15:00", "21:00"])),
        "lasts": draw(st.integers(begins + 3, 40)),
        "reminders": draw(st.sampled_from([(), ("08:00",), ("06:00", "22:00")])),
        "helper": draw(st.booleans()),
        "delivery": draw(st.none() | st.integers(1, 6)),
        "lab": draw(st.none() | st.integers(1, 6)),
    }


@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each example is days of a pharmacy's life
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(course=courses())
def test_what_is_sent_equals_what_was_shown(clinic, clock, course):
    """Nobody answers and nothing else happens: then the days bring what the rehearsal showed, and nothing besides."""
    now = clinic.now
    day = lambda n: (now + timedelta(days=n)).strftime("%Y-%m-%d")  # noqa: E731
    number = f"+1212556{1000 + len(clinic.people):04}"
    helpers = (clinic.helper("Dana", number, "check_in", "delivery", "first_dose"),) if course["helper"] else ()
    ada = clinic.patient("Ada", zone=course["zone"], language=course["language"], welcomed=True, caregivers=helpers)
    begins = f"{day(course['begins'])} {course['hour']}"
    clinic.ordered(
        ada,
        begins,
        therapy=course["therapy"],
        storage=course["storage"],
        reminders=course["reminders"],
        ends_on=date.fromisoformat(day(course["lasts"])),
    )
    if course["delivery"]:
        clinic.delivery(ada, f"{day(course['delivery'])} 10:00", f"{day(course['delivery'])} 12:00")
    if course["lab"]:
        clinic.event(ada, "lab", f"{day(course['lab'])} 09:00")
    clinic.verified(ada)
    until = now + timedelta(days=DAYS)
    shown = {
        (line.key, line.due_at, line.channel, line.contact.phone, line.body)
        for line in calendar(clinic, ada).lines
        if line.due_at < until and line.state is not MessageState.CANCELLED
    }
    clinic.world.quiet_staff = True
    clock.until(until)
    sent = {
        (row.key, row.sent_at, row.channel, row.to, row.body)
        for row in ada.messages
        if row.step and row.sent_at and row.sent_at < until
    }
    assert sent == shown
    texts = [row.to for row in ada.messages if row.channel is Channel.SMS and row.sent_at and row.sent_at < until]
    assert len(texts) == sum(len(clinic.sandbox.phone(number).inbox) for number in set(texts))  # nothing twice


@pytest.mark.parametrize("moved", [True, False])
def test_the_rehearsal_follows_the_facts(clinic, clock, moved):
    ivy = clinic.active("Ivy")
    box = clinic.delivery(ivy, "2026-11-27 10:00", "2026-11-27 12:00")
    clock.passes(minutes=1)
    if moved:
        clinic.does(enrolment.move_delivery, box, ivy.local("2026-11-28 10:00"), ivy.local("2026-11-28 12:00"))
    else:
        clinic.delivery_is(box, EventState.CANCELLED)
    bodies = [line.body for line in calendar(clinic, ivy).lines if line.state is MessageState.PLANNED]
    assert any("new time: Saturday" in body for body in bodies) is moved
    assert any("will not come then" in body for body in bodies) is not moved
