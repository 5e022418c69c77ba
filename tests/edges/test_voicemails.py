"""A message that was left on the phone: who may play it, what Twilio tells of it and when, and that it is kept once."""

from contextlib import suppress

import pytest
import requests
from sqlalchemy import select

from notifier import access, runtime
from notifier.core.vocabulary import Role
from notifier.models import AuditEvent, PhoneCall, Recording
from tests.clinic import OUR_NUMBER, Clinic
from tests.edges.test_console_door import PASSWORD, Visitor


@pytest.fixture
def message(clinic: Clinic) -> Recording:
    """Ivy asked for a nurse, none picked up, and she left a message."""
    ivy = clinic.active("Ivy")
    ivy.phone.calls(OUR_NUMBER)
    ivy.phone.press("0")
    for person in (clinic.nia, clinic.bo, clinic.sue, clinic.desk):
        person.phone.waits()
    ivy.phone.says("I feel so hot and I shake")
    clinic.world.settle()
    with runtime.transaction() as session:
        for email, role in (("nia", Role.NURSE), ("dee", Role.DELIVERY)):
            access.create_user(session, f"{email}@example.com", role, PASSWORD, now=clinic.now)
    return kept()


def kept() -> Recording:
    with runtime.reading() as session:
        return session.scalars(select(Recording)).one()


def plays() -> list[str]:
    with runtime.reading() as session:
        return list(session.scalars(select(AuditEvent.actor).where(AuditEvent.verb == "recording.played")))


def test_a_nurse_plays_it_on_the_tickets_page_and_the_journal_knows(clinic: Clinic, message: Recording) -> None:
    nia = Visitor(clinic).signs_in("nia@example.com")
    number = clinic.people[-1].ticket.number
    assert f'src="/recordings/{message.id}"' in nia.opens(f"/tickets/{number}").get_data(as_text=True)
    sound = nia.opens(f"/recordings/{message.id}")
    assert (sound.status_code, sound.mimetype) == (200, "audio/wav")
    assert sound.get_data()[:4] == b"RIFF"
    assert sound.headers["Cache-Control"] == "no-store"
    part = nia.client.get(f"/recordings/{message.id}", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.get_data()) == (206, b"RIFF")
    assert plays() == ["Nia Nurse"]


def test_nobody_plays_it_without_signing_in_or_for_another_role(clinic: Clinic, message: Recording) -> None:
    assert "/signin" in Visitor(clinic).client.get(f"/recordings/{message.id}").headers["Location"]
    dee = Visitor(clinic).signs_in("dee@example.com")
    assert dee.opens(f"/recordings/{message.id}").status_code == 403
    assert dee.opens("/recordings/00000000-0000-0000-0000-000000000000").status_code == 404
    assert plays() == []


def test_twilio_gives_a_recording_to_nobody_without_credentials(clinic: Clinic, message: Recording) -> None:
    url = f"{clinic.sandbox.url}/2010-04-01/Accounts/{clinic.sandbox.account_sid}/Recordings/{message.provider_sid}.wav"
    assert requests.get(url, timeout=5).status_code == 401


def test_told_of_in_any_order_and_twice_it_is_one_message_and_its_words_are_read_once(clinic: Clinic) -> None:
    ivy = clinic.active("Ivy")
    call = {"CallSid": "CA" + "4" * 32, "From": ivy.phone.number, "To": OUR_NUMBER}
    clinic.post("/twilio/voice", call)
    with runtime.reading() as session:
        base = f"/twilio/voice/calls/{session.scalars(select(PhoneCall.id)).one()}"
    sid = {"RecordingSid": "RE" + "5" * 32}
    words = {"TranscriptionText": "I have a fever of 103", "TranscriptionStatus": "completed"}
    for _ in range(2):
        clinic.post(f"{base}/transcribed", {**call, **sid, **words})
        clinic.post(f"{base}/recording", {**call, **sid, "RecordingStatus": "completed", "RecordingDuration": "7"})
        assert "We have your message" in clinic.post(f"{base}/recorded", {**call, **sid, "Digits": "1"}).text
    clinic.world.settle()
    assert "FEVER" in " ".join(ivy.ticket.kinds)
    assert (kept().seconds, kept().words) == (7, "I have a fever of 103")
    assert clinic.verbs(ivy.ticket).count("ticket.voicemail") == 1
    assert clinic.verbs(ivy.ticket).count("ticket.voicemail_lost") == 1  # this Twilio has no such sound, and says so


def test_what_cannot_be_fetched_now_is_fetched_later(clinic: Clinic, clock) -> None:
    from jobs import tasks

    ivy = clinic.active("Ivy")
    ivy.phone.calls(OUR_NUMBER)
    ivy.phone.press("0")
    for person in (clinic.nia, clinic.bo, clinic.sue, clinic.desk):
        person.phone.waits()
    clinic.sandbox.weather = "500"
    ivy.phone.says("please call me")
    with suppress(AssertionError):
        clinic.world.settle()
    assert kept().fetched_at is None
    clinic.sandbox.weather = "fair"
    with runtime.transaction() as session:
        row = session.scalars(select(Recording)).one()
        row.look_at = row.recorded_at  # long ago
    tasks.look_after_calls()
    assert kept().forgotten_at is not None


def test_a_recording_of_silence_is_no_message(clinic: Clinic) -> None:
    ivy = clinic.active("Ivy")
    call = {"CallSid": "CA" + "6" * 32, "From": ivy.phone.number, "To": OUR_NUMBER}
    clinic.post("/twilio/voice", call)
    with runtime.reading() as session:
        base = f"/twilio/voice/calls/{session.scalars(select(PhoneCall.id)).one()}"
        before = session.scalars(select(Recording)).all()
    clinic.post(f"{base}/recording", {**call, "RecordingSid": "RE" + "6" * 32, "RecordingStatus": "absent"})
    with runtime.reading() as session:
        assert session.scalars(select(Recording)).all() == before == []
