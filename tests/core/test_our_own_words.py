"""We never ask for a word that we do not understand."""

import re

import pytest

from notifier.catalog import load
from notifier.core import triage

CATALOG = load()
OURS = {"SMS", "HELP", "STOP", "START", "AYUDA", "ALTO"}
ASKED = [
    (template.key, language, word)
    for template in CATALOG.messages.values()
    for language, text in template.text.items()
    if template.key.startswith("M")
    for word in re.findall(r"\b(?:NOT OK|[A-ZÑ]{2,})\b", text)
    if word not in OURS
]


@pytest.mark.parametrize(("key", "language", "word"), ASKED)
def test_every_reply_word_that_we_offer_is_understood(key, language, word):
    reading = triage.read(word, CATALOG.rules, prompt=CATALOG.messages[key].asks)
    assert "UNKNOWN" not in reading.kinds


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
