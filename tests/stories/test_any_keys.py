"""Whatever a caller presses, says or leaves unsaid: every document keeps to Twilio's rules, and every call ends."""

import random

import pytest

from tests.clinic import OUR_NUMBER

WORDS = ("", "maybe", "my pump beeps", "no sé", "I don't know what to press & <help>", "yes", "no", "x" * 900)


def wander(phone, dice: random.Random, most: int = 45) -> int:
    """Presses, says and waits at random until the call is over; returns how many turns it took."""
    for turns in range(most):
        if phone.call is None:
            return turns
        match dice.randrange(4):
            case 0:
                phone.waits()
            case 1:
                phone.says(dice.choice(WORDS[1:]))
            case _:
                phone.press(dice.choice("123456789*#"))
    return most


@pytest.mark.parametrize("seed", range(6))
def test_a_caller_who_presses_anything_comes_to_an_end(clinic, seed):
    dice = random.Random(seed)
    ivy = clinic.active("Ivy", language=dice.choice(["en", "es"]))
    for person in (clinic.nia, clinic.bo, clinic.dee, clinic.cora, clinic.sue, clinic.desk, clinic.phil):
        person.phone.mode = dice.choice(["off", "busy", "voicemail"])
    for _ in range(3):
        ivy.phone.calls(OUR_NUMBER)
        assert wander(ivy.phone, dice) < 45
        assert ivy.phone.heard[-1] in ("Goodbye.", "Adiós.")
    clinic.world.settle()


@pytest.mark.parametrize("seed", range(6))
def test_whoever_takes_our_call_and_presses_anything_comes_to_an_end(clinic, seed):
    dice = random.Random(seed)
    bill = clinic.active("Bill", channel="voice", language=dice.choice(["en", "es"]))
    for person in (clinic.nia, clinic.bo, clinic.dee, clinic.cora, clinic.sue, clinic.desk, clinic.phil):
        person.phone.mode = "off"
    bill.phone.answers()
    assert wander(bill.phone, dice) < 45
    assert bill.phone.call is None
    clinic.world.settle()
