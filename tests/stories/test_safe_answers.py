"""What we answer is safe, true, said once, in the person's own language, and nobody who asked for silence is texted."""

from notifier.core.vocabulary import Consent, Role, Urgency


def test_stop_with_a_fever_is_answered_for_the_fever(clinic, clock):
    """She is not left wondering; and then the texts stop until the nurse has asked her."""
    ivy = clinic.active("Ivy")
    ivy.texts("STOP i have a fever")
    assert "A nurse will call you in 15 min" in ivy.last
    assert clinic.contact(ivy).sms_consent is Consent.WITHDRAWN
    told = len(ivy.inbox)
    clinic.nia.texts("A")
    clinic.handled(ivy.ticket)
    clock.passes(days=8)
    assert len(ivy.inbox) == told


def test_a_wrong_number_hears_one_apology_and_never_from_us_again(clinic, clock):
    """Not even the answer to an emergency goes to a stranger's phone; a coordinator finds the right number."""
    ivy = clinic.active("Ivy")
    ivy.texts("wrong number who is this")
    assert ivy.last == "Sorry about that. We will stop texts to this number."
    assert (ivy.ticket.role, ivy.ticket.urgency) == (Role.COORDINATOR, Urgency.ROUTINE)
    assert ivy.ticket.kinds == ["WRONG_NUMBER"]
    told = len(ivy.inbox)
    ivy.texts("i said you have the wrong person, i can't breathe")
    clinic.handled(next(ticket for ticket in ivy.tickets if ticket.role is Role.NURSE))
    clock.passes(days=8)
    assert len(ivy.inbox) == told


def test_a_dialect_of_spanish_is_answered_in_spanish(clinic):
    ana = clinic.active("Ana", language="es-MX")
    ana.texts("no puedo respirar")
    assert "Llame al 911 ahora" in ana.last


def test_alto_is_ours_to_confirm_and_so_is_the_start_after_it(clinic, clock):
    """Twilio knows neither ALTO nor, after it, START: it is we who answer, once each."""
    ana = clinic.active("Ana", language="es")
    ana.texts("ALTO")
    assert "No le vamos a mandar mas" in ana.last or "mensajes" in ana.last
    told = len(ana.inbox)
    clock.passes(minutes=5)
    ana.texts("alto")
    assert len(ana.inbox) == told  # confirmed once
    ana.texts("START")
    assert len(ana.inbox) == told + 1
    assert "Ya puede recibir mensajes" in ana.last
    assert clinic.contact(ana).sms_consent is Consent.GIVEN


def test_a_blow_to_the_head_is_sent_to_911_not_told_to_wait(clinic):
    """A fall is urgent; with a blow to the head it is an emergency, and the answer must say so."""
    ivy = clinic.active("Ivy")
    ivy.texts("i fell and hit my head")
    assert ivy.ticket.urgency is Urgency.EMERGENCY
    assert "Call 911 now" in ivy.last


def test_what_became_more_urgent_is_promised_sooner(clinic, clock):
    """Within a day of her first dose a vague word is urgent: she is told minutes, not today; and one team is paged."""
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-11-23 08:00")
    clinic.verified(ivy)
    ivy.texts("please call me")
    assert "call you in 15 min" in ivy.last
    assert (ivy.ticket.role, ivy.ticket.urgency) == (Role.NURSE, Urgency.URGENT)


def test_today_is_said_only_while_somebody_still_calls_today(clinic, clock):
    ivy, lea = clinic.active("Ivy"), clinic.active("Lea", zone="America/Los_Angeles")
    clock.until("2026-11-23T16:30-05:00")
    ivy.texts("a little queasy")
    assert "today" in ivy.last
    assert ivy.ticket.respond_by == ivy.local("2026-11-23 18:30")
    clock.until("2026-11-23T18:30-05:00")
    lea.texts("a little queasy")  # half past three on her clock, but the desk in New York has gone home
    assert "by 7 AM" in lea.last
    assert lea.ticket.respond_by == ivy.local("2026-11-24 10:00")


def test_a_late_afternoon_promise_ends_with_the_day(clinic, clock):
    ivy = clinic.active("Ivy")
    clock.until("2026-11-23T17:00-05:00")
    ivy.texts("mild headache")
    assert "today" in ivy.last
    assert ivy.ticket.respond_by == ivy.local("2026-11-23 20:00")


def test_an_early_promise_is_for_the_same_morning(clinic, clock):
    ivy = clinic.active("Ivy")
    clock.until("2026-11-24T06:30-05:00")
    ivy.texts("there is blood in the tubing")
    assert "today" in ivy.last
    assert ivy.ticket.respond_by == ivy.local("2026-11-24 10:00")


def test_a_thumb_turned_down_is_looked_at(clinic):
    """A dislike of our message is no need, but somebody looks."""
    ivy = clinic.active("Ivy")
    ivy.texts('Disliked "Pharmko: Your order is checked."')
    assert ivy.ticket.urgency is Urgency.ROUTINE
