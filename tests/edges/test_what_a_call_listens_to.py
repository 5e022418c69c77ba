"""What Twilio is told to listen to: one key first, words second, with the words that are likely in that language."""

from xml.etree import ElementTree

import pytest

from notifier import runtime
from tests.clinic import OUR_NUMBER, Clinic


def gather(clinic: Clinic, sid: str, number: str) -> ElementTree.Element:
    """What a caller is asked at first."""
    menu = clinic.post("/twilio/voice", {"CallSid": sid, "From": number, "To": OUR_NUMBER}).text
    return ElementTree.fromstring(menu).find("Gather")


@pytest.mark.parametrize(
    ("language", "code", "voice", "hint"),
    [("en", "en-US", "Polly.Joanna", "nurse"), ("es", "es-US", "Polly.Lupe", "enfermera")],
)
def test_a_menu_listens_to_one_key_and_to_words_of_their_language(clinic: Clinic, language, code, voice, hint) -> None:
    ana = clinic.active("Ana", language=language)
    asked = gather(clinic, "CA" + "3" * 32, ana.phone.number)
    assert (asked.get("input"), asked.get("numDigits"), asked.get("language")) == ("dtmf speech", "1", code)
    assert asked.get("timeout") == str(runtime.current().catalog.calls.key_seconds)
    assert asked.get("actionOnEmptyResult") == "true"  # silence is told to us too
    assert hint in asked.get("hints").split(", ")
    assert {say.get("voice") for say in asked.iter("Say")} == {voice}


def test_staff_answer_by_keys_alone_so_that_no_voicemail_takes_a_ticket(clinic: Clinic, clock) -> None:
    ivy = clinic.active("Ivy")
    ivy.texts("FEVER")
    clock.passes(minutes=5)
    call = clinic.nia.phone.ringing
    asked = ElementTree.fromstring(
        clinic.post(call.source.url.replace(clinic.world.url, ""), {"CallSid": call.sid}).text
    )
    assert [one.get("input") for one in asked.iter("Gather")] == ["dtmf"]
