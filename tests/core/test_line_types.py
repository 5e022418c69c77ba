"""Which line takes which channel, and when a person must ask first."""

import pytest

from notifier.core.line_types import LineType, after_refusal, of_twilio, way
from notifier.core.vocabulary import Channel, Consent

GIVEN, UNKNOWN, WITHDRAWN = Consent.GIVEN, Consent.UNKNOWN, Consent.WITHDRAWN
LANDLINE = LineType.LANDLINE


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("mobile", LineType.MOBILE),
        ("landline", LineType.LANDLINE),
        ("fixedVoip", LineType.FIXED_VOIP),
        ("nonFixedVoip", LineType.NON_FIXED_VOIP),
        ("tollFree", LineType.OTHER),
        ("a word of next year", LineType.OTHER),
        ("unknown", LineType.UNKNOWN),
        ("", LineType.UNKNOWN),
        (None, LineType.UNKNOWN),
    ],
)
def test_twilios_words_are_ours(word, kind):
    assert of_twilio(word) is kind


@pytest.mark.parametrize("kind", [kind for kind in LineType if kind is not LANDLINE])
@pytest.mark.parametrize("chosen", Channel)
def test_what_may_take_texts_is_reached_as_was_chosen(kind, chosen):
    assert way(chosen, kind, texts=GIVEN, calls=UNKNOWN, whose="X") == way(
        chosen, LineType.UNKNOWN, texts=GIVEN, calls=UNKNOWN, whose="X"
    )
    assert way(chosen, kind, texts=GIVEN, calls=UNKNOWN, whose="X").channel is chosen


@pytest.mark.parametrize(
    ("texts", "calls", "todo"),
    [
        (GIVEN, GIVEN, ""),
        (GIVEN, UNKNOWN, "ask whether we may call"),
        (GIVEN, WITHDRAWN, "asked for no more calls"),
        (UNKNOWN, GIVEN, ""),
        (UNKNOWN, UNKNOWN, ""),  # nothing would be sent anyway
        (WITHDRAWN, UNKNOWN, ""),
    ],
)
def test_a_landline_is_called_and_a_person_asks_where_only_texts_were_agreed_to(texts, calls, todo):
    found = way(Channel.SMS, LANDLINE, texts=texts, calls=calls, whose="The patient's phone")
    assert found.channel is Channel.VOICE
    assert todo in found.todo
    assert bool(found.todo) == bool(todo)
    assert way(Channel.VOICE, LANDLINE, texts=texts, calls=calls, whose="The patient's phone") == found


def test_a_mobile_out_of_reach_is_no_landline_and_what_is_no_mobile_is():
    assert after_refusal(LineType.MOBILE, 30006) is LineType.MOBILE
    assert after_refusal(LineType.MOBILE, 21614) is LANDLINE
    assert after_refusal(LineType.UNKNOWN, 30006) is LANDLINE
    assert after_refusal(LineType.FIXED_VOIP, 30006) is LANDLINE
