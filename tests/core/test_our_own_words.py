"""What people answer to our own questions means what we asked. `notifier catalog check` reads every expected reply."""

from dataclasses import replace

import pytest

from notifier.catalog import load
from notifier.core import triage
from notifier.core.vocabulary import Prompt

CATALOG = replace(load(), rules=replace(load().rules, learned=None))  # what a nurse has signed


def test_well_is_well_and_not_ok_is_not():
    asks = CATALOG.messages["M14"].asks
    for word in ("OK", "ok thanks", "all good", "BIEN", "bien gracias"):
        assert triage.read(word, CATALOG.rules, prompt=asks).kinds == ("OK_FINE",), word
    for word in ("NOT OK", "MAL", "no", "not good"):
        assert triage.read(word, CATALOG.rules, prompt=asks).kinds == ("NOT_WELL",), word


def test_thanks_are_thanks():
    """Neither a call for help nor a yes: a courtesy that stands alone answers nothing."""
    for word in ("thanks", "Thanks!", "thank you", "thank you so much", "gracias", "muchas gracias"):
        assert triage.read(word, CATALOG.rules).kinds == ("THANKS",), word


@pytest.mark.parametrize(
    ("asked", "words", "kind"),
    [
        ("M07.cold", "WARM", "TEMP_WARM"),
        ("M07.cold", "it was warm", "TEMP_WARM"),
        ("M08.cold", "TIBIO", "TEMP_WARM"),
        ("M08.cold", "ok", "DELIVERY_RECEIVED"),
        ("missing.list", "2 4", "MISSING"),
        ("missing.list", "2 y 4", "MISSING"),
        ("missing.list", "the blue caps", "MISSING"),
        ("M28", "5", "THANKS"),
        ("M28", "1", "COMPLAINT"),
        ("M29", "SI", "OK_FINE"),
        ("M29", "NO", "CALL_ME"),
    ],
)
def test_a_bare_answer_means_what_was_asked(asked, words, kind):
    assert triage.read(words, CATALOG.rules, prompt=CATALOG.messages[asked].asks).kinds == (kind,)


def test_the_same_word_without_the_question_means_nothing():
    for words in ("2 4", "WARM", "5"):
        assert triage.read(words, CATALOG.rules).kinds == ("UNKNOWN",)


def test_a_red_flag_beats_every_question():
    for prompt in Prompt:
        reading = triage.read("2 but I can't breathe", CATALOG.rules, prompt=prompt)
        assert reading.urgency.is_red, prompt
